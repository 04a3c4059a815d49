package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
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
	e.db.Exec(`UPDATE streams SET run_id = (SELECT id FROM runs WHERE stream = 'archive-reasons'), run_started_at = now(), lease_owner = 'dead', lease_until = now() - interval '1 minute'
		WHERE stream = 'archive-reasons'`)
	if n := storetest.Value[int](e.db, `SELECT cardinality(scopes) FROM runs WHERE stream = 'archive-reasons'`); n != 0 {
		t.Fatalf("the run of the archive reasons serves %d scopes, want none: the test tests nothing", n)
	}
	e.startWorker(worker.Config{})
	waitIdle(e)
}
