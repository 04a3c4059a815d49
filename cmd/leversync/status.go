package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/store"
)

func (a *app) statusCommand() *cobra.Command {
	var quarantine, watched bool
	c := &cobra.Command{
		Use:   "status [CONNECTOR_ID]",
		Short: "Show how fresh each account is, or each scope of one",
		Long: `Show how fresh each account is, or each scope of one. STATUS is as the dashboard has it: synced, syncing with how much of
it was read, partial (a scope failed, or Lever refuses it), failed (all of them), relink-needed (Lever refuses the credential),
paused, not-linked, or off (no scope is on). LAG is how old the account here may be: what changed in
Lever longer ago than that is here. RATE is how many calls a second a scope's last run made, 24 H its calls by the hour.`,
		Example: `  leversync status
  leversync status 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --watch
  leversync status 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --quarantine`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			show := func(ctx context.Context, a *app) error { return a.statusOfAll(ctx, s) }
			switch {
			case len(args) == 0 && quarantine:
				return &usageError{fmt.Errorf("--quarantine needs the id of a connector")}
			case len(args) == 1:
				c, err := a.connector(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				if quarantine {
					return a.printQuarantine(cmd, s, c)
				}
				show = func(ctx context.Context, a *app) error { return a.statusOf(ctx, s, c.ID.String()) }
			}
			if watched {
				return a.watchStatus(cmd.Context(), show)
			}
			return show(cmd.Context(), a)
		}),
	}
	c.Flags().BoolVar(&quarantine, "quarantine", false, "show the records that could not be mapped or stored")
	c.Flags().BoolVarP(&watched, "watch", "w", false, "go on showing it; with --json, a document a line whenever it has changed")
	return c
}

// overview is an account in a line.
type overview struct {
	connectorView
	SyncStatus  string     `json:"sync_status"` // one of store.SyncStates
	Percent     *int       `json:"percent"`     // of what is to be read, how much was; null: it is not syncing
	ScopesOn    int        `json:"scopes_on"`
	ScopesOK    int        `json:"scopes_ok"`
	Failed      int        `json:"scopes_failed"` // or forbidden
	Records     int64      `json:"records"`
	Quarantined int64      `json:"quarantined"`
	SyncedAt    *time.Time `json:"synced_at"` // the oldest watermark; null: a scope has none
	LagSeconds  *float64   `json:"lag_seconds"`
	LastRunAt   *time.Time `json:"last_run_at"`
	NextRunAt   *time.Time `json:"next_run_at"` // null: none is planned
	Webhooks    bool       `json:"webhooks"`    // they are taken
	WebhookAt   *time.Time `json:"webhook_at"`  // the last genuine one
}

func overviewOf(b store.Board, now time.Time) overview {
	o := overview{
		connectorView: viewOf(b.Connector), SyncStatus: b.Sync, ScopesOn: b.ScopesOn, ScopesOK: b.ScopesOK, Failed: b.ScopesBad,
		Records: b.Records, Quarantined: b.Quarantined, SyncedAt: b.SyncedAt, LagSeconds: lagOf(b.SyncedAt, now),
		LastRunAt: b.LastRunAt, NextRunAt: b.NextRunAt, Webhooks: b.Webhooks, WebhookAt: b.WebhookAt,
	}
	if b.Sync == store.SyncSyncing {
		o.Percent = &b.Percent
	}
	return o
}

// standing is how an account's syncs stand, for people.
func (o overview) standing() string {
	if o.Percent != nil {
		return fmt.Sprintf("%s %d%%", o.SyncStatus, *o.Percent)
	}
	return o.SyncStatus
}

// webhooks says whether Lever tells of changes, and when it last did.
func (o overview) webhooks(now time.Time) string {
	switch {
	case !o.Webhooks:
		return "off: changes are found by the syncs"
	case o.WebhookAt == nil:
		return "on, and none has come yet"
	}
	return "on, the last one came " + ago(o.WebhookAt, now)
}

func lagOf(synced *time.Time, now time.Time) *float64 {
	if synced == nil {
		return nil
	}
	lag := now.Sub(*synced).Round(time.Millisecond).Seconds()
	return &lag
}

// orNone is when something was or will be; "–": that is not known.
func orNone(t *time.Time, now time.Time) string {
	if t == nil {
		return "–"
	}
	return ago(t, now)
}

func lagText(lag *float64) string {
	if lag == nil {
		return "–"
	}
	return short(time.Duration(*lag * float64(time.Second)))
}

func (a *app) statusOfAll(ctx context.Context, s *store.Store) error {
	all, err := s.Boards(ctx, store.BoardQuery{})
	if err != nil {
		return err
	}
	now := time.Now()
	list := make([]overview, len(all))
	for i, b := range all {
		list[i] = overviewOf(b, now)
	}
	if a.json {
		return a.printJSON(map[string]any{"connectors": list})
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "There are no connectors: `leversync connector create --help` shows how to make one.")
		return nil
	}
	st := a.style(a.stdout)
	t := table{head: []string{"CONNECTOR", "STATUS", "ORGANISATION", "OK", "LAG", "LAST RUN", "RECORDS", "QUARANTINED", "NEXT"},
		right: map[int]bool{3: true, 4: true, 6: true, 7: true}, tint: map[int]func(string) string{1: st.state}}
	for _, o := range list {
		t.add(o.ConnectorID.String(), o.standing(), o.OrgName, fmt.Sprintf("%d/%d", o.ScopesOK, o.ScopesOn),
			lagText(o.LagSeconds), orNone(o.LastRunAt, now), number(o.Records), number(o.Quarantined), orNone(o.NextRunAt, now))
	}
	t.print(a.stdout, st)
	return nil
}

// recentRuns is how many a status shows.
const recentRuns = 10

func (a *app) statusOf(ctx context.Context, s *store.Store, id string) error {
	c, err := a.connector(ctx, s, id)
	if err != nil {
		return err
	}
	board, err := s.Board(ctx, c.ID)
	if err != nil {
		return err
	}
	scopes, err := s.Scopes(ctx, c.ID)
	if err != nil {
		return err
	}
	runs, err := s.Runs(ctx, c.ID, time.Time{}, recentRuns)
	if err != nil {
		return err
	}
	lastRuns, err := s.LastRuns(ctx, c.ID)
	if err != nil {
		return err
	}
	hours, err := s.CallHours(ctx, c.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	o := overviewOf(board, now)
	o.connectorView.Scopes = scopes
	if a.json {
		return a.printJSON(struct {
			overview
			Runs  []store.Run          `json:"runs"`
			Calls map[string][24]int64 `json:"calls_by_hour"` // by scope, of the last 24 hours, the oldest first
		}{o, notNil(runs), hours})
	}
	st := a.style(a.stdout)
	fmt.Fprintf(a.stdout, "%s  %s  %s\n", st.bold(c.OrgName), c.ID, st.state(o.standing()))
	if c.StatusReason != "" {
		fmt.Fprintln(a.stdout, c.StatusReason)
	}
	fmt.Fprintf(a.stdout, "webhooks: %s\n\n", o.webhooks(now))
	a.printScopes(scopes, lastRuns, hours, now, st)
	a.printRuns(runs, now, st)
	return nil
}

func (a *app) printScopes(scopes []store.ScopeStatus, runs map[uuid.UUID]store.Run, hours map[string][24]int64, now time.Time, st style) {
	t := table{head: []string{"SCOPE", "STATE", "RECORDS", "QUARANTINED", "LAG", "LAST RUN", "RATE", "24 H", "NEXT", "REASON"},
		right: map[int]bool{2: true, 3: true, 4: true, 6: true}, tint: map[int]func(string) string{1: st.state}}
	for _, sc := range scopes {
		calls := hours[sc.Scope]
		ran, rate := paceOf(sc, runs, now)
		if !sc.Enabled {
			t.add(sc.Scope, "off", number(sc.Records), number(sc.Quarantined), "–", ran, "–", sparkline(calls[:]), "–", "")
			continue
		}
		t.add(sc.Scope, sc.State, number(sc.Records), number(sc.Quarantined), lagText(lagOf(sc.SyncedAt, now)), ran, rate, sparkline(calls[:]), ago(&sc.NextRunAt, now), sc.Reason)
	}
	t.print(a.stdout, st)
}

func (a *app) printRuns(runs []store.Run, now time.Time, st style) {
	if len(runs) == 0 {
		return
	}
	fmt.Fprintf(a.stdout, "\n%s\n", st.bold("Latest runs"))
	t := table{head: []string{"READ FROM", "KIND", "STATE", "BEGUN", "TOOK", "CALLS", "BOUND", "READ", "WRITTEN", "DELETED", "ERROR"},
		right: map[int]bool{4: true, 5: true, 6: true, 7: true, 8: true, 9: true}, tint: map[int]func(string) string{2: st.state}}
	for _, r := range runs {
		end := now
		if r.EndedAt != nil {
			end = *r.EndedAt
		}
		t.add(r.Stream, r.Kind, r.State, ago(&r.StartedAt, now), short(end.Sub(r.StartedAt)), number(r.Calls), number(r.Bound),
			number(r.Read), number(r.Written), number(r.Deleted), clip(r.Error, 80))
	}
	t.print(a.stdout, st)
}

// quarantineLimit is how many are shown, the newest first.
const quarantineLimit = 1000

func (a *app) printQuarantine(cmd *cobra.Command, s *store.Store, c store.Connector) error {
	list, err := s.Quarantine(cmd.Context(), c.ID, quarantineLimit)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			ConnectorID uuid.UUID           `json:"connector_id"`
			Quarantine  []store.Quarantined `json:"quarantine"`
		}{c.ID, notNil(list)})
	}
	if len(list) == 0 {
		fmt.Fprintf(a.stdout, "Nothing of %s is quarantined.\n", c.OrgName)
		return nil
	}
	t := table{head: []string{"SCOPE", "RECORD", "OF", "LAST SEEN", "REASON"}}
	for _, q := range list {
		t.add(q.Scope, q.Key, q.Parent, ago(&q.LastSeenAt, time.Now()), q.Reason)
	}
	t.print(a.stdout, a.style(a.stdout))
	return nil
}
