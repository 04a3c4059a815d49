package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) apikeyCommand() *cobra.Command {
	return group("apikey", "Manage keys to leversync's own API", "  leversync apikey create --name backend",
		a.apikeyCreate(), a.apikeyList(), a.apikeyRegenerate(), a.apikeyRevoke())
}

func (a *app) apikeyCreate() *cobra.Command {
	var name string
	var scopes []string
	c := &cobra.Command{
		Use:   "create --name NAME",
		Short: "Make a key; it is shown this once",
		Long: `Make a key; it is shown this once. What it may do: read the records and the sync's status; write, which is to create
candidates, to link accounts and to start syncs; admin, which is to delete connectors, to change their scopes and tokens,
and to manage keys. None contains another.`,
		Example: `  leversync apikey create --name backend --json | jq -r .api_key
  leversync apikey create --name reports --scopes read`,
		Args: cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			if name = strings.TrimSpace(name); name == "" {
				return &usageError{errors.New("--name is empty: say what the key is for")}
			}
			for _, sc := range scopes {
				if !slices.Contains(store.KeyScopes, sc) {
					return &usageError{fmt.Errorf("--scopes: %q is none of %s", sc, strings.Join(store.KeyScopes, ", "))}
				}
			}
			k, key, err := s.CreateAPIKey(cmd.Context(), name, scopes...)
			if err != nil {
				return err
			}
			return a.printKey(k, key)
		}),
	}
	c.Flags().StringVar(&name, "name", "", "what the key is for")
	c.Flags().StringSliceVar(&scopes, "scopes", store.KeyScopes, "what the key may do")
	_ = c.MarkFlagRequired("name")
	_ = c.RegisterFlagCompletionFunc("scopes", cobra.FixedCompletions(store.KeyScopes, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// printKey shows a key, this once.
func (a *app) printKey(k store.APIKey, key string) error {
	if a.json {
		return a.printJSON(struct {
			Key string `json:"api_key"`
			store.APIKey
		}{key, k})
	}
	fmt.Fprintf(a.stdout, "%s\n", key)
	fmt.Fprintf(a.stderr, "Keep it: it is not shown again. Its id is %s.\n", k.ID)
	return nil
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
			t := table{head: []string{"ID", "NAME", "MAY", "CREATED", "LAST USED", "REVOKED"}}
			now := time.Now()
			for _, k := range keys {
				revoked := "no"
				if k.RevokedAt != nil {
					revoked = ago(k.RevokedAt, now)
				}
				t.add(k.ID.String(), k.Name, strings.Join(k.Scopes, ","), ago(&k.CreatedAt, now), ago(k.LastUsedAt, now), revoked)
			}
			t.print(a.stdout, a.style(a.stdout))
			return nil
		}),
	}
}

func (a *app) apikeyRegenerate() *cobra.Command {
	return &cobra.Command{
		Use:     "regenerate ID",
		Short:   "Give a key another secret, shown this once; the old one stops at once",
		Example: "  leversync apikey regenerate 7d9a1f0e-5b0c-4c1e-9a55-0f3c6f1c2b11 --json | jq -r .api_key",
		Args:    cobra.ExactArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			k, key, err := s.RegenerateAPIKey(cmd.Context(), id)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%w: there is no key %s, or it is revoked: `leversync apikey list` shows those there are", errNotFound, id)
			} else if err != nil {
				return err
			}
			return a.printKey(k, key)
		}),
	}
}

// keyID reads an argument that names a key.
func keyID(arg string) (uuid.UUID, error) {
	id, err := uuid.Parse(arg)
	if err != nil {
		return id, &usageError{fmt.Errorf("%q is no id of a key: `leversync apikey list` shows them", arg)}
	}
	return id, nil
}

func (a *app) apikeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key",
		Example: "  leversync apikey revoke 7d9a1f0e-5b0c-4c1e-9a55-0f3c6f1c2b11",
		Args:    cobra.ExactArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
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
