package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// BenchmarkSyncs brings accounts up to date with all their children, by one worker process that no limit holds back:
// a first sync, one of what did not change, and one each after a share of the opportunities changed. It reports the
// calls beside the bound (lists, five child lists of each opportunity that is new or changed, what is polled), what the
// well-known ways would need (computed, not run), when the first data was there, and the worker's memory.
func BenchmarkSyncs(b *testing.B) {
	sizes := []int{1000, 10_000}
	if benchLarge() {
		sizes = append(sizes, 100_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("opportunities=%d", n), func(b *testing.B) {
			for b.Loop() {
				syncs(b, n)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func syncs(b *testing.B, n int) {
	e := newEnv(b, levertest.Config{Seed: 7, Opportunities: n, RatePerSecond: -1, Confidential: true, Epoch: benchEpoch()}, fast)
	quiet(e) // the offers of who is in an offer stage are polled, which is not what is measured here
	w := e.spawn("first", store.DefaultLease, heapEnv+"=1")
	pages := (n + 99) / 100

	took, cpu := e.measured(w)
	e.check()
	bound := e.undisturbed()
	report(b, "first", e.calls(), bound)
	b.ReportMetric(took.Seconds(), "first-s")
	b.ReportMetric(cpu.Seconds(), "first-worker-CPU-s")
	b.ReportMetric(float64(e.calls())/took.Seconds(), "first-calls/s")
	e.firstData(b, "", pages)
	w.term()
	b.ReportMetric(float64(w.answer("live_late"))/(1<<20), "live-heap-MB")
	b.ReportMetric(100*(float64(w.answer("live_late"))/float64(w.answer("live_early"))-1), "live-heap-growth-%")
	peak := w.peak

	w = e.spawn("syncs", store.DefaultLease)
	for _, change := range []struct {
		name  string
		share int // of 1,000
	}{{"unchanged", 0}, {"changed-0.1%", 1}, {"changed-1%", 10}, {"changed-10%", 100}} {
		changed := n * change.share / 1000
		for range changed {
			if _, err := e.lever.Mutate("archive", ""); err != nil {
				b.Fatal(err)
			}
		}
		e.lever.ResetCounters()
		began := storetest.Value[time.Time](e.db, `SELECT now()`)
		took, cpu := e.measured(w)
		e.checkScope(unified.Applications)
		// Stages, reasons, users, tags, survey answers, deletions, and two lists of postings; the scan; the children of
		// what changed; the offers of who is in an offer stage, which nothing tells of; and the rolling sweep's slice, which
		// grows with the time since the sync before.
		beside := storetest.Value[int](e.db, `SELECT coalesce(sum(polled + swept), 0)::int FROM runs WHERE started_at >= $1`, began)
		report(b, change.name, e.calls(), 8+pages+5*changed+beside)
		b.ReportMetric(took.Seconds(), change.name+"-s")
		b.ReportMetric(cpu.Seconds(), change.name+"-worker-CPU-s")
	}
	b.ReportMetric(float64(pages+5*n), "every-child-each-time-calls")
	b.ReportMetric(float64(6*pages+5*n), "parents-once-per-child-list-calls")

	w.term()
	b.ReportMetric(float64(max(peak, w.peak))/(1<<20), "peak-MB")
}

// measured asks for everything and waits for it, and returns how long that took, and how much CPU of w.
func (e *env) measured(w *child) (took, cpu time.Duration) {
	e.t.Helper()
	cpu, began := w.cpu(), time.Now()
	e.ask(false)
	e.served(time.Hour)
	return time.Since(began), w.cpu() - cpu
}

func report(b *testing.B, name string, calls, bound int) {
	b.Helper()
	b.ReportMetric(float64(calls), name+"-calls")
	b.ReportMetric(float64(bound), name+"-bound")
	b.ReportMetric(float64(calls)/float64(bound), name+"-of-bound")
}

// firstData reports after how many calls of a first sync all candidates, applications, jobs and users were there,
// and how many archived opportunities had their children read before the last active one had.
func (e *env) firstData(b *testing.B, name string, pages int) {
	b.Helper()
	there := storetest.Value[int](e.db, `SELECT count(*) FROM calls WHERE started_at <= (SELECT max(at) FROM (SELECT max(created_at) AS at FROM candidates
    UNION ALL SELECT max(created_at) FROM applications UNION ALL SELECT max(created_at) FROM jobs UNION ALL SELECT max(created_at) FROM remote_users) m)`)
	b.ReportMetric(float64(there), name+"first-data-calls")
	b.ReportMetric(float64(pages+20), name+"first-data-bound")
	b.ReportMetric(float64(there)/float64(pages+20), name+"first-data-of-bound")
	b.ReportMetric(float64(storetest.Value[int](e.db, `SELECT count(*) FROM parents WHERE scope = 'applications' AND archived
    AND children_read_at < (SELECT max(children_read_at) FROM parents WHERE scope = 'applications' AND NOT archived)`)), name+"archived-before-active")
}
