package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// walled are the tables that a connector's token may read of, by the column that names the connector.
func walled() map[string]string {
	m := map[string]string{"connectors": "id"}
	for _, name := range []string{"parents", "connector_scopes", "runs", "calls", "quarantine", "activities"} {
		m[name] = "connector_id"
	}
	for _, sc := range unified.Scopes {
		m[sc.Table()] = "connector_id"
	}
	return m
}

// populate gives each of some connectors a row in every walled table.
func populate(db *storetest.DB, connectors ...uuid.UUID) {
	for _, c := range connectors {
		for _, sc := range unified.Scopes {
			columns, values := "", ""
			if sc == unified.Attachments {
				columns, values = ", source", ", 'files'"
			}
			db.Exec(fmt.Sprintf(`INSERT INTO %s (connector_id, id, remote_id, body_hash%s) VALUES ($1, gen_random_uuid(), 'r', '\x00'%s)`, sc.Table(), columns, values), c)
		}
		db.Exec(`INSERT INTO activities (connector_id, id, remote_id, parent, candidate) VALUES ($1, gen_random_uuid(), 'r', 'o', gen_random_uuid())`, c)
		db.Exec(`INSERT INTO parents (connector_id, remote_id, scope) VALUES ($1, 'r', 'jobs')`, c)
		db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind) VALUES (gen_random_uuid(), $1, 's', '{}', 'backfill')`, c)
		db.Exec(`INSERT INTO calls (id, connector_id, method, path, status, started_at, duration_ms) VALUES (gen_random_uuid(), $1, 'GET', '/', 200, now(), 1)`, c)
		db.Exec(`INSERT INTO quarantine (connector_id, scope, key, reason, raw, raw_hash) VALUES ($1, 'tags', 'k', 'r', '\x00', '\x00')`, c)
	}
}

// leaks are the tables in which a query that forgot the connector sees rows of another one, or none of its own.
func leaks(t *testing.T, s *store.Store, connector uuid.UUID) []string {
	t.Helper()
	var out []string
	for table, col := range walled() {
		got, err := store.Behind(t.Context(), s, connector, fmt.Sprintf(`SELECT DISTINCT %s::text FROM %s`, col, table))
		if err != nil {
			t.Errorf("a forgetful query of %s: %v", table, err)
		}
		if got != connector.String() {
			out = append(out, table)
		}
	}
	slices.Sort(out)
	return out
}

func TestWall(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	a, b := linked(t, db), linked(t, db)
	populate(db, a.ID, b.ID)
	if w, err := db.Store.Wall(t.Context()); err != nil || !w.Stands || w.Fix != "" {
		t.Fatalf("Wall() = %+v, %v; want one that stands", w, err)
	}
	for _, c := range []store.Connector{a, b} {
		if got := leaks(t, db.Store, c.ID); got != nil {
			t.Errorf("behind the wall, a query that forgot its connector sees too much, or too little, of: %q", got)
		}
	}
	for table := range walled() {
		if got, err := store.Behind(t.Context(), db.Store, uuid.New(), `SELECT count(*)::text FROM `+table); got != "0" || err != nil {
			t.Errorf("%s has %s rows for a connector that does not exist, %v; want 0, nil", table, got, err)
		}
	}
	// The role is the transaction's alone: the connection goes back to the pool as it was.
	if got, err := db.Store.Connectors(t.Context()); len(got) != 2 || err != nil {
		t.Errorf("Connectors after reads behind the wall = %d, %v; want 2, nil", len(got), err)
	}
}

// TestWallHoldsTheRest holds that what no token may read can't be read behind the wall at all, nor anything written.
func TestWallHoldsTheRest(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	for _, table := range storetest.Column[string](db, `SELECT relname::text FROM pg_class WHERE relnamespace = 'leversync'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`) {
		if _, ok := walled()[table]; !ok {
			if got, err := store.Behind(t.Context(), db.Store, c.ID, `SELECT count(*)::text FROM `+table); err == nil || !strings.Contains(err.Error(), "42501") {
				t.Errorf("behind the wall %s has %s rows, %v; want a refusal", table, got, err)
			}
		}
		if _, err := store.Behind(t.Context(), db.Store, c.ID, `DELETE FROM `+table+` RETURNING 'gone'`); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("behind the wall DELETE FROM %s: %v; want a refusal", table, err)
		}
	}
	for _, column := range []string{"token_hash", "token_sealed"} {
		if _, err := store.Behind(t.Context(), db.Store, c.ID, `SELECT `+column+`::text FROM connectors`); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("behind the wall connectors.%s: %v; want a refusal", column, err)
		}
	}
	bare := storetest.Column[string](db, `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'connector_id'
WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))`)
	if len(bare) > 0 {
		t.Errorf("tables with a connector_id and without a policy: %q", bare)
	}
}

// TestWallBreaches takes a stone out of the wall and holds that what TestWall looks at shows the hole.
func TestWallBreaches(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	a, b := linked(t, db), linked(t, db)
	populate(db, a.ID, b.ID)
	for _, table := range []string{"tags", "calls", "connectors"} {
		db.Exec(`ALTER TABLE ` + table + ` DISABLE ROW LEVEL SECURITY`)
		if got, want := leaks(t, db.Store, a.ID), []string{table}; !slices.Equal(got, want) {
			t.Errorf("without row-level security on %s: leaks = %q; want %q", table, got, want)
		}
		db.Exec(`ALTER TABLE ` + table + ` ENABLE ROW LEVEL SECURITY`)
	}
	db.Exec(`CREATE POLICY hole ON offers USING (true)`)
	if got, want := leaks(t, db.Store, a.ID), []string{"offers"}; !slices.Equal(got, want) {
		t.Errorf("with a policy that lets all pass on offers: leaks = %q; want %q", got, want)
	}
}

// TestReadsGoBehindTheWall takes all rights from the owner that it does not need to become the reader: what still
// answers goes behind the wall.
func TestReadsGoBehindTheWall(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	put(t, db, running(t, db, c.ID, stream), &unified.Tag{Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Tags, "x"), RemoteID: "x"}})
	if _, err := db.Store.Read(t.Context(), store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"tags", "connector_scopes", "runs", "attachments", "parents"} {
		db.Exec(`REVOKE ALL ON ` + table + ` FROM CURRENT_USER`)
	}
	id := unified.ID(c.ID, unified.Tags, "x")
	for name, read := range map[string]func(context.Context) (int, error){
		"Page": func(ctx context.Context) (int, error) {
			p, err := db.Store.Page(ctx, store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 51})
			return len(p.Records), err
		},
		"Read": func(ctx context.Context) (int, error) {
			r, err := db.Store.Read(ctx, store.ReadQuery{Connector: c.ID, Scope: unified.Tags, IDs: []uuid.UUID{id}})
			return len(r), err
		},
		"Changes": func(ctx context.Context) (int, error) {
			_, err := db.Store.Changes(ctx, c.ID, store.FeedPosition{}, 10)
			return 1, err // what it lists waits for every transaction on the server
		},
		"Scopes": func(ctx context.Context) (int, error) {
			r, err := db.Store.Scopes(ctx, c.ID)
			return len(r) - len(unified.Scopes) + 1, err
		},
		"LastRuns": func(ctx context.Context) (int, error) {
			r, err := db.Store.LastRuns(ctx, c.ID)
			return len(r), err
		},
		"RemoteID": func(ctx context.Context) (int, error) {
			r, err := db.Store.RemoteID(ctx, c.ID, unified.Tags, id)
			return len(r), err
		},
	} {
		if n, err := read(t.Context()); n != 1 || err != nil {
			t.Errorf("%s, where the reader alone may: %d records, %v; want 1, nil", name, n, err)
		}
	}
	if _, _, err := db.Store.DownloadPath(t.Context(), c.ID, id); err != store.ErrNotFound {
		t.Errorf("DownloadPath, where the reader alone may: %v; want ErrNotFound", err)
	}
}

// TestWithoutWall holds that reads go on where the role could not be made, and that Wall says how to.
func TestWithoutWall(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	reader := storetest.Value[string](db, `SELECT current_user || '_reader'`)
	db.Exec(`REVOKE USAGE ON SCHEMA leversync FROM ` + reader)
	w, err := db.Store.Wall(t.Context())
	if err != nil || w.Stands || w.Reader != reader || !strings.Contains(w.Fix, "CREATE ROLE") {
		t.Errorf("Wall() without rights for the reader = %+v, %v; want one that does not stand, and a fix", w, err)
	}
	if p, err := db.Store.Page(t.Context(), store.ReadQuery{Connector: c.ID, Scope: unified.Tags, Limit: 51}); err != nil || len(p.Records) != 0 {
		t.Errorf("Page without a wall = %d records, %v; want 0, nil", len(p.Records), err)
	}
	if _, err := store.Migrate(t.Context(), db.URL); err != nil {
		t.Fatal(err)
	}
	if w, err := db.Store.Wall(t.Context()); err != nil || !w.Stands {
		t.Errorf("Wall() after Migrate = %+v, %v; want one that stands", w, err)
	}
}
