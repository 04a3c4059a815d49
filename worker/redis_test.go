package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// TestARedisThatIsAwayIsWaitedFor: for a moment, for longer than the half minute after which asynq cancels what it can't say
// to be at work, and for minutes. What falls due meanwhile, and what was under way, has run a minute after it is back:
// empty, or with what it held.
func TestARedisThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{3 * time.Second, 35 * time.Second, 5 * time.Minute}[:amount(1, 3)] {
		t.Run(away.String(), func(t *testing.T) { redisAway(t, away, amount(2, 5)) }) // one by one: each takes many connections
	}
}

// redisAway takes Redis away from so many installations at once, in the midst of their first syncs.
func redisAway(t *testing.T, away time.Duration, installations int) {
	t.Helper()
	all := make([]*cutOff, installations)
	for i := range all {
		all[i] = newCutOff(t, i)
	}
	for _, c := range all {
		c.cut()
	}
	began := time.Now()
	for _, c := range all {
		c.due()
	}
	all[0].until("Redis has been away for long enough", away+time.Minute, func() bool { return time.Since(began) > away })
	back := time.Now()
	for _, c := range all {
		c.mend()
	}
	for _, c := range all {
		c.claimed()
		c.served(afterRedis - time.Since(back))
	}
	took := time.Since(back)
	for _, c := range all {
		c.check()
		c.checkAudit()
		c.crew.survived()
	}
	t.Logf("Redis away for %s from %d installations: all that was due had run %s after it was back", away, installations, took.Round(time.Millisecond))
	ledger.add("Redis away for "+away.String(), tally{tried: installations, survived: installations, failed: t.Failed(), note: fmt.Sprintf("all had run %s after it was back", took.Round(100*time.Millisecond))})
}

// cutOff is an installation of two processes that loses its Redis: killed, or out of reach with all that it holds.
type cutOff struct {
	*env
	crew   *crew
	gate   *gate
	killed bool
}

// newCutOff makes one, and returns in the midst of its first sync: an opportunity's lists take so long that
// their run is under way when asynq cancels its task.
func newCutOff(t *testing.T, n int) *cutOff {
	t.Helper()
	c := &cutOff{env: newEnv(t, levertest.Config{Seed: 56 + int64(n), Opportunities: amount(20, 80), Postings: 3, RatePerSecond: -1, Confidential: true}, fast), killed: n%2 == 0}
	c.audit()
	c.spoil(levertest.Fault{Match: `^GET /opportunities/:id/`, Kind: levertest.FaultLatency, Delay: time.Duration(amount(1, 3)) * time.Second})
	c.gate = openGate(c.env, c.redis.Addr)
	c.rdURL = "redis://" + c.gate.addr + "/0"
	c.crew = c.wholeCrew(2, store.DefaultLease)
	c.until("children are being read", time.Minute, func() bool { return c.lever.CallsBy()["/opportunities/:id/offers"] > 0 })
	return c
}

func (c *cutOff) cut() {
	c.gate.shut()
	if c.killed {
		c.redis.Kill()
	}
}

// due lets things change, and all scopes fall due.
func (c *cutOff) due() {
	c.t.Helper()
	for range 3 {
		if _, err := c.lever.AddOpportunity(); err != nil {
			c.t.Fatal(err)
		}
	}
	c.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
}

func (c *cutOff) mend() {
	c.lever.ClearFaults()
	if c.killed {
		c.redis.Start()
	}
	c.gate.open()
}

// TestARedisThatForgotALeaseIsMadeUpFor: a worker dies, and with it Redis loses asynq's own leases, by which asynq finds the
// tasks of workers that died. It shows its tasks as active for ever, and we do not mind: what was under way, and what falls
// due later, runs in time.
func TestARedisThatForgotALeaseIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for n := range amount(1, 10) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			forgottenLease(t)
		})
	}
}

func forgottenLease(t *testing.T) {
	t.Helper()
	e := newEnv(t, levertest.Config{Seed: 57, Opportunities: 100, Postings: 3, RatePerSecond: -1, Confidential: true, Latency: 5 * time.Millisecond}, fast)
	e.audit()
	at := 1 + random(t).IntN(e.undisturbed()/2)
	c := e.wholeCrew(2, store.DefaultLease)
	w, holds := c.killBusy(at)
	died := time.Now()
	left, stuck := e.active(), 0
	if n := e.rdb.Del(t.Context(), leaseKeys()...).Val(); n == 0 {
		t.Fatal("asynq had no lease: the test tests nothing")
	}
	c.dismiss(w)
	c.hire()
	e.taken(holds, 15*time.Second)
	took := time.Since(died)
	e.served(afterRedis)
	e.check()
	if _, err := e.lever.AddOpportunity(); err != nil {
		t.Fatal(err)
	}
	e.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
	e.claimed()
	e.served(afterRedis)
	e.check()
	e.checkAudit()
	for id := range e.active() {
		if left[id] {
			stuck++
		}
	}
	if stuck == 0 {
		t.Error("asynq has found the tasks of the dead worker: the test tests nothing")
	}
	ledger.add("asynq's lease deleted under a killed worker", tally{tried: 1, survived: 1, failed: t.Failed(), note: fmt.Sprintf("replaced within %s", took.Round(100*time.Millisecond))})
}

// leaseKeys are where asynq keeps until when a worker is believed to work on its tasks.
func leaseKeys() []string {
	var keys []string
	for name := range task.Queues() {
		keys = append(keys, fmt.Sprintf("asynq:{%s}:lease", name))
	}
	return keys
}

// active are the ids of the tasks that asynq believes to be at work.
func (e *env) active() map[string]bool {
	e.t.Helper()
	ids := map[string]bool{}
	for name := range task.Queues() {
		tasks, err := asynq.NewInspectorFromRedisClient(e.rdb).ListActiveTasks(name)
		if err != nil { // no such queue, where none of its tasks was ever made
			continue
		}
		for _, a := range tasks {
			ids[a.ID] = true
		}
	}
	return ids
}
