package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/leversync/leversync/store"
)

// printJSON prints one document, for people as for programs.
func (a *app) printJSON(v any) error {
	if a.oneLine {
		return a.printJSONLine(v)
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printJSONLine prints one document on one line.
func (a *app) printJSONLine(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// terminal reports whether w is one, and how wide; 0 columns: it does not say.
func terminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, true
	}
	return columns, true
}

// style is how texts are coloured: not at all, unless it is a terminal that wants it.
type style bool

func (a *app) style(w io.Writer) style {
	if a.forced != nil {
		return *a.forced
	}
	_, tty := terminal(w)
	return style(tty && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb")
}

func (s style) paint(code, text string) string {
	if !s || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string { return s.paint("1", text) }
func (s style) dim(text string) string  { return s.paint("2", text) }

// state colours a word that says how something stands.
func (s style) state(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch word {
	case "ok", "done", "COMPLETE", store.SyncSynced:
		return s.paint("32", text)
	case "failed", "fail", "RELINK_NEEDED", store.SyncRelink:
		return s.paint("31", text)
	case "forbidden", "paused", "warn", "INCOMPLETE", store.SyncPartial, store.SyncNotLinked:
		return s.paint("33", text)
	case "syncing", "running":
		return s.paint("36", text)
	}
	return text
}

// table prints columns of texts, aligned; numbers to the right.
type table struct {
	head  []string
	right map[int]bool
	rows  [][]string
	tint  map[int]func(string) string // by column: how a padded cell is coloured
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(printable(c), "\n", " ")
	}
	t.rows = append(t.rows, cells)
}

// printable is a text without what would move a terminal's cursor, or colour what follows: names and ids are others'.
// Line feeds stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (t *table) print(w io.Writer, s style) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	line := func(row []string, tint func(i int, padded string) string) {
		var b strings.Builder
		for i, c := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			switch {
			case t.right[i]:
				c = pad + c
			case i < len(row)-1:
				c += pad
			}
			b.WriteString(tint(i, c))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(t.head, func(_ int, c string) string { return s.dim(c) })
	for _, row := range t.rows {
		line(row, func(i int, c string) string {
			if f := t.tint[i]; f != nil {
				return f(c)
			}
			return c
		})
	}
}

// number prints 12345 as 12,345.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural prints 1 record, 12,345 records.
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// short prints a duration in at most two units: 850ms, 12s, 3m20s, 5h10m, 4d3h.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + short(-d)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(math.Round(d.Seconds())))
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// ago prints how long ago a moment was, or in how long it will be; "never" for none.
func ago(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "never"
	case t.After(now):
		return "in " + short(t.Sub(now))
	}
	return short(now.Sub(*t)) + " ago"
}

// stamp prints a moment as all our logs do: UTC, ISO 8601.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// clip cuts a text to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
