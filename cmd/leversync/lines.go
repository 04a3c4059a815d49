package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/leversync/leversync/store/unified"
)

// sayEvery is the time between two lines of progress where there is no terminal.
const sayEvery = 3 * time.Second

// lines shows progress as plain lines: one for each scope that settles, and one every few seconds.
type lines struct {
	w       io.Writer
	style   style
	settled map[unified.Scope]bool
	said    time.Duration
}

func newLines(w io.Writer, s style) *lines {
	return &lines{w: w, style: s, settled: map[unified.Scope]bool{}}
}

func (l *lines) show(p progress) {
	for _, r := range p.rows {
		if r.settled && !l.settled[r.scope] {
			l.settled[r.scope] = true
			fmt.Fprintf(l.w, "%6s  %-20s %s\n", clock(p.elapsed), r.scope, l.style.state(r.state)+tail(r))
		}
	}
	if p.elapsed-l.said >= sayEvery {
		l.said = p.elapsed
		fmt.Fprintf(l.w, "%6s  %s\n", clock(p.elapsed), summary(p))
	}
}

// tail is what there is to say of a settled scope.
func tail(r row) string {
	text := ", " + plural(r.records, "record")
	if r.quarantined > 0 {
		text += fmt.Sprintf(", %s quarantined", number(r.quarantined))
	}
	if r.reason != "" {
		text += ": " + r.reason
	}
	return text
}

// summary is a request's progress in one line.
func summary(p progress) string {
	parts := []string{
		fmt.Sprintf("%d of %d scopes", p.settledRows(), len(p.rows)),
		plural(p.records(), "record"),
		fmt.Sprintf("%s (%.0f/s)", plural(p.calls, "call"), p.rate),
	}
	if p.left > 0 {
		parts = append(parts, plural(p.left, "list")+" left")
	}
	if p.eta > 0 {
		parts = append(parts, "about "+short(p.eta.Round(time.Second))+" to go")
	}
	return strings.Join(parts, " · ")
}

// clock prints a time since the start as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func (l *lines) note(text string) { fmt.Fprintln(l.w, text) }
func (l *lines) close()           {}
