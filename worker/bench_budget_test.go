package worker_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// slowness is how long a Lever takes to answer.
type slowness struct {
	name    string
	latency time.Duration
}

// BenchmarkBudget reads accounts that allow 10 calls a second from Levers that answer in 50 ms, 300 ms and 1 s, by 1, 2
// and 8 worker processes, and reports the share of the rate that was used from the fifth second to the last but five,
// the answers 429 and the most calls in any second. With LEVERSYNC_BENCH_LARGE that is so, for 2,000 opportunities,
// and takes 20 minutes for each number of workers; without, everything is ten times as fast: 100 calls a second, from
// Levers that answer in 5, 30 and 100 ms, half a second left out at either end, and 600 opportunities.
// The accounts of a number of workers are read at once, each with workers, a Postgres database and a Redis of its own.
//
// LEVERSYNC_BENCH_OPPORTUNITIES, LEVERSYNC_BENCH_LATENCIES ("300ms 1s"), LEVERSYNC_BENCH_WORKERS ("2 8") and
// LEVERSYNC_BENCH_FASTER (how many times as fast) ask for other ones.
func BenchmarkBudget(b *testing.B) {
	scale, n := 10, 600
	if benchLarge() {
		scale, n = 1, 2000
	}
	scale, n = number(b, "LEVERSYNC_BENCH_FASTER", scale), number(b, "LEVERSYNC_BENCH_OPPORTUNITIES", n)
	var slownesses []slowness
	for _, text := range words("LEVERSYNC_BENCH_LATENCIES", "50ms 300ms 1s") {
		latency, err := time.ParseDuration(text)
		if err != nil {
			b.Fatalf("LEVERSYNC_BENCH_LATENCIES: %v", err)
		}
		slownesses = append(slownesses, slowness{text, latency})
	}
	for _, text := range words("LEVERSYNC_BENCH_WORKERS", "1 2 8") {
		workers, err := strconv.Atoi(text)
		if err != nil {
			b.Fatalf("LEVERSYNC_BENCH_WORKERS: %v", err)
		}
		b.Run("workers="+text, func(b *testing.B) {
			for b.Loop() {
				budget(b, slownesses, n, workers, scale)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// words are those of a variable, or otherwise.
func words(env, otherwise string) []string {
	if v := os.Getenv(env); v != "" {
		otherwise = v
	}
	return strings.Fields(otherwise)
}

func budget(b *testing.B, slownesses []slowness, n, workers, scale int) {
	rate := 10 * float64(scale)
	edge := 5 * time.Second / time.Duration(scale)
	var envs []*env
	for _, s := range slownesses {
		e := newEnv(b, levertest.Config{Seed: 7, Opportunities: n, RatePerSecond: rate, Burst: 20, Confidential: true, Epoch: benchEpoch(),
			Latency: s.latency / time.Duration(scale)}, rate)
		e.crew(workers, store.DefaultLease)
		envs = append(envs, e)
	}
	began := time.Now()
	for _, e := range envs {
		e.ask(false)
	}
	for i, e := range envs {
		e.served(40 * time.Minute)
		ended := storetest.Value[time.Time](e.db, `SELECT max(ended_at) FROM runs`)
		name := slownesses[i].name
		b.ReportMetric(e.lever.Utilisation(began.Add(edge), ended.Add(-edge)), name+"-used")
		b.ReportMetric(float64(e.lever.Throttled()), name+"-429s")
		b.ReportMetric(float64(e.lever.MaxInWindow(time.Second)), name+"-max-in-1s")
		b.ReportMetric(float64(e.calls())/float64(e.undisturbed()), name+"-calls-of-bound")
		e.firstData(b, name+"-", (n+99)/100)
	}
	// The rate, a burst of two that the budget allows itself, and a call that was longer on its way than the one a second
	// before it by what lies between two calls: a tenth of a second in real time.
	b.ReportMetric(rate+3, "allowed-in-1s")
}
