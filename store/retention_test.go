package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func retain(t *testing.T, db *storetest.DB, k store.Keep) store.Retained {
	t.Helper()
	got, err := db.Store.Retain(t.Context(), k)
	if err != nil {
		t.Fatalf("Retain(%+v): %v", k, err)
	}
	return got
}

// What is kept for ever stays, however old.
func TestRetainNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	populate(db, linked(t, db).ID)
	for table, column := range map[string]string{"runs": "started_at", "tags": "deleted_at", "offers": "modified_at", "quarantine": "last_seen_at"} {
		db.Exec(fmt.Sprintf(`UPDATE %s SET %s = '2001-01-01'`, table, column))
	}
	if got := retain(t, db, store.Keep{}); len(got.Removed)+len(got.Emptied) != 0 {
		t.Errorf("Retain of what is kept for ever = %+v; want nothing gone", got)
	}
}

func TestRetainRuns(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	const many = 2500 // more than a batch
	db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at)
SELECT gen_random_uuid(), $1, 's', '{}', 'incremental', 'done', now() - interval '3 hours' FROM generate_series(1, $2)`, c.ID, many)
	run := func(connector uuid.UUID, state, age string) uuid.UUID {
		id := uuid.New()
		db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at) VALUES ($1, $2, 's', '{}', 'incremental', $3, now() - $4::interval)`, id, connector, state, age)
		return id
	}
	want := []string{run(c.ID, "running", "3 hours").String(), run(c.ID, "done", "1 hour").String(), run(other.ID, "failed", "119 minutes").String()}
	last := run(c.ID, "failed", "30 days")
	db.Exec(`UPDATE connector_scopes SET last_run_id = $2 WHERE connector_id = $1 AND scope = 'tags'`, c.ID, last)
	want = append(want, last.String())
	run(other.ID, "canceled", "121 minutes")
	got := retain(t, db, store.Keep{Runs: 2 * time.Hour})
	if n := got.Removed["runs"]; n != many+1 || len(got.Removed) != 1 {
		t.Errorf("Retain took %v; want %d runs", got.Removed, many+1)
	}
	left := storetest.Column[string](db, `SELECT id::text FROM runs ORDER BY 1`)
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("runs left: %q; want those under way, young, or the last of a scope: %q", left, want)
	}
}

// A payload goes, and nothing else: neither the feed nor a sync takes the record for changed. What somebody works on is
// left for the next time, and waits for nobody.
func TestRetainRaw(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	raw := func(remote string) *unified.Tag {
		x := tag(c.ID, remote, remote)
		x.Raw = []byte(`{"text": "` + remote + ` itself"}`)
		return x
	}
	put(t, db, l, raw("old"), raw("held"), raw("young"))
	db.Exec(`UPDATE tags SET modified_at = now() - interval '3 hours' WHERE remote_id <> 'young'`)
	db.Exec(`INSERT INTO quarantine (connector_id, scope, key, reason, raw, raw_hash, last_seen_at) SELECT $1, 'tags', k, 'r', '\x00', '\x00', now() - a FROM (VALUES ('a', interval '3 hours'), ('b', interval '1 hour')) v(k, a)`, c.ID)
	db.Exec(`UPDATE connector_scopes SET quarantined = 2 WHERE connector_id = $1 AND scope = 'tags'`, c.ID)
	const all = `SELECT (to_jsonb(t) - 'raw')::text FROM tags t ORDER BY remote_id`
	before := storetest.Column[string](db, all)
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM leversync.tags WHERE remote_id = 'held' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	keep := store.Keep{Raw: 2 * time.Hour}
	got := retain(t, db, keep)
	if got.Emptied["tags"] != 1 || got.Removed["quarantine"] != 1 || len(got.Emptied) != 1 || len(got.Removed) != 1 {
		t.Errorf("Retain with a row held = %+v; want one tag emptied, and one gone from the quarantine", got)
	}
	const payloads = `SELECT remote_id FROM tags WHERE raw IS NOT NULL ORDER BY 1`
	if left := storetest.Column[string](db, payloads); !slices.Equal(left, []string{"held", "young"}) {
		t.Errorf("payloads of %q are left; want those of held and young", left)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := retain(t, db, keep); got.Emptied["tags"] != 1 {
		t.Errorf("Retain with the row free = %+v; want it emptied", got)
	}
	if after := storetest.Column[string](db, all); !slices.Equal(after, before) {
		t.Errorf("the records are %q; want nothing but raw changed of %q", after, before)
	}
	if n := storetest.Value[int64](db, `SELECT quarantined FROM connector_scopes WHERE connector_id = $1 AND scope = 'tags'`, c.ID); n != 1 {
		t.Errorf("%d quarantined by its counter; want 1", n)
	}
	rows := versions(db, "tags")
	if counts := put(t, db, l, raw("old")); counts.Written != 0 || !slices.Equal(versions(db, "tags"), rows) {
		t.Errorf("the same record, read again: %d written; want none: it has not changed", counts.Written)
	}
}

// What is gone for long enough goes for good; what is there, or went lately, stays, as do the counters, and what comes
// back is new.
func TestRetainDeleted(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, tag(c.ID, "there", "A"), tag(c.ID, "late", "B"), tag(c.ID, "long", "C"))
	put(t, db, l, &unified.Candidate{Envelope: envelope(c.ID, unified.Candidates, "ada", "")})
	db.Exec(`INSERT INTO activities (connector_id, id, remote_id, parent, candidate) VALUES ($1, gen_random_uuid(), 'note', 'o', $2)`, c.ID, unified.ID(c.ID, unified.Candidates, "ada"))
	if _, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Tombstone(ctx, unified.Candidates, []string{"ada"}); err != nil {
			return err
		}
		return tx.Tombstone(ctx, unified.Tags, []string{"late", "long"})
	}); err != nil {
		t.Fatal(err)
	}
	db.Exec(`UPDATE tags SET deleted_at = now() - interval '3 days' WHERE remote_id = 'long'`)
	db.Exec(`UPDATE candidates SET deleted_at = now() - interval '3 days'`)
	db.Exec(`INSERT INTO parents (connector_id, remote_id, scope, deleted_at) VALUES ($1, 'opp', 'applications', now() - interval '3 days'), ($1, 'open', 'applications', NULL)`, c.ID)
	db.Exec(`UPDATE tags SET modified_at = '2001-01-01' WHERE remote_id = 'there'`)
	counters := `SELECT records FROM connector_scopes WHERE connector_id = $1 AND scope IN ('tags', 'candidates') ORDER BY scope`
	before := storetest.Column[int64](db, counters, c.ID)
	got := retain(t, db, store.Keep{Deleted: 48 * time.Hour})
	if got.Removed["tags"] != 1 || got.Removed["candidates"] != 1 || got.Removed["parents"] != 1 || len(got.Removed) != 3 || len(got.Emptied) != 0 {
		t.Errorf("Retain = %+v; want a tag, a candidate and an opportunity", got)
	}
	if left := storetest.Column[string](db, `SELECT remote_id FROM tags ORDER BY 1`); !slices.Equal(left, []string{"late", "there"}) {
		t.Errorf("tags left: %q; want late and there", left)
	}
	if n := storetest.Value[int](db, `SELECT count(*)::int FROM activities`); n != 0 {
		t.Errorf("%d notes of the candidate are left; want none", n)
	}
	if after := storetest.Column[int64](db, counters, c.ID); !slices.Equal(after, before) {
		t.Errorf("counters %v; want %v: what is gone was not counted", after, before)
	}
	if counts := put(t, db, l, tag(c.ID, "long", "C")); counts.Written != 1 {
		t.Errorf("a record that came back: %d written; want 1", counts.Written)
	}
	wantRecords(t, db, c.ID, unified.Tags, 2)
}

// Of many at once, each row goes once, and none fails.
func TestRetainAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at)
SELECT gen_random_uuid(), $1, 's', '{}', 'incremental', 'done', now() - interval '3 hours' FROM generate_series(1, 5000)`, c.ID)
	taken := make([]int64, 8)
	for i, err := range together(len(taken), func(i int) error {
		got, err := db.Store.Retain(t.Context(), store.Keep{Runs: time.Hour, Raw: time.Hour, Deleted: time.Hour})
		taken[i] = got.Removed["runs"]
		return err
	}) {
		if err != nil {
			t.Errorf("Retain %d of 8 at once: %v", i, err)
		}
	}
	retain(t, db, store.Keep{Runs: time.Hour})
	var sum int64
	for _, n := range taken {
		sum += n
	}
	if n := count(db, "runs", c.ID); n != 0 || sum > 5000 {
		t.Errorf("%d runs are left, and %v were taken; want 0 left, and each taken once", n, taken)
	}
}
