package worker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// TestARunOfAStreamThatOnlyOthersNeedIsWoken: with reject-reasons off, the archive reasons are still read, for
// what they mean to applications. Its run serves no scope, and must not be lost when its worker dies.
func TestARunOfAStreamThatOnlyOthersNeedIsWoken(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 40, Opportunities: 20, RatePerSecond: -1}, fast, unified.Applications)
	w := e.startWorker(worker.Config{})
	e.startScheduler()
	e.wait(time.Now())
	waitIdle(e)
	w.Shutdown()
	if err := e.rdb.FlushAll(t.Context()).Err(); err != nil { // a task that is still queued would come upon the run by itself
		t.Fatal(err)
	}
	e.db.Exec(`UPDATE streams SET run_id = (SELECT id FROM runs WHERE stream = 'archive-reasons'), run_started_at = now(), lease_owner = 'dead', lease_until = now() - interval '1 minute'
		WHERE stream = 'archive-reasons'`)
	if n := storetest.Value[int](e.db, `SELECT cardinality(scopes) FROM runs WHERE stream = 'archive-reasons'`); n != 0 {
		t.Fatalf("the run of the archive reasons serves %d scopes, want none: the test tests nothing", n)
	}
	e.startWorker(worker.Config{})
	waitIdle(e)
}

// TestAScopeThatFoundAnotherListHeldIsWoken: the task of candidates comes while another worker reads the archive
// reasons, and ends. The end of that list brings it back, without the reconciler; so it does where only the children
// are on, which wait for the opportunities, which wait for the reasons.
func TestAScopeThatFoundAnotherListHeldIsWoken(t *testing.T) {
	t.Parallel()
	for _, sc := range []unified.Scope{unified.Candidates, unified.Offers} {
		t.Run(string(sc), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 44, Opportunities: 20, RatePerSecond: -1}, fast, unified.RejectReasons, sc)
			release := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/archive_reasons") {
					<-release
				}
				e.lever.ServeHTTP(w, r)
			}))
			t.Cleanup(srv.Close)
			e.url = srv.URL + "/v1"
			e.startWorker(worker.Config{})
			inspector := asynq.NewInspectorFromRedisClient(e.rdb)
			gone := func(active, processed int) func() bool {
				return func() bool {
					q, err := inspector.GetQueueInfo(task.QueueSync)
					return err == nil && q.Active == active && q.Pending == 0 && q.Processed == processed
				}
			}
			e.request(unified.RejectReasons)
			e.until("the archive reasons are being read", time.Minute, func() bool {
				return storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE stream = 'archive-reasons' AND run_id IS NOT NULL`) == 1
			})
			e.request(sc)
			e.until("the second task has come and gone", time.Minute, gone(1, 1))
			close(release)
			e.served(time.Minute)
		})
	}
}

// request asks for a scope as the scheduler does.
func (e *env) request(sc unified.Scope) {
	e.t.Helper()
	at, err := e.db.Store.Request(e.t.Context(), e.conn.ID, []unified.Scope{sc}, time.Time{})
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.queue.Enqueue(e.t.Context(), task.Sync{ConnectorID: e.conn.ID, Scope: string(sc), DueAt: &at}, task.Options{}); err != nil {
		e.t.Fatal(err)
	}
}

// TestATaskThatWaitsForItsTurnIsNotLost: with no worker there, or too few, tasks wait for longer than a wake-up may be late.
// They are put back once they are gone from the queue, and not before; but that a queue is not served keeps nothing from it for
// more than ten minutes.
func TestATaskThatWaitsForItsTurnIsNotLost(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 45, Opportunities: 5, RatePerSecond: -1}, fast)
	s, _ := e.schedule(50*time.Millisecond, time.Second)
	e.claimed()
	from := time.Now().Unix()
	e.until("the reconciler has looked twice more", time.Minute, func() bool { return s.LastReconcile.Load() >= from+4 })
	if n := s.Reconciled.Load(); n != 0 {
		t.Errorf("%d tasks were put into the queue again, of which all are there", n)
	}
	oldest, err := e.rdb.LIndex(t.Context(), "asynq:{sync}:pending", -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.rdb.HSet(t.Context(), "asynq:{sync}:t:"+oldest, "pending_since", time.Now().Add(-time.Hour).UnixNano()).Err(); err != nil {
		t.Fatal(err)
	}
	e.db.Exec(`UPDATE connector_scopes SET queued_at = now() - interval '11 minutes' WHERE scope = 'tags'`)
	e.until("one is put back that waited for eleven minutes", time.Minute, func() bool { return s.Reconciled.Load() == 1 })
	if err := e.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	// But for the one, perhaps, that was put back just before: it counts as waiting behind the others until somebody serves the queue.
	e.until("all others are put back", time.Minute, func() bool { return s.Reconciled.Load() >= int64(len(unified.Scopes)) })
	e.startWorker(worker.Config{})
	e.served(time.Minute)
}
