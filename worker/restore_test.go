package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// lasting are changes that leave what there is in place: a reader that has read beyond the moment restored to is not told
// of what came after it and went before it was found again.
var lasting = []string{"advance_stage", "edit_contact", "add_interview", "add_feedback", "add_offer", "archive", "add_tag", "add_opportunity", "hire", "rename_posting"}

// TestARestoredDatabaseCatchesUp: Postgres' data is put back to an earlier moment under processes that work, on the same
// server and with nothing to tell the restore by but the start of it. Two cycles later all is as at the source, with no
// hand laid on; who follows the feed of changes goes on from where they were, and knows all that there is.
func TestARestoredDatabaseCatchesUp(t *testing.T) {
	t.Parallel()
	goesBack(t, "database put back to an earlier moment", (*storetest.Postgres).Save, (*storetest.Postgres).Restore)
}

// TestAPromotedStandbyCatchesUp: Postgres dies by kill -9 under processes that work, and a standby that lacks its last commits
// takes over at its address, on a timeline of its own. What was committed and not received is found again.
func TestAPromotedStandbyCatchesUp(t *testing.T) {
	t.Parallel()
	goesBack(t, "standby promoted that lacked commits", (*storetest.Postgres).Follow, (*storetest.Postgres).Promote)
}

// goesBack has Postgres keep a moment, and go back to it later.
func goesBack(t *testing.T, what string, keep, back func(*storetest.Postgres)) {
	t.Helper()
	rounds := amount(1, 5)
	pg := storetest.NewPostgres(t, "")
	n := newNemesisOn(t, pg.New(), amount(60, 200), 2)
	n.served(2 * time.Minute)
	for range rounds {
		keep(pg)
		for range 2 { // an hour, and another, that will be lost
			for range 8 {
				n.change(lasting)
			}
			n.cycle()
			n.follow()
		}
		for range 8 {
			n.change(lasting)
		}
		n.pass(time.Hour)
		some := n.calls() + 1 + n.rng.IntN(10)
		n.until("Lever has counted some calls, or all is served", time.Minute, func() bool { return n.calls() >= some || n.done() })
		back(pg)
		n.goesOn(poolBack)
		for range 2 {
			n.cycle()
		}
		n.check()
		n.until("the feed has come to the last change", 10*time.Second, func() bool { n.follow(); return n.fed() })
		n.checkFeed()
	}
	n.crew.survived()
	n.checkWhole()
	ledger.add(what, tally{tried: rounds, survived: rounds, failed: t.Failed()})
}

// cycle lets an hour pass, and waits until all that fell due is served.
func (n *nemesis) cycle() {
	n.t.Helper()
	n.pass(time.Hour)
	n.claimed()
	n.served(2 * time.Minute)
}

// fed reports whether the feed has told of as many records as there are.
func (n *nemesis) fed() bool {
	n.t.Helper()
	live, total := 0, 0
	for _, there := range n.seen {
		if there {
			live++
		}
	}
	for _, sc := range unified.Scopes {
		total += storetest.Value[int](n.db, `SELECT count(*) FROM `+sc.Table()+` WHERE connector_id = $1 AND deleted_at IS NULL`, n.conn.ID)
	}
	return live == total
}
