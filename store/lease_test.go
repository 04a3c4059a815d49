package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestAcquire(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	acquire := func(stream string, limit int) (store.Lease, error) {
		l, _, err := db.Store.Acquire(t.Context(), c.ID, stream, "me", limit)
		return l, err
	}
	first, err := acquire("one", 2)
	if err != nil || first.Fence != 1 {
		t.Fatalf("Acquire of a free stream = fence %d, %v; want 1, nil", first.Fence, err)
	}
	if _, err := acquire("one", 2); !errors.Is(err, store.ErrHeld) {
		t.Errorf("Acquire of a held stream = %v; want ErrHeld", err)
	}
	if _, err := acquire("two", 1); !errors.Is(err, store.ErrCapped) {
		t.Errorf("Acquire of a second stream of at most 1 = %v; want ErrCapped", err)
	}
	if _, err := acquire("two", 2); err != nil {
		t.Errorf("Acquire of a second stream of at most 2 = %v; want nil", err)
	}
	held(t, db, other.ID, "one") // another connector's leases are its own
	if _, err := acquire("three", 2); !errors.Is(err, store.ErrCapped) {
		t.Errorf("Acquire of a third stream of at most 2 = %v; want ErrCapped", err)
	}
	expire(db, c.ID, "two")
	if _, err := acquire("three", 2); err != nil {
		t.Errorf("Acquire after one of 2 leases ran out = %v; want nil", err)
	}
	if err := db.Store.Release(t.Context(), first, -1); err != nil {
		t.Fatalf("Release: %v", err)
	}
	for want := int64(2); want < 5; want++ {
		l, err := acquire("one", 9)
		if err != nil || l.Fence != want {
			t.Fatalf("Acquire once more = fence %d, %v; want %d, nil", l.Fence, err, want)
		}
		expire(db, c.ID, "one")
	}
}

func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	st, err := db.Store.Stream(t.Context(), linked(t, db).ID, "never ran")
	if err != nil || st.Now.IsZero() || st.Fence != 0 || st.Held || st.RunID != nil || st.Interrupted {
		t.Errorf("Stream of one that never ran = %+v, %v; want all zero but Now", st, err)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	held(t, db, c.ID, "held")
	held(t, db, linked(t, db).ID, "another connector's")
	db.Exec(`UPDATE connector_scopes SET requested_at = NULL WHERE connector_id = $1`, c.ID)
	due, err := db.Store.Request(t.Context(), c.ID, []unified.Scope{unified.Tags, unified.Offers}, time.Time{})
	if err != nil {
		t.Fatalf("Request: %v", err)
	}
	db.Exec(`UPDATE connector_scopes SET enabled = false WHERE connector_id = $1 AND scope = 'offers'`, c.ID)
	p, err := db.Store.Progress(t.Context(), c.ID, []string{"held", "another connector's", "never ran"})
	if err != nil || len(p.Streams) != 1 || !p.Streams["held"].Held || p.Streams["held"].Fence != 1 {
		t.Errorf("Progress = streams %+v, %v; want one, which is held under fence 1", p.Streams, err)
	}
	if len(p.Asked) != 1 || !p.Asked[unified.Tags].Equal(due) {
		t.Errorf("Progress = asked %v; want tags alone, since %v", p.Asked, due)
	}
}

func TestAcquireAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	for round := range 100 {
		var won int
		for _, err := range together(2, func(i int) error {
			_, _, err := db.Store.Acquire(t.Context(), c.ID, stream, fmt.Sprint(i), 9)
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, store.ErrHeld):
				t.Fatalf("round %d: Acquire = %v; want nil or ErrHeld", round, err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d of 2 got the lease; want 1", round, won)
		}
		expire(db, c.ID, stream)
	}
	if got := storetest.Value[int64](db, "SELECT fence FROM streams"); got != 100 {
		t.Errorf("fence after 100 leases = %d; want 100", got)
	}
}

func TestCapAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	for round := range 20 {
		var won int
		for _, err := range together(6, func(i int) error {
			_, _, err := db.Store.Acquire(t.Context(), c.ID, fmt.Sprint("stream ", i), "me", 2)
			return err
		}) {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, store.ErrCapped):
				t.Fatalf("round %d: Acquire = %v; want nil or ErrCapped", round, err)
			}
		}
		if won != 2 {
			t.Fatalf("round %d: %d leases of at most 2", round, won)
		}
		db.Exec("UPDATE streams SET lease_until = NULL")
	}
}

func TestRenewAndRelease(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	until := func() time.Duration {
		return storetest.Value[time.Duration](db, "SELECT coalesce(lease_until - now(), interval '-1 d') FROM streams")
	}
	expire(db, c.ID, stream)
	if err := db.Store.Renew(t.Context(), l); err != nil || until() < store.DefaultLease/2 {
		t.Errorf("Renew of a lease that ran out and nobody took = %v, holds for %s; want nil, %s", err, until(), store.DefaultLease)
	}
	expire(db, c.ID, stream)
	next := held(t, db, c.ID, stream)
	if err := db.Store.Renew(t.Context(), l); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Renew of a lost lease = %v; want ErrFenced", err)
	}
	if err := db.Store.Release(t.Context(), l, time.Hour); err != nil || until() < store.DefaultLease/2 {
		t.Errorf("Release of a lost lease = %v, the holder's holds for %s; want it untouched", err, until())
	}
	if err := db.Store.Release(t.Context(), next, time.Minute); err != nil {
		t.Fatalf("Release: %v", err)
	}
	st, err := db.Store.Stream(t.Context(), c.ID, stream)
	if err != nil || st.Held || st.WakeAt == nil || st.WakeAt.Sub(st.Now).Round(time.Second) != time.Minute {
		t.Errorf("Stream after a release for a minute = %+v, %v; want not held, to wake in a minute", st, err)
	}
	if err := db.Store.Renew(t.Context(), next); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Renew after the release = %v; want ErrFenced", err)
	}
	last := held(t, db, c.ID, stream)
	if st, _ := db.Store.Stream(t.Context(), c.ID, stream); st.WakeAt != nil {
		t.Errorf("wake_at of a stream that is held = %s; want none", st.WakeAt)
	}
	if err := db.Store.Release(t.Context(), last, -1); err != nil {
		t.Fatalf("Release: %v", err)
	}
	if st, _ := db.Store.Stream(t.Context(), c.ID, stream); st.WakeAt != nil {
		t.Errorf("wake_at after a release for ever = %s; want none", st.WakeAt)
	}
}

// A run is interrupted when a holder vanished, and not when holders handed it on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	take := func(stream string) store.Stream {
		_, st, err := db.Store.Acquire(t.Context(), c.ID, stream, "me", 99)
		if err != nil {
			t.Fatalf("Acquire: %v", err)
		}
		return st
	}
	held(t, db, c.ID, "idle")
	expire(db, c.ID, "idle")
	if st := take("idle"); st.Interrupted {
		t.Error("a lease that ran out without a run: interrupted")
	}
	l := running(t, db, c.ID, "handed on")
	if err := db.Store.Release(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
	if st := take("handed on"); st.Interrupted || st.RunID == nil || *st.RunID != l.RunID {
		t.Errorf("a run that was handed on: interrupted %t, run %v; want false, %s", st.Interrupted, st.RunID, l.RunID)
	}
	l = running(t, db, c.ID, "died")
	expire(db, c.ID, "died")
	if st := take("died"); !st.Interrupted || string(st.Cursor) != `{"page": 0}` {
		t.Errorf("a run whose holder died: interrupted %t, cursor %s; want true and its cursor", st.Interrupted, st.Cursor)
	}
	expire(db, c.ID, "died")
	again, st, err := db.Store.Acquire(t.Context(), c.ID, "died", "me", 99)
	if err != nil || !st.Interrupted || again.RunID != l.RunID {
		t.Fatalf("the next holder: %+v, interrupted %t, %v; want the run, still interrupted", again, st.Interrupted, err)
	}
	commit(t, db, again, func(ctx context.Context, tx *store.Tx) error { return tx.Restart(ctx, json.RawMessage(`{"page":9}`)) })
	if st, _ := db.Store.Stream(t.Context(), c.ID, "died"); st.Interrupted || st.Generation != 2 {
		t.Errorf("a traversal that began anew: interrupted %t, generation %d; want false, 2", st.Interrupted, st.Generation)
	}
}
