package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) connectorToken() *cobra.Command {
	return &cobra.Command{
		Use:   "token CONNECTOR_ID",
		Short: "Give an account another connector token; the old one stops at once",
		Long: `Give an account another connector token, and print it. The old one stops at once: whoever reads through it needs the new
one, which GET /api/ats/v1/connectors shows too.`,
		Example: "  leversync connector token 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11",
		Args:    oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			token, err := s.RegenerateConnectorToken(cmd.Context(), c.ID)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"connector_id": c.ID, "connector_token": token})
			}
			fmt.Fprintln(a.stdout, token)
			return nil
		}, config.Keys),
	}
}
