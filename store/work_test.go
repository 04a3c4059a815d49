package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestFinishWork(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	commitParents(t, db, l, store.Parent{RemoteID: "a"}, store.Parent{RemoteID: "b"}, store.Parent{RemoteID: "c"})
	work, err := db.Store.NextWork(t.Context(), c.ID, unified.Applications, allKinds, []string{}, 9)
	if err != nil || len(work) != 3 {
		t.Fatalf("NextWork = %v, %v; want 3", work, err)
	}
	// While they are read, b changes: what was read of it may be old.
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.UpsertParents(ctx, unified.Applications, []store.Parent{{RemoteID: "b", Digest: []byte{2}}}, kindA, 0)
	})
	var done []store.Done
	for _, w := range work {
		done = append(done, store.Done{RemoteID: w.RemoteID, Kinds: allKinds, PendingRev: w.PendingRev, All: w.RemoteID != "c"})
	}
	done[slices.IndexFunc(done, func(d store.Done) bool { return d.RemoteID == "c" })].Kinds = kindA | kindC
	for _, id := range []string{"a", "b", "c"} {
		for _, kind := range []int{kindA, kindB} {
			putOff(t, db, l, id, kind, time.Hour)
		}
	}
	finish := func() {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			moved, err := tx.FinishWork(ctx, unified.Applications, done)
			if len(moved) != 1 || !moved["b"] {
				t.Errorf("FinishWork says that these changed meanwhile: %v; want b", moved)
			}
			return err
		})
	}
	for range 2 { // twice is once
		finish()
		if got := next(t, db, c.ID, allKinds); got != "b/7" {
			t.Errorf("work after FinishWork: %s; want b/7 (set again meanwhile), and not c's last, which is put off", got)
		}
	}
	if got := storetest.Column[string](db, "SELECT remote_id || coalesce((SELECT string_agg(k, ' ') FROM jsonb_object_keys(put_off) k), '') FROM parents ORDER BY 1"); !slices.Equal(got, []string{"a", "b", "c2"}) {
		t.Errorf("lists whose failures are remembered: %q; want the one of c that was not read", got)
	}
	if got := storetest.Column[string](db, "SELECT remote_id FROM parents WHERE children_read_at IS NOT NULL ORDER BY 1"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("parents all of whose children were read: %q; want a, b", got)
	}
}

// What is put down once more while it is being read is read once more, also where it waited already; and what was read of a
// parent that was touched meanwhile proves no absence.
func TestFinishWorkOfWhatIsPutDownAgain(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for name, meanwhile := range map[string]func(context.Context, *store.Tx) error{
		"MarkNamed": func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.MarkNamed(ctx, unified.Applications, kindA, 0, []string{"a"})
			if n != 0 {
				t.Errorf("MarkNamed of what waits already = %d; want no list more", n)
			}
			return err
		},
		"Touch": func(ctx context.Context, tx *store.Tx) error { return tx.Touch(ctx, unified.Applications, "a") },
	} {
		db.Exec(`DELETE FROM parents`)
		commitParents(t, db, l, store.Parent{RemoteID: "a"}, store.Parent{RemoteID: "b"})
		work, err := db.Store.NextWork(t.Context(), c.ID, unified.Applications, allKinds, nil, 9)
		if err != nil || len(work) != 2 {
			t.Fatalf("NextWork = %v, %v; want 2", work, err)
		}
		commit(t, db, l, meanwhile)
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			var done []store.Done
			for _, w := range work {
				done = append(done, store.Done{RemoteID: w.RemoteID, Kinds: allKinds, PendingRev: w.PendingRev})
			}
			moved, err := tx.FinishWork(ctx, unified.Applications, done)
			if len(moved) != 1 || !moved["a"] {
				t.Errorf("%s meanwhile: FinishWork says that these changed: %v; want a", name, moved)
			}
			return err
		})
		if got := next(t, db, c.ID, allKinds); got != "a/7" {
			t.Errorf("%s meanwhile: work that is left: %s; want a/7", name, got)
		}
	}
}

// TestOnlyOwnParentsAreRead: what is done to a connector's parents reads no other's, of whom there are many.
func TestOnlyOwnParentsAreRead(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec(`ALTER TABLE parents SET (autovacuum_enabled = false)`)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	const others, own = 20_000, 90
	fill := func(connector uuid.UUID, n int) {
		db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, person, stage, reason, raw, active_at, pending, deleted_at)
SELECT $1::uuid, 'applications', $1::uuid::text || i, 'p' || i, 's', 'r' || i % 5, '{}', now() - interval '1 year', i % 2, CASE WHEN i % 3 = 0 THEN now() - interval '1 year' END FROM generate_series(1, $2::int) i`, connector, n)
	}
	fill(linked(t, db).ID, others)
	fill(c.ID, own)
	var off []string
	for _, sc := range []unified.Scope{unified.Applications, unified.Candidates, unified.Attachments, unified.Offers, unified.ScheduledInterviews, unified.Scorecards} {
		off = append(off, string(sc))
	}
	db.Exec(`UPDATE connector_scopes SET enabled = false WHERE connector_id = $1 AND scope = ANY($2)`, c.ID, off)
	for _, when := range []string{"without statistics", "with statistics"} {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			work, err := store.ParentWork(ctx, tx)
			for name, n := range work {
				if read, changed := n[0], n[1]; changed == 0 || read > 5*own {
					t.Errorf("%s, %s: %d parents read to change %d; want some changed, and no other connector's read", name, when, read, changed)
				}
			}
			return err
		})
		db.Exec(`ANALYZE parents`)
	}
}
