package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// scopesOf is the status of a connector's scopes by name.
func scopesOf(t *testing.T, db *storetest.DB, connector uuid.UUID) map[unified.Scope]store.ScopeStatus {
	t.Helper()
	list, err := db.Store.Scopes(t.Context(), connector)
	if err != nil || len(list) != len(unified.Scopes) {
		t.Fatalf("Scopes: %d, %v; want 15, nil", len(list), err)
	}
	m := map[unified.Scope]store.ScopeStatus{}
	for _, s := range list {
		m[unified.Scope(s.Scope)] = s
	}
	return m
}

func TestFinish(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name      string
		outcome   store.Outcome
		tags      string // state of a scope that was served
		offers    string // state of one that may be refused
		watermark bool   // moved to the run's start
		full      bool
		settled   bool // what was asked for is no longer asked for
	}{
		{"done", store.Outcome{State: "done"}, "ok", "ok", true, false, true},
		{"done in full", store.Outcome{State: "done", Full: true, Pages: 3, DeletionsUntil: until}, "ok", "ok", true, true, true},
		{"done but for one", store.Outcome{State: "done", Forbidden: map[string]string{"offers": "no permission"}}, "ok", "forbidden", true, false, true},
		{"failed", store.Outcome{State: "failed", Reason: "it broke"}, "failed", "failed", false, false, true},
		{"forbidden", store.Outcome{State: "forbidden", Reason: "refused"}, "forbidden", "forbidden", false, false, true},
		{"canceled", store.Outcome{State: "canceled"}, "pending", "pending", false, false, false},
	}
	db := storetest.New(t)
	for _, tc := range tests {
		c := linked(t, db)
		asked, err := db.Store.Request(t.Context(), c.ID, unified.Scopes, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Store.RequestFull(t.Context(), c.ID, []string{stream}, true); err != nil {
			t.Fatal(err)
		}
		l := running(t, db, c.ID, stream)
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.Met(ctx, 0, nil); err != nil {
				return err
			}
			return tx.SetKind(ctx, "resync")
		})
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Finish(ctx, tc.outcome) })
		runs, err := db.Store.Runs(t.Context(), c.ID, time.Time{}, 9)
		if err != nil || len(runs) != 1 {
			t.Fatalf("%s: Runs = %v, %v; want one", tc.name, runs, err)
		}
		r := runs[0]
		if r.State != tc.outcome.State || r.Error != tc.outcome.Reason || r.EndedAt == nil || r.Kind != "resync" {
			t.Errorf("%s: run %+v; want its outcome, an end and the kind resync", tc.name, r)
		}
		st, err := db.Store.Stream(t.Context(), c.ID, stream)
		if err != nil {
			t.Fatal(err)
		}
		if st.RunID != nil || st.Cursor != nil || (st.LastStartedAt != nil && st.LastStartedAt.Equal(r.StartedAt)) != tc.watermark ||
			(st.LastFullAt != nil && st.LastFullPages == tc.outcome.Pages) != tc.full || st.AcceptDeletions == tc.full || st.FullRequested {
			t.Errorf("%s: stream %+v; want no run, watermark %t, full %t", tc.name, st, tc.watermark, tc.full)
		}
		if (st.DeletionsUntil != nil) == tc.outcome.DeletionsUntil.IsZero() {
			t.Errorf("%s: deletions read until %v; want %s", tc.name, st.DeletionsUntil, tc.outcome.DeletionsUntil)
		}
		scopes := scopesOf(t, db, c.ID)
		tags, offers := scopes[unified.Tags], scopes[unified.Offers]
		if tags.State != tc.tags || offers.State != tc.offers || offers.Reason != tc.outcome.Reason+tc.outcome.Forbidden["offers"] {
			t.Errorf("%s: tags %s, offers %s (%s); want %s, %s", tc.name, tags.State, offers.State, offers.Reason, tc.tags, tc.offers)
		}
		if (tags.SyncedAt != nil && tags.FirstSyncedAt != nil) != tc.watermark || (tags.RequestedAt == nil) != tc.settled {
			t.Errorf("%s: tags synced at %v, asked for at %v (%s); want synced %t, settled %t", tc.name, tags.SyncedAt, tags.RequestedAt, asked, tc.watermark, tc.settled)
		}
		if n := count(db, "sweep_pages", c.ID); n != 0 {
			t.Errorf("%s: %d pages of the sweep are left", tc.name, n)
		}
	}
}

// A request that comes while a run is under way is not served by it.
func TestFinishKeepsLaterRequests(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	if _, err := db.Store.Request(t.Context(), c.ID, []unified.Scope{unified.Tags}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Finish(ctx, store.Outcome{State: "done"}) })
	if got := scopesOf(t, db, c.ID)[unified.Tags]; got.RequestedAt == nil || got.State != "ok" {
		t.Errorf("tags after a run that began before it was asked for: asked for at %v, %s; want it still asked for, ok", got.RequestedAt, got.State)
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for want := 1; want <= 3; want++ {
		var n int
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = tx.Failed(ctx, "timeout", want == 3)
			return err
		})
		state := map[bool]string{false: "syncing", true: "failed"}[want == 3]
		if got := scopesOf(t, db, c.ID)[unified.Tags]; n != want || got.State != state || got.Reason != "timeout" {
			t.Errorf("Failed = %d, state %s (%s); want %d, %s (timeout)", n, got.State, got.Reason, want, state)
		}
	}
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		tx.SaveCursor(json.RawMessage(`{}`))
		return nil
	})
	if st, _ := db.Store.Stream(t.Context(), c.ID, stream); st.Failures != 0 {
		t.Errorf("failures in a row after a page = %d; want 0", st.Failures)
	}
}
