package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestAbsent(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	l := running(t, db, c.ID, stream)
	for _, name := range []string{"a", "b", "c", "d", "dead"} {
		put(t, db, l, tag(c.ID, name, name))
	}
	put(t, db, running(t, db, other.ID, stream), tag(other.ID, "other's", ""))
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.UpsertParents(ctx, unified.Applications, []store.Parent{{RemoteID: "a"}, {RemoteID: "x"}}, 0, 0); err != nil {
			return err
		}
		if err := tx.UpsertParents(ctx, unified.Jobs, []store.Parent{{RemoteID: "y"}}, 0, 0); err != nil {
			return err
		}
		return tx.Tombstone(ctx, unified.Tags, []string{"dead"})
	})
	absent := func(what string, sc unified.Scope, parents bool, want store.Proof) {
		t.Helper()
		var got store.Proof
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
			got, err = tx.Absent(ctx, sc, parents)
			return err
		})
		if got.Pages != want.Pages || got.Live != want.Live || !slices.Equal(got.Absent, want.Absent) {
			t.Errorf("Absent(%s) %s = %+v; want %+v", sc, what, got, want)
		}
	}
	meet := func(page int, ids ...string) {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Met(ctx, page, ids) })
	}
	absent("before any page", unified.Tags, false, store.Proof{Live: 4, Absent: []string{"a", "b", "c", "d"}})
	meet(0, "a", "b", "new")
	meet(1)
	meet(2, "dead", "c")
	meet(2, "c", "b") // a page that was fetched again
	absent("after 3 pages", unified.Tags, false, store.Proof{Pages: 3, Live: 4, Absent: []string{"d"}})
	absent("after 3 pages", unified.Applications, true, store.Proof{Pages: 3, Live: 2, Absent: []string{"x"}})
	absent("after 3 pages", unified.Jobs, true, store.Proof{Pages: 3, Live: 1, Absent: []string{"y"}})
	absent("after 3 pages", unified.Offers, false, store.Proof{Pages: 3})

	// A crash of Postgres empties what is unlogged: the count of pages gives it away.
	db.Exec("TRUNCATE sweep_pages")
	meet(3, "d")
	absent("after a crash", unified.Tags, false, store.Proof{Pages: 1, Live: 4, Absent: []string{"a", "b", "c"}})

	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Restart(ctx, json.RawMessage(`{}`)) })
	absent("after a new beginning", unified.Tags, false, store.Proof{Live: 4, Absent: []string{"a", "b", "c", "d"}})
	meet(0, "a", "b", "c", "d")
	absent("of nothing", unified.Tags, false, store.Proof{Pages: 1, Live: 4})
}

// Pages of an older generation prove nothing, wherever they come from.
func TestAbsentOfAnotherGeneration(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, tag(c.ID, "a", "A"))
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Met(ctx, 0, []string{"a"}) })
	db.Exec("UPDATE streams SET generation = generation + 1")
	var got store.Proof
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
		got, err = tx.Absent(ctx, unified.Tags, false)
		return err
	})
	if got.Pages != 0 || len(got.Absent) != 1 {
		t.Errorf("Absent with a page of another generation = %+v; want no page, and a absent", got)
	}
}
