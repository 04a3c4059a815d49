package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/store"
)

// callsFlags are what calls is told.
type callsFlags struct {
	scope  string
	status int
	failed bool
	since  string
	limit  int
	follow bool
}

func (a *app) callsCommand() *cobra.Command {
	var f callsFlags
	c := &cobra.Command{
		Use:   "calls [CONNECTOR_ID]",
		Short: "Show the log of calls made to Lever",
		Long: `Show the log of calls made to Lever, oldest first. WAIT is how long a call waited for the account's rate budget,
TOOK how long Lever took. Paths are templates and queries are redacted: no record's data is in the log.`,
		Example: `  leversync calls --follow
  leversync calls 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --failed --since 24h
  leversync calls --scope offers --status 403 --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				c, err := a.connector(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				filter.Connector = c.ID
			}
			if f.follow {
				return a.followCalls(cmd.Context(), s, filter)
			}
			return a.printCalls(cmd.Context(), s, filter)
		}),
	}
	c.Flags().StringVar(&f.scope, "scope", "", "only calls for this scope")
	c.Flags().IntVar(&f.status, "status", 0, "only calls that were answered with this HTTP status")
	c.Flags().BoolVar(&f.failed, "failed", false, "only calls that failed: status 400 and more, or no answer")
	c.Flags().StringVar(&f.since, "since", "", "only calls since then: a duration such as 2h, or a time such as 2026-01-31T09:00:00Z")
	c.Flags().IntVar(&f.limit, "limit", 50, "the latest so many")
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on showing calls as they are made")
	completeScopes(c, "scope")
	return c
}

// filter checks the flags.
func (f callsFlags) filter(now time.Time) (store.CallFilter, error) {
	out := store.CallFilter{Scope: f.scope, Status: f.status, Failed: f.failed, Limit: f.limit}
	if f.scope != "" {
		if _, err := parseScopes("scope", []string{f.scope}); err != nil {
			return out, err
		}
	}
	if f.limit < 1 || f.limit > 100_000 {
		return out, &usageError{errors.New("--limit: from 1 to 100000")}
	}
	if f.since == "" {
		return out, nil
	}
	if d, err := time.ParseDuration(f.since); err == nil && d >= 0 {
		out.Since = now.Add(-d)
		return out, nil
	}
	t, err := time.Parse(time.RFC3339, f.since)
	if err != nil {
		return out, &usageError{fmt.Errorf("--since %q: give a duration such as 2h, or a time such as 2026-01-31T09:00:00Z", f.since)}
	}
	out.Since = t
	return out, nil
}

func (a *app) printCalls(ctx context.Context, s *store.Store, f store.CallFilter) error {
	calls, err := s.Calls(ctx, f)
	if err != nil {
		return err
	}
	slices.Reverse(calls)
	if a.json {
		return a.printJSON(map[string]any{"calls": notNil(calls)})
	}
	if len(calls) == 0 {
		fmt.Fprintln(a.stdout, "No calls.")
		return nil
	}
	a.printCallTable(calls, true)
	return nil
}

// printCallTable prints calls in columns of fixed width where more are to follow.
func (a *app) printCallTable(calls []store.Call, head bool) {
	if head {
		fmt.Fprintln(a.stdout, a.style(a.stdout).dim(callHead))
	}
	st := a.style(a.stdout)
	for _, c := range calls {
		fmt.Fprintln(a.stdout, callLine(c, st))
	}
}

const callFormat = "%-24s  %-20s  %s  %8s  %8s  %7s  %-6s %s"

var callHead = fmt.Sprintf(callFormat, "STARTED", "SCOPE", "STATUS", "WAIT", "TOOK", "RECORDS", "METHOD", "PATH")

func callLine(c store.Call, st style) string {
	status := fmt.Sprintf("%-6s", "none")
	if c.Status != 0 {
		status = fmt.Sprintf("%-6s", strconv.Itoa(c.Status))
	}
	switch {
	case c.Status == 0 || c.Status >= 500:
		status = st.paint("31", status)
	case c.Status >= 400:
		status = st.paint("33", status)
	}
	path := pathOf(c)
	if c.Attempt > 1 {
		path += fmt.Sprintf("  attempt %d", c.Attempt)
	}
	if c.Error != "" {
		path += "  " + c.Error
	}
	return fmt.Sprintf(callFormat, stamp(c.StartedAt), c.Scope, status, millis(c.WaitMS), millis(c.DurationMS), number(int64(c.Records)), c.Method, path)
}

// pathOf is what a call asked for, as the log has it.
func pathOf(c store.Call) string {
	if c.Query == "" {
		return c.Path
	}
	return c.Path + "?" + c.Query
}

// millis is a duration in whole milliseconds; one that is shorter is not nothing.
func millis(ms float64) string {
	if ms > 0 && ms < 1 {
		return "<1ms"
	}
	return fmt.Sprintf("%.0fms", ms)
}

const (
	followEvery = 500 * time.Millisecond
	// late is how long after its start a call may come into the log: it is written with what it brought.
	late = 2 * time.Minute
	// followBatch is the most that one look shows; more a second than any budget allows.
	followBatch = 5000
)

// followCalls shows the latest calls, and then those that come, until the context ends.
func (a *app) followCalls(ctx context.Context, s *store.Store, f store.CallFilter) error {
	shown := map[uuid.UUID]time.Time{}
	head := !a.json
	for {
		calls, err := s.Calls(ctx, f)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !store.Away(err):
			return err
		}
		slices.Reverse(calls)
		if len(calls) == f.Limit { // what is older was not asked for
			f.Since = calls[0].StartedAt
		}
		calls = slices.DeleteFunc(calls, func(c store.Call) bool { _, old := shown[c.ID]; return old })
		for _, c := range calls {
			shown[c.ID] = c.StartedAt
		}
		if a.json {
			for _, c := range calls {
				if err := a.printJSONLine(c); err != nil {
					return err
				}
			}
		} else if len(calls) > 0 || head {
			a.printCallTable(calls, head)
			head = false
		}
		horizon := time.Now().Add(-late)
		for id, at := range shown {
			if at.Before(horizon) {
				delete(shown, id)
			}
		}
		if f.Since.Before(horizon) {
			f.Since = horizon
		}
		f.Limit = followBatch
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}
