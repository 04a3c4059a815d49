package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// seeded is a source of chance of the nemesis, whose seed it prints, and takes back from LEVERSYNC_NEMESIS_SEED.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano() & 0x7fffffff)
	if s, err := strconv.ParseUint(os.Getenv("LEVERSYNC_NEMESIS_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LEVERSYNC_NEMESIS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// nemesis is an account that changes, whole processes that sync it, and what goes wrong meanwhile.
type nemesis struct {
	*env
	rng        *rand.Rand
	crew       *crew
	leverG     *gate        // between the processes and Lever
	pgG        *gate        // between them and Postgres
	skew       atomic.Int64 // of Lever's clock, in ns
	feed       store.FeedPosition
	seen       map[uuid.UUID]bool // by the feed: the records there are, true, and those that are gone
	counts     map[string]int     // faults by name
	went       map[string]bool    // documents of offers that were gone for a while: a status takes them away, another brings them back
	anonymised bool               // somebody was
}

// newNemesis makes an account of so many opportunities, and processes that schedule and work on it.
func newNemesis(t *testing.T, opportunities, processes int) *nemesis {
	t.Helper()
	return newNemesisOn(t, storetest.New(t), opportunities, processes)
}

// newNemesisOn is newNemesis in a database that the test has.
func newNemesisOn(t *testing.T, db *storetest.DB, opportunities, processes int) *nemesis {
	t.Helper()
	n := &nemesis{rng: seeded(t), seen: map[uuid.UUID]bool{}, counts: map[string]int{}, went: map[string]bool{}}
	n.env = newEnvOn(t, db, levertest.Config{
		Seed: int64(n.rng.IntN(1000)), Opportunities: opportunities, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) },
	}, fast)
	n.audit()
	n.pgG = newGate(n.env)
	n.leverG, n.url = gateTo(n.env, n.url)
	n.crew = n.wholeCrew(processes, brief)
	return n
}

// TestNemesisDay is a day in the life of an account, an hour in some seconds: hour by hour records change while they
// are synced, and one thing of each kind goes wrong. Whatever happens, no record is taken for deleted that is there,
// and nobody commits without the lease. Once nothing goes wrong any more, two cycles bring the copy to what the source
// holds.
func TestNemesisDay(t *testing.T) {
	t.Parallel()
	hours, size := 3, 60
	if long() {
		hours, size = 24, 200
	}
	n := newNemesis(t, size, 2)
	n.served(2 * time.Minute)
	n.check()
	for hour := range hours {
		n.pass(time.Hour)
		n.hour(hour)
		n.safe()
		if t.Failed() {
			t.Fatalf("hour %d: see above", hour)
		}
	}
	n.converges()
	names := make([]string, 0, len(n.counts))
	for name := range n.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		ledger.add("of the day: "+name, tally{tried: n.counts[name], survived: n.counts[name], failed: t.Failed()})
	}
	ledger.add("an hour, accelerated", tally{tried: hours, survived: hours, failed: t.Failed()})
}

// converges demands that once nothing goes wrong any more, two cycles bring the copy, its feed and its audit to what they have to be.
func (n *nemesis) converges() {
	n.t.Helper()
	n.calm()
	for range 2 {
		n.cycle()
	}
	n.check()
	n.checkFeed()
	n.checkAudit()
}

// hour is one in which records change and something goes wrong; it waits until all is served again.
func (n *nemesis) hour(hour int) {
	n.t.Helper()
	end := n.leverFault()
	undo := n.serviceFault()
	for range 5 + n.rng.IntN(10) {
		n.mutate()
	}
	some := n.calls() + 1 + n.rng.IntN(30)
	n.until("Lever has counted some calls, or all is served", time.Minute, func() bool { return n.calls() >= some || n.done() })
	undo()
	for range 3 {
		n.mutate()
	}
	end()
	n.served(2 * time.Minute)
	n.t.Logf("hour %d: %d calls, %d opportunities", hour, n.calls(), n.lever.Len())
}

// pass makes it so much later: all that is due in Postgres comes nearer, all that was done lies further back.
func (n *nemesis) pass(d time.Duration) {
	n.t.Helper()
	n.db.Exec(`UPDATE connector_scopes SET next_run_at = now(), synced_at = synced_at - $1::interval`, d)
	n.db.Exec(`UPDATE streams SET last_started_at = last_started_at - $1::interval, last_tried_at = last_tried_at - $1::interval,
    last_full_at = last_full_at - $1::interval, deletions_until = deletions_until - $1::interval, swept_at = swept_at - $1::interval`, d)
}

// changes are the mutations that the account suffers. What moves no clock at all is found by the rolling sweep
// alone, in its time, so it is not among them.
var changes = []string{
	"advance_stage", "edit_contact", "add_interview", "add_feedback", "add_offer", "archive", "add_tag", "add_opportunity", "add_opportunity", "add_opportunity",
	"cancel_interview", "change_offer_status", "delete_opportunity", "unarchive", "hire", "delete_application", "anonymize", "rename_posting",
	"deactivate_user", "add_tag_to_account", "move_interview",
}

func (n *nemesis) mutate() { n.change(changes) }

// change makes one of the changes.
func (n *nemesis) change(of []string) {
	kind, id := of[n.rng.IntN(len(of))], ""
	if kind == "add_tag_to_account" {
		id = strconv.Itoa(n.rng.IntN(1 << 20))
	}
	before := n.documents(kind)
	if _, err := n.lever.Mutate(kind, id); err == nil && kind == "anonymize" { // the account may have nothing for it: another will
		n.anonymised = true
	}
	now := n.documents(kind)
	for id := range before {
		if !now[id] {
			n.went[id] = true
		}
	}
}

// documents are the remote ids of the offers' documents that are there, where a change may take them away.
func (n *nemesis) documents(change string) map[string]bool {
	out := map[string]bool{}
	if change == "change_offer_status" {
		for id := range n.lever.Expected(string(unified.Attachments)) {
			out[id] = strings.HasSuffix(id, "/sent") || strings.HasSuffix(id, "/signed")
		}
	}
	return out
}

// calm ends every fault.
func (n *nemesis) calm() {
	n.lever.ClearFaults()
	n.skew.Store(0)
}

// ofParents are the scopes whose records name the opportunity that they hang on, until they are emptied.
var ofParents = []unified.Scope{unified.ScheduledInterviews, unified.Scorecards, unified.Offers, unified.Attachments}

// safe checks what must hold at every moment: nothing that is there was taken for deleted, nothing is there twice,
// and the feed of changes goes forward.
func (n *nemesis) safe() {
	n.t.Helper()
	for _, sc := range unified.Scopes {
		there := map[string]bool{}
		for id := range n.lever.Expected(string(sc)) {
			there[id] = true
		}
		gone := `deleted_at IS NOT NULL`
		if n.anonymised && slices.Contains(ofParents, sc) {
			// What hangs on somebody whom Lever has anonymised is emptied, and read again: converges looks that it came.
			gone += ` AND parent <> ''`
		}
		for _, id := range storetest.Column[string](n.db, `SELECT remote_id FROM `+sc.Table()+` WHERE connector_id = $1 AND `+gone, n.conn.ID) {
			if there[id] && !n.went[id] {
				n.t.Errorf("%s %q is there, and was taken for deleted", sc, id)
			}
		}
		if twice := storetest.Value[int](n.db, `SELECT count(*) - count(DISTINCT remote_id) FROM `+sc.Table()+` WHERE connector_id = $1`, n.conn.ID); twice != 0 {
			n.t.Errorf("%d %s are there twice", twice, sc)
		}
	}
	n.follow()
}

// follow reads the feed of changes on from where it was.
func (n *nemesis) follow() {
	n.t.Helper()
	for tries := 0; ; {
		list, err := n.db.Store.Changes(n.t.Context(), n.conn.ID, n.feed, 500)
		if err != nil { // the test's own connections were ended, too: each is found so once
			if tries++; tries > 20 {
				n.t.Fatal(err)
			}
			continue
		}
		for _, c := range list {
			if c.Position.Version < n.feed.Version {
				n.t.Errorf("the feed goes back from version %d to %d", n.feed.Version, c.Position.Version)
			}
			n.feed = c.Position
			n.seen[c.Record.ID] = c.Record.DeletedAt == nil
		}
		if len(list) == 0 {
			return
		}
	}
}

// checkFeed demands that who followed the feed knows what the tables hold, soon: the feed shows nothing that is newer than the oldest
// transaction on the server, where other tests have theirs.
func (n *nemesis) checkFeed() {
	n.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		n.follow()
		wrong := n.unlikeFeed()
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(end) {
			n.t.Errorf("by the feed\n%s", strings.Join(wrong, "\n"))
			return
		}
	}
}

// unlikeFeed is what the feed has told otherwise than the tables have it.
func (n *nemesis) unlikeFeed() (wrong []string) {
	n.t.Helper()
	total := 0
	for _, sc := range unified.Scopes {
		for _, s := range storetest.Column[string](n.db, `SELECT id::text FROM `+sc.Table()+` WHERE connector_id = $1 AND deleted_at IS NULL`, n.conn.ID) {
			total++
			if !n.seen[uuid.MustParse(s)] {
				wrong = append(wrong, fmt.Sprintf("%s %s, which is there, is not", sc, s))
			}
		}
	}
	live := 0
	for _, there := range n.seen {
		if there {
			live++
		}
	}
	if live != total {
		wrong = append(wrong, fmt.Sprintf("there are %d records, want %d", live, total))
	}
	return wrong
}

// wholeCrew starts processes that schedule and work.
func (e *env) wholeCrew(n int, lease time.Duration) *crew {
	e.t.Helper()
	c := &crew{e: e, lease: lease, alive: map[int]*child{}, env: []string{childWholeEnv + "=100ms"}}
	for range n {
		c.hire()
	}
	return c
}

// enqueue puts a task for every scope into the queue, as an operator would.
func (n *nemesis) enqueue() error {
	return n.queue.Enqueue(n.t.Context(), task.Sync{ConnectorID: n.conn.ID}, task.Options{ID: fmt.Sprint("by-hand-", n.rng.IntN(1<<30))})
}
