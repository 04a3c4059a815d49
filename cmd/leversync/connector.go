package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

func (a *app) connectorCommand() *cobra.Command {
	return group("connector", "Manage linked Lever accounts",
		`  leversync connector create --org-name "Acme" --origin-id acme-1 --lever-api-key-file key.txt
  leversync connector list`,
		a.connectorCreate(), a.connectorList(), a.connectorShow(), a.connectorScopes(),
		a.connectorPause(), a.connectorResume(), a.connectorRelink(), a.connectorToken(), a.connectorWebhooks(), a.connectorDelete())
}

// connectorView is a connector as it is printed in JSON.
type connectorView struct {
	ConnectorID         uuid.UUID  `json:"connector_id"`
	ConnectorToken      string     `json:"connector_token,omitempty"` // when it was just made
	MagicLink           string     `json:"magic_link,omitempty"`      // likewise
	OrgName             string     `json:"org_name"`
	OriginID            string     `json:"origin_id"`
	Status              string     `json:"status"`
	StatusReason        string     `json:"status_reason"`
	Paused              bool       `json:"paused"`
	SyncIntervalSeconds *int       `json:"sync_interval_seconds"` // null: the installation's
	RateLimit           *float64   `json:"rate_limit"`            // null: the installation's
	CreatedAt           time.Time  `json:"created_at"`
	CompletedAt         *time.Time `json:"completed_at"`
	RelinkNeededAt      *time.Time `json:"relink_needed_at"`

	Scopes []store.ScopeStatus `json:"scopes,omitempty"`
}

func viewOf(c store.Connector) connectorView {
	return connectorView{
		ConnectorID: c.ID, OrgName: c.OrgName, OriginID: c.OriginID, Status: c.Status, StatusReason: c.StatusReason, Paused: c.Paused,
		SyncIntervalSeconds: c.SyncIntervalSeconds, RateLimit: c.RateLimit, CreatedAt: c.CreatedAt, CompletedAt: c.CompletedAt, RelinkNeededAt: c.RelinkNeededAt,
	}
}

// standing is how a connector stands, in a word.
func standing(c store.Connector) string {
	if c.Paused && c.Status == "COMPLETE" {
		return "paused"
	}
	return c.Status
}

// parseScopes reads names of scopes, each of which may be a list with commas.
func parseScopes(flag string, names []string) ([]unified.Scope, error) {
	var out []unified.Scope
	for _, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		sc, err := unified.ParseScope(name)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--%s: %w", flag, err)}
		}
		out = append(out, sc)
	}
	return out, nil
}

// completeScopes offers the names of scopes to the shell.
func completeScopes(c *cobra.Command, flags ...string) {
	names := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		names[i] = string(sc)
	}
	for _, f := range flags {
		_ = c.RegisterFlagCompletionFunc(f, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	}
}

// oneConnector checks that there is one argument, and says what it is when there is none.
func oneConnector(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%q needs the id of a connector: `leversync connector list` shows them", cmd.CommandPath())
	}
	return cobra.ExactArgs(1)(cmd, args)
}

func (a *app) connectorList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the linked accounts",
		Example: "  leversync connector list\n  leversync connector list --json | jq -r '.connectors[].connector_id'",
		Args:    cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			all, err := s.Connectors(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				views := make([]connectorView, len(all))
				for i, c := range all {
					views[i] = viewOf(c)
				}
				return a.printJSON(map[string]any{"connectors": views})
			}
			if len(all) == 0 {
				fmt.Fprintln(a.stdout, "There are no connectors: `leversync connector create --help` shows how to make one.")
				return nil
			}
			st := a.style(a.stdout)
			t := table{head: []string{"CONNECTOR", "STATUS", "ORGANISATION", "ORIGIN", "CREATED"}, tint: map[int]func(string) string{1: st.state}}
			for _, c := range all {
				t.add(c.ID.String(), standing(c), c.OrgName, c.OriginID, ago(&c.CreatedAt, time.Now()))
			}
			t.print(a.stdout, st)
			return nil
		}),
	}
}

func (a *app) connectorShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CONNECTOR_ID",
		Short:   "Show one linked account",
		Example: "  leversync connector show 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11",
		Args:    oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			return a.showConnector(cmd, s, c)
		}),
	}
}

func (a *app) showConnector(cmd *cobra.Command, s *store.Store, c store.Connector) error {
	scopes, err := s.Scopes(cmd.Context(), c.ID)
	if err != nil {
		return err
	}
	board, err := s.Board(cmd.Context(), c.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	o := overviewOf(board, now)
	if a.json {
		o.connectorView.Scopes = scopes
		return a.printJSON(o)
	}
	st := a.style(a.stdout)
	line := func(name, value string) { fmt.Fprintf(a.stdout, "%s  %s\n", st.dim(fmt.Sprintf("%-12s", name)), value) }
	line("connector", c.ID.String())
	line("organisation", c.OrgName)
	line("origin", c.OriginID)
	line("status", st.state(standing(c)))
	if c.StatusReason != "" {
		line("reason", c.StatusReason)
	}
	every, rate := "as the installation", "as the installation"
	if c.SyncIntervalSeconds != nil {
		every = short(time.Duration(*c.SyncIntervalSeconds) * time.Second)
	}
	if c.RateLimit != nil {
		rate = fmt.Sprintf("%g calls a second", *c.RateLimit)
	}
	line("syncs every", every)
	line("rate limit", rate)
	line("sync", st.state(o.standing()))
	line("last run", orNone(o.LastRunAt, now))
	line("next run", orNone(o.NextRunAt, now))
	line("webhooks", o.webhooks(now))
	line("created", stamp(c.CreatedAt))
	var on, off []string
	for _, sc := range scopes {
		if sc.Enabled {
			on = append(on, sc.Scope)
		} else {
			off = append(off, sc.Scope)
		}
	}
	line("scopes on", strings.Join(on, ", "))
	line("scopes off", strings.Join(off, ", "))
	return nil
}
