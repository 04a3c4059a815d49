package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

func TestDeletionsOfEachKindBecomeTombstones(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 6, Opportunities: 300, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	for _, change := range []string{"delete_opportunity", "cancel_interview", "delete_feedback", "delete_posting", "delete_user", "remove_tag", "remove_stage", "remove_reason", "delete_file"} {
		id := ""
		if change == "remove_tag" {
			id = removeTags(e, 0)[0]
		}
		if _, err := e.lever.Mutate(change, id); err != nil {
			t.Fatalf("Mutate(%s): %v", change, err)
		}
	}
	shared, ok := e.lever.Pick(levertest.SharedContact)
	if !ok {
		t.Fatal("no person with two opportunities")
	}
	do(t, e.lever.DeleteOpportunity, shared)
	e.sync(true)
	e.check()
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM ats.deleted_records WHERE connector_id = $1`, e.conn.ID); n < 10 {
		t.Errorf("%d tombstones, want one for each deletion and what hung on it", n)
	}
}

// TestAbsenceIsVerified: what the list of deletions does not tell is found by the scan, and asked for by id.
func TestAbsenceIsVerified(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 7, Opportunities: 250, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.lever.Deny("test-key", "opportunities/deleted")
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities/deleted$`, Kind: levertest.FaultStatus, Status: 403}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.lever.Mutate("delete_opportunity", ""); err != nil {
		t.Fatal(err)
	}
	e.sync(false)
	e.check()
	if n := e.lever.CallsBy()["/opportunities/:id"]; n != 1 {
		t.Errorf("%d opportunities asked for by id, want the one that was absent", n)
	}
}

// TestAnAbsentRecordThatCannotBeAskedForStays: Lever refuses to say, or answers with nonsense. The other suspects are asked for
// all the same, and that one again by the next whole traversal.
func TestAnAbsentRecordThatCannotBeAskedForStays(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]levertest.Fault{
		"refused":  {Kind: levertest.FaultStatus, Status: 422},
		"nonsense": {Kind: levertest.FaultHTML},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 7, Opportunities: 120, RatePerSecond: -1, Confidential: true}, fast)
			e.start(worker.Config{})
			e.wait(time.Now())
			before := len(e.records(unified.Applications))
			e.spoil(levertest.Fault{Match: `^GET /opportunities/deleted$`, Kind: levertest.FaultStatus, Status: 403})
			gone := e.lever.PickN(3, levertest.WithApplication)
			for _, id := range gone {
				do(t, e.lever.DeleteOpportunity, id)
			}
			slices.Sort(gone) // they are asked for in this order
			fault.Match = "^GET /opportunities/" + gone[0] + "$"
			e.spoil(fault)
			e.sync(false)
			if got, there := len(e.records(unified.Applications)), e.records(unified.Applications)[gone[0]] != nil; got != before-2 || !there {
				t.Errorf("%d applications of %d are left, the one that can't be asked for among them: %t; want all but two, and true", got, before, there)
			}
			if s := scopeStatus(e, unified.Applications); s.State != "ok" {
				t.Errorf("the scope is %s (%s), want ok", s.State, s.Reason)
			}
			e.lever.ClearFaults()
			e.sync(true)
			e.check()
		})
	}
}

// TestHiddenIsNotDeleted: without the permission for confidential records they are absent, which is no deletion.
func TestHiddenIsNotDeleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 8, Opportunities: 300, Postings: 20, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	n := len(e.records(unified.Applications))
	if len(e.lever.PickN(1, levertest.Confidential)) == 0 {
		t.Fatal("the account has no confidential opportunities: the test tests nothing")
	}
	e.lever.SetConfidential(false)
	e.sync(false)
	if got := len(e.records(unified.Applications)); got != n {
		t.Errorf("%d applications after the permission went, want %d as before", got, n)
	}
}

func TestACutOffSweepDeletesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 9, Opportunities: 500, RatePerSecond: -1, Confidential: true}, fast, unified.Applications, unified.Candidates, unified.RejectReasons)
	e.startScheduler()
	w := e.startWorker(worker.Config{})
	e.wait(time.Now())
	before := len(e.records(unified.Applications))
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultStatus, Status: 500, Times: 0, Probability: 0.7}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities/deleted$`, Kind: levertest.FaultStatus, Status: 403}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := e.lever.Mutate("delete_opportunity", ""); err != nil {
			t.Fatal(err)
		}
	}
	// The traversal is cut off half-way: its holder dies, and another resumes at the saved page.
	w.Shutdown()
	e.db.Exec(`UPDATE streams SET run_id = (SELECT id FROM runs WHERE stream = 'opportunities' LIMIT 1), run_started_at = now(), lease_until = now() - interval '1 second',
		cursor = '{"phase":"list","full":true,"page":3,"seen":300,"token":""}' WHERE stream = 'opportunities'`)
	e.lever.ClearFaults()
	if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities/deleted$`, Kind: levertest.FaultStatus, Status: 403}); err != nil {
		t.Fatal(err)
	}
	e.startWorker(worker.Config{})
	e.wait(waitIdle(e))
	if got := len(e.records(unified.Applications)); got != before {
		t.Errorf("a sweep that was cut off left %d applications of %d, want all", got, before)
	}
	e.sync(false)
	if got := len(e.records(unified.Applications)); got != before-3 {
		t.Errorf("the next sweep left %d applications, want %d", got, before-3)
	}
}

// waitIdle returns once no run is under way.
func waitIdle(e *env) time.Time {
	e.t.Helper()
	for range 600 {
		if storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE run_id IS NOT NULL`) == 0 {
			return time.Now()
		}
		time.Sleep(50 * time.Millisecond) // another process's state: there is no signal to wait for
	}
	e.t.Fatal("runs are still under way after 30 s")
	return time.Time{}
}

// removeTags takes up to n tags out of the account, and returns their names; of n = 0, the name of one that
// can be taken out.
func removeTags(e *env, n int) []string {
	e.t.Helper()
	var all, removed []string
	for tag := range e.lever.Expected("tags") {
		all = append(all, tag)
	}
	for _, tag := range all {
		if len(removed) > 0 && len(removed) >= n {
			break
		}
		if _, err := e.lever.RemoveTag(tag); err == nil { // those of postings are not to be removed
			removed = append(removed, tag)
		}
	}
	if n == 0 {
		do(e.t, e.lever.AddTagToAccount, removed[0])
	}
	return removed
}

func TestTheBrakeHoldsBackAMassDeletion(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 10, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	tags := len(e.records(unified.Tags))
	if removed := removeTags(e, 100); len(removed) < 15 {
		t.Fatalf("%d tags could be removed, want more than the brake lets pass", len(removed))
	}
	e.sync(false)
	if got := len(e.records(unified.Tags)); got != tags {
		t.Errorf("%d tags are left of %d, want all: the brake holds", got, tags)
	}
	if reason := scopeStatus(e, unified.Tags).Reason; !strings.Contains(reason, "--accept-deletions") {
		t.Errorf("reason %q, want it to say how to accept the deletions", reason)
	}
	if err := e.db.Store.RequestFull(t.Context(), e.conn.ID, []string{"tags"}, true); err != nil {
		t.Fatal(err)
	}
	e.sync(false)
	e.check()
}

// TestAPermissionGivenBackStays: a full sync asks again for confidential records, and the next one keeps asking.
func TestAPermissionGivenBackStays(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 15, Opportunities: 200, Postings: 20, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	few := len(e.records(unified.Applications))
	e.lever.SetConfidential(true)
	e.sync(true)
	all := len(e.records(unified.Applications))
	if all <= few {
		t.Fatalf("%d applications with the permission, %d without: the account has no confidential ones", all, few)
	}
	e.lever.ResetCounters()
	e.sync(false)
	if got := len(e.records(unified.Applications)); got != all {
		t.Errorf("%d applications after the next sync, want %d", got, all)
	}
	if n := e.lever.CallsBy()["/opportunities/:id"]; n != 0 {
		t.Errorf("%d opportunities asked for by id: the list was not asked for confidential ones", n)
	}
}
