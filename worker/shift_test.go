package worker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestNoPageWaitsForOneAfterIt: a list that shifts while it is read has the last record of a page on the next one, too. What is on both
// is not written of the second before the first has had its turn, or each would wait for the other: Postgres sees no deadlock in
// that, as one of the two waits for its turn and not for a lock.
func TestNoPageWaitsForOneAfterIt(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Opportunities: 350}, fast, unified.Candidates, unified.Applications)
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultDuplicate}); err != nil {
		t.Fatal(err)
	}
	const begun = `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE 'INSERT INTO %'`
	var first sync.Once
	e.startWorker(worker.Config{Store: e.doomedStore(func(point string, _ uuid.UUID, of string) {
		if point == store.PointFetched && of == "opportunities" {
			first.Do(func() { // the page after it has time to begin
				for range 30 {
					if storetest.Value[int](e.db, begun) > 0 {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
	})})
	e.startScheduler()
	e.ask(false)
	const waits = `SELECT count(*)::int FROM pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) b(pid) JOIN pg_stat_activity h ON h.pid = b.pid
WHERE w.datname = current_database() AND h.state = 'idle in transaction' AND now() - h.state_change > interval '2 s'`
	eventually(t, "the account is read", func() bool {
		if storetest.Value[int](e.db, waits) > 0 {
			t.Fatal("a page waits for one that waits for its turn")
		}
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM connector_scopes WHERE enabled AND state = 'ok'`) == 2
	})
	for _, sc := range []unified.Scope{unified.Candidates, unified.Applications} {
		got, want := e.records(sc), e.lever.ExpectedAt(string(sc), time.Now())
		n := 0
		for id := range want {
			if n++; got[id] == nil {
				t.Errorf("%s %q: not there", sc, id)
			}
		}
		if len(got) != n {
			t.Errorf("%d %s; want %d", len(got), sc, n)
		}
	}
}
