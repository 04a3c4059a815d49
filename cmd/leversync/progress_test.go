package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func at(seconds int) *time.Time {
	t := noon.Add(time.Duration(seconds) * time.Second)
	return &t
}

func TestSettled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state             string
		requested, synced *time.Time
		want              bool
	}{
		{"pending", at(0), nil, false},
		{"pending", nil, nil, false}, // just made: nobody has claimed it
		{"syncing", at(0), nil, false},
		{"ok", at(0), at(-60), false},  // asked for, not begun
		{"ok", nil, at(-60), true},     // an earlier traversal served it
		{"ok", nil, at(1), true},       //
		{"ok", at(30), at(1), true},    // somebody has asked again since
		{"ok", at(0), at(0), true},     //
		{"failed", at(0), nil, false},  // it will be tried again
		{"failed", nil, at(-60), true}, // given up until it falls due
		{"forbidden", at(0), nil, false},
		{"forbidden", nil, nil, true},
	}
	for _, tt := range tests {
		s := store.ScopeStatus{State: tt.state, RequestedAt: tt.requested, SyncedAt: tt.synced}
		if got := settled(s, noon); got != tt.want {
			t.Errorf("settled(%s, requested %v, synced %v) = %t, want %t", tt.state, tt.requested, tt.synced, got, tt.want)
		}
	}
}

func TestProgressOf(t *testing.T) {
	t.Parallel()
	r := request{scopes: []unified.Scope{unified.Candidates, unified.Offers, unified.Tags}, due: noon}
	snap := func(seconds int, calls, left int64) snapshot {
		return snapshot{
			at: *at(seconds), connector: store.Connector{Status: "COMPLETE"},
			scopes: []store.ScopeStatus{
				{Scope: "candidates", State: "ok", SyncedAt: at(1), Records: 90},
				{Scope: "jobs", State: "pending"},
				{Scope: "offers", State: "syncing", RequestedAt: at(0), Records: 3},
				{Scope: "tags", State: "ok", RequestedAt: at(0)},
			},
			runs: []store.Run{ // newest first
				{Stream: "opportunity-children", State: "running", StartedAt: *at(2), Scopes: []string{"offers"}, Calls: calls, Bound: calls},
				{Stream: "opportunities", State: "done", StartedAt: *at(1), Scopes: []string{"candidates"}, Calls: 1, Bound: 1},
				{Stream: "opportunities", State: "done", StartedAt: *at(-99), Scopes: []string{"candidates"}, Calls: 77, Bound: 77},
			},
			left: map[unified.Scope]int64{unified.Applications: left, unified.Jobs: 5},
		}
	}
	var m meter
	progressOf(snap(3, 9, 91), r, &m, noon)
	p := progressOf(snap(5, 29, 71), r, &m, noon)
	if p.calls != 30 || p.bound != 30 || p.left != 71 || p.rate != 10 || p.eta.Round(100*time.Millisecond) != 7100*time.Millisecond || len(p.runs) != 2 {
		t.Errorf("progressOf = calls %d, bound %d, left %d, rate %v, eta %v, %d runs; want 30, 30, 71, 10, 7.1s, 2", p.calls, p.bound, p.left, p.rate, p.eta, len(p.runs))
	}
	want := []row{
		{scope: "candidates", state: "ok", settled: true, records: 90},
		{scope: "offers", state: "syncing", records: 3, done: 29, total: 100},
		{scope: "tags", state: "waiting"},
	}
	if len(p.rows) != len(want) {
		t.Fatalf("progressOf has rows %+v, want those of the 3 scopes asked for", p.rows)
	}
	for i, got := range p.rows {
		if got.run = nil; got != want[i] {
			t.Errorf("row %d = %+v, want %+v", i, got, want[i])
		}
	}
	if p.over() {
		t.Error("over() with two scopes to go")
	}
	if got := summary(p); got != "1 of 3 scopes · 93 records · 30 calls (10/s) · 71 lists left · about 7s to go" {
		t.Errorf("summary = %q", got)
	}
	p.connector.Status = "RELINK_NEEDED"
	if !p.over() {
		t.Error("over() = false with a connector that needs to be relinked")
	}
}

func TestMeterLooksBackAFewSeconds(t *testing.T) {
	t.Parallel()
	var m meter
	if got := m.rate(noon, 5); got != 0 {
		t.Errorf("rate after one sample = %v, want 0", got)
	}
	for s := 1; s <= 60; s++ { // 10 a second, then 100
		calls := 10 * s
		if s > 30 {
			calls = 300 + 100*(s-30)
		}
		m.rate(*at(s), int64(calls))
	}
	if got := m.rate(*at(61), 300+100*31); got != 100 {
		t.Errorf("rate = %v, want 100", got)
	}
	if len(m.samples) > 5 {
		t.Errorf("the meter keeps %d samples, want a few", len(m.samples))
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	l := newLines(&buf, false)
	p := progress{rows: []row{{scope: "tags", state: "waiting"}, {scope: "jobs", state: "syncing"}}, elapsed: time.Second}
	l.show(p)
	if buf.Len() != 0 {
		t.Errorf("lines after a second: %q, want none", buf.String())
	}
	p.rows[0] = row{scope: "tags", state: "forbidden", settled: true, reason: "no permission"}
	p.elapsed = 65 * time.Second
	l.show(p)
	l.show(p)
	want := "  1:05  tags                 forbidden, 0 records: no permission\n  1:05  1 of 2 scopes · 0 records · 0 calls (0/s)\n"
	if got := buf.String(); got != want {
		t.Errorf("lines =\n%s\nwant\n%s", got, want)
	}
}

func TestBarsShowWhatIsKnown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		row  row
		want string
	}{
		{row{state: "waiting"}, "         0"},
		{row{state: "syncing", records: 1234, done: 50, total: 200}, "     1,234   25 %"},
		{row{state: "failed", settled: true, records: 1, reason: "gone"}, "         1  gone"},
	}
	for _, tt := range tests {
		if got := scopeTail(tt.row); got != tt.want {
			t.Errorf("scopeTail(%+v) = %q, want %q", tt.row, got, tt.want)
		}
	}
	// Where there is no terminal the bars draw nothing, but they must end.
	b := newBars(&bytes.Buffer{}, false)
	p := progress{rows: []row{{scope: "tags", state: "ok", settled: true}, {scope: "offers", state: "syncing", done: 3, total: 7}, {scope: "jobs", state: "waiting"}}}
	b.show(p)
	b.note("a note")
	if got := b.line(); !strings.HasSuffix(got, "a note") {
		t.Errorf("line = %q, want the note at its end", got)
	}
	b.show(p)
	b.close()
}

func TestOutputWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 850 * time.Millisecond: "850ms", 12 * time.Second: "12s", 200 * time.Second: "3m20s", 5*time.Hour + 9*time.Minute: "5h09m", 75 * time.Hour: "3d03h", -time.Minute: "-1m00s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	if got := []string{ago(nil, noon), ago(at(-5), noon), ago(at(90), noon), plural(1, "call"), plural(0, "call"), clip("abcdef", 4), clip("äöü", 3)}; strings.Join(got, "|") != "never|5s ago|in 1m30s|1 call|0 calls|abc…|äöü" {
		t.Errorf("words = %q", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tab := table{head: []string{"NAME", "N", "WHY"}, right: map[int]bool{1: true}, tint: map[int]func(string) string{0: style(true).state}}
	tab.add("ok", "1,000", "")
	tab.add("Zoë", "7", "because")
	var plain, coloured bytes.Buffer
	tab.print(&coloured, true)
	tab.tint = nil
	tab.print(&plain, false)
	want := "NAME      N  WHY\nok    1,000\nZoë       7  because\n"
	if plain.String() != want {
		t.Errorf("table =\n%s\nwant\n%s", plain.String(), want)
	}
	if got := coloured.String(); !strings.Contains(got, "\x1b[32mok  \x1b[0m  1,000") {
		t.Errorf("coloured table = %q; want the padded cell coloured, and the columns where they were", got)
	}
}
