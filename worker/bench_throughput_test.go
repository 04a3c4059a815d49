package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// BenchmarkThroughput reads 100,000 opportunities with their applications from a Lever that sets no limit, with one
// worker process: a first load, and a sync of the same once more. Beside each it runs the plainest program that does
// the same (bench_plain_test.go), on a database of the same server, and reports the ratio of the rates.
func BenchmarkThroughput(b *testing.B) {
	n := number(b, "LEVERSYNC_BENCH_OPPORTUNITIES", 100_000)
	e := benchEnv(b, account{Opportunities: n, Rate: -1}, listScopes...)
	plain := storetest.New(b)
	plainTables(plain)
	for b.Loop() {
		first := e.load("first")
		e.loadPlain(plain, "plain-first").report(b, first, "first", n)
		b.ReportMetric(float64(first.peak)/(1<<20), "first-peak-MB")
		if got := storetest.Value[int](e.db, `SELECT count(*) FROM applications`); got != n {
			b.Fatalf("%d applications, want %d", got, n)
		}
		var again cost
		undisturbed(b, func() {
			settleDown(b, e.db)
			settleDown(b, plain)
			flushStats(e)
			rows := writes(e)
			again = e.load("unchanged")
			flushStats(e)
			b.ReportMetric(float64(writes(e)-rows), "unchanged-rows-written")
		})
		b.ReportMetric(float64(again.log), "unchanged-WAL-bytes")
		e.loadPlain(plain, "plain-unchanged").report(b, again, "unchanged", n)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGrowth reads the lists of accounts of several sizes, first and once more, for how the cost grows with them.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{3000, 10_000, 30_000}
	if benchLarge() {
		sizes = append(sizes, 100_000, 300_000, 1_000_000)
	}
	if n := number(b, "LEVERSYNC_BENCH_OPPORTUNITIES", 0); n != 0 {
		sizes = []int{n}
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("opportunities=%d", n), func(b *testing.B) {
			e := benchEnv(b, account{Opportunities: n, Rate: -1}, listScopes...)
			for b.Loop() {
				first := e.load("first")
				settleDown(b, e.db)
				again := e.load("unchanged")
				b.ReportMetric(first.took.Seconds(), "first-s")
				b.ReportMetric(first.postgres.Seconds(), "first-Postgres-CPU-s")
				b.ReportMetric(again.took.Seconds(), "unchanged-s")
				b.ReportMetric(float64(max(first.peak, again.peak))/(1<<20), "peak-MB")
				b.ReportMetric(float64(first.late)/(1<<20), "live-heap-MB")
				b.ReportMetric(100*(float64(first.late)/float64(first.early)-1), "live-heap-growth-%")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cost is what a load took.
type cost struct {
	took, client, postgres time.Duration
	log, peak              int64 // bytes: of Postgres's log, and of memory at most
	early, late            int64 // bytes of the live heap, on average of the second and of the last quarter
	records                int64
}

// load has a worker process of its own bring the connector up to date.
func (e *env) load(name string) cost {
	b := e.t.(*testing.B)
	b.Helper()
	w := e.spawn(name, store.DefaultLease, heapEnv+"=1")
	cpu, log, began := postgresCPU(b, e.db), logPosition(e.db), time.Now()
	e.ask(false)
	e.served(time.Hour)
	c := cost{took: time.Since(began), postgres: postgresCPU(b, e.db) - cpu, log: logPosition(e.db) - log}
	w.term()
	c.client, c.peak = w.cpu(), w.peak
	c.early, c.late = w.answer("live_early"), w.answer("live_late")
	return c
}

// loadPlain runs the plainest program.
func (e *env) loadPlain(db *storetest.DB, name string) cost {
	b := e.t.(*testing.B)
	b.Helper()
	cpu, log := postgresCPU(b, db), logPosition(db)
	p := spawn(b, name, childRoleEnv+"=plain", "DATABASE_URL="+db.URL, "LEVER_API_URL="+e.url)
	<-p.exited
	if p.answer("records") == 0 {
		b.Fatalf("the plain program failed: %s", p.text())
	}
	return cost{took: time.Duration(p.answer("ns")), client: p.cpu(), postgres: postgresCPU(b, db) - cpu, log: logPosition(db) - log, records: p.answer("records")}
}

// report compares what a load of n records took with what the plainest program took.
func (plain cost) report(b *testing.B, ours cost, name string, n int) {
	b.Helper()
	if plain.records != int64(n) {
		b.Fatalf("the plain program read %d records, want %d", plain.records, n)
	}
	per := float64(n) / 100_000
	b.ReportMetric(rateOf(n, ours.took), name+"-records/s")
	b.ReportMetric(rateOf(n, plain.took), name+"-plain-records/s")
	b.ReportMetric(plain.took.Seconds()/ours.took.Seconds(), name+"-of-plain")
	b.ReportMetric(ours.client.Seconds()/per, name+"-worker-CPU-s/100k")
	b.ReportMetric(plain.client.Seconds()/per, name+"-plain-CPU-s/100k")
	b.ReportMetric(ours.postgres.Seconds()/per, name+"-Postgres-CPU-s/100k")
	b.ReportMetric(plain.postgres.Seconds()/per, name+"-plain-Postgres-CPU-s/100k")
}
