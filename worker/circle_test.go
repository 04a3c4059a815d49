package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestPageTokensInACircleEndTheRun: of three pages, or of more than a slice reads, by one cursor or in windows. The list is
// begun again a few times, then its scopes say why they failed; nothing is lost, and the next sync finds a sound list.
func TestPageTokensInACircleEndTheRun(t *testing.T) {
	t.Parallel()
	slices := worker.Config{Slice: time.Nanosecond, Concurrency: 1} // a page each
	for name, tc := range map[string]struct {
		cfg   worker.Config
		pages int
		most  int // calls of the list
	}{
		"three pages":        {pages: 3, most: 4 * 4},
		"more than a slice":  {cfg: slices, pages: 4, most: 4 * 3 * 5},
		"in each of windows": {cfg: worker.Config{Windows: 2}, pages: 2, most: 4 * 4 * 2 * 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 49, Opportunities: 500, RatePerSecond: -1, Confidential: true}, fast, unified.Applications, unified.Candidates)
			e.start(tc.cfg)
			e.wait(time.Now())
			e.checkIDs()
			e.spoil(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultCircle, Pages: tc.pages})
			e.lever.ResetCounters()
			e.ask(true)
			e.until("the run has ended", time.Minute, e.done)
			for _, sc := range []unified.Scope{unified.Applications, unified.Candidates} {
				if s := scopeStatus(e, sc); s.State != "failed" || !strings.Contains(s.Reason, "circle") {
					t.Errorf("%s: state %s (%s), want failed, for a circle", sc, s.State, s.Reason)
				}
			}
			if n := e.lever.CallsBy()["/opportunities"]; n > tc.most {
				t.Errorf("%d calls of the list, want at most %d", n, tc.most)
			}
			if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM ats.deleted_records`); n != 0 {
				t.Errorf("%d records were taken for deleted, want none", n)
			}
			e.lever.ClearFaults()
			e.sync(true)
			e.checkIDs()
		})
	}
}
