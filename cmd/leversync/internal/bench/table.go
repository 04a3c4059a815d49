package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
)

// metrics are what benchmarks reported: by the benchmark's name, then by the unit.
type metrics map[string]map[string]float64

// processors is the suffix that Go gives a benchmark's name.
var processors = regexp.MustCompile(`-\d+$`)

// parse adds the lines that go test -bench printed: a name, a count, and pairs of a value and its unit.
func parse(m metrics, text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || len(f)%2 != 0 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(processors.ReplaceAllString(f[0], ""), "Benchmark")
		if m[name] == nil {
			m[name] = map[string]float64{}
		}
		for i := 2; i < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				m[name][f[i+1]] = v
			}
		}
	}
}

// line is a row of the table with its figures.
type line struct {
	Goal   int     `json:"goal"`
	What   string  `json:"what"`
	Figure float64 `json:"figure"`
	Unit   string  `json:"unit"`
	Limit  float64 `json:"limit,omitempty"`
	Is     string  `json:"limit_is,omitempty"` // what the limit is
	Ratio  float64 `json:"ratio,omitempty"`
	Want   string  `json:"goal_is,omitempty"`
	Met    *bool   `json:"met,omitempty"` // nil: there is no goal
}

// table is what the rows come to; one whose figure was not measured is left out.
func table(m metrics) []line {
	var out []line
	for _, r := range rows {
		if l, ok := r.line(m); ok {
			out = append(out, l)
		}
	}
	return append(out, growths(m)...)
}

func (r row) line(m metrics) (line, bool) {
	figure, there := m[r.bench][r.figure]
	if !there {
		return line{}, false
	}
	l := line{Goal: r.goal, What: r.what, Figure: figure, Unit: r.unit, Is: r.is}
	l.Limit = r.limit
	if r.measured != "" {
		l.Limit = m[r.bench][r.measured]
	}
	if l.Limit != 0 {
		l.Ratio = figure / l.Limit
	}
	judged := figure
	if r.measured != "" || r.limit != 0 {
		judged = l.Ratio
	}
	switch {
	case r.atLeast != 0:
		l.Want, l.Met = fmt.Sprintf("≥ %g", r.atLeast), new(judged >= r.atLeast)
	case r.atMost != none:
		l.Want, l.Met = fmt.Sprintf("≤ %g", float64(r.atMost)), new(judged <= float64(r.atMost))
	}
	return l, true
}

// growths are the exponents by which figures grow with the size of an account: the slope, by least squares, of their
// logarithms.
func growths(m metrics) []line {
	var out []line
	for _, g := range growing {
		var xs, ys []float64
		for _, size := range g.sizes {
			if v, there := m[fmt.Sprintf(g.bench, size)][g.figure]; there && v > 0 {
				xs, ys = append(xs, math.Log(float64(size))), append(ys, math.Log(v))
			}
		}
		if len(xs) > 1 {
			out = append(out, line{Goal: 9, What: fmt.Sprintf("%s, at %d sizes", g.what, len(xs)), Figure: slope(xs, ys), Unit: "exponent", Is: g.is})
		}
	}
	return out
}

// slope is that of the line through the points that lies closest to them.
func slope(xs, ys []float64) float64 {
	var mx, my, sxy, sxx float64
	for i := range xs {
		mx, my = mx+xs[i]/float64(len(xs)), my+ys[i]/float64(len(ys))
	}
	for i := range xs {
		sxy, sxx = sxy+(xs[i]-mx)*(ys[i]-my), sxx+(xs[i]-mx)*(xs[i]-mx)
	}
	return sxy / sxx
}

func printTable(w io.Writer, r result) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\twhat\tfigure\tlimit, of the same run\tratio\tgoal\t")
	for _, l := range r.Rows {
		fmt.Fprintf(tw, "%d\t%s\t%s %s\t%s\t%s\t%s\t%s\n", l.Goal, l.What, short(l.Figure), l.Unit, l.limit(), l.ratio(), l.Want, l.verdict())
	}
	_ = tw.Flush()
}

func (l line) limit() string {
	if l.Limit == 0 {
		return l.Is
	}
	return strings.TrimSpace(short(l.Limit) + " " + l.Is)
}

func (l line) ratio() string {
	if l.Limit == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f", l.Ratio)
}

func (l line) verdict() string {
	switch {
	case l.Met == nil:
		return ""
	case *l.Met:
		return "met"
	}
	return "NOT MET"
}

// short is a figure with as many digits as say something.
func short(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v), a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// compare prints two results side by side, and how the new one is to the old.
func compare(w io.Writer, old, recent result) error {
	before := map[string]line{}
	for _, l := range old.Rows {
		before[l.What] = l
	}
	fmt.Fprintf(w, "old: %s of %s; new: %s of %s\n", old.Commit, old.At.Format("2006-01-02 15:04"), recent.Commit, recent.At.Format("2006-01-02 15:04"))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\twhat\told\tnew\tnew / old\told ratio\tnew ratio\tgoal\t")
	for _, l := range recent.Rows {
		o, there := before[l.What]
		if !there {
			fmt.Fprintf(tw, "%d\t%s\t–\t%s %s\t\t\t%s\t%s\t%s\n", l.Goal, l.What, short(l.Figure), l.Unit, l.ratio(), l.Want, l.verdict())
			continue
		}
		change := ""
		if o.Figure != 0 {
			change = fmt.Sprintf("%.3f", l.Figure/o.Figure)
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", l.Goal, l.What, short(o.Figure), short(l.Figure), l.Unit, change, o.ratio(), l.ratio(), l.Want, l.verdict())
	}
	return tw.Flush()
}
