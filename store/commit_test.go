package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// l0 is a moment at which calls were made.
var l0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var errRolledBack = errors.New("the test wants a rollback")

// everything writes one of all that a page's transaction may hold.
func everything(ctx context.Context, tx *store.Tx, name string) error {
	id := tx.Connector()
	bad := tag(id, "bad "+name, "x")
	steps := []func() error{
		func() error {
			tx.Log([]store.Call{
				{ID: uuid.New(), ConnectorID: id, Method: "GET", Path: "/tags", Status: 200, StartedAt: l0, WaitMS: 7},
				{ID: uuid.New(), ConnectorID: id, Method: "GET", Path: "/tags", Status: 429, StartedAt: l0, WaitMS: 8},
			})
			return nil
		},
		func() error { return store.Upsert(ctx, tx, []*unified.Tag{tag(id, name, name)}) },
		func() error {
			return tx.Quarantine(ctx, store.Rejected{Scope: unified.Tags, Key: bad.RemoteID, Reason: "bad", Raw: bad.Raw})
		},
		func() error {
			return tx.UpsertParents(ctx, unified.Applications, []store.Parent{{RemoteID: name}}, 1, 0)
		},
		func() error { return tx.Met(ctx, 1, []string{name}) },
		func() error { return tx.SetHiredReasons(ctx, []string{name}) },
		func() error { return tx.SetFlags(ctx, json.RawMessage(`{"by":"`+name+`"}`)) },
		func() error { tx.SaveCursor(json.RawMessage(`{"by":"` + name + `"}`)); return nil },
	}
	tx.Add(store.Counts{Read: 3, Bound: 2, Sanitized: 1, Polled: 4, Swept: 5})
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// snapshot is all that the database holds, as text.
func snapshot(db *storetest.DB) map[string]string {
	out := map[string]string{}
	for _, table := range storetest.Column[string](db, `SELECT relname::text FROM pg_class
WHERE relnamespace = 'leversync'::regnamespace AND relkind = 'r'`) {
		out[table] = storetest.Value[string](db, fmt.Sprintf(`SELECT coalesce(string_agg(t::text, e'\n' ORDER BY t::text), '') FROM %s t`, table))
	}
	return out
}

// wantSame says which tables differ from what they were.
func wantSame(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for table, w := range want {
		if got[table] != w {
			t.Errorf("%s: table %s holds\n%s\nwant it as before:\n%s", what, table, got[table], w)
		}
	}
}

func TestCommitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	before := snapshot(db)
	_, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
		if err := everything(ctx, tx, "a"); err != nil {
			return err
		}
		return errRolledBack
	})
	if !errors.Is(err, errRolledBack) {
		t.Fatalf("Commit of a function that fails = %v; want its error", err)
	}
	wantSame(t, "Commit of a function that fails", snapshot(db), before)

	got := commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return everything(ctx, tx, "a") })
	want := store.Counts{Calls: 2, Bound: 2, Throttled: 1, WaitMS: 15, Read: 3, Written: 1, Quarantined: 1, Sanitized: 1, Polled: 4, Swept: 5}
	if got != want {
		t.Errorf("Commit: counts %+v; want %+v", got, want)
	}
	after := snapshot(db)
	for _, table := range []string{"calls_other", "tags", "quarantine", "parents", "sweep_pages", "hired_reasons", "streams", "runs", "connector_scopes"} {
		if after[table] == before[table] {
			t.Errorf("Commit: table %s is as before", table)
		}
	}
	runs, err := db.Store.Runs(t.Context(), c.ID, time.Time{}, 10)
	if err != nil || len(runs) != 1 {
		t.Fatalf("Runs = %v, %v; want one", runs, err)
	}
	r := runs[0]
	if sum := (store.Counts{
		Calls: r.Calls, Bound: r.Bound, Polled: r.Polled, Swept: r.Swept, Throttled: r.Throttled, WaitMS: r.WaitMS,
		Read: r.Read, Written: r.Written, Deleted: r.Deleted, Quarantined: r.Quarantined, Sanitized: r.Sanitized,
	}); sum != want {
		t.Errorf("the run's counters: %+v; want %+v", sum, want)
	}
}

func TestCommitCancelled(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	before := snapshot(db)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := db.Store.Commit(ctx, l, func(ctx context.Context, tx *store.Tx) error {
		err := everything(ctx, tx, "a")
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Commit cancelled before its end = %v; want %v", err, context.Canceled)
	}
	wantSame(t, "Commit cancelled before its end", snapshot(db), before)
}

// Two holders of different streams lock the same two rows in opposite orders. Postgres ends one of them,
// and Commit runs it again.
func TestCommitGoesOnAfterADeadlock(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	leases := []store.Lease{running(t, db, c.ID, "one"), running(t, db, c.ID, "two")}
	names := []string{"x", "y"}
	put(t, db, leases[0], tag(c.ID, "x", ""), tag(c.ID, "y", ""))
	var tries [2]atomic.Int64
	locked := []chan struct{}{make(chan struct{}), make(chan struct{})}
	for i, err := range together(2, func(i int) error {
		_, err := db.Store.Commit(t.Context(), leases[i], func(ctx context.Context, tx *store.Tx) error {
			first := tries[i].Add(1) == 1
			tx.Add(store.Counts{Read: 1})
			if err := store.Upsert(ctx, tx, []*unified.Tag{tag(c.ID, names[i], fmt.Sprint("by ", i))}); err != nil {
				return err
			}
			if first {
				close(locked[i])
				<-locked[1-i]
			}
			if err := store.Upsert(ctx, tx, []*unified.Tag{tag(c.ID, names[1-i], fmt.Sprint("by ", i))}); err != nil {
				return err
			}
			tx.SaveCursor(json.RawMessage(`{"page":1}`))
			return nil
		})
		return err
	}) {
		if err != nil {
			t.Errorf("Commit %d of 2 that deadlock: %v", i, err)
		}
	}
	if n := tries[0].Load() + tries[1].Load(); n < 3 {
		t.Errorf("the functions ran %d times; want at least 3: there was no deadlock", n)
	}
	if got := storetest.Column[string](db, "SELECT DISTINCT name FROM tags"); len(got) != 1 {
		t.Errorf("names after two commits that each write both rows: %q; want one", got)
	}
	if got := storetest.Column[int64](db, "SELECT read FROM runs"); got[0] != 1 || got[1] != 1 {
		t.Errorf("the runs' counters: %v; want 1 each, however often it was tried", got)
	}
	wantRecords(t, db, c.ID, unified.Tags, 2)
}

func TestCommitRetries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code  string
		tries int64
	}{
		{"40001", 6}, {"40P01", 6}, {"55P03", 6}, // asked to try again: up to a bound
		{"22003", 2}, {"23505", 2}, {"54000", 2}, // a value is refused: once more, carefully
		{"57014", 1}, {"42P01", 1}, {"XX000", 1},
	}
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	db.Exec(`CREATE TABLE fails (code text)`)
	db.Exec(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'on purpose' USING ERRCODE = (SELECT code FROM fails); END $$`)
	db.Exec(`CREATE TRIGGER fail BEFORE INSERT ON sweep_pages EXECUTE FUNCTION fail()`)
	before := snapshot(db)
	for _, tc := range tests {
		db.Exec("DELETE FROM fails")
		db.Exec("INSERT INTO fails VALUES ($1)", tc.code)
		var tries int64
		_, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
			tries++
			return everything(ctx, tx, "a")
		})
		if err == nil || tries != tc.tries {
			t.Errorf("Commit against SQLSTATE %s: %v after %d tries; want an error after %d", tc.code, err, tries, tc.tries)
		}
	}
	db.Exec("DELETE FROM fails")
	wantSame(t, "Commit against errors", snapshot(db), before)
}
