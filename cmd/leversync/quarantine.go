package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

func (a *app) quarantineCommand() *cobra.Command {
	return group("quarantine", "Look at records that could not be mapped or stored, and try them again",
		"  leversync quarantine list\n  leversync quarantine retry 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11",
		a.quarantineList(), a.quarantineShow(), a.quarantineRetry())
}

// oneScope reads the value of --scope; "" is none.
func oneScope(name string) (unified.Scope, error) {
	list, err := parseScopes("scope", []string{name})
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

func (a *app) quarantineList() *cobra.Command {
	var scope string
	var limit int
	c := &cobra.Command{
		Use:   "list [CONNECTOR_ID]",
		Short: "List what was set aside, the newest first",
		Example: `  leversync quarantine list
  leversync quarantine list 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --scope offers`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			f := store.QuarantineFilter{Limit: limit}
			var err error
			if f.Scope, err = oneScope(scope); err != nil {
				return err
			}
			if limit < 1 {
				return &usageError{fmt.Errorf("--limit %d: at least 1", limit)}
			}
			if len(args) == 1 {
				conn, err := a.connector(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				f.Connector = conn.ID
			}
			list, err := s.QuarantineList(cmd.Context(), f)
			if err != nil {
				return err
			}
			return a.printQuarantined(list)
		}),
	}
	c.Flags().StringVar(&scope, "scope", "", "only of this scope")
	c.Flags().IntVar(&limit, "limit", 100, "the latest so many")
	completeScopes(c, "scope")
	return c
}

func (a *app) printQuarantined(list []store.QuarantinedRecord) error {
	if a.json {
		return a.printJSON(map[string]any{"quarantine": notNil(list)})
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "Nothing is quarantined.")
		return nil
	}
	t := table{head: []string{"CONNECTOR", "SCOPE", "KEY", "OF", "LAST SEEN", "REASON"}}
	for _, q := range list {
		t.add(q.ConnectorID.String(), q.Scope, q.Key, q.Parent, ago(&q.LastSeenAt, time.Now()), q.Reason)
	}
	t.print(a.stdout, a.style(a.stdout))
	return nil
}

func (a *app) quarantineShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CONNECTOR_ID SCOPE KEY",
		Short:   "Show one record that was set aside, as Lever sent it",
		Long:    "Show one record that was set aside, as Lever sent it: personal data goes to standard output.",
		Example: `  leversync quarantine show 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 offers 5c3d1f0e-2b0a-4a57-9d6e-7f1b0c9a8e21`,
		Args:    cobra.ExactArgs(3),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			q, err := a.quarantined(cmd, s, args)
			if err != nil {
				return err
			}
			var call *store.Call
			if found, err := s.QuarantineCall(cmd.Context(), q.Quarantined); err == nil {
				call = &found
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					store.QuarantinedRecord
					Call *store.Call `json:"call"` // that brought it; null: no longer in the log
					Raw  any         `json:"raw"`  // as JSON where it is some, else base64
				}{q, call, rawView(q.Raw)})
			}
			a.line("connector", q.ConnectorID.String())
			a.line("scope", q.Scope)
			a.line("key", q.Key)
			if q.Parent != "" {
				a.line("of", q.Parent)
			}
			a.line("reason", q.Reason)
			a.line("first seen", stamp(q.FirstSeenAt))
			a.line("last seen", stamp(q.LastSeenAt))
			a.line("run", idText(q.RunID))
			a.broughtBy(call)
			fmt.Fprintf(a.stdout, "\n%s\n", rawText(q.Raw))
			return nil
		}),
	}
}

// quarantined finds the one that three arguments name.
func (a *app) quarantined(cmd *cobra.Command, s *store.Store, args []string) (store.QuarantinedRecord, error) {
	conn, err := a.connector(cmd.Context(), s, args[0])
	if err != nil {
		return store.QuarantinedRecord{}, err
	}
	sc, err := unified.ParseScope(args[1])
	if err != nil {
		return store.QuarantinedRecord{}, &usageError{err}
	}
	list, err := s.QuarantineList(cmd.Context(), store.QuarantineFilter{Connector: conn.ID, Scope: sc, Key: args[2]})
	if err != nil {
		return store.QuarantinedRecord{}, err
	}
	if len(list) == 0 {
		return store.QuarantinedRecord{}, fmt.Errorf("%w: no %s with that key is quarantined: `leversync quarantine list %s` shows those there are", errNotFound, sc, conn.ID)
	}
	return list[0], nil
}

// line prints a name and a value.
func (a *app) line(name, value string) {
	fmt.Fprintf(a.stdout, "%s  %s\n", a.style(a.stdout).dim(fmt.Sprintf("%-12s", name)), printable(value))
}

// broughtBy prints the call that brought what was set aside.
func (a *app) broughtBy(c *store.Call) {
	if c == nil {
		a.line("brought by", "a call that is no longer in the log")
		return
	}
	a.line("brought by", fmt.Sprintf("%s %s  %d at %s  %s", c.Method, pathOf(*c), c.Status, stamp(c.StartedAt), c.ID))
}

func idText(id *uuid.UUID) string {
	if id == nil {
		return "–"
	}
	return id.String()
}

// rawView is bytes of Lever's as JSON shows them: themselves, where they are JSON, else in base64.
func rawView(raw []byte) any {
	if json.Valid(raw) {
		return json.RawMessage(raw)
	}
	return raw
}

// rawText is bytes of Lever's as a terminal shows them: nothing in them moves its cursor.
func rawText(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") == nil { // numbers stay as they came, however large
		return printable(b.String())
	}
	return fmt.Sprintf("%q", raw)
}
