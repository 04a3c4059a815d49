package worker_test

import (
	"testing"
	"time"
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
				n.pass(time.Hour)
				n.claimed()
				n.served(2 * time.Minute)
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
