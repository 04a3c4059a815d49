package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

var funcs = template.FuncMap{
	"asset": asset, "number": number, "plural": plural, "ago": ago, "until": until, "lag": lag, "stamp": stamp, "iso": iso,
	"took": took, "waited": waited, "millis": millis, "breaks": breaks, "size": size, "scopeName": scopeName, "spark": newSpark, "syncWord": syncWord, "short": shortID, "deref": deref,
	"join": strings.Join, "callWord": callWord, "callPath": callPath, "rejectedPath": rejectedPath, "runWord": runWord, "over": func(r store.Run) bool { return overBound(&r) },
	"wide": func(n int) int64 { return int64(n) },
	"runs": func(list []store.Run, now time.Time) runTable { return runTable{list, now} },
}

// runTable is what the table of runs is drawn from.
type runTable struct {
	Runs []store.Run
	Now  time.Time
}

// number is 1234567 as 1,234,567.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is 1 record, 12,345 records.
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// about is a duration in its largest unit, for people: 40 s, 3 min, 5 h, 4 days.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// ago says how long a moment is past; "–": it never was.
func ago(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "–"
	}
	if d := now.Sub(*t); d >= 5*time.Second {
		return about(d) + " ago"
	}
	return "just now"
}

// until says how long it is to a moment.
func until(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "–"
	}
	if d := t.Sub(now); d >= 5*time.Second {
		return "in " + about(d)
	}
	return "now"
}

// lag is how old what is here may be.
func lag(synced *time.Time, now time.Time) string {
	if synced == nil {
		return "–"
	}
	return about(max(0, now.Sub(*synced)))
}

func deref(t time.Time) *time.Time { return &t }

// stamp is a moment for people, in UTC: the server does not know where the browser is.
func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05") + " UTC"
}

func iso(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// took is how long something took, or takes by now.
func took(since time.Time, end *time.Time, now time.Time) string {
	if end == nil {
		end = &now
	}
	return span(max(0, end.Sub(since)))
}

// waited is how long was waited, in milliseconds.
func waited(ms int64) string { return span(time.Duration(ms) * time.Millisecond) }

// span is a duration for people: 250 ms, 4.1 s, 12 s, 3 min 20 s, 5 h 10 min.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return millis(float64(d.Microseconds()) / 1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// millis is a duration in whole milliseconds; one that is shorter is not nothing.
func millis(ms float64) string {
	if ms > 0 && ms < 1 {
		return "<1 ms"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// breaks is a path that a narrow page breaks before its slashes and ampersands, and not within a word.
func breaks(path string) template.HTML {
	return template.HTML(strings.NewReplacer("/", "<wbr>/", "&amp;", "<wbr>&amp;").Replace(template.HTMLEscapeString(path)))
}

func shortID(id uuid.UUID) string { return id.String()[:8] }
