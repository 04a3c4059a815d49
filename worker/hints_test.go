package worker_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// hooked lets the connector take webhooks.
func (e *env) hooked() {
	e.t.Helper()
	if err := e.db.Store.EnableWebhooks(e.t.Context(), e.conn.ID); err != nil {
		e.t.Fatalf("EnableWebhooks: %v", err)
	}
}

// hint notes hints, each as a delivery of its own.
func (e *env) hint(kind store.HintKind, ids []string, scopes ...unified.Scope) {
	e.t.Helper()
	for _, id := range ids {
		e.deliveries++
		first, err := e.db.Store.TakeWebhook(e.t.Context(), e.conn.ID, fmt.Sprintf("token-%d", e.deliveries), &store.Hint{Kind: kind, RemoteID: id, Scopes: scopes})
		if err != nil || !first {
			e.t.Fatalf("TakeWebhook = %t, %v; want true, nil", first, err)
		}
	}
}

// looked returns when nothing is left of the hints.
func (e *env) looked() {
	e.t.Helper()
	e.until("all hints are looked at", time.Minute, func() bool {
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM hints WHERE connector_id = $1`, e.conn.ID) == 0
	})
}

// touched are the opportunities of one change.
func touched(t *testing.T, f func(string) (levertest.Touched, error), id string) []string {
	t.Helper()
	got, err := f(id)
	if err != nil {
		t.Fatal(err)
	}
	return got.Opportunities
}

// newHinted is a synced account that takes webhooks.
func newHinted(t *testing.T, opportunities int, scopes ...unified.Scope) *env {
	t.Helper()
	e := newEnv(t, levertest.Config{Seed: 41, Opportunities: opportunities, RatePerSecond: -1, Confidential: true}, fast, scopes...)
	e.hooked()
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
	e.lever.ResetCounters()
	return e
}

// Each hint costs what it says, and brings what has changed, with no sync.
func TestHints(t *testing.T) {
	t.Parallel()
	e := newHinted(t, 60)
	watermarks := func() []string {
		return storetest.Column[string](e.db, `SELECT stream || ' ' || last_started_at || ' ' || last_tried_at FROM streams WHERE connector_id = $1 ORDER BY 1`, e.conn.ID)
	}
	before := watermarks()
	archive := func(id string) (levertest.Touched, error) { return e.lever.Archive(id, false) }
	for _, step := range []struct {
		name   string
		change func() []string // whose opportunities were hinted at
		kind   store.HintKind
		scopes []unified.Scope
		calls  int
	}{
		{"stage", func() []string { return touched(t, e.lever.AdvanceStage, e.lever.PickN(1, levertest.Active)[0]) }, store.HintOpportunity, nil, 1},
		{"archived", func() []string { return touched(t, archive, e.lever.PickN(2, levertest.Active)[1]) }, store.HintOpportunity, nil, 1},
		{"deleted", func() []string { return touched(t, e.lever.DeleteOpportunity, e.lever.PickN(3, levertest.Active)[2]) }, store.HintOpportunity, nil, 1},
		{"interview", func() []string { return touched(t, e.lever.AddInterview, e.lever.PickN(4, levertest.Active)[3]) }, store.HintOpportunity,
			[]unified.Scope{unified.ScheduledInterviews, unified.Scorecards}, 3},
		{"new", func() []string {
			return touched(t, func(string) (levertest.Touched, error) { return e.lever.AddOpportunity() }, "")
		}, store.HintOpportunity,
			[]unified.Scope{unified.Attachments}, 3},
		{"contact", func() []string {
			got, err := e.lever.EditContact(e.lever.PickN(5, levertest.Active)[4])
			if err != nil {
				t.Fatal(err)
			}
			return []string{got.Record}
		}, store.HintContact, nil, 1},
	} {
		e.lever.ResetCounters()
		e.hint(step.kind, step.change(), step.scopes...)
		e.looked()
		for _, sc := range []unified.Scope{unified.Applications, unified.Candidates} {
			e.checkScope(sc)
		}
		for _, sc := range step.scopes {
			e.checkScope(sc)
		}
		if got := e.calls(); got != step.calls {
			t.Errorf("%s: %d calls, want %d: %v", step.name, got, step.calls, e.lever.CallsBy())
		}
		if t.Failed() {
			return
		}
	}
	if after := watermarks(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("hints have moved a watermark: %q, want %q", after, before)
	}
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE kind = 'hints' AND (state <> 'done' OR calls > bound)`); n != 0 {
		t.Errorf("%d runs of hints were not done, or made more calls than they may", n)
	}
	e.sync(false) // what was put off for it is found
	e.check()
}

// plainly is what the same changes cost an account without webhooks, in calls of the next sync.
func plainly(t *testing.T, cfg levertest.Config, change func(e *env)) int {
	t.Helper()
	e := newEnv(t, cfg, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	change(e)
	e.lever.ResetCounters()
	e.sync(false)
	return e.calls()
}

// TestAStormOfHints: many hints at once cost no more than the sync that would have found the same.
func TestAStormOfHints(t *testing.T) {
	t.Parallel()
	cfg := levertest.Config{Seed: 42, Opportunities: 200, RatePerSecond: -1}
	archive := func(e *env) (ids []string) {
		for _, id := range e.lever.PickN(100, levertest.Active) {
			must(t, e.lever.Archive, id, false)
			ids = append(ids, id)
		}
		return ids
	}
	plain := plainly(t, cfg, func(e *env) { archive(e) })

	e := newEnv(t, cfg, fast)
	e.hooked()
	e.start(worker.Config{HintPause: 2 * time.Second})
	e.wait(time.Now())
	e.lever.ResetCounters()
	e.paused(true) // all at once
	ids := archive(e)
	e.hint(store.HintOpportunity, ids)
	e.hint(store.HintOpportunity, ids[:50], unified.ScheduledInterviews) // and some once more
	e.paused(false)
	e.looked()
	e.checkScope(unified.Applications)
	e.checkScope(unified.Candidates)
	t.Logf("%d hints cost %d calls, a plain sync %d", len(ids), e.calls(), plain)
	if got := e.calls(); got > plain {
		t.Errorf("%d hints cost %d calls, a plain sync %d: %v", len(ids), got, plain, e.lever.CallsBy())
	}
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE stream = 'opportunities' AND kind = 'incremental'`); n != 1 {
		t.Errorf("%d syncs of the list, want 1", n)
	}
}

func (e *env) paused(on bool) {
	e.t.Helper()
	if err := e.db.Store.SetPaused(e.t.Context(), e.conn.ID, on); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) spoil(f levertest.Fault) {
	e.t.Helper()
	if _, err := e.lever.Inject(f); err != nil {
		e.t.Fatal(err)
	}
}

// waiting is how many hints wait.
func (e *env) waiting() int {
	e.t.Helper()
	return storetest.Value[int](e.db, `SELECT count(*)::int FROM hints WHERE connector_id = $1`, e.conn.ID)
}

// TestHintsAreDurable: a hint that was taken is looked at, whatever dies, is lost, or is refused meanwhile.
func TestHintsAreDurable(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 43, Opportunities: 40, RatePerSecond: -1}, fast)
	e.hooked()
	stop, w := e.startScheduler(), e.startWorker(worker.Config{})
	e.wait(time.Now())
	change := func() {
		t.Helper()
		ids := touched(t, e.lever.AdvanceStage, e.lever.PickN(1, levertest.Active)[0])
		e.hint(store.HintOpportunity, ids)
	}
	brought := func(what string) {
		t.Helper()
		e.looked()
		e.checkScope(unified.Applications)
		if t.Failed() {
			t.Fatalf("after %s", what)
		}
	}

	// Nobody is there, and then the queue is lost.
	stop()
	w.Shutdown()
	change()
	if err := e.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	e.start(worker.Config{})
	brought("a restart, and a flush of Redis")

	// A worker died in the middle of a look.
	var l store.Lease
	eventually(t, "who looked at the hints has given the lease back", func() bool {
		var err error
		if l, _, err = e.db.Store.Acquire(t.Context(), e.conn.ID, "opportunities", "the dead", 10); err != nil && !errors.Is(err, store.ErrHeld) && !errors.Is(err, store.ErrCapped) {
			t.Fatal(err)
		}
		return err == nil
	})
	if _, err := e.db.Store.BeginBeside(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	change()
	e.db.Exec(`UPDATE streams SET lease_until = now() + interval '1 second' WHERE lease_owner = 'the dead'`)
	brought("the death of a worker")
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE kind = 'hints' AND state = 'canceled'`); n != 1 {
		t.Errorf("%d runs of hints were canceled, want that of the dead worker", n)
	}

	// A pause is kept.
	e.paused(true)
	e.lever.ResetCounters()
	change()
	e.db.Exec(`UPDATE webhooks SET queued_at = NULL`)
	if err := e.queue.Enqueue(t.Context(), task.Sync{ConnectorID: e.conn.ID, Hints: true}, task.Options{ID: "by hand"}); err != nil {
		t.Fatal(err)
	}
	e.until("the task is done", time.Minute, func() bool {
		d, err := e.queue.Depth()
		return err == nil && d["sync"]["pending"]+d["sync"]["active"] == 0
	})
	if e.waiting() != 1 || e.calls() != 0 {
		t.Errorf("paused: %d hints wait, %d calls were made; want 1, 0", e.waiting(), e.calls())
	}
	e.paused(false)
	brought("a pause")

	// Lever is in trouble.
	e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+$", Kind: levertest.FaultStatus, Status: 500, Times: 1})
	e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+$", Kind: levertest.FaultStatus, Status: 429, Times: 1})
	e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+$", Kind: levertest.FaultInvalidJSON, Times: 1})
	change()
	brought("errors of Lever's")

	// What Lever fails on keeps no other from being looked at.
	bad, good := e.lever.PickN(3, levertest.Active)[1], e.lever.PickN(3, levertest.Active)[2]
	if _, err := e.lever.Inject(levertest.Fault{Match: "^GET /opportunities/" + bad + "$", Kind: levertest.FaultStatus, Status: 500}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{bad, good} {
		e.hint(store.HintOpportunity, touched(t, e.lever.AdvanceStage, id))
	}
	e.until("the good one is looked at", time.Minute, func() bool { return e.waiting() == 1 })
	e.lever.ClearFaults()
	brought("a lasting error")

	// The key is revoked, and another given.
	e.lever.RevokeKey("test-key")
	change()
	e.until("the connector needs to be linked again", time.Minute, func() bool {
		c, err := e.db.Store.Connector(t.Context(), e.conn.ID)
		return err == nil && c.Status == "RELINK_NEEDED"
	})
	if e.waiting() != 1 {
		t.Errorf("relink needed: %d hints wait, want 1", e.waiting())
	}
	e.lever.AddKey("another-key")
	if _, err := e.db.Store.Link(t.Context(), e.conn.ID, store.Credential{Kind: "api_key", Secret: "another-key"}); err != nil {
		t.Fatal(err)
	}
	brought("a new key")

	// What is refused is let be, and what is off is not asked for.
	e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+$", Kind: levertest.FaultStatus, Status: 403, Times: 1})
	change()
	e.looked()
	off := map[unified.Scope]bool{}
	for _, sc := range []unified.Scope{unified.Applications, unified.Candidates, unified.Attachments, unified.Offers, unified.ScheduledInterviews, unified.Scorecards} {
		off[sc] = false
	}
	if err := e.db.Store.ChangeScopes(t.Context(), e.conn.ID, store.ScopeChange{Enabled: off}); err != nil {
		t.Fatal(err)
	}
	e.lever.ResetCounters()
	change()
	e.looked()
	if n := e.lever.CallsBy()["GET /opportunities/:id"]; n != 0 {
		t.Errorf("with all that hints are about off, %d opportunities were asked for", n)
	}
}

// TestHintsAmidALongList: a hint is looked at in the pauses of a traversal that takes long, which goes on undisturbed.
func TestHintsAmidALongList(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 44, Opportunities: 800, RatePerSecond: -1, Latency: 60 * time.Millisecond}, fast,
		unified.Applications, unified.Candidates, unified.Jobs, unified.JobInterviewStages, unified.RejectReasons, unified.RemoteUsers)
	e.hooked()
	e.start(worker.Config{Slice: 150 * time.Millisecond})
	e.wait(time.Now())
	ids := touched(t, e.lever.AdvanceStage, e.lever.PickN(1, levertest.Active)[0])
	if err := e.db.Store.RequestFull(t.Context(), e.conn.ID, []string{"opportunities"}, false); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); e.sync(false) }()
	e.until("the traversal is under way", time.Minute, func() bool {
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE kind = 'resync' AND state = 'running'`) == 1
	})
	e.hint(store.HintOpportunity, ids)
	<-done
	e.looked()
	e.checkScope(unified.Applications)
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs h JOIN runs r ON r.kind = 'resync' WHERE h.kind = 'hints' AND h.ended_at < r.ended_at`); n == 0 {
		t.Error("the hint was not looked at before the traversal ended")
	}
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM runs WHERE kind <> 'hints' AND (state <> 'done' OR calls > bound + 2)`); n != 0 {
		t.Errorf("%d runs were disturbed", n)
	}
}
