package worker_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestNemesisPaging: many traversals of lists that are no snapshots. While a list is paged through, its rows move
// from pages that are to come to pages that were read, come twice, vanish and appear; pages are empty though more
// follow, tokens end, loop, and calls fail. What is there the whole time is never taken for deleted, and a quiet
// traversal ends with what the source holds.
func TestNemesisPaging(t *testing.T) {
	t.Parallel()
	for windows, name := range []string{"one cursor", 5: "windows"} {
		if name != "" {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				nemesisPaging(t, windows)
			})
		}
	}
}

// nemesisPaging is TestNemesisPaging with each traversal cut into so many windows; 0: read by one cursor.
func nemesisPaging(t *testing.T, windows int) {
	accounts, rounds := 50, 5
	if long() {
		accounts, rounds = 100, 100
	}
	e := bareEnv(t, levertest.Config{})
	f := &fickle{rng: seeded(t), lists: map[string]*fickleList{}, wild: true}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	e.url = srv.URL + "/v1"
	for i := range accounts {
		name := fmt.Sprint("account-", i)
		c, _, err := e.db.Store.CreateConnector(t.Context(), store.NewConnector{
			OrgName: name, OriginID: name, APIKey: name, Scopes: []unified.Scope{unified.Applications}, RateLimit: fast, SyncInterval: 24 * time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.make(name, c)
	}
	e.startWorker(worker.Config{Concurrency: 16, Windows: windows})
	e.startScheduler()
	lost := 0
	for range rounds {
		before := f.rows()
		e.round()
		lost += f.check(e, before, false)
	}
	f.quiet()
	for range 2 {
		e.round()
	}
	lost += f.check(e, f.rows(), true)
	result := tally{tried: accounts * rounds, survived: accounts*rounds - lost, lost: lost, failed: t.Failed()}
	result.note = fmt.Sprintf("%d rows moved, %d deleted, %d pages came with a fault, %d were of a window", f.moved, f.removed, f.faults, f.cut)
	ledger.add(strings.TrimSpace("paging sequence "+map[bool]string{true: "in windows"}[windows > 0]), result)
	if f.moved == 0 || f.removed == 0 || f.faults == 0 || windows > 0 && f.cut == 0 {
		t.Errorf("the lists kept still: %s", result.note)
	}
}

// round syncs every connector once.
func (e *env) round() {
	e.t.Helper()
	e.db.Exec(`UPDATE connector_scopes SET next_run_at = now() WHERE enabled`)
	e.claimed()
	e.served(3 * time.Minute)
}

// fickle is a Lever whose one list, of opportunities, changes while it is read. Each API key is an account.
type fickle struct {
	mu                     sync.Mutex
	rng                    *rand.Rand
	lists                  map[string]*fickleList
	wild                   bool
	made                   int
	moved, removed, faults int
	cut                    int // pages of a window
}

type fickleList struct {
	conn store.Connector
	rows []string
	edge int // what a window holds of its ends: 0 both, 1 not the beginning, 2 not the end
}

func (f *fickle) make(key string, c store.Connector) {
	l := &fickleList{conn: c, edge: len(f.lists) % 3}
	for range 6 + f.rng.IntN(8) {
		l.rows = append(l.rows, f.id())
	}
	f.lists[key] = l
}

func (f *fickle) id() string {
	f.made++
	return fmt.Sprintf("o-%06d", f.made)
}

// quiet ends all change.
func (f *fickle) quiet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wild = false
}

// rows are the rows of each account.
func (f *fickle) rows() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string][]string{}
	for key, l := range f.lists {
		out[key] = slices.Clone(l.rows)
	}
	return out
}

// check counts, and reports, the rows that were there before and are still, and that the copy has for deleted. With
// exact, the copy must hold what the source does: a traversal that rows moved away under may miss some, until the next.
func (f *fickle) check(e *env, before map[string][]string, exact bool) (wrong int) {
	e.t.Helper()
	bad := func(format string, args ...any) { wrong++; e.t.Errorf(format, args...) }
	after := f.rows()
	for key, rows := range before {
		id := f.lists[key].conn.ID
		for _, gone := range storetest.Column[string](e.db, `SELECT remote_id FROM applications WHERE connector_id = $1 AND deleted_at IS NOT NULL`, id) {
			if slices.Contains(rows, gone) && slices.Contains(after[key], gone) {
				bad("%s: %s is there, and was taken for deleted", key, gone)
			}
		}
		live := storetest.Column[string](e.db, `SELECT remote_id FROM applications WHERE connector_id = $1 AND deleted_at IS NULL ORDER BY 1`, id)
		if want := slices.Sorted(slices.Values(after[key])); exact && !slices.Equal(live, want) {
			bad("%s: the copy holds %v, the source %v", key, live, want)
		}
	}
	return wrong
}

func (f *fickle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, _, _ := r.BasicAuth()
	w.Header().Set("Content-Type", "application/json")
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lists[key]
	switch path := strings.TrimPrefix(r.URL.Path, "/v1"); {
	case l == nil:
		http.Error(w, `{"code":"UnauthorizedError"}`, http.StatusUnauthorized)
	case path == "/opportunities":
		f.page(w, r, l)
	case path == "/opportunities/deleted" && r.Method == http.MethodGet, path == "/archive_reasons":
		fmt.Fprint(w, `{"data":[],"hasNext":false}`)
	case slices.Contains(l.rows, strings.TrimPrefix(path, "/opportunities/")):
		fmt.Fprintf(w, `{"data":%s}`, row(strings.TrimPrefix(path, "/opportunities/")))
	default:
		http.Error(w, `{"code":"ResourceNotFound"}`, http.StatusNotFound)
	}
}

func row(id string) string {
	return fmt.Sprintf(`{"id":%q,"contact":"c-%s","name":"Ada Example","createdAt":%d}`, id, id, madeAt(id))
}

// madeAt is when a row was made, in milliseconds: some time in four years, two rows at the same moment; one of twenty in
// the first of all milliseconds, and one in a far future.
func madeAt(id string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(id, "o-"), 10, 64)
	switch n % 20 {
	case 0:
		return 1
	case 1:
		return 4_100_000_000_000
	}
	return 1_783_000_000_000 - n/2*7919%1400*86_400_000
}

// within are the places of the rows that a call's window holds.
func (f *fickle) within(r *http.Request, l *fickleList) []int {
	q := r.URL.Query()
	from, _ := strconv.ParseInt(q.Get("created_at_start"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("created_at_end"), 10, 64)
	if from != 0 || to != 0 {
		f.cut++
	}
	var at []int
	for i, id := range l.rows {
		made := madeAt(id)
		if (from == 0 || made > from || made == from && l.edge != 1) && (to == 0 || made < to || made == to && l.edge != 2) {
			at = append(at, i)
		}
	}
	return at
}

// page answers with a page of two to five rows from the token on, which is a place in the window as it is now.
func (f *fickle) page(w http.ResponseWriter, r *http.Request, l *fickleList) {
	place, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Query().Get("offset"), "at-"), "-")
	at, _ := strconv.Atoi(place)
	if at > 0 && f.wild {
		f.change(l, f.within(r, l), at)
	}
	rows := f.within(r, l)
	at = min(at, len(rows))
	end := min(at+2+f.rng.IntN(4), len(rows))
	data := make([]string, 0, end-at)
	for _, i := range rows[at:end] {
		data = append(data, row(l.rows[i]))
	}
	more := end < len(rows)
	if f.wild && f.rng.IntN(12) == 0 {
		f.faults++
		switch kind := f.rng.IntN(6); {
		case kind == 0:
			http.Error(w, `{"code":"InternalServerError"}`, http.StatusInternalServerError)
			return
		case kind == 1 && at > 0:
			http.Error(w, `{"code":"BadRequestError","message":"Invalid offset token"}`, http.StatusBadRequest)
			return
		case kind == 2 && at > 0:
			end, more = at, true // it names itself as the next one
		case kind == 3 && more: // empty, though more follows
			f.answer(w, nil, true, fmt.Sprintf("at-%d-%d", at, f.rng.IntN(1<<20))) // another token for the same place
			return
		case len(data) > 0:
			data = append(data, data[0], row(l.rows[rows[max(at-1, 0)]])) // twice within the page, and one of the page before
		}
	}
	f.answer(w, data, more, fmt.Sprint("at-", end))
}

func (f *fickle) answer(w http.ResponseWriter, data []string, more bool, next string) {
	fmt.Fprintf(w, `{"data":[%s],"hasNext":%t`, strings.Join(data, ","), more)
	if more {
		fmt.Fprintf(w, `,"next":%q`, next)
	}
	fmt.Fprint(w, "}")
}

// change moves rows of a window from the pages to come to those that were read, deletes, and adds.
func (f *fickle) change(l *fickleList, window []int, read int) {
	if n := len(window); read < n && f.rng.IntN(3) == 0 { // unread → read: this traversal will not meet it
		from, to := window[read+f.rng.IntN(n-read)], window[f.rng.IntN(read)]
		id := l.rows[from]
		l.rows = slices.Insert(slices.Delete(l.rows, from, from+1), to, id)
		f.moved++
	}
	if n := len(l.rows); n > 5 && f.rng.IntN(8) == 0 {
		at := f.rng.IntN(n)
		l.rows = slices.Delete(l.rows, at, at+1)
		f.removed++
	}
	if len(l.rows) < 14 && f.rng.IntN(8) == 0 {
		l.rows = slices.Insert(l.rows, f.rng.IntN(len(l.rows)+1), f.id())
	}
}
