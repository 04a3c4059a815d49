package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestNoPageWaitsForOneAfterIt: a list that shifts while it is read has the last record of a page on the next one, too, and a contact may
// have opportunities on both. What is on both is not written of the second before the first has had its turn, or each would wait
// for the other: Postgres sees no deadlock in that, as one of the two waits for its turn and not for a lock.
func TestNoPageWaitsForOneAfterIt(t *testing.T) {
	t.Parallel()
	for name, shifts := range map[string]bool{"an opportunity": true, "a contact": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 3, Opportunities: 350}, fast, unified.Candidates, unified.Applications)
			first, second := e.firstPages()
			held := slices.MinFunc(first, byID).ID // is written before all others of its page
			if shifts {
				if held == first[len(first)-1].ID {
					t.Fatal("what is on both pages is written first: the test tests nothing")
				}
				if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultDuplicate}); err != nil {
					t.Fatal(err)
				}
			} else if !slices.ContainsFunc(first, func(o listed) bool {
				return slices.ContainsFunc(second, func(p listed) bool { return o.Contact == p.Contact })
			}) {
				t.Fatal("no contact is on both pages: the test tests nothing")
			}
			release, pid := e.hold(held)
			e.startWorker(worker.Config{Store: e.storeOf(8)}) // two may be taken early
			e.startScheduler()
			e.ask(false)
			eventually(t, "the first page has begun", func() bool {
				return storetest.Value[int](e.db, `SELECT count(*)::int FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))`, pid) == 1
			})
			for range 20 { // the second has time to
				if storetest.Value[int](e.db, `SELECT count(*)::int FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE 'INSERT INTO %' AND pid <> $1`, pid) > 0 {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			release()
			eventually(t, "the account is read", func() bool {
				if storetest.Value[int](e.db, `SELECT count(*)::int FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) b(pid) JOIN pg_stat_activity h ON h.pid = b.pid
WHERE w.datname = current_database() AND h.state = 'idle in transaction' AND now() - h.state_change > interval '2 s'`) > 0 {
					t.Fatal("a page waits for one that waits for its turn")
				}
				return storetest.Value[int](e.db, `SELECT count(*)::int FROM connector_scopes WHERE enabled AND state = 'ok'`) == 2
			})
			e.checkIDs()
		})
	}
}

// listed is an opportunity as a list has it.
type listed struct{ ID, Contact string }

func byID(a, b listed) int { return strings.Compare(a.ID, b.ID) }

// firstPages are the first two pages of the opportunities, of 100 each.
func (e *env) firstPages() (first, second []listed) {
	e.t.Helper()
	next := ""
	for _, to := range []*[]listed{&first, &second} {
		req, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, e.url+"/opportunities?limit=100&offset="+url.QueryEscape(next), nil)
		if err != nil {
			e.t.Fatal(err)
		}
		req.SetBasicAuth("test-key", "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			e.t.Fatal(err)
		}
		var page struct {
			Data []listed
			Next string
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		if err != nil || len(page.Data) != 100 {
			e.t.Fatalf("%d opportunities (%v), want a page of 100", len(page.Data), err)
		}
		*to, next = page.Data, page.Next
	}
	return first, second
}

// hold keeps anybody from writing an opportunity until release is called.
func (e *env) hold(opportunity string) (release func(), pid uint32) {
	e.t.Helper()
	conn, err := pgx.Connect(e.t.Context(), e.db.URL)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, sql := range []string{"BEGIN", "SET search_path = leversync", "INSERT INTO parents (remote_id, connector_id, scope) VALUES ('" + opportunity + "', '" + e.conn.ID.String() + "', 'applications')"} {
		if _, err := conn.Exec(e.t.Context(), sql); err != nil {
			e.t.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.Exec(e.t.Context(), "ROLLBACK"); err != nil {
			e.t.Fatal(err)
		}
	}, conn.PgConn().PID()
}
