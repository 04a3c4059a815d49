package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

func (a *app) connectorScopes() *cobra.Command {
	var on, off []string
	var remove bool
	c := &cobra.Command{
		Use:   "scopes CONNECTOR_ID",
		Short: "Show what is synced of an account, and turn scopes on and off",
		Long: `Show what is synced of an account, and turn scopes on and off. A scope that is turned on syncs at once,
in full. One that is turned off is not asked for any more, and keeps the records it has, as they are; with --remove-data they
are removed at once, with their raw payloads. Whoever reads the feed of changes sees them deleted.`,
		Example: `  leversync connector scopes 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11
  leversync connector scopes 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --enable eeocs --disable tags,offices
  leversync connector scopes 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --disable eeocs --remove-data`,
		Args: oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			change, err := scopeChange(on, off)
			if err != nil {
				return err
			}
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if remove && len(off) == 0 {
				return &usageError{errors.New("--remove-data removes what --disable names: name it")}
			}
			if err := s.ChangeScopes(cmd.Context(), c.ID, store.ScopeChange{Enabled: change, Remove: remove}); err != nil {
				return err
			}
			if remove {
				if err := s.FinishRemovals(cmd.Context(), c.ID); err != nil {
					return fmt.Errorf("the scopes are off, but the removal is not finished: the scheduler goes on with it: %w", err)
				}
			}
			scopes, err := s.Scopes(cmd.Context(), c.ID)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"connector_id": c.ID, "scopes": scopes})
			}
			st := a.style(a.stdout)
			t := table{head: []string{"SCOPE", "ON", "STATE", "RECORDS"}, right: map[int]bool{3: true}, tint: map[int]func(string) string{2: st.state}}
			for _, sc := range scopes {
				t.add(sc.Scope, yesNo(sc.Enabled), sc.State, number(sc.Records))
			}
			t.print(a.stdout, st)
			return nil
		}),
	}
	c.Flags().StringSliceVar(&on, "enable", nil, "scopes to turn on")
	c.Flags().StringSliceVar(&off, "disable", nil, "scopes to turn off")
	c.Flags().BoolVar(&remove, "remove-data", false, "remove what is stored of the scopes that --disable names")
	completeScopes(c, "enable", "disable")
	return c
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func scopeChange(on, off []string) (map[unified.Scope]bool, error) {
	enable, err := parseScopes("enable", on)
	if err != nil {
		return nil, err
	}
	disable, err := parseScopes("disable", off)
	if err != nil {
		return nil, err
	}
	change := map[unified.Scope]bool{}
	for _, sc := range enable {
		change[sc] = true
	}
	for _, sc := range disable {
		if change[sc] {
			return nil, &usageError{fmt.Errorf("%s is both enabled and disabled", sc)}
		}
		change[sc] = false
	}
	return change, nil
}

func (a *app) connectorPause() *cobra.Command {
	return a.connectorSwitch("pause", "Stop an account's syncs; its records stay", true)
}

func (a *app) connectorResume() *cobra.Command {
	return a.connectorSwitch("resume", "Let an account's syncs go on", false)
}

func (a *app) connectorSwitch(use, short string, paused bool) *cobra.Command {
	return &cobra.Command{
		Use:     use + " CONNECTOR_ID",
		Short:   short,
		Example: "  leversync connector " + use + " 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11",
		Args:    oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if err := s.SetPaused(cmd.Context(), c.ID, paused); err != nil {
				return err
			}
			c.Paused = paused
			if a.json {
				return a.printJSON(viewOf(c))
			}
			if paused {
				fmt.Fprintf(a.stdout, "%s is paused: no sync begins until it is resumed.\n", c.OrgName)
			} else {
				fmt.Fprintf(a.stdout, "%s goes on: what fell due meanwhile starts now.\n", c.OrgName)
			}
			return nil
		}),
	}
}

func (a *app) connectorDelete() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete CONNECTOR_ID",
		Short: "Delete a linked account here, and all that was synced of it",
		Long: `Delete a linked account here: its records, runs, calls and credential. Nothing changes in Lever.
It asks for confirmation on a terminal, and needs --yes elsewhere.`,
		Example: "  leversync connector delete 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --yes",
		Args:    oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if !yes {
				if err := a.confirm(fmt.Sprintf("This deletes %s (%s) and all of its records. Type the organisation's name to go on: ", c.OrgName, c.ID), c.OrgName); err != nil {
					return err
				}
			}
			if err := a.unhook(cmd.Context(), s, c); err != nil {
				fmt.Fprintf(a.stderr, "Its webhooks may still be registered with Lever: %v\n", err)
			}
			if err := s.DeleteConnector(cmd.Context(), c.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"connector_id": c.ID, "deleted": true})
			}
			fmt.Fprintf(a.stdout, "Deleted %s.\n", c.OrgName)
			return nil
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// confirm has a person at a terminal type a word. Elsewhere nobody could: it refuses.
func (a *app) confirm(question, word string) error {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &usageError{errors.New("nobody is there to confirm: give --yes")}
	}
	fmt.Fprint(a.stderr, question)
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && line == "" {
		return errors.New("not confirmed: nothing was done")
	}
	if strings.TrimSpace(line) != word {
		return errors.New("that is something else: nothing was done")
	}
	return nil
}
