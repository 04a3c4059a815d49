package api

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

var seed = flag.Uint64("seed", 0, "seed of the randomised tests; 0 takes one from the clock")

func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("go test -run '^%s$' -seed %d", t.Name(), s)
	return rand.New(rand.NewPCG(s, 0))
}

// TestPagingWhileRecordsChange reads page by page while some records change, go, and come: every record that stays
// as it is comes exactly once, and one that changes at least once.
func TestPagingWhileRecordsChange(t *testing.T) {
	t.Parallel()
	rnd := random(t)
	e := newEnv(t)
	const n = 150
	for from := 0; from < n; from += 50 {
		var recs []unified.Record
		for i := from; i < from+50; i++ {
			recs = append(recs, tag(e.conn, fmt.Sprint(i), "as it was"))
		}
		e.put(e.conn, recs...)
	}
	changed, gone := map[string]bool{}, map[string]bool{}
	seen := map[string]int{}
	next := ats + "tags?page_size=" + fmt.Sprint(5+rnd.IntN(20))
	for path, pages := next, 0; ; pages++ {
		a := e.ok(path)
		for _, i := range a.items(t) {
			seen[i["remote_id"].(string)]++
		}
		cursor, _ := a.json(t)["cursor"].(string)
		if cursor == "" {
			break
		}
		if pages > 100 {
			t.Fatal("paging does not end")
		}
		path = next + "&cursor=" + cursor
		if pages > 12 {
			continue // let it come to its end
		}
		var recs []unified.Record
		for range rnd.IntN(5) {
			i := fmt.Sprint(rnd.IntN(n))
			if !gone[i] {
				changed[i] = true
				recs = append(recs, tag(e.conn, i, fmt.Sprint("changed on page ", pages)))
			}
		}
		recs = append(recs, tag(e.conn, fmt.Sprint("new ", pages), "new"))
		e.put(e.conn, recs...)
		i := fmt.Sprint(rnd.IntN(n))
		gone[i] = true
		e.commit(e.conn, func(ctx context.Context, tx *store.Tx) error { return tx.Tombstone(ctx, unified.Tags, []string{i}) })
	}
	for i := range n {
		id := fmt.Sprint(i)
		switch got := seen[id]; {
		case gone[id]:
		case changed[id] && got < 1:
			t.Errorf("%s, which changed, came %d times; want at least once", id, got)
		case !changed[id] && got != 1:
			t.Errorf("%s, which stayed as it is, came %d times; want once", id, got)
		}
	}
}

// TestChangesCommitOutOfOrder lets an older transaction commit after a newer one: a reader that has read in
// between must not miss it.
func TestChangesCommitOutOfOrder(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.put(e.conn, tag(e.conn, "first", "1"))
	after := ""
	read := func() string {
		t.Helper()
		path := ats + "changes"
		if after != "" {
			path += "?after=" + after
		}
		a := e.ok(path)
		after = a.json(t)["cursor"].(string)
		got := ""
		for _, i := range a.items(t) {
			got += fmt.Sprintf("%s %s;", i["operation"], i["remote_id"])
		}
		return got
	}
	check := func(what, want string) {
		t.Helper()
		got := ""
		e.until(func() bool {
			got += read()
			return len(got) >= len(want)
		})
		if got != want {
			t.Errorf("changes %s = %q; want %q", what, got, want)
		}
	}
	check("at first", "upsert first;")
	check("when there are none", "")

	wrote, commit, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { // the older transaction: it has its number, and waits
		defer close(done)
		e.commitOn("slow", func(ctx context.Context, tx *store.Tx) error {
			err := store.Upsert(ctx, tx, []unified.Record{tag(e.conn, "slow", "2")})
			close(wrote)
			<-commit
			return err
		})
	}()
	<-wrote
	e.commitOn("fast", func(ctx context.Context, tx *store.Tx) error {
		return store.Upsert(ctx, tx, []unified.Record{tag(e.conn, "fast", "3")})
	})
	check("while an older transaction is under way", "")
	close(commit)
	<-done
	check("when it is through", "upsert slow;upsert fast;")

	e.put(e.conn, tag(e.conn, "first", "1"))
	check("after the same was written again", "")
	e.put(e.conn, tag(e.conn, "first", "changed"))
	check("after a change", "upsert first;")
	e.commit(e.conn, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tombstone(ctx, unified.Tags, []string{"first"})
	})
	check("after a deletion", "delete first;")
}

// commitOn commits under a stream's own lease, so that two can be under way.
func (e *env) commitOn(stream string, fn func(context.Context, *store.Tx) error) {
	l, _, err := e.db.Store.Acquire(e.t.Context(), e.conn.ID, stream, "tester", 100)
	if err == nil {
		l, err = e.db.Store.Begin(e.t.Context(), l, "backfill", []string{"tags"}, nil, false)
	}
	if err == nil {
		_, err = e.db.Store.Commit(e.t.Context(), l, fn)
	}
	if err != nil {
		e.t.Errorf("commit on %s: %v", stream, err)
	}
}
