package lever

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// grants collects when slots were given.
type grants struct {
	mu sync.Mutex
	at []time.Time
}

func (g *grants) add() {
	g.mu.Lock()
	g.at = append(g.at, time.Now())
	g.mu.Unlock()
}

// densest is the most grants in any window of d.
func (g *grants) densest(d time.Duration) int {
	slices.SortFunc(g.at, time.Time.Compare)
	most, from := 0, 0
	for i, at := range g.at {
		for at.Sub(g.at[from]) >= d {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// worker takes slots until ctx ends, and comes back as it is told to.
func worker(ctx context.Context, b *Budget, lane Lane, g *grants) {
	for ctx.Err() == nil {
		_, err := b.Wait(ctx, lane)
		var refused *BudgetError
		switch {
		case err == nil:
			g.add()
		case errors.As(err, &refused):
			pause(ctx, refused.RetryAfter)
		}
	}
}

// saturate runs workers over budgets for d and returns what they got.
func saturate(t *testing.T, budgets []*Budget, workers int, lane Lane, d time.Duration) *grants {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	g := &grants{}
	var wg sync.WaitGroup
	for _, b := range budgets {
		for range workers {
			wg.Go(func() { worker(ctx, b, lane, g) })
		}
	}
	wg.Wait()
	return g
}

func TestBudgetIsUsedAndKept(t *testing.T) {
	t.Parallel()
	redis := testRedis(t)
	for _, tc := range []struct {
		name               string
		processes, workers int
		rate               float64
		lane               Lane
	}{
		{"1 process", 1, 8, 20, LaneIncremental},
		{"2 processes", 2, 8, 20, LaneBackfill},
		{"4 processes", 4, 8, 10, LaneIncremental},
		{"8 processes", 8, 4, 20, LaneSweep},
		{"high rate", 2, 40, 200, LaneBackfill},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var budgets []*Budget
			for range tc.processes {
				budgets = append(budgets, newBudgets(t, redis).For("c", tc.rate))
			}
			const d = 4 * time.Second
			g := saturate(t, budgets, tc.workers, tc.lane, d)
			allowed := tc.rate * d.Seconds()
			if got := float64(len(g.at)); got < 0.97*allowed || got > allowed+budgetBurst {
				t.Errorf("%d processes x %d workers at %v/s for %v: got %v grants, want 97 %% to all of %v", tc.processes, tc.workers, tc.rate, d, got, allowed)
			}
			if got, most := g.densest(time.Second), int(tc.rate)+budgetBurst; got > most {
				t.Errorf("%d processes x %d workers at %v/s: got %d grants within a second, want at most %d", tc.processes, tc.workers, tc.rate, got, most)
			}
		})
	}
}
