package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// noSpace is what Postgres says when its disk is full.
const noSpace = "53100"

// afterDisk is how soon after a full disk has room again a worker has committed: where there is but one list to read, it may
// have failed six times, and wait for up to 64 s.
const afterDisk = poolBack + 64*time.Second

// heard counts how often the crew's processes have logged a text.
func (c *crew) heard(text string) int {
	n := 0
	for _, w := range c.alive {
		n += strings.Count(w.text(), text)
	}
	return n
}

// checkWhole demands that nothing is half done: what is counted is there, and nothing is there twice.
func (e *env) checkWhole() {
	e.t.Helper()
	for _, sc := range unified.Scopes {
		for _, s := range storetest.Column[string](e.db, `SELECT format('%s are counted, %s are there, %s of them twice', cs.records, n.live, n.all - n.ids)
FROM connector_scopes cs, LATERAL (SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS live, count(*) AS all, count(DISTINCT remote_id) AS ids FROM `+sc.Table()+` WHERE connector_id = cs.connector_id) n
WHERE cs.connector_id = $1 AND cs.scope = $2 AND (cs.records <> n.live OR n.all <> n.ids)`, e.conn.ID, string(sc)) {
			e.t.Errorf("%s: %s", sc, s)
		}
	}
}

// TestAFullDiskLosesNothing: the disk that holds the database is full, a real one, and has room again. While it is full
// the processes stay, and what is there is whole.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	n, rounds := amount(120, 600), amount(1, 3)
	disk := storetest.NewDisk(t, 96<<20)
	pg := storetest.NewPostgres(t, "")
	dir := disk.Folder("tables")
	pg.Lend(dir)
	pg.Exec(nil, `CREATE TABLESPACE small LOCATION '`+dir+`'`)
	e := newEnvOn(t, pg.NewIn("small"), levertest.Config{Seed: 57, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, rounds, e, 1)
	c := e.wholeCrew(2, brief)
	wasted := 0
	for _, n := range at {
		e.reach(n)
		before := c.heard(noSpace)
		disk.Fill()
		e.until("the disk was full for a while", time.Minute, func() bool { return c.heard(noSpace) >= before+6 || e.done() })
		calls := e.calls()
		e.checkWhole()
		disk.Free()
		wasted += e.calls() - calls
		e.goesOn(afterDisk)
	}
	took := e.served(2 * time.Minute)
	c.survived()
	e.checkWhole()
	e.check()
	e.checkAudit()
	ledger.add("disk of the tables full", tally{tried: len(at), survived: len(at), failed: t.Failed()})
	t.Logf("full at calls %v of %d, as the processes said %d times: all done %s after it had room, %d calls made again", at, e.calls(), c.heard(noSpace), took.Round(time.Millisecond), e.refetched())
}

// TestAFullDiskOfTheLogLosesNothing: the disk is full that holds Postgres' log, so that it ends in panic, and can't come
// back until there is room.
func TestAFullDiskOfTheLogLosesNothing(t *testing.T) {
	t.Parallel()
	n, rounds := amount(120, 600), amount(1, 3)
	disk := storetest.NewDisk(t, 128<<20)
	pg := storetest.NewPostgres(t, disk.Folder("log"))
	e := newEnvOn(t, pg.New(), levertest.Config{Seed: 58, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, rounds, e, 1)
	c := e.wholeCrew(2, brief)
	for _, n := range at {
		e.reach(n)
		before, said := pg.Said("PANIC"), c.heard("level=WARN")
		disk.Fill()
		_ = pg.Try(nil, `SELECT pg_logical_emit_message(false, 'test', repeat('x', 8000000))`) // what is left of the log it had at hand
		e.await("Postgres has ended in panic", func() bool { return pg.Said("PANIC") > before })
		e.await("a process has met its end", func() bool { return c.heard("level=WARN") > said })
		disk.Free()
		pg.Stop(storetest.Crash) // whether it has given up already, or not yet
		pg.Start()
		e.checkWhole()
		e.goesOn(poolBack)
	}
	took := e.served(2 * time.Minute)
	c.survived()
	e.checkWhole()
	e.check()
	e.checkAudit()
	ledger.add("disk of Postgres' log full", tally{tried: len(at), survived: len(at), failed: t.Failed()})
	t.Logf("full at calls %v of %d: all done %s after it had room, %d calls made again", at, e.calls(), took.Round(time.Millisecond), e.refetched())
}

// TestAPostgresThatCannotWriteEndsNoRun: that Postgres has no room, or is read only, is no fault of the run: it goes on
// when that is over, however often it was tried meanwhile.
func TestAPostgresThatCannotWriteEndsNoRun(t *testing.T) {
	t.Parallel()
	for _, code := range []string{noSpace, "25006", "40001"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 59, Opportunities: 5, Postings: 3, RatePerSecond: -1, Confidential: true}, fast)
			e.db.Exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '` + code + `'; END $$`)
			e.db.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON remote_users FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
			e.start(worker.Config{})
			e.until("the run was tried seven times", time.Minute, func() bool {
				e.db.Exec(`UPDATE streams SET wake_at = now() - interval '1 minute' WHERE wake_at > now() AND lease_until IS NULL`)
				return storetest.Value[int](e.db, `SELECT coalesce(max(failures), 0) FROM streams WHERE stream = 'users'`) >= 7 || e.done()
			})
			e.db.Exec(`DROP TRIGGER refuse ON remote_users`)
			e.db.Exec(`UPDATE streams SET wake_at = now() - interval '1 minute' WHERE wake_at > now() AND lease_until IS NULL`)
			e.served(time.Minute)
			e.check()
		})
	}
}
