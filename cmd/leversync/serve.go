package main

import (
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

const drainHelp = `
INT or TERM ends it in good order: tasks under way stop at their next page and are taken up again by another
worker, or by this one after its restart. A second signal ends it at once; nothing is lost by that either.`

func (a *app) serveCommand() *cobra.Command {
	var migrate bool
	var addr string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run everything in one process: worker, scheduler, API",
		Long: `Run everything in one process: a worker, a scheduler, and an HTTP server with the dashboard (/), the unified API
(/api, documented at /docs), the pages on which an account is connected (/connect), /healthz (the process lives), /readyz
(it can work: Postgres, Redis, migrations) and /metrics (Prometheus; apart with LEVERSYNC_METRICS_ADDR). Any number may run at once.

The first start makes the operator's password for the dashboard and prints it, unless LEVERSYNC_OPERATOR_PASSWORD gives one.` + "\n" + drainHelp,
		Example: "  leversync serve --migrate\n  LEVERSYNC_PUBLIC_URL=https://sync.example.com leversync serve --addr :8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Schedule, config.Serve)
			if err != nil {
				return err
			}
			if addr != "" {
				cfg.Addr = addr
			}
			return a.runRoles(cmd.Context(), cfg, roles{worker: true, scheduler: true, web: true, addr: cfg.Addr, migrate: migrate})
		},
	}
	c.Flags().BoolVar(&migrate, "migrate", false, "apply pending migrations first, instead of refusing to start")
	c.Flags().StringVar(&addr, "addr", "", "host:port to listen on (default: LEVERSYNC_ADDR)")
	return c
}

func (a *app) apiCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:   "api",
		Short: "Run the API and the pages alone",
		Long: `Run the HTTP server alone: the unified API (/api, /docs), the pages on which an account is connected (/connect),
/healthz, /readyz and /metrics. It syncs nothing: workers and a scheduler must run too. Any number may run at once.`,
		Example: "  leversync api\n  LEVERSYNC_PUBLIC_URL=https://sync.example.com leversync api --addr :8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Serve)
			if err != nil {
				return err
			}
			if addr != "" {
				cfg.Addr = addr
			}
			return a.runRoles(cmd.Context(), cfg, roles{web: true, addr: cfg.Addr})
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "host:port to listen on (default: LEVERSYNC_ADDR)")
	return c
}

func (a *app) workerCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:     "worker",
		Short:   "Run a worker alone",
		Long:    "Run a worker alone: it takes tasks and syncs. Any number may run; a scheduler must run too.\n" + drainHelp,
		Example: "  leversync worker\n  leversync worker --addr :9090",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Database, config.Redis, config.Keys, config.Lever, config.Work)
			if err != nil {
				return err
			}
			return a.runRoles(cmd.Context(), cfg, roles{worker: true, addr: addr})
		},
	}
	addrFlag(c, &addr)
	return c
}

func (a *app) schedulerCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:     "scheduler",
		Short:   "Run a scheduler alone",
		Long:    "Run a scheduler alone: it puts into the queue what is due, or was lost. Any number may run, with no leader.",
		Example: "  leversync scheduler",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Database, config.Redis, config.Schedule)
			if err != nil {
				return err
			}
			return a.runRoles(cmd.Context(), cfg, roles{scheduler: true, addr: addr})
		},
	}
	addrFlag(c, &addr)
	return c
}

func addrFlag(c *cobra.Command, addr *string) {
	c.Flags().StringVar(addr, "addr", "", "host:port for /healthz, /readyz and /metrics (default: LEVERSYNC_METRICS_ADDR, or none)")
}
