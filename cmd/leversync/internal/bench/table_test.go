package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const printed = `goos: linux
BenchmarkThroughput-2   	       1	      5000 first-records/s	      6250 first-plain-records/s	       0 unchanged-rows-written
BenchmarkSyncs/opportunities=1000-2 	1	5039 first-calls	5038 first-bound	0.5 unchanged-s
BenchmarkSyncs/opportunities=10000-2	1	60000 first-calls	50308 first-bound	5 unchanged-s
--- FAIL: BenchmarkList
ok  	github.com/leversync/leversync/worker	1.2s
`

func measured() metrics {
	m := metrics{}
	parse(m, printed)
	return m
}

// find is the row of a name; the test fails where there is none.
func find(t *testing.T, lines []line, what string) line {
	t.Helper()
	for _, l := range lines {
		if l.What == what {
			return l
		}
	}
	t.Fatalf("no row %q in %+v", what, lines)
	return line{}
}

func TestTable(t *testing.T) {
	t.Parallel()
	got := table(measured())
	for _, tt := range []struct {
		what  string
		ratio float64
		met   bool
	}{
		{"100,000 opportunities, first", 0.8, true},
		{"calls, 1000 opportunities, first", 5039.0 / 5038, true},
		{"calls, 10000 opportunities, first", 60000.0 / 50308, false},
		{"  record rows written, unchanged", 0, true},
	} {
		if l := find(t, got, tt.what); math.Abs(l.Ratio-tt.ratio) > 1e-9 || l.Met == nil || *l.Met != tt.met {
			t.Errorf("%s: ratio %g, met %v; want %g, %t", tt.what, l.Ratio, l.Met, tt.ratio, tt.met)
		}
	}
	if l := find(t, got, "seconds of an unchanged sync, no limit, at 2 sizes"); math.Abs(l.Figure-1) > 1e-9 || l.Met != nil {
		t.Errorf("ten times the time at ten times the size: exponent %g, met %v; want 1, and no goal", l.Figure, l.Met)
	}
	for _, l := range got {
		if l.Goal == 2 || l.Goal == 8 {
			t.Errorf("a row of what was not measured: %+v", l)
		}
	}
}

// A row's name is what two results are compared by.
func TestRowsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.what] {
			t.Errorf("two rows are called %q", r.what)
		}
		seen[r.what] = true
		if r.atLeast == 0 && r.atMost == 0 && r.limit != 0 {
			t.Errorf("%s: no ratio is at most 0: is a goal missing?", r.what)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	m := measured()
	old := result{At: time.Unix(0, 0).UTC(), Commit: "aaa", Metrics: m, Rows: table(m)}
	path := filepath.Join(t.TempDir(), "new", "result.json")
	m["Throughput"]["first-records/s"] = 10_000
	if err := save(path, result{Commit: "bbb", Metrics: m, Rows: table(m)}); err != nil {
		t.Fatal(err)
	}
	recent, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := compare(&out, old, recent); err != nil {
		t.Fatal(err)
	}
	row := ""
	for l := range strings.Lines(out.String()) {
		if strings.Contains(l, "100,000 opportunities, first") {
			row = strings.Join(strings.Fields(l), " ")
		}
	}
	if want := "4 100,000 opportunities, first 5000 10000 records/s 2.000 0.800 1.600 ≥ 0.8 met"; row != want {
		t.Errorf("compare printed %q, want %q", row, want)
	}
}
