package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// syncFlags are what sync is told.
type syncFlags struct {
	scopes          []string
	full, deletions bool
	wait            bool
	timeout         time.Duration
}

func (a *app) syncCommand() *cobra.Command {
	var f syncFlags
	c := &cobra.Command{
		Use:   "sync CONNECTOR_ID",
		Short: "Bring an account up to date now",
		Long: `Bring an account up to date now, instead of when it falls due. The work is done by a worker; with --wait
this command shows how far it is and returns when every scope asked for is up to date, refused or given up.

The asynq CLI does the same:
  asynq task enqueue --queue sync -t lever:sync -l '{"connector_id":"…","scope":"candidates"}'`,
		Example: `  leversync sync 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --wait
  leversync sync 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --scope candidates --scope offers
  leversync sync 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --full --wait --json`,
		Args: oneConnector,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.sync(cmd.Context(), args[0], f)
		},
	}
	c.Flags().StringSliceVar(&f.scopes, "scope", nil, "only this scope; may be repeated (default: all that are on)")
	c.Flags().BoolVar(&f.full, "full", false, "read everything again, whether it seems to have changed or not")
	c.Flags().BoolVar(&f.deletions, "accept-deletions", false, "let this sync delete more than the brake allows (a fifth of a scope); implies --full")
	c.Flags().BoolVar(&f.wait, "wait", false, "show progress, and return when it is done")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "how long to wait at most (default: as long as it takes)")
	completeScopes(c, "scope")
	return c
}

func (a *app) sync(ctx context.Context, id string, f syncFlags) error {
	cfg, err := a.load(config.Database, config.Redis)
	if err != nil {
		return err
	}
	scopes, err := parseScopes("scope", f.scopes)
	if err != nil {
		return err
	}
	if _, err := connectorID(id); err != nil {
		return err
	}
	s, err := a.store(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := a.connector(ctx, s, id)
	if err != nil {
		return err
	}
	if err := syncable(c); err != nil {
		return err
	}
	enabled, err := s.EnabledScopes(ctx, c.ID)
	if err != nil {
		return err
	}
	if scopes, err = asked(c, scopes, enabled); err != nil {
		return err
	}
	rdb, err := a.redis(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer rdb.Close()
	r, err := ask(ctx, s, task.NewQueue(rdb), c, scopes, f)
	if err != nil {
		return err
	}
	if f.wait {
		return a.waitFor(ctx, s, c, r, f)
	}
	return a.printAsked(c, r, f)
}

// syncable says why an account can't sync now; nil: it can.
func syncable(c store.Connector) error {
	switch {
	case c.Status == "RELINK_NEEDED":
		return relinkError(c)
	case c.Status != "COMPLETE":
		return fmt.Errorf("%s is not linked yet: `leversync connector relink %s` gives it a key", c.OrgName, c.ID)
	case c.Paused:
		return fmt.Errorf("%s is paused: `leversync connector resume %s` lets it go on", c.OrgName, c.ID)
	}
	return nil
}

func relinkError(c store.Connector) error {
	return &unsyncedError{fmt.Sprintf("%s: %s: `leversync connector relink %s` gives it a new key", c.OrgName, strings.TrimSuffix(c.StatusReason, "."), c.ID)}
}

// asked are the scopes that a request is for: those named, or all that are on.
func asked(c store.Connector, named []unified.Scope, enabled map[unified.Scope]bool) ([]unified.Scope, error) {
	for _, sc := range named {
		if !enabled[sc] {
			return nil, &usageError{fmt.Errorf("scope %s is off: `leversync connector scopes %s --enable %s` turns it on", sc, c.ID, sc)}
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	var all []unified.Scope
	for _, sc := range unified.Scopes {
		if enabled[sc] {
			all = append(all, sc)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("all scopes of %s are off: `leversync connector scopes %s --enable …` turns some on", c.OrgName, c.ID)
	}
	return all, nil
}

// ask notes in Postgres what is wanted, and puts the tasks into the queue: should those be lost, the reconciler
// finds the note. Where it is noted, the request is returned with the error of the queue.
func ask(ctx context.Context, s *store.Store, q *task.Queue, c store.Connector, scopes []unified.Scope, f syncFlags) (request, error) {
	if f.full || f.deletions {
		if err := s.RequestFull(ctx, c.ID, worker.StreamsOf(scopes), f.deletions); err != nil {
			return request{}, err
		}
	}
	due, err := s.Request(ctx, c.ID, scopes, time.Time{})
	if err != nil {
		return request{}, err
	}
	names := []string{""} // one task for all that are on
	if len(f.scopes) > 0 {
		names = nil
		for _, sc := range scopes {
			names = append(names, string(sc))
		}
	}
	for _, name := range names {
		if err := q.Enqueue(ctx, task.Sync{ConnectorID: c.ID, Scope: name, DueAt: &due}, task.Options{}); err != nil {
			return request{scopes: scopes, due: due}, err
		}
	}
	return request{scopes: scopes, due: due}, nil
}

func (a *app) printAsked(c store.Connector, r request, f syncFlags) error {
	if a.json {
		return a.printJSON(map[string]any{"connector_id": c.ID, "requested_at": r.due, "scopes": r.scopes, "full": f.full || f.deletions})
	}
	fmt.Fprintf(a.stdout, "Asked for %s of %s. `leversync status %s` shows how they stand.\n", plural(int64(len(r.scopes)), "scope"), c.OrgName, c.ID)
	return nil
}

// waitFor waits for a request to be settled, and prints how it ended.
func (a *app) waitFor(ctx context.Context, s *store.Store, c store.Connector, r request, f syncFlags) error {
	wctx := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		wctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	d := a.display()
	p, err := watch(wctx, s, c.ID, r, d)
	d.close()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no longer waiting: the sync goes on, and `leversync status %s` shows it", c.ID)
	case errors.Is(err, context.DeadlineExceeded) && wctx.Err() != nil:
		return fmt.Errorf("not done within %s: the sync goes on, and `leversync status %s` shows it", f.timeout, c.ID)
	case err != nil:
		return err
	}
	res := resultOf(p)
	if a.json {
		err = a.printJSON(res)
	} else {
		res.print(a.stdout, a.style(a.stdout))
	}
	return errors.Join(err, verdict(p))
}

// barColumns is how wide a terminal must be for a bar between its scope and its numbers.
const barColumns = 70

// display is bars on a terminal, plain lines elsewhere, and nothing where JSON is wanted.
func (a *app) display() display {
	if a.json {
		return silence{}
	}
	if columns, tty := terminal(a.stdout); tty && columns >= barColumns && a.getenv("TERM") != "dumb" {
		return newBars(a.stdout, a.style(a.stdout))
	}
	return newLines(a.stdout, a.style(a.stdout))
}
