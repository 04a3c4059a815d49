package worker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// many are the sizes of BenchmarkMany.
type many struct {
	connectors, opportunities int           // each connector has as many opportunities
	big                       int           // opportunities of the account that loads beside a small one
	rounds                    int           // syncs of the small one, alone and beside it
	idle                      time.Duration // how long nothing happens

	e     *env
	large *levertest.Server
}

// BenchmarkMany links many connectors to one server, and has 8 worker processes that also schedule bring all 15 scopes of
// them up to date. Then there is one process: what it costs that nothing falls due is measured, and what, once all
// connectors do, it costs to find that nothing has changed. Then a small connector is brought up to date again and again,
// alone and beside one that loads a large account, at 10 calls a second and without a limit. Without LEVERSYNC_BENCH_LARGE
// these are 100 connectors of 20 opportunities, with it 2,000 of 200, or LEVERSYNC_BENCH_CONNECTORS of LEVERSYNC_BENCH_EACH;
// the large account has a million opportunities.
func BenchmarkMany(b *testing.B) {
	m := many{connectors: 100, opportunities: 20, big: 1_000_000, rounds: 20, idle: 10 * time.Second}
	if benchLarge() {
		m.connectors, m.opportunities, m.rounds, m.idle = 2000, 200, 100, time.Minute
	}
	m.connectors = number(b, "LEVERSYNC_BENCH_CONNECTORS", m.connectors)
	m.opportunities = number(b, "LEVERSYNC_BENCH_EACH", m.opportunities)
	for b.Loop() {
		m.run(b)
	}
	b.ReportMetric(0, "ns/op")
}

func (m many) run(b *testing.B) {
	m.e = newEnv(b, levertest.Config{Seed: 7, Opportunities: m.opportunities, RatePerSecond: -1, Confidential: true, Epoch: benchEpoch()}, fast)
	quiet(m.e)
	for i := range m.connectors - 1 {
		m.e.connect(fmt.Sprint("org-", i), "test-key", fast)
	}
	m.beside(b)
	m.load(b)
	w := m.e.spawn("alone", store.DefaultLease, childWholeEnv+"=1s")
	m.quiet(b, w)
	m.fairness(b)
	w.term()
}

// connect links one more account to the fake Lever that takes key.
func (e *env) connect(origin, key string, rate float64) store.Connector {
	e.t.Helper()
	c, _, err := e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{OrgName: origin, OriginID: origin, APIKey: key,
		Scopes: unified.Scopes, RateLimit: rate, SyncInterval: 24 * time.Hour})
	if err != nil {
		e.t.Fatalf("CreateConnector: %v", err)
	}
	return c
}

// beside puts a large account beside the small one: both are read at one URL, each by its own key.
func (m *many) beside(b *testing.B) {
	m.large = levertest.New(levertest.Config{Seed: 8, Opportunities: m.big, RatePerSecond: -1, Confidential: true, APIKeys: []string{"big-key"}, Epoch: benchEpoch()})
	b.Cleanup(m.large.Close)
	both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key, _, _ := r.BasicAuth(); key == "big-key" {
			m.large.ServeHTTP(w, r)
		} else {
			m.e.lever.ServeHTTP(w, r)
		}
	}))
	b.Cleanup(both.Close)
	m.e.url = both.URL + "/v1"
}

// load has 8 worker processes read everything.
func (m many) load(b *testing.B) {
	b.Helper()
	e := m.e
	var workers []*child
	for i := range 8 {
		workers = append(workers, e.spawn(fmt.Sprint("of8-", i), store.DefaultLease, childWholeEnv+"=1s"))
	}
	took := m.done(3 * time.Hour)
	b.ReportMetric(float64(m.connectors), "connectors")
	b.ReportMetric(float64(m.complete(b)), "served")
	b.ReportMetric(took.Seconds(), "all-served-s")
	b.ReportMetric(rateOf(e.calls(), took), "calls/s")
	var most, sum int64
	for _, w := range workers {
		w.term()
		most, sum = max(most, w.answer("calls")), sum+w.answer("calls")
	}
	b.ReportMetric(float64(most)/float64(sum), "busiest-worker-share")
}

// done waits until nothing is due or under way. It looks rarely: there is much to look through.
func (m many) done(limit time.Duration) time.Duration {
	m.e.t.Helper()
	return m.e.until("every scope of every connector is served", limit, func() bool {
		time.Sleep(200 * time.Millisecond)
		return storetest.Value[int](m.e.db, `SELECT count(*) FROM connector_scopes WHERE next_run_at <= now()`) == 0 && m.e.done()
	})
}

// complete is how many connectors have as many records of each scope as the account has.
func (m many) complete(b *testing.B) int {
	b.Helper()
	whole := map[string]int{}
	for _, sc := range unified.Scopes {
		want := 0
		for range m.e.lever.Expected(string(sc)) {
			want++
		}
		for _, id := range storetest.Column[string](m.e.db, fmt.Sprintf(`SELECT s.connector_id::text FROM connector_scopes s
    WHERE s.scope = $1 AND s.state = 'ok' AND $2 = (SELECT count(*) FROM ats.%s r WHERE r.connector_id = s.connector_id)`, sc.Table()), string(sc), want) {
			whole[id]++
		}
	}
	n := 0
	for _, scopes := range whole {
		if scopes == len(unified.Scopes) {
			n++
		}
	}
	return n
}

// spent is what w and the servers have done so far.
type spent struct {
	cpu, postgres          time.Duration
	transactions, commands int64
}

func (m many) spent(b *testing.B, w *child) spent {
	b.Helper()
	time.Sleep(11 * time.Second) // Postgres's processes tell within 10 s of what they have done
	return spent{w.cpu(), postgresCPU(b, m.e.db), transactionsOf(m.e), commandsOf(m.e)}
}

// quiet measures what it costs, first that nothing falls due, and then that all connectors do and nothing has changed; and
// reports what 2,000 would cost that fall due once an hour.
func (m many) quiet(b *testing.B, w *child) {
	b.Helper()
	began := m.spent(b, w)
	time.Sleep(m.idle)
	rested := m.spent(b, w)
	m.e.lever.ResetCounters()
	due := time.Now()
	m.e.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
	m.done(time.Hour)
	b.ReportMetric(time.Since(due).Seconds(), "unchanged-s")
	ended := m.spent(b, w)
	passed := time.Since(due)

	seconds := (m.idle + 11*time.Second).Seconds()
	cpu := (rested.cpu - began.cpu).Seconds() / seconds
	transactions, commands := float64(rested.transactions-began.transactions)/seconds, float64(rested.commands-began.commands)/seconds
	b.ReportMetric(cpu*3600, "idle-CPU-s/hour")
	b.ReportMetric(transactions, "idle-Postgres-transactions/s")
	b.ReportMetric(commands, "idle-Redis-commands/s")

	// What the syncs cost beyond what the same time costs anyway.
	more := func(all, idle float64) float64 { return (all - idle*passed.Seconds()) / float64(m.connectors) }
	b.ReportMetric(float64(m.e.calls())/float64(m.connectors), "unchanged-calls")
	each := more((ended.cpu - rested.cpu).Seconds(), cpu)
	b.ReportMetric(1000*each, "unchanged-CPU-ms")
	b.ReportMetric(1000*(ended.postgres-rested.postgres).Seconds()/float64(m.connectors), "unchanged-Postgres-CPU-ms")
	b.ReportMetric(3600*cpu+2000*each, "2000-CPU-s/hour")
	b.ReportMetric(transactions+2000*more(float64(ended.transactions-rested.transactions), transactions)/3600, "2000-Postgres-transactions/s")
	b.ReportMetric(commands+2000*more(float64(ended.commands-rested.commands), commands)/3600, "2000-Redis-commands/s")
}

// transactionsOf is how many transactions Postgres has ended in the database, as far as its processes have told.
func transactionsOf(e *env) int64 {
	e.t.Helper()
	return storetest.Value[int64](e.db, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`)
}

// commandsOf is how many commands Redis has served.
func commandsOf(e *env) int64 {
	e.t.Helper()
	info, err := e.rdb.Info(e.t.Context(), "stats").Result()
	if err != nil {
		e.t.Fatal(err)
	}
	_, n, _ := strings.Cut(info, "total_commands_processed:")
	v, err := strconv.ParseInt(strings.Fields(n)[0], 10, 64)
	if err != nil {
		e.t.Fatal(err)
	}
	return v
}

// fairness measures how long a small connector's sync takes: alone, beside a big one's first at 10 calls a second, and
// beside one that no limit holds back.
func (m many) fairness(b *testing.B) {
	b.Helper()
	m.syncs()
	b.ReportMetric(m.syncs().Seconds(), "small-alone-p95-s")
	c := m.e.connect("big-1", "big-key", 10)
	m.e.until("the big account is being read", time.Minute, func() bool { return m.large.Calls() > 5 })
	b.ReportMetric(m.syncs().Seconds(), "small-beside-big-p95-s")
	if err := m.e.db.Store.DeleteConnector(b.Context(), c.ID); err != nil {
		b.Fatal(err)
	}
	before := m.large.Calls()
	m.e.connect("big-2", "big-key", fast)
	m.e.until("the unlimited account is being read", time.Minute, func() bool { return m.large.Calls() > before+100 })
	b.ReportMetric(m.syncs().Seconds(), "small-beside-unlimited-p95-s")
}

// syncs brings the small connector up to date again and again, and returns how long 95 of 100 times take at most.
func (m many) syncs() time.Duration {
	m.e.t.Helper()
	took := make([]time.Duration, m.rounds)
	for i := range took {
		m.e.ask(false)
		took[i] = m.e.until("the small connector is served", time.Minute, func() bool {
			return storetest.Value[int](m.e.db, `SELECT count(*) FROM connector_scopes WHERE connector_id = $1 AND enabled
    AND (requested_at IS NOT NULL OR state IN ('pending', 'syncing'))`, m.e.conn.ID) == 0
		})
	}
	slices.Sort(took)
	return took[len(took)*95/100]
}
