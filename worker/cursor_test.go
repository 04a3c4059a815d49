package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestACursorNeverOutrunsItsRecords: Postgres takes the first page of three and fails at the second. The cursor
// stays where the records end, and the traversal goes on there.
func TestACursorNeverOutrunsItsRecords(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 60, Opportunities: 300, RatePerSecond: -1, Confidential: true}, fast, unified.Applications, unified.Candidates)
	lists, err := lever.New(lever.Config{BaseURL: e.url, Auth: lever.APIKey("test-key")})
	if err != nil {
		t.Fatal(err)
	}
	var second []string // the second page may be tried before the first is committed: what it holds tells it, no count does
	for page, err := range lists.Opportunities(t.Context(), lever.OpportunityOptions{Confidentiality: "all"}) {
		if err != nil {
			t.Fatal(err)
		}
		if page.Token == "" {
			continue
		}
		for _, it := range page.Items {
			second = append(second, it.Value.ID)
		}
		break
	}
	e.db.Exec(`CREATE TABLE refused AS SELECT unnest($1::text[]) AS id`, second)
	for _, sql := range []string{
		`CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF EXISTS (SELECT FROM leversync.refused WHERE id = NEW.remote_id) THEN RAISE EXCEPTION 'no room' USING ERRCODE = '58030'; END IF;
    RETURN NEW; END $$`,
		`CREATE TRIGGER full_up BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION full_up()`,
	} {
		e.db.Exec(sql)
	}
	e.start(worker.Config{})
	e.until("the second page was refused", time.Minute, func() bool {
		return storetest.Value[int](e.db, `SELECT coalesce(max(failures), 0) FROM streams WHERE stream = 'opportunities'`) > 0
	})
	if page := storetest.Value[string](e.db, `SELECT coalesce(cursor->>'page', 'none') FROM streams WHERE stream = 'opportunities'`); page != "1" {
		t.Errorf("the cursor stands behind page %s, want 1: no more was stored", page)
	}
	e.db.Exec(`DROP TRIGGER full_up ON parents`)
	e.served(time.Minute)
	stored := e.records(unified.Applications)
	for id := range e.lever.Expected(string(unified.Applications)) {
		if stored[id] == nil {
			t.Errorf("application %s is not there", id)
		}
	}
}
