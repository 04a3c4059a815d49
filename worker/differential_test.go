package worker_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestNemesisLeavesNoTrace: one account, by its seed, is copied twice, by the same connector in two databases: once with
// nothing that goes wrong, and once amid faults of Lever, the processes and the services. In between it changes. Table by
// table, all rows are the same in the end, to the letter. Only of what is gone one copy may have what the other has not, where
// Lever spoilt records: one that was never seen well before it went was not stored, or not as it was.
func TestNemesisLeavesNoTrace(t *testing.T) {
	t.Parallel()
	seeds := amount(3, 25)
	rng := seeded(t)
	for range seeds {
		seed := int64(rng.IntN(1000))
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tables := leavesNoTrace(t, seed)
			ledger.add("same seed with and without faults", tally{tried: 1, survived: 1, failed: t.Failed(), note: fmt.Sprintf("%d tables the same", tables)})
		})
	}
}

// leavesNoTrace compares, and returns how many tables are the same.
func leavesNoTrace(t *testing.T, seed int64) int {
	t.Helper()
	n := &nemesis{rng: seeded(t), counts: map[string]int{}, went: map[string]bool{}}
	n.env = newEnv(t, levertest.Config{Seed: seed, Opportunities: amount(15, 60), Postings: 4, RatePerSecond: -1, Confidential: true,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }}, fast)
	plain := n.twin()
	plain.syncs(1)
	n.pgG = newGate(n.env)
	n.leverG, n.url = gateTo(n.env, n.url)
	n.amid(func() { n.crew = n.wholeCrew(2, brief) })
	for range 10 {
		n.mutate()
	}
	plain.syncs(2)
	n.amid(func() { n.pass(time.Hour) })
	for range 2 {
		n.cycle()
	}
	n.check()
	spoilt := n.counts["Lever: a spoilt record"]+n.counts["Lever: NUL and half a pair"] > 0
	return n.same(plain, spoilt)
}

// twin is the same connector in a database of its own, with the same Lever; no process works on it.
func (e *env) twin() *env {
	e.t.Helper()
	db := storetest.New(e.t)
	for _, table := range []string{"connectors", "credentials", "connector_scopes"} {
		for _, row := range storetest.Column[string](e.db, `SELECT to_jsonb(t)::text FROM `+table+` t`) {
			db.Exec(`INSERT INTO `+table+` SELECT * FROM jsonb_populate_record(NULL::`+table+`, $1::jsonb)`, row)
		}
	}
	twin := *e
	twin.db = db
	twin.ownRedis()
	return &twin
}

// syncs has processes sync so often, an hour apart, and end.
func (e *env) syncs(times int) {
	e.t.Helper()
	w, n := e.startWorker(worker.Config{}), &nemesis{env: e}
	stop := e.startScheduler()
	for range times {
		n.cycle()
	}
	stop()
	w.Shutdown()
}

// amid does something, and waits until all is served, while something goes wrong with Lever, and something with the services.
func (n *nemesis) amid(do func()) {
	n.t.Helper()
	end := n.leverFault()
	do()
	undo := n.serviceFault()
	some := n.calls() + 1 + n.rng.IntN(30)
	n.until("Lever has counted some calls, or all is served", time.Minute, func() bool { return n.calls() >= some || n.done() })
	undo()
	end()
	n.served(2 * time.Minute)
}

// apart are the columns that two copies need not share: moments of the copying itself, places in the feed of changes, and by what
// and how often the children of a parent were read.
var apart = []string{"created_at", "modified_at", "version", "children_read_at", "pending_rev", "lane", "run_id", "call_id", "first_seen_at", "last_seen_at"}

// same demands that the rows of every table of records, and of those that they are made of, are those of the other copy, and
// returns how many tables are. Of a deletion it is the fact that counts, not the moment. liveOnly leaves out what is gone.
func (e *env) same(other *env, liveOnly bool) int {
	e.t.Helper()
	tables := []string{"parents", "quarantine", "hired_reasons"}
	for _, sc := range unified.Scopes {
		tables = append(tables, sc.Table())
	}
	same := 0
	for _, table := range tables {
		a, b := e.rows(table, liveOnly), other.rows(table, liveOnly)
		if sha256.Sum256([]byte(strings.Join(a, "\n"))) == sha256.Sum256([]byte(strings.Join(b, "\n"))) {
			same++
			continue
		}
		alone := slices.DeleteFunc(slices.Clone(a), func(row string) bool { return slices.Contains(b, row) })
		missed := slices.DeleteFunc(slices.Clone(b), func(row string) bool { return slices.Contains(a, row) })
		e.t.Errorf("%s: %d rows amid faults, %d without; %d are only there, and %d only here: with + what only the copy without has\n%.4000s", table, len(a), len(b),
			len(alone), len(missed), strings.Join(apiece(missed, alone), "\n"))
	}
	if rows := len(e.rows("applications", true)); rows == 0 {
		e.t.Error("there are no applications: the test tests nothing")
	}
	return same
}

// apiece are the lines that differ, record by record.
func apiece(a, b []string) (out []string) {
	texts := func(rows []string) map[string]string {
		of := map[string]string{}
		for _, row := range rows {
			var r map[string]any
			_ = json.Unmarshal([]byte(row), &r) // Postgres wrote it
			text, _ := json.MarshalIndent(r, "", " ")
			of[fmt.Sprint(r["scope"], r["remote_id"], r["id"])] = string(text)
		}
		return of
	}
	here, there := texts(a), texts(b)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(here)), maps.Keys(there))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		out = append(out, key)
		out = append(out, differences(here[key], there[key])...)
	}
	return out
}

// rows are those of a table, in order, without what is apart.
func (e *env) rows(table string, liveOnly bool) []string {
	e.t.Helper()
	return storetest.Column[string](e.db, `SELECT row::text FROM (
    SELECT to_jsonb(t) - $1::text[] - 'deleted_at' || jsonb_build_object('deleted', to_jsonb(t)->>'deleted_at' IS NOT NULL) AS row FROM `+table+` t) x
WHERE NOT ($2 AND (row->>'deleted')::boolean) ORDER BY 1`, apart, liveOnly)
}
