package store_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// Commit tells what a transaction came to: by scope, and the run that it ended with all its counts.
func TestResult(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	offer := func(remote, status string) *unified.Offer {
		return &unified.Offer{Envelope: envelope(c.ID, unified.Offers, remote, ""), Status: &status}
	}
	none := (*store.Result)(nil)
	for _, step := range []struct {
		what string
		do   func(context.Context, *store.Tx) error
		want *store.Result // but for the run
	}{
		{"two new", func(ctx context.Context, tx *store.Tx) error {
			return store.Upsert(ctx, tx, []*unified.Offer{offer("a", "sent"), offer("b", "sent")})
		}, &store.Result{Scopes: map[unified.Scope]store.ScopeCounts{unified.Offers: {Created: 2}}}},
		{"the same again", func(ctx context.Context, tx *store.Tx) error {
			return store.Upsert(ctx, tx, []*unified.Offer{offer("a", "sent"), offer("b", "sent")})
		}, none},
		{"one changed, one gone, one set aside", func(ctx context.Context, tx *store.Tx) error {
			err := store.Upsert(ctx, tx, []*unified.Offer{offer("a", "signed")})
			return errors.Join(err, tx.Tombstone(ctx, unified.Offers, []string{"b"}),
				tx.Quarantine(ctx, store.Rejected{Scope: unified.Tags, Key: "x", Reason: "bad", Raw: []byte("{}")}))
		}, &store.Result{Scopes: map[unified.Scope]store.ScopeCounts{unified.Offers: {Updated: 1, Deleted: 1}, unified.Tags: {Quarantined: 1}}}},
	} {
		got, err := db.Store.Commit(t.Context(), l, step.do)
		if err != nil || !reflect.DeepEqual(got.Result, step.want) {
			t.Errorf("Commit of %s: %+v, %v; want %+v", step.what, got.Result, err, step.want)
		}
	}
	got, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
		tx.Add(store.Counts{Read: 9})
		return tx.Finish(ctx, store.Outcome{State: "failed", Reason: "it broke"})
	})
	if err != nil || got.Result == nil || got.Result.Run == nil {
		t.Fatalf("Commit of the run's end: %+v, %v; want the run", got.Result, err)
	}
	r := got.Result.Run
	if r.ID != l.RunID || r.State != "failed" || r.Error != "it broke" || r.EndedAt == nil || r.Read != 9 || r.Written != 3 || r.Deleted != 1 || r.Quarantined != 1 {
		t.Errorf("Commit of the run's end: %+v; want it failed, 9 read, 3 written, 1 deleted, 1 set aside", *r)
	}
}
