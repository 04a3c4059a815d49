package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// follower reads a connector's feed of changes.
type follower struct {
	t  *testing.T
	db *storetest.DB
	c  store.Connector
	at store.FeedPosition
}

// read returns the remote ids that come, once at least n of them did: transactions in other databases of the server
// hold the feed back for as long as they last.
func (f *follower) read(n int) []string {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var got []string
	for range 1000 {
		list, err := f.db.Store.Changes(f.t.Context(), f.c.ID, f.at, 100)
		if err != nil {
			f.t.Fatalf("Changes: %v", err)
		}
		for _, c := range list {
			got, f.at = append(got, c.Record.RemoteID), c.Position
		}
		if len(got) >= n {
			return got
		}
		<-tick.C
	}
	return got
}

func (f *follower) want(what string, ids ...string) {
	f.t.Helper()
	if got := f.read(len(ids)); !slices.Equal(got, ids) {
		f.t.Errorf("the feed %s has %q; want %q", what, got, ids)
	}
}

// TestFeedGoesOnAfterARestore brings the database into a cluster whose transactions are far behind its versions, and a
// reader's cursor to where only the lost cluster had come.
func TestFeedGoesOnAfterARestore(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, tag(c.ID, "a", "1"))
	put(t, db, l, tag(c.ID, "b", "1"))
	f := &follower{t: t, db: db, c: c}
	f.want("at first", "a", "b")
	const ahead, lost = 5_000_000_000, 1_000_000
	for range 2 { // a second restore is as the first
		db.Exec(`UPDATE tags SET version = (version::text::bigint + $1)::text::xid8`, ahead)
		db.Exec(`UPDATE feed SET cluster = 'another'`)
		f.at.Version += ahead
		if got, err := db.Store.Changes(t.Context(), c.ID, store.FeedPosition{}, 100); err != nil || len(got) != 0 {
			t.Fatalf("before ContinueFeed the feed has %d changes, %v; want none: the test shows nothing", len(got), err)
		}
		f.at.Version += lost
		for _, want := range []bool{true, false} {
			if raised, err := store.ContinueFeed(t.Context(), db.Store); err != nil || raised != want {
				t.Fatalf("ContinueFeed() = %v, %v; want %v, nil", raised, err, want)
			}
		}
		f.want("when nothing has changed")
		if _, err := db.Store.Commit(t.Context(), l, func(context.Context, *store.Tx) error { return nil }); !errors.Is(err, store.ErrFenced) {
			t.Errorf("who held a lease before may still commit: %v, want %v", err, store.ErrFenced)
		}
		l = held(t, db, c.ID, stream)
		put(t, db, l, tag(c.ID, "a", uuid.NewString()))
		f.want("after a change", "a")
		put(t, db, l, tag(c.ID, "b", uuid.NewString()))
		f.want("after another", "b")
	}
	put(t, db, l, tag(c.ID, "c", "new"))
	f.want("after a new one", "c")
	(&follower{t: t, db: db, c: c}).want("from the start", "a", "b", "c")
}

// TestFeedWaitsForWriters holds that a writer that began before the offset was raised is not overtaken by readers.
func TestFeedWaitsForWriters(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, tag(c.ID, "a", "1"))
	if err := store.Connect(t.Context(), db.Store, storetest.MaxConns); err != nil { // a new one would wait for the writer, too
		t.Fatal(err)
	}
	db.Exec(`UPDATE feed SET cluster = 'another'`)
	wrote, commit, done, raised := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		_, err := db.Store.CommitOutside(t.Context(), c.ID, "slow", func(ctx context.Context, tx *store.Tx) error {
			err := store.Upsert(ctx, tx, []unified.Record{tag(c.ID, "slow", "1")})
			close(wrote)
			<-commit
			return err
		})
		if err != nil {
			t.Errorf("the slow writer: %v", err)
		}
	}()
	<-wrote
	go func() {
		_, err := store.ContinueFeed(t.Context(), db.Store)
		raised <- err
	}()
	awaitBlocked(t, db, 1)
	f := &follower{t: t, db: db, c: c}
	f.want("while the offset is being raised", "a")
	close(commit)
	<-done
	if err := <-raised; err != nil {
		t.Fatalf("ContinueFeed: %v", err)
	}
	put(t, db, held(t, db, c.ID, stream), tag(c.ID, "fast", "1"))
	f.want("afterwards", "slow", "fast")
}
