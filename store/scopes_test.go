package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestChangeScopes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	db.Exec("UPDATE connector_scopes SET next_run_at = now() + interval '1 h', state = 'ok'")
	set := func(on bool) store.ScopeStatus {
		t.Helper()
		if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: map[unified.Scope]bool{unified.Tags: on}}); err != nil {
			t.Fatal(err)
		}
		return scopesOf(t, db, c.ID)[unified.Tags]
	}
	if got := set(true); got.State != "ok" || got.Fresh {
		t.Errorf("ChangeScopes to what is: %+v; want nothing to happen", got)
	}
	if got := set(false); got.Enabled || got.Fresh {
		t.Errorf("ChangeScopes off: %+v; want it off", got)
	}
	if got, on, err := db.Store.Switched(t.Context(), c.ID); err != nil || got.ID != c.ID || on[unified.Tags] || !on[unified.Offers] {
		t.Errorf("Switched = connector %s, scopes %v, %v; want %s, with offers and without tags", got.ID, on, err, c.ID)
	}
	if _, _, err := db.Store.Switched(t.Context(), uuid.New()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Switched of no connector = %v; want ErrNotFound", err)
	}
	if on, err := db.Store.EnabledScopes(t.Context(), c.ID); err != nil || on[unified.Tags] || !on[unified.Offers] {
		t.Errorf("ChangeScopes off: enabled %v, %v; want all but tags", on, err)
	}
	if got := set(true); !got.Enabled || !got.Fresh || got.State != "pending" || got.NextRunAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("ChangeScopes on again: %+v; want it due now, and read in full", got)
	}
	if err := db.Store.ChangeScopes(t.Context(), uuid.New(), store.ScopeChange{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ChangeScopes of no connector: %v; want %v", err, store.ErrNotFound)
	}
}

// Whoever held a lease as the scopes changed may write nothing more: they know what was on before.
func TestChangeScopesTakesLeasesBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		scopes []string
		want   string // state of the run
		goesOn bool
	}{
		{"a run of other scopes", []string{"candidates"}, "running", true},
		{"a run of that and another", []string{"tags", "candidates"}, "running", true},
		{"a run of that alone", []string{"tags"}, "canceled", false},
		{"a run that only others need", []string{}, "canceled", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			c := linked(t, db)
			l, err := db.Store.Begin(t.Context(), held(t, db, c.ID, stream), "backfill", tc.scopes, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: map[unified.Scope]bool{unified.Tags: false}}); err != nil {
				t.Fatal(err)
			}
			_, err = db.Store.Commit(t.Context(), l, func(context.Context, *store.Tx) error { return nil })
			if !errors.Is(err, store.ErrFenced) {
				t.Errorf("Commit after ChangeScopes: %v; want %v", err, store.ErrFenced)
			}
			runs, err := db.Store.Runs(t.Context(), c.ID, time.Time{}, 1)
			if err != nil || runs[0].State != tc.want {
				t.Errorf("the run is %+v, %v; want it %s", runs, err, tc.want)
			}
			for _, sc := range runs[0].Scopes {
				if sc == "tags" {
					t.Errorf("the run still is for %v", runs[0].Scopes)
				}
			}
			_, st, err := db.Store.Acquire(t.Context(), c.ID, stream, "next", 100)
			if err != nil || (st.RunID != nil) != tc.goesOn || st.Interrupted {
				t.Errorf("Acquire after ChangeScopes: run %v, interrupted %t, %v; want a run under way %t, not interrupted", st.RunID, st.Interrupted, err, tc.goesOn)
			}
		})
	}
}

// removing turns scopes off, and removes what is stored of them.
func removing(scopes ...unified.Scope) store.ScopeChange {
	ch := store.ScopeChange{Enabled: map[unified.Scope]bool{}, Remove: true}
	for _, sc := range scopes {
		ch.Enabled[sc] = false
	}
	return ch
}

func TestRemoveScope(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	name := "Ada"
	for _, own := range []store.Connector{c, other} {
		l := running(t, db, own.ID, stream)
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			env := func(sc unified.Scope, remote string) unified.Envelope {
				return unified.Envelope{ID: unified.ID(own.ID, sc, remote), RemoteID: remote, Parent: "p", Raw: []byte(`{"secret":1}`)}
			}
			if err := tx.UpsertParents(ctx, unified.Applications, []store.Parent{{RemoteID: "p", Person: "x", Raw: []byte(`{"secret":1}`), RawHash: []byte{1}}}, 1, 0); err != nil {
				return err
			}
			if err := tx.Quarantine(ctx, store.Rejected{Scope: unified.Candidates, Key: "bad", Reason: "bad", Raw: []byte("{}")}); err != nil {
				return err
			}
			return errors.Join(
				store.Upsert(ctx, tx, []*unified.Candidate{{Envelope: env(unified.Candidates, "x"), FirstName: &name}, {Envelope: env(unified.Candidates, "y"), FirstName: &name}}),
				tx.Tombstone(ctx, unified.Candidates, []string{"y"}),
				store.Upsert(ctx, tx, []*unified.Application{{Envelope: env(unified.Applications, "p")}}),
				store.Upsert(ctx, tx, []*unified.Offer{{Envelope: env(unified.Offers, "o")}}),
				store.Upsert(ctx, tx, []*unified.Attachment{{Envelope: env(unified.Attachments, "o/sent"), Source: "offers", FileName: &name}, {Envelope: env(unified.Attachments, "f"), Source: "files", FileName: &name}}),
			)
		})
	}
	remove := func(scopes ...unified.Scope) {
		t.Helper()
		if err := db.Store.ChangeScopes(t.Context(), c.ID, removing(scopes...)); err != nil {
			t.Fatalf("ChangeScopes(%v): %v", scopes, err)
		}
		for range 2 { // what is finished is not done again
			if err := db.Store.FinishRemovals(t.Context(), uuid.Nil); err != nil {
				t.Fatalf("FinishRemovals: %v", err)
			}
		}
	}
	feed := func() map[uuid.UUID]store.Change {
		t.Helper()
		// The feed goes as far as the oldest transaction under way: those of other tests too.
		wait(t, "the feed to come up to the last change", func() bool {
			return storetest.Value[bool](db, `SELECT max(version::text::bigint) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM candidates WHERE connector_id = $1`, c.ID)
		})
		list, err := db.Store.Changes(t.Context(), c.ID, store.FeedPosition{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		m := map[uuid.UUID]store.Change{}
		for _, ch := range list {
			m[ch.Record.ID] = ch
		}
		return m
	}
	before := feed()
	remove(unified.Candidates)
	held := storetest.Value[bool](db, `SELECT bool_or(raw IS NOT NULL OR first_name IS NOT NULL OR deleted_at IS NULL) FROM candidates WHERE connector_id = $1`, c.ID)
	raws := storetest.Value[int](db, `SELECT count(*) FROM parents WHERE connector_id = $1 AND raw IS NOT NULL`, c.ID)
	set := storetest.Value[int](db, `SELECT count(*) FROM quarantine WHERE connector_id = $1`, c.ID)
	if held || raws != 1 || set != 0 {
		t.Errorf("after the removal of candidates: something of them is there %t, %d payloads of applications, %d set aside; want false, 1, 0", held, raws, set)
	}
	after := feed()
	for _, remote := range []string{"x", "y"} {
		id := unified.ID(c.ID, unified.Candidates, remote)
		if a := after[id]; a.Record.DeletedAt == nil || a.Position.Version <= before[id].Position.Version || string(a.Record.AppendField(nil, store.Field(unified.Candidates, "first_name"))) != "null" {
			t.Errorf("candidate %s in the feed: %+v; want a deletion, after what it was before", remote, a)
		}
	}
	st := scopesOf(t, db, c.ID)
	if got := st[unified.Candidates]; got.Records != 0 || got.Quarantined != 0 || got.Removing || got.Enabled {
		t.Errorf("the scope is %+v; want nothing of it", got)
	}
	if got := st[unified.Applications]; got.Records != 1 {
		t.Errorf("applications: %d records; want the one", got.Records)
	}

	remove(unified.Offers)
	if got := storetest.Value[string](db, `SELECT string_agg(remote_id, ' ') FROM attachments WHERE connector_id = $1 AND deleted_at IS NULL`, c.ID); got != "f" {
		t.Errorf("attachments after the removal of offers: %q; want f: the offer's document went with it", got)
	}
	remove(unified.Applications)
	if n := storetest.Value[int](db, `SELECT count(*) FROM parents WHERE connector_id = $1 AND raw IS NOT NULL`, c.ID); n != 0 {
		t.Errorf("%d payloads are kept that nobody asks for; want none", n)
	}
	if n := storetest.Value[int](db, `SELECT count(*) FROM parents WHERE connector_id = $1`, c.ID); n != 1 {
		t.Errorf("%d parents; want the one that attachments hang on", n)
	}
	remove(unified.Attachments, unified.ScheduledInterviews, unified.Scorecards)
	if n := storetest.Value[int](db, `SELECT count(*) FROM parents WHERE connector_id = $1`, c.ID); n != 0 {
		t.Errorf("%d parents that nothing hangs on; want none", n)
	}
	left := storetest.Value[string](db, `SELECT (SELECT count(*) FROM candidates WHERE connector_id = $1 AND first_name = 'Ada') || ' ' || (SELECT count(*) FROM parents WHERE connector_id = $1 AND raw IS NOT NULL)
|| ' ' || (SELECT count(*) FROM quarantine WHERE connector_id = $1)`, other.ID)
	if left != "2 1 1" {
		t.Errorf("of the other connector there are %s candidates, payloads, quarantined; want 2 1 1", left)
	}
}

// A removal that was broken off is taken up by another process, and a scope that is turned on again waits for its end.
func TestRemovalIsFinished(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	const n = 4500 // more than two batches
	db.Exec(`INSERT INTO tags (id, connector_id, remote_id, name, body_hash) SELECT gen_random_uuid(), $1, 'tag ' || i, 'tag', '\x01' FROM generate_series(1, $2::int) i`, c.ID, n)
	off := removing(unified.Tags)
	named := func() int {
		return storetest.Value[int](db, `SELECT count(*) FROM tags WHERE connector_id = $1 AND name IS NOT NULL`, c.ID)
	}
	if err := db.Store.ChangeScopes(t.Context(), c.ID, off); err != nil {
		t.Fatal(err)
	}
	if got := scopesOf(t, db, c.ID)[unified.Tags]; !got.Removing || named() != n {
		t.Errorf("after ChangeScopes: %+v, %d there; want the removal marked alone", got, named())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Store.FinishRemovals(gone, c.ID); err == nil {
		t.Error("FinishRemovals of one who has gone: no error")
	}
	if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: map[unified.Scope]bool{unified.Tags: true}}); err != nil {
		t.Fatal(err)
	}
	if got := scopesOf(t, db, c.ID)[unified.Tags]; got.Removing || !got.Enabled || !got.Fresh || named() != 0 {
		t.Errorf("turned on while it was being removed: %+v, %d there; want it on, and nothing of before", got, named())
	}
}

// Of two that finish one removal neither takes the other's rows for the last.
func TestRemovalsAtOnceLeaveNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	off := func(scopes ...unified.Scope) {
		t.Helper()
		if err := db.Store.ChangeScopes(t.Context(), c.ID, removing(scopes...)); err != nil {
			t.Fatal(err)
		}
	}
	off(unified.Departments, unified.Offices, unified.ScreeningQuestions)
	if err := db.Store.FinishRemovals(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, person, stage, raw) SELECT $1, 'jobs', 'j' || i, '', '', '{}' FROM generate_series(1, 4500) i`, c.ID)
	off(unified.Jobs)                                                            // the last that postings are kept for
	commit, err := store.BeginRemoval(t.Context(), db.Store, c.ID, unified.Jobs) // a batch, by one who is gone after it
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan error, 1)
	go func() { finished <- db.Store.FinishRemovals(t.Context(), c.ID) }()
	awaitBlocked(t, db, 1)
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-finished; err != nil {
		t.Fatalf("FinishRemovals: %v", err)
	}
	if n := count(db, "parents", c.ID); n != 0 {
		t.Errorf("%d postings are left of a removal that two worked at; want none", n)
	}
}

// wait returns when done says so.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		if done() {
			return
		}
		select {
		case <-t.Context().Done():
		case <-tick.C:
		}
	}
	t.Fatalf("waited in vain for %s", what)
}
