package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database up to this version",
		Long: `Bring the database up to this version: forward only, safe to run at any time and many times at once.
Run it before a new version's serve, worker and scheduler start: they refuse to, while a migration is pending.`,
		Example: "  DATABASE_URL=postgres://… leversync migrate",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Database)
			if err != nil {
				return err
			}
			applied, err := a.migrate(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"applied": applied})
			}
			if len(applied) == 0 {
				fmt.Fprintln(a.stdout, "The database is up to date.")
				return nil
			}
			fmt.Fprintf(a.stdout, "Applied %s.\n", plural(int64(len(applied)), "migration"))
			return nil
		},
	}
}

// migrate returns the versions applied.
func (a *app) migrate(ctx context.Context, cfg config.Config) ([]int64, error) {
	s, err := a.anyStore(ctx, cfg) // for its patience with a Postgres that is away
	if err != nil {
		return nil, err
	}
	s.Close()
	applied, err := store.Migrate(ctx, cfg.DatabaseURL.Reveal())
	if applied == nil {
		applied = []int64{}
	}
	return applied, err
}
