package store_test

import (
	"testing"

	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// What an erasure knows nothing of must hold nobody: a table that comes to be is put into the one list, or the other.
func TestEraseKnowsEveryTable(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, &unified.Candidate{Envelope: envelope(c.ID, unified.Candidates, "ada", "")})
	e, err := db.Store.Erase(t.Context(), c.ID, "ada", true)
	if err != nil {
		t.Fatalf("Erase: %v", err)
	}
	nobody := map[string]string{}
	for _, name := range []string{"departments", "jobs", "job_interview_stages", "offices", "reject_reasons", "remote_users", "screening_questions", "tags"} {
		nobody[name] = "no candidate's"
	}
	for _, name := range []string{"connectors", "credentials", "connector_scopes", "links", "link_sessions", "temporary_tokens", "api_keys", "operators", "operator_sessions",
		"hired_reasons", "feed", "feed_start", "goose_db_version", "erasures", "erasure_keys", "erased", "webhooks", "webhook_tokens", "webhook_deliveries"} {
		nobody[name] = "of the installation"
	}
	for _, name := range []string{"runs", "calls"} {
		nobody[name] = "templates and counts: the canary test holds it"
	}
	for _, table := range storetest.Column[string](db, `SELECT relname::text FROM pg_class WHERE relnamespace = 'leversync'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`) {
		_, erased := e.Counts[table]
		if _, exempt := nobody[table]; erased == exempt {
			t.Errorf("table %s: counted by an erasure: %t, said to hold nobody: %t; want one of them", table, erased, exempt)
		}
	}
}
