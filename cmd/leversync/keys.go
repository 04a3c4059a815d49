package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) keysCommand() *cobra.Command {
	return group("keys", "Manage the keys that seal credentials", "  leversync keys list\n  leversync keys rotate",
		a.keysList(), a.keysRotate())
}

func (a *app) keysList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show how much each key of LEVERSYNC_ENCRYPTION_KEY has sealed",
		Long: `Show how much each key of LEVERSYNC_ENCRYPTION_KEY has sealed. KEY is a key's id, made of the key and telling
nothing of it. A key that has sealed nothing any more can be taken out of the list.`,
		Example: "  leversync keys list",
		Args:    cobra.NoArgs,
		RunE: a.withKeys(func(cmd *cobra.Command, s *store.Store, ids []string) error {
			sealed, err := s.Sealed(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"keys": ids, "sealed": notNil(sealed)})
			}
			st := a.style(a.stdout)
			t := table{head: []string{"KEY", "USE", "HAS SEALED", "OF"}, right: map[int]bool{2: true}}
			for i, id := range ids {
				found := false
				for _, c := range sealed {
					if c.Key == id {
						found = true
						t.add(id, keyUse(i+1), number(c.Values), c.What+"s")
					}
				}
				if !found {
					t.add(id, keyUse(i+1), "0", "")
				}
			}
			for _, c := range sealed {
				if c.Position == 0 {
					t.add(c.Key, keyUse(0), number(c.Values), c.What+"s")
				}
			}
			t.print(a.stdout, st)
			return nil
		}),
	}
}

func keyUse(position int) string {
	switch position {
	case 0:
		return "missing: nothing of it opens"
	case 1:
		return "seals and opens"
	}
	return "opens"
}

func (a *app) keysRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything with the first key that another has sealed",
		Long: `Seal everything with the first key of LEVERSYNC_ENCRYPTION_KEY that another has sealed. Syncs go on meanwhile, and
tokens that are renewed at the same time are not lost. To change keys without a pause:
  1. add the new key behind the old one (LEVERSYNC_ENCRYPTION_KEY=OLD,NEW), and restart all processes: all can open both;
  2. put the new one first (NEW,OLD), and restart all processes: all seal with the new one;
  3. leversync keys rotate; then leversync keys list shows nothing under the old key;
  4. take the old key out (NEW), and restart all processes. Keep the old key as long as you keep backups from before.
Broken off and run again, it goes on with what is left.`,
		Example: "  leversync keys rotate",
		Args:    cobra.NoArgs,
		RunE: a.withKeys(func(cmd *cobra.Command, s *store.Store, ids []string) error {
			r, err := s.Reseal(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.printRotation(r); err != nil {
				return err
			}
			if n := len(r.Unopened); n > 0 {
				return fmt.Errorf("%s could not be opened: `leversync keys list` shows which key they need; what is damaged must be linked again", plural(int64(n), "value"))
			}
			return nil
		}),
	}
}

func (a *app) printRotation(r store.Rotation) error {
	if a.json {
		return a.printJSON(r)
	}
	var n int64
	for _, what := range slices.Sorted(maps.Keys(r.Resealed)) {
		if k := r.Resealed[what]; k > 0 {
			n += k
			fmt.Fprintf(a.stdout, "Sealed %s with key %s.\n", plural(k, what), r.Key)
		}
	}
	if n == 0 && len(r.Unopened) == 0 {
		fmt.Fprintf(a.stdout, "Everything is sealed with key %s already.\n", r.Key)
	}
	for _, u := range r.Unopened {
		fmt.Fprintf(a.stdout, "Left as it was: the %s of %s: %s\n", u.What, u.ID, u.Reason)
	}
	return nil
}

// withKeys is withStore for commands that work on the keyring.
func (a *app) withKeys(f func(cmd *cobra.Command, s *store.Store, ids []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(config.Keys)
		if err != nil {
			return err
		}
		ids := cfg.Keyring.KeyIDs()
		if len(ids) == 0 {
			return errors.New("LEVERSYNC_ENCRYPTION_KEY holds no key")
		}
		return a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error { return f(cmd, s, ids) }, config.Keys)(cmd, args)
	}
}
