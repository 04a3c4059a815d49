package worker_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// change turns scopes on or off, and removes what is stored of them where remove says so.
func (e *env) change(on, remove bool, scopes ...unified.Scope) {
	e.t.Helper()
	ch := store.ScopeChange{Enabled: map[unified.Scope]bool{}, Remove: remove}
	for _, sc := range scopes {
		ch.Enabled[sc] = on
	}
	if err := e.db.Store.ChangeScopes(e.t.Context(), e.conn.ID, ch); err != nil {
		e.t.Fatalf("ChangeScopes(%v, %t): %v", scopes, on, err)
	}
	if err := e.db.Store.FinishRemovals(e.t.Context(), e.conn.ID); err != nil {
		e.t.Fatalf("FinishRemovals: %v", err)
	}
}

// TestScopesOffAndOn turns scopes off that share a list with others, with their data removed, syncs, and turns them on
// again: nothing of them is written meanwhile, the others stay whole, and in the end all is there as before.
func TestScopesOffAndOn(t *testing.T) {
	t.Parallel()
	for _, scopes := range [][]unified.Scope{
		{unified.Candidates},
		{unified.Applications},
		{unified.Candidates, unified.Applications},
		{unified.Jobs},
		{unified.Departments, unified.Offices},
		{unified.ScreeningQuestions, unified.Tags},
		{unified.EEOCs, unified.Attachments},
		{unified.Offers, unified.Scorecards, unified.RejectReasons},
		unified.Scopes,
	} {
		t.Run(string(scopes[0])+" and "+string(scopes[len(scopes)-1]), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 43, Opportunities: 30, RatePerSecond: -1}, fast)
			e.start(worker.Config{})
			e.wait(time.Now())
			e.check()
			feed, before := []int{len(e.deleted())}, map[unified.Scope]map[string]bool{}
			for _, sc := range unified.Scopes {
				before[sc] = e.ids(sc)
			}

			e.change(false, true, scopes...)
			if len(scopes) < len(unified.Scopes) {
				e.sync(true)
			}
			for _, sc := range scopes {
				if got := e.records(sc); len(got) > 0 {
					t.Errorf("%d %s are there while the scope is off and its data removed", len(got), sc)
				}
			}
			if kept := storetest.Value[int](e.db, `SELECT count(*) FROM parents WHERE connector_id = $1 AND raw IS NOT NULL`, e.conn.ID); kept > 0 && slices.Contains(scopes, unified.Candidates) && slices.Contains(scopes, unified.Applications) {
				t.Errorf("%d payloads of opportunities are kept though nobody asks for them", kept)
			}
			for _, sc := range unified.Scopes {
				want := before[sc]
				if slices.Contains(scopes, sc) || sc == unified.Attachments && slices.Contains(scopes, unified.Offers) { // whose documents they are
					continue
				}
				if got := e.ids(sc); !maps.Equal(got, want) {
					t.Errorf("%d %s while others are off; want the %d there were", len(got), sc, len(want))
				}
			}
			feed = append(feed, len(e.deleted()))
			if feed[1] <= feed[0] {
				t.Errorf("the feed has %d deletions, and had %d before; want those that were removed too", feed[1], feed[0])
			}

			at := time.Now()
			e.change(true, false, scopes...)
			e.wait(at)
			e.sync(false)
			e.check()
		})
	}
}

// ids are the remote ids of a scope's records.
func (e *env) ids(sc unified.Scope) map[string]bool {
	e.t.Helper()
	out := map[string]bool{}
	for id := range e.records(sc) {
		out[id] = true
	}
	return out
}

// deleted are the ids that the feed of changes says are gone.
func (e *env) deleted() map[uuid.UUID]bool {
	e.t.Helper()
	out := map[uuid.UUID]bool{}
	for _, sc := range unified.Scopes {
		for _, id := range storetest.Column[uuid.UUID](e.db, `SELECT id FROM `+sc.Table()+` WHERE connector_id = $1 AND deleted_at IS NOT NULL`, e.conn.ID) {
			out[id] = true
		}
	}
	return out
}

// TestScopeOffKeepsWhatIsStored: without removal the records stay, and are neither asked for nor written.
func TestScopeOffKeepsWhatIsStored(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 44, Opportunities: 30, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	off := []unified.Scope{unified.Candidates, unified.Offices, unified.Tags, unified.Scorecards}
	written := func() (out []time.Time) {
		for _, sc := range off {
			out = append(out, storetest.Value[time.Time](e.db, `SELECT max(modified_at) FROM `+sc.Table()+` WHERE connector_id = $1`, e.conn.ID))
		}
		return out
	}
	e.change(false, false, off...)
	before := written()
	since := storetest.Value[time.Time](e.db, "SELECT clock_timestamp()")
	e.sync(true)
	if got := written(); !slices.EqualFunc(got, before, time.Time.Equal) {
		t.Errorf("scopes that are off were written at %v; want at %v, as before", got, before)
	}
	for _, sc := range off {
		if n := len(e.records(sc)); n == 0 {
			t.Errorf("no %s are left; want what was stored", sc)
		}
	}
	for _, path := range []string{"/tags", "/opportunities/:id/feedback"} {
		if n := storetest.Value[int](e.db, `SELECT count(*) FROM calls WHERE connector_id = $1 AND path = $2 AND started_at > $3`, e.conn.ID, path, since); n != 0 {
			t.Errorf("%d calls of %s while its scope is off; want none", n, path)
		}
	}
	e.check()
}

// TestScopeOffWhileItSyncs turns a scope off in the middle of the run that reads it: what the run still holds is not
// written, and no run stays behind.
func TestScopeOffWhileItSyncs(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 45, Opportunities: 400, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	deadline := time.Now().Add(time.Minute)
	for storetest.Value[int](e.db, `SELECT count(*) FROM candidates WHERE connector_id = $1`, e.conn.ID) == 0 && time.Now().Before(deadline) {
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	off := []unified.Scope{unified.Candidates, unified.Scorecards}
	e.change(false, true, off...)
	e.wait(time.Now())
	for _, sc := range off {
		if got := e.records(sc); len(got) > 0 {
			t.Errorf("%d %s were written after the scope was off", len(got), sc)
		}
	}
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE connector_id = $1 AND run_id IS NOT NULL`, e.conn.ID); n != 0 {
		t.Errorf("%d runs are under way when all that is on was synced", n)
	}
	at := time.Now()
	e.change(true, false, off...)
	e.wait(at)
	e.check()
}
