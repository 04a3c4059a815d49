package main

import (
	"fmt"
	"slices"
	"strings"
)

// step is a run of some benchmarks of a package.
type step struct {
	pkg, bench string
	times      string // as -benchtime takes it
}

var steps = []step{
	{"./worker", "BenchmarkSyncs", "1x"},
	{"./worker", "BenchmarkBudget", "1x"},
	{"./worker", "BenchmarkThroughput", "1x"},
	{"./worker", "BenchmarkGrowth", "1x"},
	{"./worker", "BenchmarkMany", "1x"},
	{"./cmd/leversync", "BenchmarkFreshness", "1x"},
	{"./cmd/leversync/internal/api", "BenchmarkList", "8x"},
}

func (s step) chosen(only []string) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(o string) bool { return strings.Contains(s.bench, o) })
}

// row is a row of the table: a figure that a benchmark reports, and what it is held to.
type row struct {
	goal     int
	what     string
	bench    string // without "Benchmark"
	figure   string // the unit that it is reported by
	unit     string // as the table has it
	measured string // the limit, by the unit that it is reported by
	limit    float64
	is       string  // what the limit is
	atLeast  float64 // the goal of the ratio, or of the figure where there is no limit; 0: none
	atMost   bound
}

// bound is a goal that is a greatest value; none is no goal.
type bound float64

const none bound = -1

var rows = slices.Concat(calls(), budgets(), fresh(), throughput(), memory(), many(), reads())

func calls() []row {
	var out []row
	for _, n := range []int{1000, 10_000, 100_000} {
		bench := fmt.Sprintf("Syncs/opportunities=%d", n)
		for _, sync := range []string{"first", "unchanged", "changed-0.1%", "changed-1%", "changed-10%"} {
			out = append(out, row{goal: 1, what: fmt.Sprintf("calls, %d opportunities, %s", n, strings.Replace(sync, "-", " ", 1)), bench: bench,
				figure: sync + "-calls", unit: "calls", measured: sync + "-bound", is: "bound", atMost: 1.01})
		}
		out = append(out,
			row{goal: 6, what: fmt.Sprintf("first data after, %d opportunities, no limit", n), bench: bench, figure: "first-data-calls", unit: "calls",
				measured: "first-data-bound", is: "⌈N/100⌉+20", atMost: 1},
			row{goal: 1, what: fmt.Sprintf("  %d: every child each time (computed)", n), bench: bench, figure: "every-child-each-time-calls", unit: "calls", atMost: none},
			row{goal: 1, what: fmt.Sprintf("  %d: parents once per child list, too (computed)", n), bench: bench, figure: "parents-once-per-child-list-calls", unit: "calls", atMost: none})
	}
	return out
}

func budgets() []row {
	var out []row
	for _, workers := range []int{1, 2, 8} {
		bench := fmt.Sprintf("Budget/workers=%d", workers)
		for _, lever := range []string{"50ms", "300ms", "1s"} {
			of := fmt.Sprintf("Lever in %s, workers: %d", lever, workers)
			out = append(out,
				row{goal: 2, what: "budget used, " + of, bench: bench, figure: lever + "-used", limit: 1, is: "the rate", atLeast: 0.97, atMost: none},
				row{goal: 2, what: "answers 429, " + of, bench: bench, figure: lever + "-429s", unit: "answers", atMost: 0},
				row{goal: 2, what: "most calls in 1 s, " + of, bench: bench, figure: lever + "-max-in-1s", unit: "calls", measured: "allowed-in-1s", is: "rate and burst", atMost: 1},
				row{goal: 6, what: "first data after, " + of, bench: bench, figure: lever + "-first-data-calls", unit: "calls", measured: lever + "-first-data-bound", is: "⌈N/100⌉+20", atMost: 1},
				row{goal: 6, what: "archived before active, " + of, bench: bench, figure: lever + "-archived-before-active", unit: "opportunities", atMost: 40})
		}
	}
	return out
}

func throughput() []row {
	var out []row
	for _, load := range []string{"first", "unchanged"} {
		out = append(out,
			row{goal: 4, what: "100,000 opportunities, " + load, bench: "Throughput", figure: load + "-records/s", unit: "records/s",
				measured: load + "-plain-records/s", is: "the plainest program", atLeast: 0.8, atMost: none},
			row{goal: 4, what: "  CPU of the worker, " + load, bench: "Throughput", figure: load + "-worker-CPU-s/100k", unit: "s",
				measured: load + "-plain-CPU-s/100k", is: "the plainest program", atMost: none},
			row{goal: 4, what: "  CPU of Postgres, " + load, bench: "Throughput", figure: load + "-Postgres-CPU-s/100k", unit: "s",
				measured: load + "-plain-Postgres-CPU-s/100k", is: "the plainest program", atMost: none})
	}
	return append(out,
		row{goal: 4, what: "  record rows written, unchanged", bench: "Throughput", figure: "unchanged-rows-written", unit: "rows", atMost: 0},
		row{goal: 4, what: "  Postgres's log, unchanged", bench: "Throughput", figure: "unchanged-WAL-bytes", unit: "bytes", limit: 1 << 20, is: "1 MB", atMost: 1})
}

func memory() []row {
	out := []row{{goal: 5, what: "memory, 100,000 opportunities, lists", bench: "Throughput", figure: "first-peak-MB", unit: "MB", limit: 100, is: "MB", atMost: 1}}
	for _, n := range []int{1000, 10_000, 100_000} {
		bench := fmt.Sprintf("Syncs/opportunities=%d", n)
		out = append(out,
			row{goal: 5, what: fmt.Sprintf("memory, %d opportunities, all scopes", n), bench: bench, figure: "peak-MB", unit: "MB", limit: 100, is: "MB", atMost: 1},
			row{goal: 5, what: fmt.Sprintf("  growth of the live heap, %d", n), bench: bench, figure: "live-heap-growth-%", unit: "%", atMost: 1})
	}
	return out
}

func fresh() []row {
	var out []row
	for _, of := range [][2]string{{"first-list", "a record of a list, first sync"}, {"first-child", "a record of an opportunity, first sync"},
		{"list", "a change of a list"}, {"child", "a change of an opportunity's interviews"}} {
		out = append(out, row{goal: 3, what: of[1] + ": from its call to the API, p95", bench: "Freshness", figure: of[0] + "-p95-s", unit: "s", atMost: 5})
	}
	return out
}

func many() []row {
	m := func(r row) row {
		r.goal, r.bench = 7, "Many"
		if r.atMost == 0 {
			r.atMost = none
		}
		return r
	}
	return []row{
		m(row{what: "connectors, all records of 15 scopes there, 8 processes", figure: "served", unit: "connectors", measured: "connectors", is: "connectors", atLeast: 1}),
		m(row{what: "  calls a second", figure: "calls/s", unit: "calls/s"}),
		m(row{what: "  most calls by one process", figure: "busiest-worker-share", unit: "of them", limit: 0.125, is: "an eighth", atMost: 2}),
		m(row{what: "a small connector's sync beside one of 1,000,000, p95", figure: "small-beside-big-p95-s", unit: "s", measured: "small-alone-p95-s", is: "alone", atMost: 2}),
		m(row{what: "  the same, no limit on the large one's calls", figure: "small-beside-unlimited-p95-s", unit: "s", measured: "small-alone-p95-s", is: "alone", atMost: 2}),
		m(row{what: "nothing due: CPU of one process", figure: "idle-CPU-s/hour", unit: "s an hour"}),
		m(row{what: "  Postgres", figure: "idle-Postgres-transactions/s", unit: "transactions/s"}),
		m(row{what: "  Redis", figure: "idle-Redis-commands/s", unit: "commands/s"}),
		m(row{what: "all due once an hour, unchanged: CPU a connector", figure: "unchanged-CPU-ms", unit: "ms"}),
		m(row{what: "  CPU of Postgres a connector", figure: "unchanged-Postgres-CPU-ms", unit: "ms"}),
		m(row{what: "  CPU of 2,000 connectors", figure: "2000-CPU-s/hour", unit: "s an hour"}),
		m(row{what: "  Postgres, 2,000 connectors", figure: "2000-Postgres-transactions/s", unit: "transactions/s"}),
		m(row{what: "  Redis, 2,000 connectors", figure: "2000-Redis-commands/s", unit: "commands/s"}),
	}
}

func reads() []row {
	return []row{
		{goal: 8, what: "pages of 50 candidates, 16 clients", bench: "List", figure: "req/s", unit: "requests/s", measured: "bare-req/s", is: "a bare handler", atLeast: 0.7, atMost: none},
		{goal: 8, what: "  half of them within", bench: "List", figure: "p50-ms", unit: "ms", atMost: none},
		{goal: 8, what: "  99 of 100 within", bench: "List", figure: "p99-ms", unit: "ms", limit: 20, is: "ms", atMost: 1},
	}
}

// growth is a figure at several sizes of an account.
type growth struct {
	what, bench, figure string // bench has a place for the size
	is                  string // what is expected
	sizes               []int
}

var growing = []growth{
	{"calls of a first sync", "Syncs/opportunities=%d", "first-calls", "linear: 1", sizes},
	{"seconds of a first sync, no limit", "Syncs/opportunities=%d", "first-s", "linear: 1", sizes},
	{"worker's CPU of a first sync", "Syncs/opportunities=%d", "first-worker-CPU-s", "linear: 1", sizes},
	{"calls of an unchanged sync", "Syncs/opportunities=%d", "unchanged-calls", "the scan: at most 1", sizes},
	{"seconds of an unchanged sync, no limit", "Syncs/opportunities=%d", "unchanged-s", "the scan: at most 1", sizes},
	{"worker's peak of memory", "Syncs/opportunities=%d", "peak-MB", "constant: 0", sizes},
	{"worker's live heap", "Syncs/opportunities=%d", "live-heap-MB", "constant: 0", sizes},
	{"seconds of a first load of lists", "Growth/opportunities=%d", "first-s", "linear: 1", loads},
	{"Postgres's CPU of a first load of lists", "Growth/opportunities=%d", "first-Postgres-CPU-s", "linear: 1", loads},
	{"seconds of an unchanged sync of lists", "Growth/opportunities=%d", "unchanged-s", "the scan: at most 1", loads},
	{"worker's peak of memory, lists", "Growth/opportunities=%d", "peak-MB", "constant: 0", loads},
	{"worker's live heap, lists", "Growth/opportunities=%d", "live-heap-MB", "constant: 0", loads},
}

var (
	sizes = []int{1000, 10_000, 100_000}
	loads = []int{3000, 10_000, 30_000, 100_000, 300_000, 1_000_000}
)
