package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

func TestFirstSyncEqualsTheSource(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 1, Opportunities: 300, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
}

// TestASliceThatIsOverGoesOnWhileNobodyWaits: slices end all the time, and none is handed on while slots are free. With
// one slot each one is.
func TestASliceThatIsOverGoesOnWhileNobodyWaits(t *testing.T) {
	t.Parallel()
	for slots, handed := range map[int]bool{64: false, 1: true} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 45, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast, unified.Offers)
			w := e.start(worker.Config{Slice: time.Millisecond, Concurrency: slots})
			e.wait(time.Now())
			if n := w.Metrics().Yields.Load(); (n > 0) != handed {
				t.Errorf("%d slots: %d slices were handed on, want some: %t", slots, n, handed)
			}
			e.checkAlone("offers", unified.Offers)
		})
	}
}
