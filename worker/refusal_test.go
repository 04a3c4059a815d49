package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

func scopeStatus(e *env, sc unified.Scope) store.ScopeStatus {
	e.t.Helper()
	all, err := e.db.Store.Scopes(e.t.Context(), e.conn.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, s := range all {
		if s.Scope == string(sc) {
			return s
		}
	}
	e.t.Fatalf("no scope %s", sc)
	return store.ScopeStatus{}
}

func TestAMissingPermissionForbidsItsScopeAlone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 11, Opportunities: 60, RatePerSecond: -1}, fast)
	e.lever.Deny("test-key", "tags", "offers", "eeo_responses_pii")
	e.start(worker.Config{})
	e.wait(time.Now())
	for _, sc := range unified.Scopes {
		want := "ok"
		if sc == unified.Tags || sc == unified.Offers || sc == unified.EEOCs {
			want = "forbidden"
		}
		if s := scopeStatus(e, sc); s.State != want {
			t.Errorf("%s: state %s (%s), want %s", sc, s.State, s.Reason, want)
		}
	}
	for _, sc := range []unified.Scope{unified.Applications, unified.Jobs, unified.Scorecards, unified.ScheduledInterviews} {
		e.checkScope(sc)
	}
	if n := e.lever.CallsBy()["/opportunities/:id/offers"]; n > 20 {
		t.Errorf("%d calls to a list that is forbidden, want a few", n)
	}

	e.lever.Allow("test-key", "tags", "offers", "eeo_responses_pii")
	e.db.Exec(`UPDATE streams SET last_full_at = now() - interval '2 days'`) // the daily look at what was refused
	e.sync(false)
	e.sync(false)
	e.check()
}

// TestAListThatIsRefusedIsSetAsideAlone: one list of one opportunity, with statuses that no other try and no permission
// cures. All else is read, and the list too once Lever gives it again.
func TestAListThatIsRefusedIsSetAsideAlone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 402, 409, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 17, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast)
			id, ok := e.lever.Pick(levertest.WithOffer)
			if !ok {
				t.Fatal("no opportunity with an offer: choose another seed")
			}
			e.spoil(levertest.Fault{Match: "^GET /opportunities/" + id + "/offers$", Kind: levertest.FaultStatus, Status: status})
			e.start(worker.Config{})
			e.wait(time.Now())
			for _, sc := range unified.Scopes {
				if s := scopeStatus(e, sc); s.State != "ok" {
					t.Errorf("%s: state %s (%s), want ok", sc, s.State, s.Reason)
				}
			}
			e.checkScope(unified.ScheduledInterviews)
			e.checkScope(unified.Scorecards)
			q, err := e.db.Store.Quarantine(t.Context(), e.conn.ID, 10)
			if err != nil || len(q) != 1 || q[0].Key != "list of "+id || q[0].Scope != "offers" || !strings.Contains(q[0].Reason, fmt.Sprint("status ", status)) {
				t.Errorf("quarantine %+v, %v; want the list of %s, with the status", q, err, id)
			}
			if n := e.lever.CallsByStatus()[status]; n != 1 {
				t.Errorf("%d calls were refused, want the one: another would be as well", n)
			}
			e.lever.ClearFaults()
			e.sync(true)
			e.check()
			if s := scopeStatus(e, unified.Offers); s.Quarantined != 0 {
				t.Errorf("%d set aside once the list is read, want none", s.Quarantined)
			}
		})
	}
}

// TestListsThatAreAllRefusedAreForbidden: with a status that is not 403, which the reason says, in the runs after it as well.
func TestListsThatAreAllRefusedAreForbidden(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 18, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast)
	e.spoil(levertest.Fault{Match: "^GET /opportunities/[^/]+/offers$", Kind: levertest.FaultStatus, Status: 402})
	e.start(worker.Config{})
	e.wait(time.Now())
	for range 2 {
		for _, sc := range unified.Scopes {
			s, want := scopeStatus(e, sc), "ok"
			if sc == unified.Offers {
				want = "forbidden"
			}
			if s.State != want || want == "forbidden" && !strings.Contains(s.Reason, "402") {
				t.Errorf("%s: state %s (%s), want %s, and the status", sc, s.State, s.Reason, want)
			}
		}
		if n := e.lever.CallsBy()["/opportunities/:id/offers"]; n > 40 {
			t.Errorf("%d calls to lists that are all refused, want a batch at most", n)
		}
		e.sync(false)
	}
	e.checkScope(unified.Scorecards)

	e.lever.ClearFaults()
	e.db.Exec(`UPDATE streams SET last_full_at = now() - interval '2 days'`) // the daily look at what was refused
	e.sync(false)
	e.sync(false)
	e.check()
	if s := scopeStatus(e, unified.Offers); s.Quarantined != 0 {
		t.Errorf("%d lists are set aside once they are read, want none", s.Quarantined)
	}
}

func TestAWrongKeyNeedsRelinkingAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 12, Opportunities: 20, RatePerSecond: -1})
	var err error
	e.conn, _, err = e.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "wrong", RateLimit: fast})
	if err != nil {
		t.Fatal(err)
	}
	e.start(worker.Config{})
	var c store.Connector
	for range 400 {
		if c, err = e.db.Store.Connector(t.Context(), e.conn.ID); err != nil {
			t.Fatal(err)
		}
		if c.Status == "RELINK_NEEDED" {
			break
		}
		time.Sleep(20 * time.Millisecond) // the worker's doing: there is no signal to wait for
	}
	if c.Status != "RELINK_NEEDED" || !strings.Contains(c.StatusReason, "Link the account again") || strings.Contains(c.StatusReason, "wrong") {
		t.Fatalf("status %s, reason %q: want RELINK_NEEDED, what to do, and no key", c.Status, c.StatusReason)
	}
	waitIdle(e)
	waitEmpty(e) // tasks that had begun before the refusal each make their one call
	n := e.calls()
	time.Sleep(3 * time.Second) // several looks of scheduler and reconciler
	if m := e.calls(); m != n {
		t.Errorf("%d more calls after the key was refused, want none", m-n)
	}
	if n > 9 {
		t.Errorf("%d calls with a wrong key, want at most one for each stream", n)
	}

	if _, err := e.db.Store.Link(t.Context(), e.conn.ID, store.Credential{Kind: "api_key", Secret: "test-key"}); err != nil {
		t.Fatal(err)
	}
	e.wait(time.Now())
	for _, sc := range []unified.Scope{unified.Applications, unified.Jobs, unified.Tags} {
		e.checkScope(sc)
	}
}

// waitEmpty returns once no task is waiting or running.
func waitEmpty(e *env) {
	e.t.Helper()
	for range 600 {
		depth, err := e.queue.Depth()
		if err != nil {
			e.t.Fatal(err)
		}
		left := 0
		for _, states := range depth {
			left += states["pending"] + states["active"] + states["scheduled"] + states["retry"]
		}
		if left == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond) // asynq's doing: there is no signal to wait for
	}
	e.t.Fatal("tasks are still in the queue after 30 s")
}

func TestBadTasksAreArchivedWithAClearError(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 13, Opportunities: 5, RatePerSecond: -1}, fast, unified.Tags)
	e.startWorker(worker.Config{})
	client := asynq.NewClientFromRedisClient(e.rdb)
	id := e.conn.ID.String()
	bad := map[string]struct{ payload, want string }{
		"no json":           {`candidates`, "bad payload"},
		"no connector":      {`{"scope":"tags"}`, "no connector_id"},
		"unknown field":     {`{"connector_id":"` + id + `","scopes":"tags"}`, "unknown field"},
		"unknown scope":     {`{"connector_id":"` + id + `","scope":"people"}`, `unknown scope "people": the scopes are applications`},
		"unknown connector": {`{"connector_id":"` + uuid.NewString() + `","scope":"tags"}`, "leversync connector list"},
		"scope is off":      {`{"connector_id":"` + id + `","scope":"jobs"}`, "is off"},
	}
	for name, tc := range bad {
		if _, err := client.Enqueue(asynq.NewTask(task.TypeSync, []byte(tc.payload)), asynq.Queue(task.QueueSync), asynq.TaskID(name)); err != nil {
			t.Fatal(err)
		}
	}
	inspector := asynq.NewInspectorFromRedisClient(e.rdb)
	for range 200 {
		archived, err := inspector.ListArchivedTasks(task.QueueSync)
		if err == nil && len(archived) == len(bad) {
			for _, a := range archived {
				if !strings.Contains(a.LastErr, bad[a.ID].want) {
					t.Errorf("%s: error %q, want it to say %q", a.ID, a.LastErr, bad[a.ID].want)
				}
			}
			return
		}
		time.Sleep(50 * time.Millisecond) // asynq's doing: there is no signal to wait for
	}
	t.Fatal("the bad tasks were not all archived within 10 s")
}

// TestATaskByHandStartsASync: what `asynq task enqueue --queue sync -t lever:sync -l '{…}'` puts into Redis.
func TestATaskByHandStartsASync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 14, Opportunities: 30, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	client := asynq.NewClientFromRedisClient(e.rdb)
	for name, tc := range map[string]struct {
		payload string
		path    string
		want    int
	}{
		"one scope":  {`{"connector_id":"` + e.conn.ID.String() + `","scope":"tags"}`, "/tags", 1},
		"all scopes": {`{"connector_id":"` + e.conn.ID.String() + `"}`, "/users", 1},
	} {
		e.lever.ResetCounters()
		if _, err := client.Enqueue(asynq.NewTask(task.TypeSync, []byte(tc.payload)), asynq.Queue(task.QueueSync)); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if e.lever.CallsBy()[tc.path] >= tc.want {
				break
			}
			time.Sleep(50 * time.Millisecond) // the worker's doing: there is no signal to wait for
		}
		waitIdle(e)
		e.wait(time.Now())
		if n := e.lever.CallsBy()[tc.path]; n != tc.want {
			t.Errorf("%s: %d calls of %s, want %d", name, n, tc.path, tc.want)
		}
	}
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM runs WHERE connector_id = $1 AND stream = 'tags'`, e.conn.ID); n != 3 {
		t.Errorf("%d runs of tags, want 3: the first, one by scope, one with all", n)
	}
}
