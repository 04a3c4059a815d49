package worker_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/worker"
)

// TestSyncOnPartitions: the tables of records are partitioned by the hash of their connector. An account is read, changes, is
// read again and wholly anew; all is as it should be, and no statement of all that has looked into a partition that the
// connector is not in.
func TestSyncOnPartitions(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Partition(4)
	before := scansOf(db)
	e := newEnvOn(t, db, levertest.Config{Seed: 91, Opportunities: 150, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
	for _, change := range []string{"advance_stage", "edit_contact", "add_interview", "archive", "delete_opportunity", "add_opportunity", "delete_file", "anonymize"} {
		if _, err := e.lever.Mutate(change, ""); err != nil {
			t.Fatal(err)
		}
	}
	e.sync(false)
	e.sync(true)
	e.check()

	home := storetest.Value[string](db, `SELECT right(tableoid::regclass::text, 1) FROM candidates WHERE connector_id = $1 LIMIT 1`, e.conn.ID)
	// Postgres's processes tell of their scans by and by, and at the latest when they end.
	db.Store.Close()
	e.until("the Store's connections are gone", time.Minute, func() bool {
		return storetest.Value[int](db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'storetest' AND backend_type = 'client backend'`) == 0
	})
	looked := 0
	for name, n := range scansOf(db) {
		switch there := strings.HasSuffix(name, "_"+home); {
		case there && n > before[name]:
			looked++
		case n > before[name]:
			t.Errorf("%s was looked into %d times, and the connector is in partitions %s", name, n-before[name], home)
		}
	}
	if looked < 10 {
		t.Errorf("%d partitions were looked into, want most of the connector's own", looked)
	}
}

// scansOf is how often each partition was looked into, as far as Postgres's processes have told.
func scansOf(db *storetest.DB) map[string]int64 {
	scans := map[string]int64{}
	for _, row := range storetest.Column[string](db, `SELECT format('%s %s', relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0)) FROM pg_stat_user_tables
WHERE schemaname = 'leversync' AND relname ~ '_[0-9]$'`) {
		name, n, _ := strings.Cut(row, " ")
		scans[name], _ = strconv.ParseInt(n, 10, 64)
	}
	return scans
}
