package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// retryFlags are what quarantine retry is told.
type retryFlags struct {
	scope, key string
	anyway     bool
}

func (a *app) quarantineRetry() *cobra.Command {
	var f retryFlags
	c := &cobra.Command{
		Use:   "retry CONNECTOR_ID",
		Short: "Try quarantined records again: all of an account, of a scope, or one",
		Long: `Try quarantined records again: all of an account, of a scope, or one. Each is mapped anew by this version's rules first,
from the bytes that were kept and with no call to Lever. What still can't be mapped stays where it is, unless --anyway says
to ask Lever whether it has changed. What can be is read again from Lever by the next sync, which starts at once: a record
that hangs on an opportunity costs a call or two, one of a list the calls of that list. It leaves the quarantine when it is
stored.`,
		Example: `  leversync quarantine retry 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11
  leversync quarantine retry 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --scope offers --anyway`,
		Args: oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			return a.retryQuarantine(cmd.Context(), s, args[0], f)
		}),
	}
	c.Flags().StringVar(&f.scope, "scope", "", "only of this scope")
	c.Flags().StringVar(&f.key, "key", "", "only the record with this key; needs --scope")
	c.Flags().BoolVar(&f.anyway, "anyway", false, "ask Lever for those too that still can't be mapped")
	completeScopes(c, "scope")
	return c
}

func (a *app) retryQuarantine(ctx context.Context, s *store.Store, id string, f retryFlags) error {
	if f.key != "" && f.scope == "" {
		return &usageError{fmt.Errorf("--key needs --scope")}
	}
	sc, err := oneScope(f.scope)
	if err != nil {
		return err
	}
	c, err := a.connector(ctx, s, id)
	if err != nil {
		return err
	}
	if err := syncable(c); err != nil {
		return err
	}
	list, err := s.QuarantineList(ctx, store.QuarantineFilter{Connector: c.ID, Scope: sc, Key: f.key, Limit: retryLimit})
	if err != nil {
		return err
	}
	if f.key != "" && len(list) == 0 {
		return fmt.Errorf("%w: no %s with that key is quarantined: `leversync quarantine list %s` shows those there are", errNotFound, sc, c.ID)
	}
	cfg, err := a.load(config.Redis)
	if err != nil {
		return err
	}
	rdb, err := a.redis(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer rdb.Close()
	done, err := retryQuarantined(ctx, s, task.NewQueue(rdb), c, list, f.anyway)
	if err != nil {
		return err
	}
	return a.printRetried(c, done)
}

// retryLimit is how many records one retry takes, the newest first.
const retryLimit = 10_000

// What became of a record that was tried again.
const (
	retryReread = "read again" // it is asked of Lever by the sync that was started
	retryStill  = "refused"    // it can't be mapped by this version either
	retryOff    = "off"        // its scope is off
	retryGone   = "gone"       // what it hangs on was deleted, and it with that
)

// retried is one of them.
type retried struct {
	Scope   string `json:"scope"`
	Key     string `json:"key"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
}

// retryQuarantined tries records of a connector again, and starts the sync that reads them. anyway: those too that still
// can't be mapped.
func retryQuarantined(ctx context.Context, s *store.Store, q *task.Queue, c store.Connector, list []store.QuarantinedRecord, anyway bool) ([]retried, error) {
	enabled, err := s.EnabledScopes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	out := make([]retried, 0, len(list))
	var scopes []unified.Scope
	for _, rec := range list {
		sc := unified.Scope(rec.Scope)
		r := retried{Scope: rec.Scope, Key: rec.Key, Outcome: retryReread}
		why := worker.Remap(rec)
		switch {
		case !enabled[sc]:
			r.Outcome, r.Reason = retryOff, "the scope is off"
		case why != nil && !anyway:
			r.Outcome, r.Reason = retryStill, why.Error()
		default:
			gone, err := s.PutDownQuarantined(ctx, rec, worker.RereadOf(sc))
			if err != nil {
				return nil, err
			}
			if gone {
				r.Outcome, r.Reason = retryGone, "what it hangs on was deleted"
			} else if !slices.Contains(scopes, sc) {
				scopes = append(scopes, sc)
			}
		}
		out = append(out, r)
	}
	if len(scopes) == 0 {
		return out, nil
	}
	names := make([]string, len(scopes))
	for i, sc := range scopes {
		names[i] = string(sc)
	}
	_, err = ask(ctx, s, q, c, scopes, syncFlags{scopes: names})
	return out, err
}

func (a *app) printRetried(c store.Connector, done []retried) error {
	if a.json {
		return a.printJSON(map[string]any{"connector_id": c.ID, "retried": done})
	}
	if len(done) == 0 {
		fmt.Fprintln(a.stdout, "Nothing is quarantined.")
		return nil
	}
	t := table{head: []string{"SCOPE", "KEY", "OUTCOME", "REASON"}}
	for _, r := range done {
		t.add(r.Scope, r.Key, r.Outcome, r.Reason)
	}
	t.print(a.stdout, a.style(a.stdout))
	if slices.ContainsFunc(done, func(r retried) bool { return r.Outcome == retryReread }) {
		fmt.Fprintf(a.stdout, "\nA sync was started: `leversync quarantine list %s` shows what stays.\n", c.ID)
	}
	return nil
}
