package worker_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// checkIDs compares which records there are, of every scope that is on, with the account.
func (e *env) checkIDs() {
	e.t.Helper()
	enabled, err := e.db.Store.EnabledScopes(e.t.Context(), e.conn.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	for sc, on := range enabled {
		got, want := e.records(sc), e.lever.Expected(string(sc))
		n := 0
		for id := range want {
			n++
			if on && got[id] == nil {
				e.t.Errorf("%s %q is not there", sc, id)
			}
		}
		if on && len(got) != n {
			e.t.Errorf("%d %s, want %d", len(got), sc, n)
		}
	}
}

// windowsRead is how many windows of created_at the list of opportunities was read in.
func (e *env) windowsRead() int {
	e.t.Helper()
	return storetest.Value[int](e.db, `SELECT count(DISTINCT (substring(query FROM 'created_at_start=(\d+)'), substring(query FROM 'created_at_end=(\d+)')))::int
FROM calls WHERE path = '/opportunities' AND query LIKE '%created_at_%'`)
}

// TestASlowLeverIsReadInWindows: where Lever takes long for a page, the list of a first sync is cut into windows, and so is
// that of a later scan; both within a hundredth above the bound. What is deleted is found across them.
func TestASlowLeverIsReadInWindows(t *testing.T) {
	t.Parallel()
	const n = 250
	e := newEnv(t, levertest.Config{Seed: 46, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: 60 * time.Millisecond}, fast,
		unified.Candidates, unified.Applications, unified.RejectReasons, unified.ScheduledInterviews, unified.Scorecards, unified.Offers)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.checkIDs()
	if got := e.windowsRead(); got < 3 {
		t.Errorf("a first sync of %d opportunities read %d windows, want some", n, got)
	}
	if got, most := e.calls(), (3+1+3*n)*101/100; got > most {
		t.Errorf("%d calls, want at most %d", got, most)
	}
	if got := storetest.Value[int](e.db, `SELECT last_full_pages FROM streams WHERE stream = 'opportunities'`); got != 3 {
		t.Errorf("the list is said to have %d pages, want 3", got)
	}

	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities/deleted$`, Kind: levertest.FaultStatus, Status: 403}); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"delete_opportunity", "add_opportunity", "advance_stage"} {
		if _, err := e.lever.Mutate(change, ""); err != nil {
			t.Fatalf("Mutate(%s): %v", change, err)
		}
	}
	// A scan pays for windows when its list is long: it is said to be.
	e.db.Exec(`UPDATE streams SET last_full_pages = 300, last_full_at = now() - interval '1 hour' WHERE stream = 'opportunities'`)
	e.db.Exec(`DELETE FROM calls`)
	e.lever.ResetCounters()
	e.sync(false)
	e.checkIDs()
	if got := e.windowsRead(); got != 4 {
		t.Errorf("a scan of what is said to be 300 pages read %d windows, want 4: three more calls are a hundredth", got)
	}
	if got := e.lever.CallsBy(); got["/opportunities"] > 3+3 || got["/opportunities/:id"] != 1 {
		t.Errorf("a scan of 3 pages in 4 windows made %v, want at most 6 of the list, and one for what was absent", got)
	}
}

// TestAnExpiredTokenRestartsItsWindowAlone: the others go on, and the run is not begun again.
func TestAnExpiredTokenRestartsItsWindowAlone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 48, Opportunities: 900, RatePerSecond: -1, Confidential: true}, fast, unified.Applications, unified.Candidates, unified.RejectReasons)
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultExpiredToken, Times: 2}); err != nil {
		t.Fatal(err)
	}
	e.start(worker.Config{Windows: 3})
	e.wait(time.Now())
	e.checkIDs()
	if runs, generation := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE stream = 'opportunities'`), storetest.Value[int](e.db, `SELECT generation::int FROM streams WHERE stream = 'opportunities'`); runs != 1 || generation != 1 {
		t.Errorf("%d runs, %d generations of the traversal; want one of each", runs, generation)
	}
	// Nine pages and a part of one for each window; twice a page refused, and what the window had read before.
	if n := e.lever.CallsBy()["/opportunities"]; n > 9+3+2*(1+4) {
		t.Errorf("%d calls of the list: more was begun again than the windows whose tokens had expired", n)
	}
}

// TestAKilledWorkerCostsAPageOfEachWindow: in the middle of a list that is read in windows, and no more than that.
func TestAKilledWorkerCostsAPageOfEachWindow(t *testing.T) {
	t.Parallel()
	const windows = 4
	e := newEnv(t, levertest.Config{Seed: 50, Opportunities: 3000, RatePerSecond: -1, Confidential: true, Latency: 5 * time.Millisecond}, fast, unified.Applications)
	e.audit()
	c := &crew{e: e, lease: brief, alive: map[int]*child{}, env: []string{fmt.Sprint("LEVERSYNC_TEST_WINDOWS=", windows)}}
	c.hire()
	c.hire()
	e.startScheduler()
	killed := 0
	for _, n := range []int{3, 12, 22, 33} {
		e.reach(n)
		w := c.awaitBusy()
		if w == nil {
			break
		}
		holds := e.holds(w)
		w.kill()
		killed++
		c.dismiss(w)
		c.hire()
		e.taken(holds, 15*time.Second)
	}
	e.served(time.Minute)
	e.checkIDs()
	e.checkAudit()
	if got := e.windowsRead(); killed < 2 || got != windows {
		t.Errorf("%d workers killed, %d windows read; want two at least, and %d", killed, got, windows)
	}
	useful := storetest.Value[int](e.db, `SELECT sum(bound)::int FROM runs`)
	if extra := e.calls() - useful; extra > killed*windows {
		t.Errorf("%d calls made again after %d kills, want at most %d each", extra, killed, windows)
	}
	if most := 30 + windows + 1; useful > most { // the pages, a part of one for each window, and the archive reasons
		t.Errorf("%d pages were written, want at most %d", useful, most)
	}
}

// order notes the paths that Lever is asked for.
type order struct {
	mu    sync.Mutex
	paths []string
}

func (e *env) ordered() *order {
	o := &order{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.paths = append(o.paths, strings.TrimPrefix(r.URL.Path, "/v1"))
		o.mu.Unlock()
		e.lever.ServeHTTP(w, r)
	}))
	e.t.Cleanup(srv.Close)
	e.url = srv.URL + "/v1"
	return o
}

// TestFirstDataComesFirst: all candidates, applications, jobs and users are read in the first calls of a first sync,
// however slow Lever is; then the children, of the active opportunities first, and of these of those touched last.
func TestFirstDataComesFirst(t *testing.T) {
	t.Parallel()
	some := []unified.Scope{unified.Candidates, unified.Applications, unified.Jobs, unified.RemoteUsers, unified.Tags, unified.JobInterviewStages, unified.RejectReasons,
		unified.Departments, unified.Offices, unified.EEOCs, unified.ScreeningQuestions, unified.Offers}
	for _, tc := range []struct {
		latency time.Duration
		rate    float64
		scopes  []unified.Scope
	}{{0, 50, some}, {60 * time.Millisecond, 200, unified.Scopes}} { // by one cursor, and in windows
		t.Run(tc.latency.String(), func(t *testing.T) {
			t.Parallel()
			const n = 340
			e := newEnv(t, levertest.Config{Seed: 49, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: tc.latency}, tc.rate, tc.scopes...)
			o := e.ordered()
			e.start(worker.Config{})
			e.wait(time.Now())
			last := 0
			children := map[string]int{} // the place of an opportunity's list of offers among all such
			for i, p := range o.paths {
				switch parts := strings.Split(p, "/"); {
				case p == "/opportunities", p == "/postings", p == "/users":
					last = i + 1
				case len(parts) == 4 && parts[3] == "offers":
					children[parts[2]] = len(children)
				}
			}
			if most := (n+99)/100 + 20; last > most {
				t.Errorf("the last page of candidates, jobs and users was call %d, want at most %d: %v", last, most, o.paths[:last])
			}
			e.checkOrder(children)
			t.Logf("the last page of candidates, jobs and users was call %d; %d windows", last, e.windowsRead())
		})
	}
}

// checkOrder demands that the children of opportunities were asked for in the order of the opportunities' standing; two
// that are asked for side by side may change places.
func (e *env) checkOrder(place map[string]int) {
	e.t.Helper()
	type opportunity struct {
		id       string
		archived bool
		active   int64
	}
	var all []opportunity
	for _, line := range storetest.Column[string](e.db, `SELECT format('%s %s %s', remote_id, archived, (extract(epoch FROM active_at) * 1000)::bigint) FROM parents WHERE scope = 'applications'`) {
		var o opportunity
		if _, err := fmt.Sscan(line, &o.id, &o.archived, &o.active); err != nil {
			e.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b opportunity) int {
		if a.archived != b.archived {
			return map[bool]int{false: -1, true: 1}[a.archived]
		}
		return cmp.Compare(b.active, a.active)
	})
	if len(all) != len(place) {
		e.t.Errorf("the children of %d opportunities were read, want those of %d", len(place), len(all))
	}
	const apart = 32 // as many as may be under way; a run at 50 calls a second begins with 11
	for i, o := range all {
		if at := place[o.id]; at < i-apart || at > i+apart {
			e.t.Errorf("opportunity %d by its standing (archived: %t) was read as number %d", i, o.archived, at)
			return
		}
	}
}
