package worker

import (
	"testing"
	"time"

	"github.com/leversync/leversync/store"
)

// TestADeltaReachesBackBehindTheWatermark: clocks differ, and what Lever wrote while the last traversal began may
// bear an earlier time. A delta, and the list of deletions, go back behind it by five minutes at the least.
func TestADeltaReachesBackBehindTheWatermark(t *testing.T) {
	t.Parallel()
	const least = 5 * time.Minute
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	started, full := now.Add(-time.Hour), now.Add(-time.Minute)
	st := store.Stream{LastStartedAt: &started, LastFullAt: &full, LastFullPages: 100 * scanPages, Now: now} // too long a list to be read each time
	o := &opportunities{slice: &slice{w: &Worker{cfg: Config{}.withDefaults()}, stream: streams[streamOpportunities], conn: &conn{rate: 10}, state: st}}
	o.plan()
	if o.cursor.Full || o.cursor.Since.IsZero() || o.cursor.Since.After(started.Add(-least)) {
		t.Errorf("plan of a delta: full %t, since %v; want since %v or earlier", o.cursor.Full, o.cursor.Since, started.Add(-least))
	}
	if got := deletedSince(st); got.After(started.Add(-least)) {
		t.Errorf("deletions without a mark of their own are read since %v; want %v or earlier", got, started.Add(-least))
	}
	until := now.Add(-10 * time.Minute)
	st.DeletionsUntil = &until
	if got := deletedSince(st); got.After(until.Add(-least)) {
		t.Errorf("deletions are read since %v; want %v or earlier", got, until.Add(-least))
	}
}
