package worker_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// link makes n connectors, all of the fake Lever's one account.
func (e *env) link(n int, scopes ...unified.Scope) []store.Connector {
	e.t.Helper()
	if scopes == nil {
		scopes = unified.Scopes
	}
	out := make([]store.Connector, n)
	for i := range out {
		var err error
		out[i], _, err = e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{
			OrgName: "Acme", OriginID: fmt.Sprintf("acme-%d", i), APIKey: "test-key", Scopes: scopes, RateLimit: fast, SyncInterval: 24 * time.Hour,
		})
		if err != nil {
			e.t.Fatal(err)
		}
	}
	return out
}

// checkAll is check for each of the connectors.
func (e *env) checkAll(conns []store.Connector) {
	e.t.Helper()
	for _, c := range conns {
		e.conn = c
		e.check()
	}
}

// afterRedis is how soon all that was due has run once Redis is back.
const afterRedis = 60 * time.Second

// TestAFlushedRedisLosesNothing: few slots for many tasks, so that most of what is due is in Redis alone.
func TestAFlushedRedisLosesNothing(t *testing.T) {
	t.Parallel()
	connectors, n := amount(6, 12), 20
	e := bareEnv(t, levertest.Config{Seed: 50, Opportunities: n, Postings: 3, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond})
	conns := e.link(connectors)
	at := points(t, amount(3, 20), e, connectors)
	for range 2 {
		e.startWorker(worker.Config{Concurrency: 2})
	}
	e.startScheduler()
	for _, n := range at {
		e.reach(n)
		if err := e.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	left := storetest.Value[int](e.db, `SELECT count(*) FROM connector_scopes WHERE requested_at IS NOT NULL`)
	took := e.served(afterRedis)
	t.Logf("flushed at calls %v of %d: the %d scopes left were served within %s", at, e.calls(), left, took.Round(time.Millisecond))
	e.checkAll(conns)
	ledger.add("Redis lost", tally{tried: len(at), survived: len(at), failed: t.Failed()})
}

func TestARedisThatCrashesLosesNothing(t *testing.T) {
	t.Parallel()
	connectors, n := amount(6, 12), 20
	e := bareEnv(t, levertest.Config{Seed: 51, Opportunities: n, Postings: 3, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond})
	conns := e.link(connectors)
	at := points(t, amount(2, 20), e, connectors)
	for range 2 {
		e.startWorker(worker.Config{Concurrency: 2})
	}
	e.startScheduler()
	for _, n := range at {
		e.reach(n)
		e.redis.Kill()
		// What is under way goes on without it; nothing new begins.
		e.until("no lease is held while Redis is away", time.Minute, func() bool {
			return storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE lease_until > now()`) == 0
		})
		e.redis.Start()
	}
	took := e.served(afterRedis)
	t.Logf("Redis killed at calls %v of %d: all was served %s after it was back", at, e.calls(), took.Round(time.Millisecond))
	e.checkAll(conns)
	ledger.add("Redis lost", tally{tried: len(at), survived: len(at), failed: t.Failed()})
}

// TestCutConnectionsToPostgresLoseNothing: Postgres ends all connections, of workers and scheduler, again and again.
func TestCutConnectionsToPostgresLoseNothing(t *testing.T) {
	t.Parallel()
	n, cuts := amount(200, 600), amount(5, 100)
	e := newEnv(t, levertest.Config{Seed: 52, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	at := points(t, cuts, e, 1)
	c := e.crew(2, brief)
	e.startScheduler()
	for _, n := range at {
		e.reach(n)
		e.db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'storetest'`)
	}
	took := e.served(time.Minute)
	c.survived()
	e.check()
	e.checkAudit()
	ledger.add("all connections to Postgres ended", tally{tried: len(at), survived: len(at), failed: t.Failed()})
	t.Logf("all connections ended at calls %v of %d: done %s after the last, %d calls made again", at, e.calls(), took.Round(time.Millisecond), e.refetched())
}

// TestAPostgresThatIsAwayIsWaitedFor: no connection is to be had until long after all leases have run out.
func TestAPostgresThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	n := amount(200, 1000)
	e := newEnv(t, levertest.Config{Seed: 53, Opportunities: n, RatePerSecond: -1, Confidential: true, Latency: time.Millisecond}, fast)
	e.audit()
	gate := newGate(e)
	at := points(t, amount(2, 20), e, 1)
	c := e.crew(2, brief)
	e.startScheduler()
	for _, n := range at {
		e.reach(n)
		c.awaitBusy()
		gate.shut()
		e.until("all leases have run out", time.Minute, func() bool {
			return storetest.Value[int](e.db, `SELECT count(*) FROM streams WHERE lease_until > now()`) == 0
		})
		gate.open()
	}
	took := e.served(time.Minute)
	c.survived()
	e.check()
	e.checkAudit()
	ledger.add("Postgres away for longer than a lease", tally{tried: len(at), survived: len(at), failed: t.Failed()})
	t.Logf("Postgres away at calls %v of %d: done %s after it was back, %d calls made again", at, e.calls(), took.Round(time.Millisecond), e.refetched())
}

// survived demands that no worker process has ended.
func (c *crew) survived() {
	c.e.t.Helper()
	for _, w := range c.alive {
		select {
		case <-w.exited:
			c.e.t.Errorf("worker process %s has ended", w.name)
		default:
		}
	}
}

// gate stands between the worker processes and Postgres, or Lever. It is open when it is made.
type gate struct {
	target string
	addr   string // where it listens

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// newGate has the env's worker processes reach Postgres through a gate.
func newGate(e *env) *gate {
	e.t.Helper()
	u, err := url.Parse(e.db.URL)
	if err != nil {
		e.t.Fatal(err)
	}
	g := openGate(e, u.Host)
	u.Host = g.addr
	e.dbURL = u.String()
	return g
}

// openGate makes a gate before an address, and opens it. It listens at addr until the test ends.
func openGate(e *env, target string) *gate {
	e.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	g := &gate{target: target, addr: l.Addr().String(), conns: map[net.Conn]bool{}}
	g.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			g.pass(in)
		}
	})
	e.t.Cleanup(func() { _ = l.Close(); g.shut(); g.wg.Wait() })
	return g
}

// pass connects in with Postgres, unless the gate is shut.
func (g *gate) pass(in net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		_ = in.Close()
		return
	}
	out, err := net.Dial("tcp", g.target)
	if err != nil {
		_ = in.Close()
		return
	}
	g.conns[in], g.conns[out] = true, true
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		g.wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
}

// shut cuts all connections, and lets none through.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = true
	for c := range g.conns {
		_ = c.Close()
	}
	clear(g.conns)
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = false
}

// TestManySchedulersAndWorkersTraverseEachStreamOnce: whoever claims, and whoever works, each list of each
// connector is read once each time that it falls due.
func TestManySchedulersAndWorkersTraverseEachStreamOnce(t *testing.T) {
	t.Parallel()
	const connectors = 30
	e := bareEnv(t, levertest.Config{Seed: 54, Opportunities: 2, Postings: 3, RatePerSecond: -1, Confidential: true})
	conns := e.link(connectors)
	for range 4 {
		e.startWorker(worker.Config{Concurrency: 16})
		e.startScheduler()
	}
	for due := 1; due <= 2; due++ {
		e.claimed()
		e.served(5 * time.Minute) // some hundred lists, by four workers, with other tests beside them
		for _, s := range storetest.Column[string](e.db, `SELECT format('%s of %s: %s runs', stream, connector_id, count(*)) FROM runs GROUP BY connector_id, stream HAVING count(*) <> $1 LIMIT 5`, due) {
			t.Errorf("%s after falling due %d times", s, due)
		}
		if n := storetest.Value[int](e.db, `SELECT count(DISTINCT (connector_id, stream)) FROM runs`); n != connectors*len(worker.StreamsOf(unified.Scopes)) {
			t.Errorf("%d streams ran, want %d of each of %d connectors", n, len(worker.StreamsOf(unified.Scopes)), connectors)
		}
		for _, path := range []string{"/tags", "/stages", "/opportunities", "/users"} {
			if n := e.lever.CallsBy()[path]; n != due*connectors {
				t.Errorf("%s was called %d times, want %d: once for each connector each of %d times", path, n, due*connectors, due)
			}
		}
		if due == 1 {
			e.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
		}
	}
	e.checkAll(conns[:3])
}

// claimed waits until nothing is due that no scheduler has claimed.
func (e *env) claimed() {
	e.t.Helper()
	e.until("all that is due is claimed", time.Minute, func() bool {
		return storetest.Value[int](e.db, `SELECT count(*) FROM connector_scopes WHERE enabled AND next_run_at <= now() AND connector_id IN (SELECT id FROM connectors WHERE status = 'COMPLETE')`) == 0
	})
}

// TestADowntimeMissesNothing: while no scheduler runs, three syncs would have been due.
func TestADowntimeMissesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 55, Opportunities: 40, RatePerSecond: -1, Confidential: true}, fast)
	e.startWorker(worker.Config{})
	stop := e.startScheduler()
	e.claimed()
	e.served(time.Minute)
	stop()
	if _, err := e.lever.AddOpportunity(); err != nil {
		t.Fatal(err)
	}
	// As if all that has happened so far had happened four days ago.
	e.db.Exec(`UPDATE connector_scopes SET next_run_at = now() - interval '3 days 1 hour', synced_at = synced_at - interval '4 days'`)
	e.db.Exec(`UPDATE streams SET last_started_at = last_started_at - interval '4 days', last_tried_at = last_tried_at - interval '4 days',
    last_full_at = last_full_at - interval '4 days', deletions_until = deletions_until - interval '4 days', swept_at = swept_at - interval '4 days'`)
	e.startScheduler()
	e.claimed()
	e.served(time.Minute)
	e.check()
	for _, s := range storetest.Column[string](e.db, `SELECT format('%s: %s runs', stream, count(*)) FROM runs GROUP BY stream HAVING count(*) <> 2`) {
		t.Errorf("%s, want 2: the first sync, and one after three intervals without a scheduler", s)
	}
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM connector_scopes WHERE next_run_at NOT BETWEEN now() AND now() + interval '27 hours'`); n != 0 {
		t.Errorf("%d scopes do not fall due within the next interval", n)
	}
}
