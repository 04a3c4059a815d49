package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
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

// Of somebody whose records are kept no longer all goes that still names an id of theirs, and they stay away from then on. A
// word that is no id takes nothing.
func TestEraseOfThePurged(t *testing.T) {
	t.Parallel()
	const contact, opp = "6f1d0a52-0c4b-4a53-9c35-0a5b0d2f7a11", "0b7c9f64-52f1-4b7e-8f0e-8a4d1c3e2b90"
	for name, by := range map[string]func(connector uuid.UUID) string{
		"Lever's id of the contact": func(uuid.UUID) string { return contact },
		"an opportunity's":          func(uuid.UUID) string { return opp },
		"ours":                      func(c uuid.UUID) string { return unified.ID(c, unified.Candidates, contact).String() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			c := linked(t, db)
			l := running(t, db, c.ID, stream)
			who := &unified.Candidate{Envelope: envelope(c.ID, unified.Candidates, contact, "")}
			put(t, db, l, who)
			db.Exec(`UPDATE candidates SET deleted_at = now() - interval '2 days'`)
			if got := retain(t, db, store.Keep{Deleted: 24 * time.Hour}); got.Removed["candidates"] != 1 {
				t.Fatalf("Retain took %v; want the candidate", got.Removed)
			}
			db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash) VALUES ($1, 'offers', 'spoilt', '', 'no time', convert_to($2, 'UTF8'), ''),
    ($1, 'offers', 'another', '', 'no time', '{"note": "somebody else"}', '')`, c.ID, fmt.Sprintf(`{"opportunityId": %q, "contact": %q, "our": %q}`, opp, contact, who.ID))
			// The id of a job stands in many a payload, and in many a write.
			job := uuid.NewString()
			put(t, db, l, &unified.Job{Envelope: envelope(c.ID, unified.Jobs, job, "")})
			db.Exec(`INSERT INTO outbox (connector_id, key, kind, fingerprint, subject) VALUES ($1, 'a write', 'candidate', '', jsonb_build_object('job', $2::text))`, c.ID, job)
			for _, stranger := range []string{"note", "somebody", uuid.NewString(), job, unified.ID(c.ID, unified.Jobs, job).String(), c.ID.String()} {
				if e, err := db.Store.Erase(t.Context(), c.ID, stranger, false); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Erase(%q) = %+v, %v; want ErrNotFound", stranger, e, err)
				}
			}
			if n := storetest.Value[int](db, `SELECT count(*)::int FROM outbox`); n != 1 {
				t.Fatalf("%d writes are left, want the one that names the job", n)
			}
			id := by(c.ID)
			dry, err := db.Store.Erase(t.Context(), c.ID, id, true)
			if err != nil || dry.Counts["quarantine"] != 1 || storetest.Value[int](db, `SELECT count(*)::int FROM quarantine`) != 2 {
				t.Fatalf("Erase(%q), dry = %+v, %v; want one row counted, and nothing done", id, dry, err)
			}
			done, err := db.Store.Erase(t.Context(), c.ID, id, false)
			if err != nil || done.Counts["quarantine"] != 1 || storetest.Value[string](db, `SELECT key FROM quarantine`) != "another" {
				t.Fatalf("Erase(%q) = %+v, %v; want what names it gone, and the rest there", id, done, err)
			}
			if again, err := db.Store.Erase(t.Context(), c.ID, id, false); err != nil || !again.Again || again.ID != done.ID {
				t.Errorf("Erase(%q) again = %+v, %v; want the receipt", id, again, err)
			}
			app := &unified.Application{Envelope: envelope(c.ID, unified.Applications, opp, ""), Candidate: &who.ID}
			if id != opp {
				put(t, db, l, who)
			}
			put(t, db, l, app)
			for _, table := range []string{"candidates", "applications"} {
				if n := storetest.Value[int](db, `SELECT count(*)::int FROM `+table); n != 0 {
					t.Errorf("%d %s came back", n, table)
				}
			}
		})
	}
}
