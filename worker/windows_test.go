package worker

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// TestWindowsCoverAllOfTime: whatever the borders, each moment lies in a window, and only a border in two.
func TestWindowsCoverAllOfTime(t *testing.T) {
	t.Parallel()
	at := func(ms ...int64) (out []time.Time) {
		for _, m := range ms {
			out = append(out, time.UnixMilli(m).Add(300*time.Microsecond))
		}
		return out
	}
	for _, tc := range []struct {
		borders []time.Time
		want    int
	}{
		{nil, 0}, {at(0, -5), 0}, {at(7), 2}, {at(7, 7), 2}, {at(9, 7, 8), 4}, {at(math.MinInt32, 0, 5, 5, 9), 3},
	} {
		got := windowsBetween(tc.borders)
		if len(got) != tc.want {
			t.Errorf("windowsBetween(%v): %d windows, want %d", tc.borders, len(got), tc.want)
			continue
		}
		if len(got) == 0 {
			continue
		}
		for _, ms := range []int64{math.MinInt32, -1, 0, 1, 4, 5, 6, 7, 8, 9, 10, math.MaxInt32} {
			in, border := 0, slices.ContainsFunc(got, func(w window) bool { return !w.To.IsZero() && w.To.UnixMilli() == ms })
			for _, w := range got {
				if (w.From.IsZero() || w.From.UnixMilli() <= ms) && (w.To.IsZero() || ms <= w.To.UnixMilli()) {
					in++
				}
			}
			if want := map[bool]int{false: 1, true: 2}[border]; in != want {
				t.Errorf("windowsBetween(%v): %d ms lies in %d windows, want %d", tc.borders, ms, in, want)
			}
		}
	}
}

func TestBordersBetweenRise(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	from := to.AddDate(-5, 0, 0)
	for n := 2; n <= maxWindows; n++ {
		b := bordersBetween(from, to, n)
		if len(b) != n-1 || !slices.IsSortedFunc(b, time.Time.Compare) || !b[0].After(from) || !b[n-2].Before(to) {
			t.Errorf("bordersBetween(%v, %v, %d) = %v, want %d that rise between the two", from, to, n, b, n-1)
		}
	}
	if b := bordersBetween(to, from, 5); len(b) != 0 {
		t.Errorf("bordersBetween of no time at all = %v, want none", b)
	}
}

// TestAListIsCutWhereOneCursorIsNotEnough: into as many windows as the latency asks for, as far as a hundredth of the
// calls pays for them.
func TestAListIsCutWhereOneCursorIsNotEnough(t *testing.T) {
	t.Parallel()
	now := time.Now()
	before := now.Add(-time.Hour)
	all := map[unified.Scope]bool{unified.Offers: true, unified.Scorecards: true, unified.Attachments: true, unified.ScheduledInterviews: true}
	for _, tc := range []struct {
		name        string
		rate        float64
		latency     time.Duration
		pages, vain int
		first       bool
		enabled     map[unified.Scope]bool
		want        int
	}{
		{"a fast Lever", 10, 50 * time.Millisecond, 1000, 0, false, all, 1},
		{"a fast Lever without a limit", 1e5, 2 * time.Millisecond, 1000, 0, false, all, 1},
		{"a tenth of a second", 10, 100 * time.Millisecond, 1000, 0, false, all, 1},
		{"a scan, slow", 10, 300 * time.Millisecond, 1000, 0, false, all, 4},
		{"a scan, very slow", 10, time.Second, 1000, 0, false, all, 11},
		{"a scan of 300 pages", 10, time.Second, 300, 0, false, all, 4},
		{"a scan of 99 pages", 10, time.Second, 99, 0, false, all, 1},
		{"a first sync after one page", 10, time.Second, 1, 1, true, all, 5},
		{"a first sync after two pages", 10, time.Second, 2, 2, true, all, 9},
		{"a first sync after two pages, slow", 10, 300 * time.Millisecond, 2, 2, true, all, 4},
		{"a first sync after ten pages", 10, time.Second, 10, 10, true, all, 1},
		{"a first sync without children", 10, time.Second, 5, 5, true, nil, 1},
		{"at most so many", 100, 5 * time.Second, 5000, 0, false, all, maxWindows},
	} {
		st := store.Stream{Now: now, LastFullPages: tc.pages, LastStartedAt: &before}
		if tc.first {
			st.LastStartedAt = nil
		}
		k := &conn{rate: tc.rate, latency: tc.latency.Seconds()}
		o := &opportunities{slice: &slice{w: &Worker{cfg: Config{}.withDefaults()}, stream: streams[streamOpportunities], conn: k, state: st, enabled: tc.enabled}}
		if got := o.parts(tc.pages, tc.vain); got != tc.want {
			t.Errorf("%s: %d pages, %d of them in vain, are cut into %d windows, want %d", tc.name, tc.pages, tc.vain, got, tc.want)
		}
	}
}

// TestWhatThePageBeforeWroteIsLookedUpAgain: a page is looked up while the one before is written; what that one writes has to be
// looked up anew.
func TestWhatThePageBeforeWroteIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	it := lever.Item[made]{Value: made{parent: store.Parent{RemoteID: "x"}, stored: true}}
	o := &opportunities{cursor: cursor{Page: 7}}
	if !o.asStored(it) {
		t.Error("stored as it is, and written by nobody: it is read again")
	}
	o.noteWritten([]store.Parent{{RemoteID: "x"}})
	o.cursor.Page++
	if o.asStored(it) {
		t.Error("written by the page before, which was under way when it was looked up: it is taken for what it was")
	}
	o.noteWritten(nil)
	o.cursor.Page++
	if !o.asStored(it) {
		t.Error("written two pages before, and looked up since: it is read again")
	}
	if it.Value.stored = false; o.asStored(it) {
		t.Error("it was stored otherwise")
	}
}
