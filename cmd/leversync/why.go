package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/store"
)

func (a *app) whyCommand() *cobra.Command {
	var connector string
	c := &cobra.Command{
		Use:   "why RECORD_ID",
		Short: "Show where a record comes from: Lever's body, ours, the run and calls that brought it",
		Long: `Show where a record comes from: how it reads now, what Lever sent, the run and the calls that brought its latest
change, the runs since, and a newer version that was set aside, if there is one. RECORD_ID is the id in the API, or Lever's; an opportunity's is
a candidate's and an application's. Runs and calls are known for as long as they are kept. Personal data goes to standard output.`,
		Example: `  leversync why 8d0c2f8e-70f4-5b0e-9c57-6a1a5f0e4b11
  leversync why 8d0c2f8e-70f4-5b0e-9c57-6a1a5f0e4b11 --json | jq .records[0].raw`,
		Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			var of uuid.UUID
			if connector != "" {
				c, err := a.connector(cmd.Context(), s, connector)
				if err != nil {
					return err
				}
				of = c.ID
			}
			list, err := s.FindRecords(cmd.Context(), of, args[0])
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return fmt.Errorf("%w: no record has this id, here or at Lever: `leversync quarantine list` shows what was set aside, `leversync status` what is not synced yet", errNotFound)
			}
			return a.printLineages(list)
		}),
	}
	c.Flags().StringVar(&connector, "connector", "", "only of this account")
	return c
}

// lineageView is a record's lineage as it is printed in JSON.
type lineageView struct {
	ConnectorID uuid.UUID          `json:"connector_id"`
	Scope       string             `json:"scope"`
	ID          uuid.UUID          `json:"id"`
	RemoteID    string             `json:"remote_id"`
	Parent      string             `json:"parent"` // Lever's id of what it hangs on
	CreatedAt   time.Time          `json:"created_at"`
	ModifiedAt  time.Time          `json:"modified_at"`
	DeletedAt   *time.Time         `json:"deleted_at"`
	Record      json.RawMessage    `json:"record"`
	Raw         json.RawMessage    `json:"raw"`      // Lever's own body; null: it is made of others', or is kept no longer
	RawGone     bool               `json:"raw_gone"` // what is not in raw was let go by retention (LEVERSYNC_KEEP_RAW)
	Run         *store.Run         `json:"run"`      // that wrote the last change; null: no longer known
	Calls       []store.Call       `json:"calls"`
	Runs        []store.Run        `json:"runs"`
	Quarantine  *store.Quarantined `json:"quarantine"`
	Aside       *store.Call        `json:"quarantine_call"` // that brought what is in quarantine; null: no longer known
}

func (a *app) printLineages(list []store.Lineage) error {
	views := make([]lineageView, len(list))
	for i, l := range list {
		body := l.Record.Body()
		views[i] = lineageView{
			ConnectorID: l.Connector.ID, Scope: string(l.Scope), ID: l.Record.ID, RemoteID: l.Record.RemoteID, Parent: l.Parent, CreatedAt: l.CreatedAt,
			ModifiedAt: l.Record.ModifiedAt, DeletedAt: l.Record.DeletedAt, Record: body, Raw: l.Record.Raw, RawGone: l.RawGone, Run: l.Run, Calls: notNil(l.Calls), Runs: notNil(l.Runs), Quarantine: l.Quarantine, Aside: l.Aside,
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"records": views})
	}
	for i, v := range views {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		a.printLineage(v, list[i].Connector)
	}
	return nil
}

func (a *app) printLineage(v lineageView, c store.Connector) {
	st, now := a.style(a.stdout), time.Now()
	fmt.Fprintf(a.stdout, "%s  %s\n", st.bold(v.Scope), v.ID)
	a.line("connector", fmt.Sprintf("%s  %s", c.ID, c.OrgName))
	a.line("at Lever", v.RemoteID)
	if v.Parent != "" {
		a.line("hangs on", v.Parent)
	}
	a.line("first here", stamp(v.CreatedAt)+"  "+ago(&v.CreatedAt, now))
	a.line("changed", stamp(v.ModifiedAt)+"  "+ago(&v.ModifiedAt, now))
	if v.DeletedAt != nil {
		a.line("gone", stamp(*v.DeletedAt)+"  "+ago(v.DeletedAt, now))
	}
	if v.Quarantine != nil {
		a.line("set aside", fmt.Sprintf("a newer version, %s: %s: `leversync quarantine show %s %s %s`", ago(&v.Quarantine.LastSeenAt, now), v.Quarantine.Reason, c.ID, v.Scope, v.Quarantine.Key))
		a.broughtBy(v.Aside)
	}
	if v.Run == nil {
		a.line("run", "the one that wrote it is no longer known, or it was no sync's: a write of ours")
	} else {
		a.line("run", fmt.Sprintf("%s  %s of %s, begun %s", v.Run.ID, v.Run.Kind, v.Run.Stream, stamp(v.Run.StartedAt)))
	}
	section := func(title string) { fmt.Fprintf(a.stdout, "\n%s\n", st.bold(title)) }
	if len(v.Calls) > 0 {
		section("The calls behind the change")
		a.printCallTable(v.Calls, true)
	}
	if len(v.Runs) > 0 {
		section("Runs of its list since")
		t := table{head: []string{"BEGUN", "KIND", "STATE", "READ FROM", "READ", "WRITTEN", "ERROR"}, right: map[int]bool{4: true, 5: true}, tint: map[int]func(string) string{2: st.state}}
		for _, r := range v.Runs {
			t.add(stamp(r.StartedAt), r.Kind, r.State, r.Stream, number(r.Read), number(r.Written), clip(r.Error, 80))
		}
		t.print(a.stdout, st)
	}
	section("The record")
	fmt.Fprintln(a.stdout, rawText(v.Record))
	section("What Lever sent")
	if v.RawGone {
		fmt.Fprintln(a.stdout, "Not all of it is kept any longer: LEVERSYNC_KEEP_RAW, and the record has not changed for as long.")
	}
	switch {
	case len(v.Raw) > 0 && !bytes.Equal(bytes.TrimSpace(v.Raw), []byte("null")):
		fmt.Fprintln(a.stdout, rawText(v.Raw))
	case !v.RawGone:
		fmt.Fprintln(a.stdout, "It is made of other records' bodies.")
	}
}
