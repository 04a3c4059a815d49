package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) connectorRelink() *cobra.Command {
	var keyFile string
	c := &cobra.Command{
		Use:   "relink CONNECTOR_ID [--lever-api-key-file PATH]",
		Short: "Give an account a new API key, or make a link to link it again",
		Long: `Give an account a new API key: after Lever refused the old one (status RELINK_NEEDED), or before it is revoked.
Without a key, it prints a magic link for the account's administrator. Records, their ids and the connector's token
stay; all that is on falls due at once.`,
		Example: "  leversync connector relink 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --lever-api-key-file key.txt",
		Args:    oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if keyFile == "" {
				link, err := a.magicLink(cmd, s, c.ID, store.LinkFor)
				if err != nil {
					return err
				}
				if a.json {
					v := viewOf(c)
					v.MagicLink = link
					return a.printJSON(v)
				}
				fmt.Fprintf(a.stdout, "link  %s\n\nSend it to %s's Lever administrator. It works once.\n", link, c.OrgName)
				return nil
			}
			key, err := a.readKey(keyFile)
			if err != nil {
				return err
			}
			if c, err = s.Link(cmd.Context(), c.ID, store.Credential{Kind: "api_key", Secret: key}); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(viewOf(c))
			}
			fmt.Fprintf(a.stdout, "%s is linked again, and syncs now.\n", c.OrgName)
			return nil
		}, config.Keys, config.Serve),
	}
	c.Flags().StringVar(&keyFile, "lever-api-key-file", "", `file that holds the key; "-" is standard input`)
	_ = c.MarkFlagFilename("lever-api-key-file")
	return c
}
