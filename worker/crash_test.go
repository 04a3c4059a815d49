package worker_test

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// batch is what one crash may cost: the child lists that are under way (batchSize of worker/children.go), and
// two pages of a list, one being written and the next being fetched.
const batch = 40 + 2

// brief is a lease short enough to lose it twenty times in a test. The large tests use the real one.
const brief = 1500 * time.Millisecond

// large reports whether LEVERSYNC_TEST_LARGE asks for tests of the size that they are about.
func large() bool { return os.Getenv("LEVERSYNC_TEST_LARGE") != "" }

// points are n moments of the first sync of so many connectors, as counts of calls, in order.
func points(t *testing.T, n int, e *env, connectors int) []int {
	t.Helper()
	rng := random(t)
	out := make([]int, n)
	for i := range out {
		out[i] = 1 + rng.IntN(connectors*e.undisturbed()*85/100)
	}
	slices.Sort(out)
	return out
}

// reach waits until Lever has counted n calls.
func (e *env) reach(n int) {
	e.t.Helper()
	e.until(fmt.Sprintf("Lever has counted %d calls", n), 5*time.Minute, func() bool { return e.calls() >= n })
}

// hold is a lease, as it was seen.
type hold struct {
	stream string
	fence  int64
}

// holds are the leases that a worker has on runs under way.
func (e *env) holds(w *child) []hold {
	e.t.Helper()
	var out []hold
	for _, s := range storetest.Column[string](e.db, `SELECT stream FROM streams WHERE lease_until > now() AND run_id IS NOT NULL AND lease_owner LIKE '%/' || $1 || '/%'`, fmt.Sprint(w.pid())) {
		out = append(out, hold{s, storetest.Value[int64](e.db, `SELECT fence FROM streams WHERE stream = $1`, s)})
	}
	return out
}

// taken waits until others hold, or have held, each of the leases. A run that has ended needs nobody any more.
func (e *env) taken(holds []hold, limit time.Duration) {
	e.t.Helper()
	for _, h := range holds {
		e.until(fmt.Sprintf("another worker takes %s over", h.stream), limit, func() bool {
			return storetest.Value[bool](e.db, `SELECT fence > $2 OR run_id IS NULL FROM streams WHERE stream = $1`, h.stream, h.fence)
		})
	}
}

func TestKilledWorkersCostABatchAtMost(t *testing.T) {
	t.Parallel()
	n, lease, kills := amount(300, 3000), brief, amount(20, 200)
	if large() {
		n, lease = 5000, store.DefaultLease
	}
	e := newEnv(t, levertest.Config{Seed: 40, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, kills, e, 1)
	c := e.crew(2, lease)
	e.startScheduler()
	began := time.Now()
	var slowest, sum time.Duration
	killed := 0
	for _, n := range at {
		e.reach(n)
		w := c.awaitBusy()
		if w == nil {
			break
		}
		killed++
		holds := e.holds(w)
		w.kill()
		died := time.Now()
		c.dismiss(w)
		c.hire()
		e.taken(holds, 15*time.Second)
		took := time.Since(died)
		slowest, sum = max(slowest, took), sum+took
	}
	e.served(5 * time.Minute)
	e.check()
	e.checkAudit()
	extra := e.refetched()
	t.Logf("%d kills at calls %v of %d, lease %s: %d calls made again, %.1f a kill; another worker took over within %s, %s on average; %s in all",
		killed, at, e.calls(), lease, extra, float64(extra)/float64(killed), slowest.Round(time.Millisecond), (sum / time.Duration(killed)).Round(time.Millisecond), time.Since(began).Round(time.Second))
	ledger.add("worker killed", tally{tried: killed, survived: killed, over: max(0, extra-killed*batch), failed: t.Failed(), note: fmt.Sprintf("%.1f calls made again for each", float64(extra)/float64(killed))})
	if killed < kills*3/4 {
		t.Errorf("%d workers killed before the sync was over, want %d", killed, kills)
	}
	if extra > killed*batch {
		t.Errorf("%d calls made again after %d kills, want at most %d each", extra, killed, batch)
	}
}

// TestAKilledWorkerIsReplacedSoon: with the lease as it is in life.
func TestAKilledWorkerIsReplacedSoon(t *testing.T) {
	t.Parallel()
	for n := range amount(1, 10) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			replacedSoon(t)
			ledger.add("worker killed under a lease as in life", tally{tried: 1, survived: 1, failed: t.Failed()})
		})
	}
}

// killBusy kills a process that is at work once Lever has counted so many calls, and returns it with what it held.
func (c *crew) killBusy(at int) (*child, []hold) {
	c.e.t.Helper()
	c.e.reach(at)
	w := c.awaitBusy()
	if w == nil {
		c.e.t.Fatal("the sync was over before its worker could be killed")
	}
	holds := c.e.holds(w)
	w.kill()
	return w, holds
}

func replacedSoon(t *testing.T) {
	t.Helper()
	e := newEnv(t, levertest.Config{Seed: 41, Opportunities: 300, RatePerSecond: -1, Confidential: true, Latency: 5 * time.Millisecond}, fast)
	at := 1 + random(t).IntN(e.undisturbed()/2)
	c := e.crew(2, store.DefaultLease)
	e.startScheduler()
	_, holds := c.killBusy(at)
	died := time.Now()
	e.taken(holds, 15*time.Second)
	n := e.calls()
	e.until("a call after the take-over", 15*time.Second, func() bool {
		return e.calls() > n || storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE run_id IS NOT NULL`) == 0
	})
	took := time.Since(died)
	t.Logf("killed at call %d, holding %v: replaced within %s", at, holds, took.Round(time.Millisecond))
	if took > 15*time.Second {
		t.Errorf("replaced after %s, want at most 15 s", took)
	}
	e.served(2 * time.Minute)
	e.check()
}

func TestAFrozenWorkerWritesNothingOnceReplaced(t *testing.T) {
	t.Parallel()
	n, lease, rounds := amount(300, 1500), brief, amount(3, 20)
	if large() {
		n, lease = 1000, store.DefaultLease
	}
	e := newEnv(t, levertest.Config{Seed: 42, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, rounds, e, 1)
	c := e.crew(2, lease)
	e.startScheduler()
	frozen := 0
	for _, n := range at {
		e.reach(n)
		w := c.awaitBusy()
		if w == nil {
			break
		}
		frozen++
		holds := e.holds(w)
		w.signal(syscall.SIGSTOP)
		e.taken(holds, 15*time.Second)
		w.signal(syscall.SIGCONT)
	}
	e.served(2 * time.Minute)
	e.check()
	e.checkAudit()
	fenced := int64(0)
	for _, w := range c.alive {
		w.term()
		fenced += w.answers["fenced"]
	}
	extra := e.refetched()
	t.Logf("frozen %d times at calls %v: %d leases found lost, %d calls made again", rounds, at, fenced, extra)
	ledger.add("zombie", tally{tried: frozen, survived: frozen, over: max(0, extra-rounds*2*batch), failed: t.Failed(), note: fmt.Sprintf("%d leases found lost; every stale write refused", fenced)})
	if extra > rounds*2*batch { // what the frozen one had read, and what it reads until it learns that it lost
		t.Errorf("%d calls made again after %d freezes, want at most %d each", extra, rounds, 2*batch)
	}
}

func TestSIGTERMLosesNothing(t *testing.T) {
	t.Parallel()
	rounds, n := amount(4, 50), amount(300, 1500)
	e := newEnv(t, levertest.Config{Seed: 43, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: 2 * time.Millisecond}, fast)
	e.audit()
	at := points(t, rounds, e, 1)
	c := e.crew(2, store.DefaultLease)
	e.startScheduler()
	var slowest, slowestNext time.Duration
	for _, n := range at {
		e.reach(n)
		w := c.awaitBusy()
		if w == nil {
			break
		}
		holds := e.holds(w)
		took := w.term()
		ended := time.Now()
		c.dismiss(w)
		e.taken(holds, 15*time.Second)
		slowest, slowestNext = max(slowest, took), max(slowestNext, time.Since(ended))
		c.hire()
	}
	e.served(2 * time.Minute)
	e.check()
	e.checkAudit()
	extra := e.refetched()
	t.Logf("%d workers ended at calls %v: within %s, the next went on within %s; %d calls made again", rounds, at,
		slowest.Round(time.Millisecond), slowestNext.Round(time.Millisecond), extra)
	ledger.add("worker ended by SIGTERM", tally{tried: rounds, survived: rounds, over: extra, failed: t.Failed(), note: fmt.Sprintf("within %s", slowest.Round(time.Millisecond))})
	if slowest > 10*time.Second {
		t.Errorf("a worker took %s to end, want at most 10 s", slowest)
	}
	if extra != 0 {
		t.Errorf("%d calls made again, want none: %v", extra, e.lever.CallsBy())
	}
	if logged := storetest.Value[int](e.db, `SELECT count(*) FROM calls`); logged != e.calls() {
		t.Errorf("the sync log has %d calls, Lever counted %d", logged, e.calls())
	}
}
