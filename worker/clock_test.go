package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestLeversClockMayBeOff: Lever's clock is minutes or an hour off, and is put forward and back between syncs. Nothing is
// missed, and nothing is taken for deleted: what is due, and since when, goes by Postgres' clock.
func TestLeversClockMayBeOff(t *testing.T) {
	t.Parallel()
	steps := []time.Duration{-time.Hour, 5 * time.Minute, 0, -5 * time.Minute, time.Hour}
	rounds := amount(1, 4)
	n := newNemesis(t, amount(30, 120), 1)
	n.served(2 * time.Minute)
	for range rounds {
		for _, step := range steps {
			n.skew.Store(int64(step))
			for range 6 {
				n.mutate()
			}
			for range 2 {
				n.cycle()
			}
			n.safe()
			n.check()
			if t.Failed() {
				t.Fatalf("Lever's clock %s off: see above", step)
			}
			ledger.add("Lever's clock put elsewhere", tally{tried: 1, survived: 1})
		}
	}
	n.checkAudit()
}

// TestAProcessClockMayBeOff: the clocks of all processes are minutes or an hour off from Postgres'. First and next syncs, work
// that was put off after a failure, hints, and the life of a token go by Postgres' clock: nothing is missed, nothing waits for
// the difference, and nothing is asked for twice.
func TestAProcessClockMayBeOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Hour, time.Hour, -6 * time.Minute, 6 * time.Minute}[:amount(2, 4)] {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			e := bareEnv(t, levertest.Config{Seed: 84, Opportunities: 12, Postings: 3, RatePerSecond: -1, Confidential: true})
			e.db.Skew(-off)
			e.linkOAuth("clocks", unified.DefaultScopes()...)
			e.hooked()
			e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+/(offers|interviews)$", Kind: levertest.FaultStatus, Status: 500, Times: 4})
			e.startWorker(worker.Config{OAuth: e.oauth()})
			e.startScheduler()
			e.served(time.Minute)
			e.check()
			for range 2 {
				if _, err := e.lever.AddOpportunity(); err != nil {
					t.Fatal(err)
				}
				e.hint(store.HintOpportunity, touched(t, e.lever.AdvanceStage, e.lever.PickN(1, levertest.Active)[0]))
				e.looked()
				e.sync(false)
				e.check()
			}
			if n := e.lever.Refreshes(); n != 0 {
				t.Errorf("%d refreshes of a token that is good for an hour, want none", n)
			}
			e.lever.ExpireAccessTokens()
			e.sync(false)
			e.sync(false)
			if n := e.lever.Refreshes(); n != 1 {
				t.Errorf("%d refreshes after one expiry, want 1", n)
			}
			if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE state <> 'done' OR calls > bound + 8`); n != 0 {
				t.Errorf("%d runs were not done, or asked for more than they may", n)
			}
			e.check()
			ledger.add("clock of every process put elsewhere", tally{tried: 1, survived: 1, failed: t.Failed()})
		})
	}
}
