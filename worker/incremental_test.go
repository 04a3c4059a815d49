package worker_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// quiet is an account in which nothing needs polling: no one is in an offer stage, and every interview is
// long over.
func quiet(e *env) {
	for _, id := range e.lever.PickN(1<<20, levertest.InOfferStage, levertest.Active) {
		must(e.t, e.lever.Archive, id, false)
	}
}

func must[A any](t testing.TB, f func(string, A) (levertest.Touched, error), id string, a A) {
	t.Helper()
	if _, err := f(id, a); err != nil {
		t.Fatal(err)
	}
}

func do(t testing.TB, f func(string) (levertest.Touched, error), id string) {
	t.Helper()
	if _, err := f(id); err != nil {
		t.Fatal(err)
	}
}

// writes counts every row that Postgres has ever inserted, updated or deleted in the 15 record tables.
func writes(e *env) int64 {
	e.t.Helper()
	e.db.Exec(`SELECT pg_stat_force_next_flush()`)
	n := int64(0)
	for _, sc := range unified.Scopes {
		n += storetest.Value[int64](e.db, `SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'leversync' AND relname = $1`, sc.Table())
	}
	return n
}

// flushStats ends the pool's connections: a backend keeps back what it has counted, but not beyond its end. It returns
// once the pool has found out which of its connections are gone: whoever is given one of those is refused.
func flushStats(e *env) {
	e.t.Helper()
	e.db.Exec(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	for range 100 {
		var pings errgroup.Group
		for range storetest.MaxConns {
			pings.Go(func() error { return e.db.Store.Ping(e.t.Context()) })
		}
		if pings.Wait() == nil {
			return
		}
	}
	e.t.Fatal("Postgres stays away")
}

func TestUnchangedSyncWritesNoRecord(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 2, Opportunities: 250, RatePerSecond: -1, Confidential: true, Epoch: time.Now().AddDate(0, -3, 0)}, fast)
	quiet(e)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
	flushStats(e)
	before := writes(e)
	modified := storetest.Column[string](e.db, modifiedSQL(), e.conn.ID)
	e.lever.ResetCounters()

	e.sync(false)

	e.check()
	flushStats(e)
	if after := writes(e); after != before {
		t.Errorf("an unchanged sync wrote %d record rows, want 0", after-before)
	}
	if again := storetest.Column[string](e.db, modifiedSQL(), e.conn.ID); fmt.Sprint(again) != fmt.Sprint(modified) {
		t.Error("an unchanged sync moved modified_at")
	}
	// Lists: stages, reasons, users, tags, survey answers, deletions, two of postings; the scan: 3 pages.
	if got, most := e.calls(), 8+3; got > most {
		t.Errorf("an unchanged sync made %d calls, want at most %d: %v", got, most, e.lever.CallsBy())
	}
}

func modifiedSQL() string {
	sql := ""
	for i, sc := range unified.Scopes {
		if i > 0 {
			sql += " UNION ALL "
		}
		sql += fmt.Sprintf("SELECT id::text || modified_at::text AS k FROM %s WHERE connector_id = $1", sc.Table())
	}
	return sql + " ORDER BY k"
}

// interviewedLately is an opportunity with feedback, and an interview in the last 14 days.
func interviewedLately(e *env) string {
	e.t.Helper()
	for _, in := range e.lever.Expected("scheduled-interviews") {
		at, err := time.Parse(unified.TimeLayout, in["start_at"].(string))
		app, ok := in["application"].(levertest.Rel)
		if err != nil || !ok || at.After(time.Now()) || at.Before(time.Now().AddDate(0, 0, -13)) {
			continue
		}
		for _, sc := range e.lever.Expected("scorecards") {
			if sc["application"] == app {
				return app.RemoteID
			}
		}
	}
	e.t.Fatal("no opportunity with feedback was interviewed lately: choose another seed")
	return ""
}

func TestChangesThatMoveNoUpdatedAtArriveWithTheNextSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 3, Opportunities: 400, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
	for _, change := range []string{"add_interview", "move_interview", "cancel_interview", "add_offer", "change_offer_status", "add_feedback", "advance_stage",
		"archive", "hire", "edit_contact", "unarchive", "add_opportunity", "deactivate_user", "add_tag_to_account", "delete_application"} {
		if _, err := e.lever.Mutate(change, ""); err != nil {
			t.Fatalf("Mutate(%s): %v", change, err)
		}
	}
	do(t, e.lever.EditFeedback, interviewedLately(e))
	e.lever.ResetCounters()
	e.sync(false)
	e.check()
	var calls, bound, polled int64
	runs, err := e.db.Store.Runs(t.Context(), e.conn.ID, time.Time{}, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		calls, bound, polled = calls+r.Calls, bound+r.Bound, polled+r.Polled
	}
	if calls != bound || int(calls) != e.calls() || calls-polled > 16*5+15 {
		t.Errorf("16 changes took %d calls (Lever counted %d), bound %d, of which %d polled: %v", calls, e.calls(), bound, polled, e.lever.CallsBy())
	}
	if _, err := e.lever.Mutate("rename_posting", ""); err != nil {
		t.Fatal(err)
	}
	e.sync(false)
	e.check()
}

func TestWhatMovesNoClockArrivesWithAFullSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 4, Opportunities: 200, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	late(e)
	e.sync(true)
	e.check()
}

func TestWhatMovesNoClockArrivesWithTheRollingSweep(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 5, Opportunities: 120, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{SweepPeriod: 24 * time.Hour})
	e.wait(time.Now())
	late(e)
	e.lever.ResetCounters()
	// Six hours since the last slice: a quarter of the opportunities, those read longest ago first.
	for range 4 {
		e.db.Exec(`UPDATE streams SET swept_at = now() - interval '6 hours' WHERE stream = 'opportunity-children'`)
		e.sync(false)
	}
	e.check()
	if n := e.lever.CallsBy()["/opportunities/:id/files"]; n < 110 || n > 130 {
		t.Errorf("four slices of a quarter of 120 opportunities read %d lists of files, want each once", n)
	}
}

// TestTheSweepsClockGoesOn: a run that takes its slice of the sweep and can't be done in one go, because one slot is all there is
// and its time is over, or because a list is put off. The next slice is no larger for it.
func TestTheSweepsClockGoesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg   worker.Config
		fault *levertest.Fault
	}{
		"the slot's time is over": {cfg: worker.Config{Slice: 20 * time.Millisecond, Concurrency: 1}},
		"a list is put off":       {fault: &levertest.Fault{Match: "^GET /opportunities/[^/]+/files$", Kind: levertest.FaultStatus, Status: 500, Times: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 5, Opportunities: 60, RatePerSecond: -1, Confidential: true}, fast)
			quiet(e)
			tc.cfg.SweepPeriod = 24 * time.Hour
			w := e.start(tc.cfg)
			e.wait(time.Now())
			handedOn := 0
			for range 10 { // six hours since the last slice: a quarter
				e.db.Exec(`UPDATE streams SET swept_at = swept_at - interval '6 hours' WHERE stream = 'opportunity-children'`)
				if tc.fault != nil {
					e.spoil(*tc.fault)
				}
				before := w.Metrics().Yields.Load()
				e.sync(false)
				if w.Metrics().Yields.Load() > before { // a run that is slow may have come to what was put off in one go
					handedOn++
				}
				if handedOn == 2 {
					break
				}
			}
			if handedOn < 2 {
				t.Fatalf("of ten runs %d were not done in one go: the test tests nothing", handedOn)
			}
			for _, swept := range storetest.Column[int](e.db, `SELECT swept::int FROM runs WHERE stream = 'opportunity-children' AND kind = 'incremental'`) {
				if swept < 50 || swept > 100 {
					t.Errorf("a slice of %d lists, want five of each of a quarter of 60 opportunities", swept)
				}
			}
			if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM streams s JOIN runs r ON r.stream = s.stream AND r.started_at = s.swept_at WHERE s.stream = 'opportunity-children'`); n != 1 {
				t.Error("the last slice was not taken down")
			}
		})
	}
}

// late makes the changes that move no clock.
func late(e *env) {
	e.t.Helper()
	for _, change := range []string{"edit_old_feedback", "add_file", "add_file"} {
		if _, err := e.lever.Mutate(change, ""); err != nil {
			e.t.Fatalf("Mutate(%s): %v", change, err)
		}
	}
}
