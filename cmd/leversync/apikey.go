package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) apikeyCommand() *cobra.Command {
	return group("apikey", "Manage keys to leversync's own API", "  leversync apikey create --name backend",
		a.apikeyCreate(), a.apikeyList(), a.apikeyRevoke())
}

func (a *app) apikeyCreate() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:     "create --name NAME",
		Short:   "Make a key; it is shown this once",
		Example: "  leversync apikey create --name backend --json | jq -r .api_key",
		Args:    cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			if name = strings.TrimSpace(name); name == "" {
				return &usageError{errors.New("--name is empty: say what the key is for")}
			}
			k, key, err := s.CreateAPIKey(cmd.Context(), name)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Key string `json:"api_key"`
					store.APIKey
				}{key, k})
			}
			fmt.Fprintf(a.stdout, "%s\n", key)
			fmt.Fprintf(a.stderr, "Keep it: it is not shown again. Its id is %s.\n", k.ID)
			return nil
		}),
	}
	c.Flags().StringVar(&name, "name", "", "what the key is for")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) apikeyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List keys; none is shown itself",
		Example: "  leversync apikey list",
		Args:    cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			keys, err := s.APIKeys(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"api_keys": notNil(keys)})
			}
			if len(keys) == 0 {
				fmt.Fprintln(a.stdout, "There are no keys: `leversync apikey create --name NAME` makes one.")
				return nil
			}
			t := table{head: []string{"ID", "NAME", "CREATED", "LAST USED", "REVOKED"}}
			now := time.Now()
			for _, k := range keys {
				revoked := "no"
				if k.RevokedAt != nil {
					revoked = ago(k.RevokedAt, now)
				}
				t.add(k.ID.String(), k.Name, ago(&k.CreatedAt, now), ago(k.LastUsedAt, now), revoked)
			}
			t.print(a.stdout, a.style(a.stdout))
			return nil
		}),
	}
}

func (a *app) apikeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key",
		Example: "  leversync apikey revoke 7d9a1f0e-5b0c-4c1e-9a55-0f3c6f1c2b11",
		Args:    cobra.ExactArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return &usageError{fmt.Errorf("%q is no id of a key: `leversync apikey list` shows them", args[0])}
			}
			if err := s.RevokeAPIKey(cmd.Context(), id); errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%w: there is no key %s: `leversync apikey list` shows those there are", errNotFound, id)
			} else if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"id": id, "revoked": true})
			}
			fmt.Fprintln(a.stdout, "Revoked.")
			return nil
		}),
	}
}

// withStore runs a command that needs the database alone, and the parts of the configuration named beside it.
func (a *app) withStore(f func(cmd *cobra.Command, s *store.Store, args []string) error, needs ...config.Need) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(append(needs, config.Database)...)
		if err != nil {
			return err
		}
		s, err := a.store(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer s.Close()
		return f(cmd, s, args)
	}
}

// notNil makes an empty list print as [], not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
