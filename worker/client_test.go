package worker_test

import (
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestCallsBesideASyncAreLogged: a download, whose call is of no run, and another that Lever refuses.
func TestCallsBesideASyncAreLogged(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 30, Opportunities: 30, RatePerSecond: -1, Confidential: true}, fast, unified.Attachments, unified.Applications)
	e.start(worker.Config{})
	e.wait(time.Now())
	waitIdle(e)
	before := storetest.Value[int](e.db, `SELECT count(*)::int FROM calls`)
	e.lever.ResetCounters()
	file := storetest.Value[uuid.UUID](e.db, `SELECT id FROM attachments WHERE download_path IS NOT NULL AND deleted_at IS NULL
    AND coalesce(raw #>> '{file,status}', raw ->> 'status') = 'processed' ORDER BY id LIMIT 1`) // Lever refuses others
	path, _, err := e.db.Store.DownloadPath(t.Context(), e.conn.ID, file)
	if err != nil {
		t.Fatal(err)
	}
	w := worker.New(worker.Config{Store: e.db.Store, Redis: e.rdb, LeverURL: e.url, Log: e.log}) // as of a process that only serves the API
	c, err := w.Client(t.Context(), e.conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := c.Download(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, body)
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	e.until("the download is in the sync log", 10*time.Second, func() bool {
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM calls WHERE path LIKE '%/download' AND status = 200 AND run_id IS NULL AND bytes = $1 AND connector_id = $2`, n, e.conn.ID) == 1
	})
	if _, err := c.Opportunity(t.Context(), "nobody"); err == nil {
		t.Error("an opportunity that is not there was found")
	}
	w.Shutdown()
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM calls`) - before; n != e.calls() || n != 2 || err != nil {
		t.Errorf("%d calls were logged and Lever counted %d (%v), want both of them", n, e.calls(), err)
	}
	if n := w.Metrics().Unlogged.Load(); n != 0 {
		t.Errorf("%d calls are said to be lost, want none", n)
	}
}
