package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

func (a *app) operatorCommand() *cobra.Command {
	return group("operator", "Manage access to the dashboard", "  leversync operator password", a.operatorPassword())
}

func (a *app) operatorPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "password",
		Short: "Make a new password for the dashboard, and sign everybody out",
		Long: `Make a new password for the dashboard and print it, this once. Everybody who is signed in by the old one is signed out.
Where LEVERSYNC_OPERATOR_PASSWORD is set, change it there instead: it is what holds from the next start on.`,
		Example: "  leversync operator password",
		Args:    cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			password := dashboard.NewPassword()
			if err := s.SetOperatorPassword(cmd.Context(), dashboard.HashPassword(password)); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"password": password})
			}
			fmt.Fprintln(a.stdout, password)
			fmt.Fprintln(a.stderr, "Keep it: it is not shown again. Everybody was signed out.")
			return nil
		}, config.Serve),
	}
}

// printPassword shows a password that the first start has made. It is no log line: logs are kept, and sent elsewhere.
func (a *app) printPassword(url, password string) {
	fmt.Fprintf(a.stdout, "The dashboard is at %s/\nThe dashboard's password: %s\nIt is shown this once; `leversync operator password` makes another.\n", url, password)
}

// ensureOperator makes sure that the dashboard has a password, where it is served.
func (p *process) ensureOperator(ctx context.Context) error {
	if !p.roles.web {
		return nil
	}
	made, err := dashboard.EnsurePassword(ctx, p.store, p.cfg.OperatorPassword.Reveal())
	if err != nil {
		return fmt.Errorf("operator's password: %w", err)
	}
	if made != "" && p.password != nil {
		p.password(publicURL(p.cfg), made)
	}
	return nil
}

// dashboard makes the operator's pages.
func (p *process) dashboard() (*dashboard.Handler, error) {
	q := task.NewQueue(p.redis)
	return dashboard.New(dashboard.Config{
		Store: p.store, Log: p.log, PublicURL: publicURL(p.cfg), Version: strings.TrimPrefix(readBuild().Version, "v"),
		SyncInterval: p.cfg.SyncInterval, RateLimit: p.cfg.RateLimit,
		Depth: q.Depth, Monitor: newMonitor(p.redis, p.log),
		Webhooks: &dashboard.Webhooks{
			URL:      func(secret string) string { return connect.WebhookURL(publicURL(p.cfg), secret) },
			Register: p.hook, Unregister: p.unhook,
		},
		Retry: func(ctx context.Context, c store.Connector, records []store.QuarantinedRecord, anyway bool) (int, error) {
			return p.retryRecords(ctx, q, c, records, anyway)
		},
		Sync: func(ctx context.Context, c store.Connector, scopes []unified.Scope, full bool) error {
			return p.askFor(ctx, q, c, scopes, full)
		},
	})
}

// enqueueWait bounds how long a page waits for Redis: Postgres knows what is wanted, and the scheduler finds it.
const enqueueWait = 3 * time.Second

// askFor asks for a sync, as the command sync does. Scopes are all that are on, or one.
func (p *process) askFor(ctx context.Context, q *task.Queue, c store.Connector, scopes []unified.Scope, full bool) error {
	f := syncFlags{full: full}
	if len(scopes) == 1 {
		f.scopes = []string{string(scopes[0])}
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueWait)
	defer cancel()
	r, err := ask(ctx, p.store, q, c, scopes, f)
	if err != nil && !r.due.IsZero() {
		p.log.WarnContext(ctx, "sync not queued: the scheduler will", "connector_id", c.ID, "error", err)
		return nil
	}
	return err
}

// retryRecords tries records of the quarantine again, and counts those that a sync reads again.
func (p *process) retryRecords(ctx context.Context, q *task.Queue, c store.Connector, records []store.QuarantinedRecord, anyway bool) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, enqueueWait)
	defer cancel()
	done, err := retryQuarantined(ctx, p.store, q, c, records, anyway)
	n := 0
	for _, r := range done {
		if r.Outcome == retryReread {
			n++
		}
	}
	return n, err
}
