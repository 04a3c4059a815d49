package store_test

import (
	"context"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// keepNote keeps a note on a candidate, and returns its id and whether it was kept.
func keepNote(t *testing.T, db *storetest.DB, c store.Connector, person string) bool {
	t.Helper()
	candidate, body := unified.ID(c.ID, unified.Candidates, person), "called them"
	var reply []byte
	_, err := db.Store.CommitOutside(t.Context(), c.ID, "opportunities", func(ctx context.Context, tx *store.Tx) error {
		remote := "note on " + person
		n := &unified.Activity{Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Activities, remote), RemoteID: remote, Parent: "o"}, Candidate: &candidate, Body: &body}
		if err := tx.KeepActivity(ctx, n); err != nil {
			return err
		}
		var err error
		reply, err = tx.Reply(ctx, unified.Activities, remote)
		return err
	})
	if err != nil {
		t.Fatalf("keep a note on %s: %v", person, err)
	}
	return reply != nil
}

// TestNotesFollowTheirCandidate holds that a note is hidden and comes back with its candidate, and is removed with what
// is stored of them: by the removal of the scope, of the row, and of the connector.
func TestNotesFollowTheirCandidate(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	people := []string{"a", "b", "c"}
	for _, c := range []store.Connector{c, other} {
		l := running(t, db, c.ID, stream)
		for _, p := range people {
			put(t, db, l, &unified.Candidate{Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Candidates, p), RemoteID: p}})
		}
		for _, p := range people {
			if !keepNote(t, db, c, p) {
				t.Fatalf("a note on %s was not kept", p)
			}
		}
	}
	if keepNote(t, db, c, "nobody") {
		t.Error("a note on a candidate who is not there was kept")
	}
	check := func(what string, c store.Connector, live, stored int) {
		t.Helper()
		recs, err := db.Store.Read(t.Context(), store.ReadQuery{Connector: c.ID, Scope: unified.Activities, Limit: 10})
		n := storetest.Value[int](db, `SELECT count(*)::int FROM activities WHERE connector_id = $1`, c.ID)
		if err != nil || len(recs) != live || n != stored {
			t.Errorf("%s: %d notes to be read, %v, of %d; want %d of %d", what, len(recs), err, n, live, stored)
		}
	}
	check("at first", c, 3, 3)
	tombstone := `UPDATE candidates SET deleted_at = now() WHERE connector_id = $1 AND remote_id = 'a'`
	db.Exec(tombstone, c.ID)
	check("with a candidate gone at the source", c, 2, 3)
	db.Exec(`UPDATE candidates SET deleted_at = NULL WHERE connector_id = $1 AND remote_id = 'a'`, c.ID)
	check("with the candidate back", c, 3, 3)
	db.Exec(tombstone, c.ID)
	db.Exec(`DELETE FROM candidates WHERE connector_id = $1 AND remote_id = 'b'`, c.ID)
	check("with another candidate's row gone", c, 1, 2)
	if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: map[unified.Scope]bool{unified.Candidates: false}, Remove: true}); err != nil {
		t.Fatal(err)
	}
	if err := db.Store.FinishRemovals(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	check("with the scope removed", c, 0, 0)
	check("another connector's", other, 3, 3)
	if err := db.Store.DeleteConnector(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	check("of a connector that was deleted", other, 0, 0)
}
