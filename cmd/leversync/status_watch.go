package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// statusEvery is the time between two looks of status --watch.
const statusEvery = 2 * time.Second

// watchStatus prints a status again and again until the context ends: on a terminal in place, elsewhere when it has changed.
// Postgres being away is said, and waited out.
func (a *app) watchStatus(ctx context.Context, show func(context.Context, *app) error) error {
	_, tty := terminal(a.stdout)
	last := ""
	for {
		text, err := a.rendered(ctx, show)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !store.Away(err):
			return err
		case err != nil:
			fmt.Fprintf(a.stderr, "leversync: Postgres can't be reached (%v): trying on\n", cause(err))
		case tty && !a.json:
			fmt.Fprint(a.stdout, "\x1b[H"+strings.ReplaceAll(text, "\n", "\x1b[K\n")+"\x1b[J")
		case text != last:
			fmt.Fprint(a.stdout, text)
			if !a.json {
				fmt.Fprintln(a.stdout)
			}
		}
		if err == nil {
			last = text
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(statusEvery):
		}
	}
}

// rendered is what show prints, coloured as the real output is.
func (a *app) rendered(ctx context.Context, show func(context.Context, *app) error) (string, error) {
	var b bytes.Buffer
	copied := *a
	st := a.style(a.stdout)
	copied.stdout, copied.forced, copied.oneLine = &b, &st, true
	err := show(ctx, &copied)
	return b.String(), err
}

var sparks = []rune(" ▁▂▃▄▅▆▇█")

// sparkline draws counts as high as the highest of them allows; nothing is a blank.
func sparkline(counts []int64) string {
	top := max(slices.Max(counts), 1)
	var b strings.Builder
	for _, n := range counts {
		i := 0
		if n > 0 {
			i = 1 + int(n*int64(len(sparks)-2)/top)
		}
		b.WriteRune(sparks[i])
	}
	return b.String()
}

// paceOf is how a scope's last run went, and how many calls a second it made; "–" where that is not known.
func paceOf(sc store.ScopeStatus, runs map[uuid.UUID]store.Run, now time.Time) (lastRun, rate string) {
	if sc.LastRunID == nil {
		return "–", "–"
	}
	r, known := runs[*sc.LastRunID]
	if !known {
		return "–", "–"
	}
	end := now
	if r.EndedAt != nil {
		end = *r.EndedAt
	}
	rate = "–"
	if took := end.Sub(r.StartedAt).Seconds(); took > 0 {
		rate = fmt.Sprintf("%.1f/s", float64(r.Calls)/took)
	}
	return ago(&r.StartedAt, now), rate
}
