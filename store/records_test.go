package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// versions is where each row of a table is and which transaction wrote it: it moves with every write.
func versions(db *storetest.DB, table string) []string {
	return storetest.Column[string](db, fmt.Sprintf(`SELECT id || ' ' || ctid || ' ' || xmin FROM %s ORDER BY id`, table))
}

func TestUpsertUnchangedWritesNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for _, sc := range unified.Scopes {
		var page []unified.Record
		for n := range 20 {
			r := filled(t, blank[sc](), n)
			*r.Base() = envelope(c.ID, sc, fmt.Sprint(n), "parent")
			page = append(page, r)
		}
		put(t, db, l, page...)
		before := versions(db, sc.Table())
		slices.Reverse(page)
		if got := put(t, db, l, page...); got != (store.Counts{}) {
			t.Errorf("Upsert of %s unchanged: counts %+v; want none", sc, got)
		}
		if after := versions(db, sc.Table()); !slices.Equal(after, before) {
			t.Errorf("Upsert of %s unchanged: rows were written again", sc)
		}
	}
}

// aged sets a connector's times back by an hour, so that what moves is told from what stays.
func aged(db *storetest.DB, table string) {
	db.Exec(fmt.Sprintf("UPDATE %s SET created_at = created_at - interval '1 h', modified_at = modified_at - interval '1 h'", table))
}

func TestModifiedAt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*unified.Tag)
		moves  bool
		writes int64
	}{
		{"nothing", func(*unified.Tag) {}, false, 0},
		{"raw alone", func(r *unified.Tag) { r.Raw = json.RawMessage(`{"id":"a","new":true}`) }, false, 1},
		{"raw goes", func(r *unified.Tag) { r.Raw = nil }, false, 1},
		{"body", func(r *unified.Tag) { r.Name = new("other") }, true, 1},
		{"body to null", func(r *unified.Tag) { r.Name = nil }, true, 1},
		{"body to empty", func(r *unified.Tag) { r.Name = new("") }, true, 1},
		{"parent", func(r *unified.Tag) { r.Parent = "p2" }, true, 1},
		{"both", func(r *unified.Tag) { r.Name, r.Raw = new("other"), json.RawMessage(`[]`) }, true, 1},
	}
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for _, tc := range tests {
		r := tag(c.ID, tc.name, "name")
		put(t, db, l, r)
		aged(db, "tags")
		tc.change(r)
		got := put(t, db, l, r)
		moved := storetest.Value[bool](db, "SELECT modified_at > now() - interval '30 min' FROM tags WHERE id = $1", r.ID)
		made := storetest.Value[bool](db, "SELECT created_at > now() - interval '30 min' FROM tags WHERE id = $1", r.ID)
		if moved != tc.moves || made || got.Written != tc.writes {
			t.Errorf("Upsert after a change of %s: modified_at moved %t, created_at moved %t, written %d; want %t, false, %d",
				tc.name, moved, made, got.Written, tc.moves, tc.writes)
		}
		wantStored(t, db, c.ID, r)
	}
}

func TestUpsertTakesTheLastOfTwins(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	last := tag(c.ID, "a", "third")
	got := put(t, db, l, tag(c.ID, "a", "first"), tag(c.ID, "b", "other"), tag(c.ID, "a", "second"), last)
	if n := count(db, "tags", c.ID); n != 2 || got.Written != 2 {
		t.Errorf("Upsert of 4 records of 2 ids: %d rows, written %d; want 2, 2", n, got.Written)
	}
	wantStored(t, db, c.ID, last)
	wantRecords(t, db, c.ID, unified.Tags, 2)
}

func TestUpsertOfNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	if got := put(t, db, l); got != (store.Counts{}) {
		t.Errorf("Upsert of no records: counts %+v; want none", got)
	}
}

func TestTombstoneAndRevival(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	a, b := tag(c.ID, "a", "A"), tag(c.ID, "b", "B")
	put(t, db, l, a, b)
	aged(db, "tags")
	remove := func(remoteIDs ...string) store.Counts {
		return commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Tombstone(ctx, unified.Tags, remoteIDs) })
	}
	if got := remove("a", "never there"); got.Deleted != 1 {
		t.Errorf("Tombstone of one that is there and one that is not: deleted %d; want 1", got.Deleted)
	}
	if !storetest.Value[bool](db, "SELECT deleted_at IS NOT NULL AND deleted_at = modified_at AND modified_at > now() - interval '1 min' FROM tags WHERE id = $1", a.ID) {
		t.Error("a tombstone's modified_at did not move to its deleted_at")
	}
	if n := storetest.Value[int](db, "SELECT count(*)::int FROM ats.tags"); n != 1 {
		t.Errorf("ats.tags after a tombstone: %d rows; want 1", n)
	}
	wantRecords(t, db, c.ID, unified.Tags, 1)
	before := versions(db, "tags")
	if got := remove("a"); got.Deleted != 0 || !slices.Equal(versions(db, "tags"), before) {
		t.Errorf("Tombstone once more: deleted %d, and rows written or not: %v", got.Deleted, versions(db, "tags"))
	}
	aged(db, "tags")
	if got := put(t, db, l, a, b); got.Written != 1 {
		t.Errorf("Upsert of a deleted record, unchanged: written %d; want 1", got.Written)
	}
	wantStored(t, db, c.ID, a)
	if !storetest.Value[bool](db, "SELECT modified_at > now() - interval '1 min' FROM tags WHERE id = $1", a.ID) {
		t.Error("modified_at of a revived record did not move")
	}
	wantRecords(t, db, c.ID, unified.Tags, 2)
}

func TestTombstoneAbsent(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	file := func(remote, parent, source string) *unified.Attachment {
		return &unified.Attachment{Envelope: envelope(c.ID, unified.Attachments, remote, parent), Source: source}
	}
	all := []unified.Record{
		file("kept", "p1", "files"), file("gone", "p1", "files"), file("résumé", "p1", "resumes"),
		file("other's", "p2", "files"), file("unread's", "p3", "files"),
	}
	put(t, db, l, all...)
	absent := func(parents []string, source string, present ...uuid.UUID) int64 {
		return commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			return tx.TombstoneAbsent(ctx, unified.Attachments, parents, source, present)
		}).Deleted
	}
	live := func() []string {
		return storetest.Column[string](db, `SELECT remote_id FROM attachments WHERE deleted_at IS NULL ORDER BY remote_id COLLATE "C"`)
	}
	tests := []struct {
		parents []string
		source  string
		present []uuid.UUID
		deleted int64
		left    []string
	}{
		{nil, "files", nil, 0, []string{"gone", "kept", "other's", "résumé", "unread's"}},
		{[]string{"p1", "p2"}, "files", []uuid.UUID{all[0].Base().ID, all[3].Base().ID}, 1, []string{"kept", "other's", "résumé", "unread's"}},
		{[]string{"p2"}, "files", nil, 1, []string{"kept", "résumé", "unread's"}},
		{[]string{"p1"}, "", nil, 2, []string{"unread's"}},
	}
	for _, tc := range tests {
		if got := absent(tc.parents, tc.source, tc.present...); got != tc.deleted || !slices.Equal(live(), tc.left) {
			t.Errorf("TombstoneAbsent(%q, %q): deleted %d, left %q; want %d, %q", tc.parents, tc.source, got, live(), tc.deleted, tc.left)
		}
	}
	wantRecords(t, db, c.ID, unified.Attachments, 1)
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.TombstoneChildren(ctx, []unified.Scope{unified.Attachments, unified.Offers}, []string{"p3"})
	})
	if got := live(); len(got) != 0 {
		t.Errorf("TombstoneChildren of the last parent left %q", got)
	}
	wantRecords(t, db, c.ID, unified.Attachments, 0)
}

func TestTombstoneUnreferenced(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	dep := func(name string) *unified.Department {
		return &unified.Department{Envelope: envelope(c.ID, unified.Departments, name, ""), Name: &name}
	}
	a, b, x := dep("A"), dep("B"), dep("X")
	put(t, db, l, a, b, x)
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.UpsertParents(ctx, unified.Jobs, []store.Parent{
			{RemoteID: "j1", Refs: []uuid.UUID{a.ID}}, {RemoteID: "j2", Refs: []uuid.UUID{a.ID, b.ID}}, {RemoteID: "j3", Refs: []uuid.UUID{x.ID}}, {RemoteID: "j4"},
		}, 0, 0)
	})
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.RemoveParents(ctx, unified.Jobs, []string{"j1", "j3"}); err != nil {
			return err
		}
		return tx.TombstoneUnreferenced(ctx, unified.Departments)
	})
	got := storetest.Column[string](db, "SELECT remote_id FROM departments WHERE deleted_at IS NULL ORDER BY 1")
	if want := []string{"A", "B"}; !slices.Equal(got, want) {
		t.Errorf("departments that live jobs name: %q; want %q", got, want)
	}
}

// wantRecords compares a scope's counter with want, and with the rows that are there.
func wantRecords(t *testing.T, db *storetest.DB, connector uuid.UUID, sc unified.Scope, want int64) {
	t.Helper()
	counter := storetest.Value[int64](db, "SELECT records FROM connector_scopes WHERE connector_id = $1 AND scope = $2", connector, string(sc))
	rows := storetest.Value[int64](db, fmt.Sprintf("SELECT count(*) FROM %s WHERE connector_id = $1 AND deleted_at IS NULL", sc.Table()), connector)
	if counter != want || rows != want {
		t.Errorf("%s: counter %d, live rows %d; want %d", sc, counter, rows, want)
	}
}
