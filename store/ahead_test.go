package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// tagging writes a tag; it is what a page brings.
func tagging(name string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		tx.First()
		return store.Upsert(ctx, tx, []*unified.Tag{tag(tx.Connector(), name, name)})
	}
}

// moving is what is left for a page's turn: nothing.
func moving(context.Context, *store.Tx) error { return nil }

// ahead begins a transaction before its turn.
func ahead(t *testing.T, db *storetest.DB, l store.Lease, fn func(context.Context, *store.Tx) error) *store.Ahead {
	t.Helper()
	a := db.Store.Ahead(t.Context(), l, fn)
	if a == nil {
		t.Fatal("Ahead = nil; want a transaction")
	}
	t.Cleanup(func() { a.Drop(context.Background()) })
	return a
}

// What was begun before its turn is committed in its turn, beside what has its turn before, and once.
func TestAheadCommits(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	var a *store.Ahead
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		a = ahead(t, db, l, tagging("second"))
		return tagging("first")(ctx, tx)
	})
	if n := count(db, "tags", l.Connector); n != 1 {
		t.Errorf("%d tags before the second has its turn; want 1", n)
	}
	got, err := a.Commit(t.Context(), func(_ context.Context, tx *store.Tx) error {
		tx.Add(store.Counts{Read: 1})
		return nil
	}, func(context.Context, *store.Tx) error {
		t.Error("all of it was run again")
		return nil
	})
	if err != nil || got.Written != 1 || got.Read != 1 {
		t.Errorf("Commit = %+v, %v; want 1 read and written", got, err)
	}
	if n := count(db, "tags", l.Connector); n != 2 {
		t.Errorf("%d tags; want 2", n)
	}
	if n := storetest.Value[int](db, `SELECT records::int FROM connector_scopes WHERE scope = 'tags'`); n != 2 {
		t.Errorf("%d tags are counted; want 2", n)
	}
}

// A holder whose lease went to another in between commits nothing.
func TestAheadIsFenced(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	a := ahead(t, db, l, tagging("zombie's"))
	expire(db, l.Connector, stream)
	held(t, db, l.Connector, stream)
	before := snapshot(db)
	if _, err := a.Commit(t.Context(), moving, tagging("zombie's")); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Commit = %v; want ErrFenced", err)
	}
	wantSame(t, "Commit with a stale fence", snapshot(db), before)
}

// Where what was found before its turn no longer holds, or the row of the stream is somebody else's just then, all of it is
// run again in its turn.
func TestAheadBegunTooEarly(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(t *testing.T, db *storetest.DB, l store.Lease) (end func()){
		"somebody was erased": func(t *testing.T, db *storetest.DB, l store.Lease) func() {
			put(t, db, l, &unified.Candidate{Envelope: envelope(l.Connector, unified.Candidates, "ada", "")})
			if _, err := db.Store.Erase(t.Context(), l.Connector, "ada", false); err != nil {
				t.Fatalf("Erase: %v", err)
			}
			return nil
		},
		"something was set aside": func(t *testing.T, db *storetest.DB, l store.Lease) func() {
			commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
				return tx.Quarantine(ctx, store.Rejected{Scope: unified.Tags, Key: "late", Reason: "bad", Raw: []byte("{}")})
			})
			return nil
		},
		"it waited for too long": func(_ *testing.T, db *storetest.DB, _ store.Lease) func() {
			db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()`)
			return nil
		},
		"the row is locked": func(t *testing.T, db *storetest.DB, l store.Lease) func() {
			locked, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				_, err := db.Store.Commit(context.Background(), l, func(context.Context, *store.Tx) error {
					close(locked)
					<-release
					return nil
				})
				ended <- err
			}()
			<-locked
			return func() {
				close(release)
				if err := <-ended; err != nil {
					t.Errorf("the commit before: %v", err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			l := running(t, db, linked(t, db).ID, stream)
			a := ahead(t, db, l, tagging("late"))
			end := between(t, db, l)
			if end != nil {
				go func() { awaitBlocked(t, db, 1); end() }()
			}
			again := 0
			got, err := a.Commit(t.Context(), moving, func(ctx context.Context, tx *store.Tx) error {
				again++
				return tagging("late")(ctx, tx)
			})
			if err != nil || again != 1 || got.Written != 1 {
				t.Errorf("Commit = %+v, %v, run again %d times; want 1 record written by running it again", got, err, again)
			}
			if n := count(db, "tags", l.Connector); n != 1 {
				t.Errorf("%d tags; want 1", n)
			}
			if n := storetest.Value[int](db, `SELECT count(*)::int FROM quarantine`); n != 0 {
				t.Errorf("%d records are aside though they came well since", n)
			}
		})
	}
}

// Nobody who has their turn waits for a connection of those who have not, and what is dropped leaves nothing.
func TestAheadLeavesConnections(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	before := snapshot(db)
	var all []*store.Ahead
	for range storetest.MaxConns {
		if a := db.Store.Ahead(t.Context(), l, func(context.Context, *store.Tx) error { return nil }); a != nil {
			all = append(all, a)
		}
	}
	if len(all) != storetest.MaxConns/4 {
		t.Errorf("%d of %d connections were taken ahead; want a quarter", len(all), storetest.MaxConns)
	}
	for _, a := range all {
		a.Drop(t.Context())
		a.Drop(t.Context()) // once more does nothing
	}
	if a := db.Store.Ahead(t.Context(), l, func(context.Context, *store.Tx) error { return errors.New("refused") }); a != nil {
		t.Error("Ahead = a transaction, though what it was to write failed; want nil")
	}
	ahead(t, db, l, tagging("dropped")).Drop(t.Context())
	wantSame(t, "Drop", snapshot(db), before)
}

// Of somebody who is erased while a page of theirs is written ahead, nothing comes back with it: not even what the erasure
// could not see. It does not wait for the page either.
func TestAheadKeepsTheErasedOut(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	ada := &unified.Candidate{Envelope: envelope(l.Connector, unified.Candidates, "ada", "")}
	put(t, db, l, ada)
	page := func(ctx context.Context, tx *store.Tx) error {
		tx.First()
		return store.Upsert(ctx, tx, []*unified.Application{
			{Envelope: envelope(l.Connector, unified.Applications, "of ada", ""), Candidate: &ada.ID},
			{Envelope: envelope(l.Connector, unified.Applications, "of bob", "")},
		})
	}
	a := ahead(t, db, l, page)
	if _, err := db.Store.Erase(t.Context(), l.Connector, "ada", false); err != nil {
		t.Fatalf("Erase: %v", err)
	}
	if got, err := a.Commit(t.Context(), moving, page); err != nil || got.Written != 1 {
		t.Errorf("Commit = %+v, %v; want 1 written", got, err)
	}
	if got := storetest.Column[string](db, `SELECT remote_id FROM applications`); len(got) != 1 || got[0] != "of bob" {
		t.Errorf("applications %q; want bob's", got)
	}
}
