package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/worker"
)

// Once their payloads are gone, syncs go on to the same records, field by field: a person is still made of all their
// opportunities, those that changed and those of which little is left; and is still erased whole.
func TestSyncsGoOnWithoutPayloads(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 19, Opportunities: 150, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.sync(true)
	e.check()
	shared := storetest.Column[string](e.db, `SELECT min(remote_id) FROM parents WHERE connector_id = $1 AND scope = 'applications' AND deleted_at IS NULL GROUP BY person HAVING count(*) > 1 ORDER BY 1`, e.conn.ID)
	if len(shared) < 2 {
		t.Fatalf("%d people have several opportunities: nothing is shown", len(shared))
	}
	got, err := e.db.Store.Retain(t.Context(), store.Keep{Raw: time.Nanosecond})
	if err != nil || got.Emptied["parents"] < 150 || got.Emptied["scheduled_interviews"] == 0 {
		t.Fatalf("Retain = %+v, %v; want all payloads gone", got, err)
	}
	for _, table := range []string{"parents", "jobs", "offers", "scorecards", "attachments", "tags"} {
		if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM `+table+` WHERE raw IS NOT NULL`); n != 0 {
			t.Errorf("%d payloads are left in %s; want none", n, table)
		}
	}
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM ats.candidates WHERE raw IS NOT NULL`); n != 0 {
		t.Errorf("%d candidates show bodies that are kept no longer; want none, and no list of nulls", n)
	}
	e.check()
	for i, id := range shared {
		change := []func(string) (levertest.Touched, error){e.lever.EditContact, e.lever.DeleteOpportunity, func(id string) (levertest.Touched, error) { return e.lever.AddTag(id, "after retention") }}[i%3]
		if _, err := change(id); err != nil {
			t.Fatal(err)
		}
	}
	e.sync(false)
	e.check()
	e.sync(true)
	e.check()
	person := storetest.Value[string](e.db, `SELECT person FROM parents WHERE connector_id = $1 AND raw IS NULL AND rest IS NOT NULL AND deleted_at IS NULL ORDER BY remote_id LIMIT 1`, e.conn.ID)
	done, err := e.db.Store.Erase(t.Context(), e.conn.ID, person, false)
	if err != nil || done.Counts["candidates"] != 1 || done.Counts["parents"] == 0 {
		t.Errorf("Erase of somebody whose payloads are gone = %+v, %v; want a receipt", done, err)
	}
}
