package worker_test

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
)

// long reports whether LEVERSYNC_NEMESIS asks for the nemesis in full (make nemesis), and not in its short form.
func long() bool { return os.Getenv("LEVERSYNC_NEMESIS") != "" }

// amount is how much of something a test does, in its short form and in the nemesis'.
func amount(short, full int) int {
	if long() {
		return full
	}
	return short
}

// tally is what the nemesis did of one kind, and what came of it.
type tally struct {
	tried, survived, lost, duplicated, over int
	failed                                  bool // the test found fault beyond the numbers
	note                                    string
}

// ledger gathers the tallies of a test run, by kind, and prints them at its end.
var ledger tallies

type tallies struct {
	mu    sync.Mutex
	kinds []string
	by    map[string]tally
}

func (l *tallies) add(kind string, t tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]tally{}
	}
	if !slices.Contains(l.kinds, kind) {
		l.kinds = append(l.kinds, kind)
	}
	sum := l.by[kind]
	sum.tried, sum.survived, sum.lost = sum.tried+t.tried, sum.survived+t.survived, sum.lost+t.lost
	sum.duplicated, sum.over, sum.failed = sum.duplicated+t.duplicated, sum.over+t.over, sum.failed || t.failed
	if t.note != "" {
		sum.note = t.note
	}
	l.by[kind] = sum
}

// print writes the table: how often each was tried, survived, how many records were lost or duplicated, and how many
// calls there were over the bound.
func (l *tallies) print(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kinds) == 0 {
		return
	}
	slices.Sort(l.kinds)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NEMESIS\ttried\tsurvived\tlost\tduplicated\tcalls over the bound\t")
	for _, k := range l.kinds {
		t := l.by[k]
		if t.failed {
			t.note = "FAILED " + t.note
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", k, t.tried, t.survived, t.lost, t.duplicated, t.over, t.note)
	}
	_ = tw.Flush()
}
