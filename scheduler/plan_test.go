package scheduler

import (
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		reconciled time.Time
		want       bool
	}{
		"at the start":    {time.Time{}, true},
		"just done":       {now, false},
		"a moment before": {now.Add(-reconcileEvery + 1), false},
		"on time":         {now.Add(-reconcileEvery), true},
	} {
		if got := (plan{reconciled: tc.reconciled}).next(now); got != tc.want {
			t.Errorf("%s: next = %v, want %v", name, got, tc.want)
		}
	}
}

// TestSlots: one task for one reason within a minute, and another as soon as a holder died or the minute is over.
func TestSlots(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 2, 9, 0, 30, 0, time.UTC)
	due := now.Add(-time.Hour)
	first := slot(due, 1, now)
	if got := slot(due, 1, now.Add(20*time.Second)); got != first {
		t.Errorf("slot within the minute = %x, want %x", got, first)
	}
	for name, other := range map[string]int64{
		"after the minute": slot(due, 1, now.Add(time.Minute)), "with a new fence": slot(due, 2, now), "of another due time": slot(due.Add(time.Millisecond), 1, now),
	} {
		if other == first {
			t.Errorf("slot %s = %x, want another", name, other)
		}
	}
}
