package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// poolBack is how soon after Postgres is back a worker has committed.
const poolBack = 10 * time.Second

// commits are how many transactions the audit has seen.
func (e *env) commits() int {
	e.t.Helper()
	return storetest.Value[int](e.db, `SELECT count(*) FROM audit WHERE kind = 'wrote'`)
}

// goesOn waits until a worker has committed anew, or all is done, and returns how long that took.
func (e *env) goesOn(limit time.Duration) time.Duration {
	e.t.Helper()
	was := e.commits()
	return e.until("a worker commits again", limit, func() bool { return e.commits() > was || e.done() })
}

// TestARestartedPostgresLosesNothing: a whole server of the test's own is stopped fast, at once, and by kill -9, in
// turn, under processes that schedule and work, and started again.
func TestARestartedPostgresLosesNothing(t *testing.T) {
	t.Parallel()
	ways := []storetest.Stop{storetest.Fast, storetest.Immediate, storetest.Crash}
	n, restarts := amount(150, 1000), amount(len(ways), 60)
	pg := storetest.NewPostgres(t, "")
	e := newEnvOn(t, pg.New(), levertest.Config{Seed: 56, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, restarts, e, 1)
	c := e.wholeCrew(2, brief)
	var slowest time.Duration
	for i, n := range at {
		e.reach(n)
		c.awaitBusy()
		pg.Stop(ways[i%len(ways)])
		pg.Start()
		slowest = max(slowest, e.goesOn(poolBack))
	}
	took := e.served(time.Minute)
	c.survived()
	e.check()
	e.checkAudit()
	extra := e.refetched()
	for i, how := range ways {
		tried := (len(at) + len(ways) - 1 - i) / len(ways)
		ledger.add("Postgres restarted: "+how.Name, tally{tried: tried, survived: tried, over: max(0, extra-len(at)*batch), failed: t.Failed(),
			note: fmt.Sprintf("a worker committed again within %s of its being back", slowest.Round(10*time.Millisecond))})
	}
	t.Logf("restarted at calls %v of %d: a worker committed again within %s, all done %s after the last; %d calls made again", at, e.calls(), slowest, took, extra)
	if extra > len(at)*batch {
		t.Errorf("%d calls made again after %d restarts, want at most %d each", extra, len(at), batch)
	}
}

// TestAPostgresThatRefusesTransactionsLosesNothing: serialization failures and deadlocks, in the midst of transactions
// and at their commit, in one of a hundred, and in many.
func TestAPostgresThatRefusesTransactionsLosesNothing(t *testing.T) {
	t.Parallel()
	shares := map[string]float64{"one in a hundred": 0.0034, "one in six": 0.06} // of each of three triggers
	if long() {
		shares["one in three"] = 0.13
	}
	for name, share := range shares {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := amount(60, 1500)
			e := newEnv(t, levertest.Config{Seed: 61, Opportunities: n, RatePerSecond: -1, Confidential: true}, fast)
			e.audit()
			e.refuseSome(share)
			c := e.wholeCrew(2, store.DefaultLease)
			e.served(5 * time.Minute)
			for range amount(0, 4) {
				e.db.Exec(`UPDATE streams SET full_requested = true`)
				e.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
				e.claimed()
				e.served(5 * time.Minute)
			}
			c.survived()
			e.checkWhole()
			e.check()
			e.checkAudit()
			refused := storetest.Value[int](e.db, `SELECT last_value FROM refused`) - 1
			asked := storetest.Value[int](e.db, `SELECT last_value FROM asked`) - 1
			ledger.add("transaction refused, "+name, tally{tried: refused, survived: refused, failed: t.Failed(), note: fmt.Sprintf("of %d", asked)})
			t.Logf("%d of %d transactions refused", refused, asked)
		})
	}
}

// refuseSome has Postgres refuse that share of the transactions at each of three moments. What it counts stays counted.
func (e *env) refuseSome(share float64) {
	e.t.Helper()
	for _, sql := range []string{
		`CREATE SEQUENCE refused`, `CREATE SEQUENCE asked`, `SELECT nextval('refused'), nextval('asked')`,
		fmt.Sprintf(`CREATE FUNCTION refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('application_name') = 'storetest' THEN RETURN NULL; END IF;
    IF tg_name = 'refuse_late' THEN PERFORM nextval('leversync.asked'); END IF;
    IF random() < %g THEN
        PERFORM nextval('leversync.refused');
        RAISE EXCEPTION 'refused' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
    END IF;
    RETURN NULL; END $$`, share),
		`CREATE CONSTRAINT TRIGGER refuse_late AFTER UPDATE ON runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_some()`,
		`CREATE TRIGGER refuse_scope BEFORE UPDATE ON connector_scopes FOR EACH STATEMENT EXECUTE FUNCTION refuse_some()`,
		`CREATE TRIGGER refuse_stream BEFORE UPDATE ON streams FOR EACH STATEMENT EXECUTE FUNCTION refuse_some()`,
	} {
		e.db.Exec(sql)
	}
}

// TestAPostgresThatIsReadOnlyIsWaitedFor: every session is read only for a while, as on a standby.
func TestAPostgresThatIsReadOnlyIsWaitedFor(t *testing.T) {
	t.Parallel()
	n, rounds := amount(100, 400), amount(1, 5)
	pg := storetest.NewPostgres(t, "")
	e := newEnvOn(t, pg.New(), levertest.Config{Seed: 62, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, rounds, e, 1)
	c := e.wholeCrew(2, brief)
	for _, n := range at {
		e.reach(n)
		said := c.heard("25006")
		pg.Exec(nil, `ALTER SYSTEM SET default_transaction_read_only = on`)
		pg.Exec(nil, `SELECT pg_reload_conf()`)
		e.until("the processes have met a Postgres that is read only", time.Minute, func() bool { return c.heard("25006") > said+2 })
		e.checkWhole()
		pg.Exec(nil, `ALTER SYSTEM RESET default_transaction_read_only`)
		pg.Exec(nil, `SELECT pg_reload_conf()`)
		e.goesOn(poolBack)
	}
	took := e.served(time.Minute)
	c.survived()
	e.check()
	e.checkAudit()
	ledger.add("Postgres read only for a while", tally{tried: len(at), survived: len(at), failed: t.Failed()})
	t.Logf("read only at calls %v of %d: all done %s after the last, %d calls made again", at, e.calls(), took.Round(time.Millisecond), e.refetched())
}
