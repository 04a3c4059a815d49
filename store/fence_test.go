package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// A worker that was paused, or cut off, finds its lease gone to another: nothing that it does leaves a trace.
func TestStaleFenceCommitsNothing(t *testing.T) {
	t.Parallel()
	lose := map[string]func(t *testing.T, db *storetest.DB, l store.Lease){
		"another holds it": func(t *testing.T, db *storetest.DB, l store.Lease) {
			expire(db, l.Connector, l.Stream)
			held(t, db, l.Connector, l.Stream)
		},
		"another held it and let go": func(t *testing.T, db *storetest.DB, l store.Lease) {
			expire(db, l.Connector, l.Stream)
			if err := db.Store.Release(t.Context(), held(t, db, l.Connector, l.Stream), time.Hour); err != nil {
				t.Fatal(err)
			}
		},
		"another finished its run": func(t *testing.T, db *storetest.DB, l store.Lease) {
			expire(db, l.Connector, l.Stream)
			next := held(t, db, l.Connector, l.Stream)
			next.RunID = l.RunID
			commit(t, db, next, func(ctx context.Context, tx *store.Tx) error { return tx.Finish(ctx, store.Outcome{State: "done"}) })
		},
		"the connector was deleted": func(t *testing.T, db *storetest.DB, l store.Lease) {
			if err := db.Store.DeleteConnector(t.Context(), l.Connector); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, lose := range lose {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			stale := running(t, db, linked(t, db).ID, stream)
			commit(t, db, stale, func(ctx context.Context, tx *store.Tx) error { return everything(ctx, tx, "mine") })
			lose(t, db, stale)
			before := snapshot(db)
			_, err := db.Store.Commit(t.Context(), stale, func(ctx context.Context, tx *store.Tx) error {
				if err := everything(ctx, tx, "zombie's"); err != nil {
					return err
				}
				return tx.Finish(ctx, store.Outcome{State: "failed", Reason: "zombie"})
			})
			if !errors.Is(err, store.ErrFenced) {
				t.Errorf("Commit with a stale fence = %v; want ErrFenced", err)
			}
			wantSame(t, "Commit with a stale fence", snapshot(db), before)
			if _, err := db.Store.Begin(t.Context(), stale, "backfill", []string{"tags"}, nil, true); !errors.Is(err, store.ErrFenced) {
				t.Errorf("Begin with a stale fence = %v; want ErrFenced", err)
			}
			if err := db.Store.Renew(t.Context(), stale); !errors.Is(err, store.ErrFenced) {
				t.Errorf("Renew with a stale fence = %v; want ErrFenced", err)
			}
			if err := db.Store.Release(t.Context(), stale, time.Minute); err != nil {
				t.Errorf("Release with a stale fence = %v; want nil: there is nothing to give back", err)
			}
			wantSame(t, "Begin, Renew and Release with a stale fence", snapshot(db), before)
		})
	}
}

// While a holder commits, even one whose lease has just run out, nobody takes the lease: the next holder
// sees all of that commit or none of it.
func TestAcquireWaitsForACommit(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	expire(db, c.ID, stream)
	type taken struct {
		lease store.Lease
		err   error
	}
	got := make(chan taken, 1)
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		go func() {
			next, _, err := db.Store.Acquire(t.Context(), c.ID, stream, "next", 9)
			got <- taken{next, err}
		}()
		awaitBlocked(t, db, 1)
		select {
		case g := <-got:
			t.Errorf("Acquire in the midst of a commit = %+v; want it to wait", g)
		default:
		}
		return everything(ctx, tx, "mine")
	})
	if g := <-got; g.err != nil || g.lease.Fence != l.Fence+1 {
		t.Errorf("Acquire after the commit = fence %d, %v; want %d, nil", g.lease.Fence, g.err, l.Fence+1)
	}
	if _, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error { return everything(ctx, tx, "late") }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Commit after another took the lease = %v; want ErrFenced", err)
	}
}

// TestAFrozenHolderKeepsNobodyOut: a process that stops in mid-transaction, or whose machine is lost, has the
// stream's row locked. Postgres ends its transaction once the lease could have run out.
func TestAFrozenHolderKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s, err := store.Open(t.Context(), store.Config{URL: db.URL, LeaseFor: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	frozen := running(t, db, linked(t, db).ID, stream)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = s.Commit(t.Context(), frozen, func(context.Context, *store.Tx) error { // which then does nothing
		expire(db, frozen.Connector, stream) // waits until the row's lock is gone
		_, _, err := s.Acquire(ctx, frozen.Connector, stream, "another", 100)
		if err != nil {
			t.Errorf("Acquire of a lease whose holder froze in mid-transaction: %v", err)
		}
		return nil
	})
	if err == nil {
		t.Error("the frozen holder's transaction was committed after another had taken its lease")
	}
}
