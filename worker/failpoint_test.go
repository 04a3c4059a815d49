package worker_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/scheduler"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// crashPoints are the failpoints of a sync, of the scheduler's and of the worker's.
var crashPoints = []string{
	store.PointClaimed, store.PointEnqueued, store.PointAcquired, store.PointBegun, store.PointFetched, store.PointWritten, store.PointSwept,
	store.PointFinishing, store.PointCommitted, store.PointFinished, store.PointReleased, store.PointSuccessor, store.PointAck,
}

// crash is one case: the process ends at a point in the sync of a scope.
type crash struct {
	point string
	scope unified.Scope
}

// crashes are the cases of a test run: all of them in the long form, each point once in the short one.
func crashes(rng *rand.Rand) []crash {
	var out []crash
	scopes := slices.Clone(unified.Scopes)
	rng.Shuffle(len(scopes), func(i, j int) { scopes[i], scopes[j] = scopes[j], scopes[i] })
	for i, p := range crashPoints {
		if !long() {
			out = append(out, crash{p, scopes[i%len(scopes)]})
			continue
		}
		for _, sc := range scopes {
			out = append(out, crash{p, sc})
		}
	}
	return out
}

// TestACrashAtAnyPointLosesNothing: a process that schedules and works ends at each failpoint; the next one brings
// the scope to what the source holds, field by field, and asks Lever again for no more than was on its way.
func TestACrashAtAnyPointLosesNothing(t *testing.T) {
	t.Parallel()
	cases := crashes(random(t))
	const side = 3 // so many accounts, side by side
	for i := range side {
		var mine []crash
		for j := i; j < len(cases); j += side {
			mine = append(mine, cases[j])
		}
		t.Run(fmt.Sprint("account ", i), func(t *testing.T) {
			t.Parallel()
			e := bareEnv(t, levertest.Config{Seed: int64(70 + i), Opportunities: 60, Postings: 12, RatePerSecond: -1, Confidential: true})
			e.audit()
			calls := map[unified.Scope]int{}
			for n, c := range mine {
				if _, known := calls[c.scope]; !known {
					calls[c.scope] = e.alone(c.scope, fmt.Sprint("calm-", n))
				}
				e.crash(c, n, calls[c.scope])
			}
			e.checkAudit()
			ledger.add("crash at a failpoint × scope", tally{tried: len(mine), survived: len(mine), failed: t.Failed()})
		})
	}
}

// TestHiresAreKnownThoughTheirReasonsWereBrokenOff: a process ends between the page of archive reasons and the end of their list.
// The next one reads the list anew: those of a hire would be taken for rejections else.
func TestHiresAreKnownThoughTheirReasonsWereBrokenOff(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 77, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast)
	reasons := worker.StreamsOf([]unified.Scope{unified.RejectReasons})
	w := e.spawn("doomed", store.DefaultLease, childPointEnv+"="+store.PointCommitted+" "+reasons[0], childWholeEnv+"=100ms")
	<-w.exited
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM reject_reasons`); n == 0 {
		t.Fatal("the process ended before the page was written")
	}
	e.later(time.Minute)
	e.heal()
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM hired_reasons`); n == 0 {
		t.Error("no reason is known to mean hired")
	}
	e.check()
}

// alone syncs a new connector of one scope, undisturbed, and returns how many calls that took.
func (e *env) alone(sc unified.Scope, name string) int {
	e.t.Helper()
	before := e.calls()
	e.only(sc, name)
	e.heal()
	return e.calls() - before
}

// only makes a connector of one scope, and the test's own.
func (e *env) only(sc unified.Scope, name string) {
	e.t.Helper()
	var err error
	e.conn, _, err = e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{
		OrgName: "Acme", OriginID: name, APIKey: "test-key", Scopes: []unified.Scope{sc}, RateLimit: fast, SyncInterval: 24 * time.Hour,
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// crash runs one case. calm is how many calls the scope's first sync takes undisturbed.
func (e *env) crash(c crash, n, calm int) {
	e.t.Helper()
	stream := worker.StreamsOf([]unified.Scope{c.scope})
	of := stream[len(stream)-1]
	switch c.point {
	case store.PointClaimed, store.PointEnqueued:
		of = string(c.scope)
	case store.PointSwept: // a child goes with its parent, in the parent's stream
		of = "*"
	}
	name := fmt.Sprintf("%s of %s", c.point, c.scope)
	e.only(c.scope, fmt.Sprint("crash-", n))
	if c.point == store.PointSwept {
		e.heal()
		e.shrink(c.scope)
		e.db.Exec(`UPDATE connector_scopes SET next_run_at = now() WHERE connector_id = $1`, e.conn.ID)
		e.db.Exec(`UPDATE streams SET last_full_at = last_full_at - interval '25 hours' WHERE connector_id = $1`, e.conn.ID) // the whole list is due
	}
	if c.point == store.PointSuccessor { // something keeps the task from going on at once
		if _, err := e.lever.Inject(levertest.Fault{Kind: levertest.FaultStatus, Status: 429, Times: 1}); err != nil {
			e.t.Fatal(err)
		}
	}
	before := e.calls()
	w := e.spawn(fmt.Sprint("doomed", n), store.DefaultLease, childPointEnv+"="+c.point+" "+of, childWholeEnv+"=100ms")
	select {
	case <-w.exited:
	case <-time.After(childTimeout):
		e.t.Errorf("%s: the process never came there\n%s", name, w.text())
		w.kill()
	}
	e.lever.ClearFaults()
	e.later(time.Minute)
	e.heal()
	if c.point == store.PointSwept { // a traversal that its worker died in proves no absence, so the next one must
		e.db.Exec(`UPDATE connector_scopes SET next_run_at = now() WHERE connector_id = $1`, e.conn.ID)
		e.heal()
	}
	e.checkAlone(name, c.scope)
	allowed := 2 // a page that was written, and one that was on its way
	if strings.HasSuffix(of, "children") || strings.HasSuffix(of, "questions") || c.point == store.PointSuccessor {
		allowed = batch
	}
	if extra := e.calls() - before - calm; c.point != store.PointSwept && extra > allowed {
		e.t.Errorf("%s: %d calls more than the %d of a sync undisturbed, want at most %d", name, extra, calm, allowed)
	}
}

// heal runs a worker and a scheduler in this process until all is served.
func (e *env) heal() {
	e.t.Helper()
	w := worker.New(worker.Config{Store: e.db.Store, Redis: e.rdb, LeverURL: e.url, OAuth: e.oauth(), Log: e.log, Windows: cutInto()})
	if err := w.Start(); err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = scheduler.New(scheduler.Config{Store: e.db.Store, Redis: e.rdb, Log: e.log, Tick: 50 * time.Millisecond, Grace: time.Second}).Run(ctx)
	}()
	defer func() { cancel(); <-done; w.Shutdown() }()
	e.claimed()
	e.served(2 * time.Minute)
}

// later makes it so much later for what waits in Postgres: leases, wake-ups, claims.
func (e *env) later(d time.Duration) {
	e.t.Helper()
	e.db.Exec(`UPDATE streams SET lease_until = lease_until - $1::interval, wake_at = wake_at - $1::interval`, d)
	e.db.Exec(`UPDATE connector_scopes SET queued_at = queued_at - $1::interval`, d)
}

// shrink deletes at the source until a record of the scope is gone.
func (e *env) shrink(sc unified.Scope) {
	e.t.Helper()
	kind := map[unified.Scope]string{
		unified.RemoteUsers: "delete_user", unified.JobInterviewStages: "remove_stage", unified.RejectReasons: "remove_reason", unified.Jobs: "delete_posting",
		unified.Departments: "delete_posting", unified.Offices: "delete_posting", unified.ScreeningQuestions: "delete_posting",
	}[sc]
	if kind == "" {
		kind = "delete_opportunity"
	}
	was := e.source(sc)
	for range 60 {
		if sc == unified.Tags {
			removeTags(e, 1)
		} else if _, err := e.lever.Mutate(kind, ""); err != nil {
			e.t.Fatalf("%s: %v", kind, err)
		}
		now := e.source(sc)
		for id := range was {
			if !now[id] {
				return
			}
		}
	}
	e.t.Fatalf("no record of %s went with 60 × %s", sc, kind)
}

// source are the remote ids that the source holds of a scope, where only that scope is on.
func (e *env) source(sc unified.Scope) map[string]bool {
	ids := map[string]bool{}
	for id := range e.lever.Expected(string(sc)) {
		ids[id] = true
	}
	if sc == unified.Attachments { // an offer's documents come with the list of offers, which is not read while offers is off
		maps.DeleteFunc(ids, func(id string, _ bool) bool {
			return strings.HasSuffix(id, "/sent") || strings.HasSuffix(id, "/signed")
		})
	}
	return ids
}

// checkAlone compares a connector of one scope with the source, field by field but for relations: what they lead to
// is not synced.
func (e *env) checkAlone(name string, sc unified.Scope) {
	e.t.Helper()
	got, ids := e.records(sc), e.source(sc)
	for remote, want := range e.lever.Expected(string(sc)) {
		if !ids[remote] {
			continue
		}
		rec := got[remote]
		if rec == nil {
			e.t.Errorf("%s: %q is not there", name, remote)
			continue
		}
		delete(got, remote)
		for field, w := range want {
			switch w.(type) {
			case levertest.Rel, []levertest.Rel:
				continue
			}
			if sc == unified.ScheduledInterviews && field == "status" {
				continue // it hangs on the scorecards
			}
			if g, there := rec[field]; there && !reflect.DeepEqual(normal(g), e.plain(w)) {
				e.t.Errorf("%s: %q: %s = %s, want %s", name, remote, field, text(normal(g)), text(e.plain(w)))
			}
		}
	}
	for remote := range got {
		e.t.Errorf("%s: %q is there, but not in the account", name, remote)
	}
	if n := storetest.Value[int64](e.db, `SELECT records FROM connector_scopes WHERE connector_id = $1 AND scope = $2`, e.conn.ID, string(sc)); n != int64(len(ids)) {
		e.t.Errorf("%s: counted %d records, want %d", name, n, len(ids))
	}
}
