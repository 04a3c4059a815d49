package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
)

// poolBack is how soon after Postgres is back a worker has committed.
const poolBack = 10 * time.Second

// commits are how many transactions the audit has seen.
func (e *env) commits() int {
	e.t.Helper()
	return storetest.Value[int](e.db, `SELECT count(*) FROM audit WHERE kind = 'wrote'`)
}

// goesOn waits until a worker has committed anew, or all is done, and returns how long that took.
func (e *env) goesOn(since time.Time) time.Duration {
	e.t.Helper()
	was := e.commits()
	e.until("a worker commits again", poolBack, func() bool { return e.commits() > was || e.done() })
	return time.Since(since)
}

// TestARestartedPostgresLosesNothing: a whole server of the test's own is stopped fast, at once, and by kill -9, in
// turn, under processes that schedule and work, and started again.
func TestARestartedPostgresLosesNothing(t *testing.T) {
	t.Parallel()
	ways := []storetest.Stop{storetest.Fast, storetest.Immediate, storetest.Crash}
	n, restarts := amount(150, 1000), amount(len(ways), 21)
	pg := storetest.NewPostgres(t, "")
	e := newEnvOn(t, pg.New(), levertest.Config{Seed: 56, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, restarts, e, 1)
	c := e.wholeCrew(2, brief)
	var slowest time.Duration
	for i, n := range at {
		e.reach(n)
		c.awaitBusy()
		pg.Stop(ways[i%len(ways)])
		pg.Start()
		slowest = max(slowest, e.goesOn(time.Now()))
	}
	took := e.served(time.Minute)
	c.survived()
	e.check()
	e.checkAudit()
	extra := e.refetched()
	for i, how := range ways {
		tried := (len(at) + len(ways) - 1 - i) / len(ways)
		ledger.add("Postgres restarted: "+how.Name, tally{tried: tried, survived: tried, over: max(0, extra-len(at)*batch), failed: t.Failed(),
			note: fmt.Sprintf("a worker committed again within %s of its being back", slowest.Round(10*time.Millisecond))})
	}
	t.Logf("restarted at calls %v of %d: a worker committed again within %s, all done %s after the last; %d calls made again", at, e.calls(), slowest, took, extra)
	if extra > len(at)*batch {
		t.Errorf("%d calls made again after %d restarts, want at most %d each", extra, len(at), batch)
	}
}
