package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// What a traversal met is gone through once, and not for each record, also where Postgres has no statistics.
func TestAbsentIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for _, table := range []string{"tags", "sweep_pages"} {
		db.Exec(`ALTER TABLE ` + table + ` SET (autovacuum_enabled = false)`)
	}
	db.Exec(`INSERT INTO tags (connector_id, id, remote_id, raw_hash, body_hash) SELECT $1, gen_random_uuid(), 't' || n, '', '' FROM generate_series(1, 3000) n`, c.ID)
	for page := range 30 {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = fmt.Sprint("t", page*100+i+1)
		}
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Met(ctx, page, ids[1:]) })
	}
	for _, when := range []string{"without statistics", "with statistics"} {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			plan, err := store.AbsentPlan(ctx, tx, unified.Tags)
			if err != nil || strings.Contains(plan, "Nested Loop") {
				t.Errorf("%s: %v, want no nested loop:\n%s", when, err, plan)
			}
			p, err := tx.Absent(ctx, unified.Tags, false)
			if err != nil || p.Pages != 30 || p.Live != 3000 || len(p.Absent) != 30 {
				t.Errorf("%s: Absent = %d of %d on %d pages, %v; want 30 of 3000 on 30", when, len(p.Absent), p.Live, p.Pages, err)
			}
			return nil
		})
		db.Exec(`ANALYZE`)
	}
}

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
