package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// result is how a sync ended, as it is printed.
type result struct {
	ConnectorID  uuid.UUID     `json:"connector_id"`
	Status       string        `json:"status"`
	StatusReason string        `json:"status_reason"`
	Scopes       []scopeResult `json:"scopes"`
	Runs         []store.Run   `json:"runs"` // begun since the request; a run's calls serve all of its scopes
	Calls        int64         `json:"calls"`
	Bound        int64         `json:"bound"` // what those calls may be at most
	Seconds      float64       `json:"seconds"`
}

type scopeResult struct {
	Scope       string     `json:"scope"`
	State       string     `json:"state"`
	Reason      string     `json:"reason"`
	Records     int64      `json:"records"`
	Quarantined int64      `json:"quarantined"`
	RunID       *uuid.UUID `json:"run_id"` // null: an earlier traversal served it
}

func resultOf(p progress) result {
	res := result{ConnectorID: p.connector.ID, Status: p.connector.Status, StatusReason: p.connector.StatusReason,
		Runs: notNil(p.runs), Calls: p.calls, Bound: p.bound, Seconds: p.elapsed.Round(time.Millisecond).Seconds()}
	for _, r := range p.rows {
		s := scopeResult{Scope: string(r.scope), State: r.state, Reason: r.reason, Records: r.records, Quarantined: r.quarantined}
		if r.run != nil {
			s.RunID = &r.run.ID
		}
		res.Scopes = append(res.Scopes, s)
	}
	return res
}

// print prints a line for each scope. Scopes that came from one list stand together, and its calls stand once.
func (res result) print(w io.Writer, st style) {
	runs := map[uuid.UUID]store.Run{}
	for _, r := range res.Runs {
		runs[r.ID] = r
	}
	list := func(s scopeResult) string {
		if s.RunID == nil {
			return ""
		}
		return runs[*s.RunID].Stream
	}
	scopes := slices.Clone(res.Scopes)
	slices.SortStableFunc(scopes, func(a, b scopeResult) int { return cmp.Compare(list(a), list(b)) })
	t := table{head: []string{"SCOPE", "STATE", "RECORDS", "READ FROM", "CALLS", "BOUND", "SECONDS"},
		right: map[int]bool{2: true, 4: true, 5: true, 6: true}, tint: map[int]func(string) string{1: st.state}}
	shown := map[uuid.UUID]bool{}
	var why []string
	for _, s := range scopes {
		cells := []string{s.Scope, s.State, number(s.Records), list(s), "", "", ""}
		if s.RunID != nil && !shown[*s.RunID] {
			shown[*s.RunID] = true
			r := runs[*s.RunID]
			cells[4], cells[5] = number(r.Calls), number(r.Bound)
			if r.EndedAt != nil {
				cells[6] = fmt.Sprintf("%.1f", r.EndedAt.Sub(r.StartedAt).Seconds())
			}
		}
		t.add(cells...)
		if s.Reason != "" {
			why = append(why, fmt.Sprintf("%s: %s", s.Scope, s.Reason))
		}
		if s.Quarantined > 0 {
			why = append(why, fmt.Sprintf("%s: %s quarantined: `leversync status %s --quarantine` shows why", s.Scope, number(s.Quarantined), res.ConnectorID))
		}
	}
	t.print(w, st)
	var records int64
	for _, s := range scopes {
		records += s.Records
	}
	fmt.Fprintf(w, "%s in %s, with %s to Lever (bound: %s).\n", plural(records, "record"),
		short(time.Duration(res.Seconds*float64(time.Second))), plural(res.Calls, "call"), number(res.Bound))
	for _, line := range why {
		fmt.Fprintln(w, "  "+line)
	}
}

// verdict is the error of a sync that did not bring everything up to date.
func verdict(p progress) error {
	if p.connector.Status == "RELINK_NEEDED" {
		return relinkError(p.connector)
	}
	if p.connector.Paused {
		return fmt.Errorf("%s was paused meanwhile: `leversync connector resume %s` lets it go on", p.connector.OrgName, p.connector.ID)
	}
	var bad []string
	for _, r := range p.rows {
		if r.state != "ok" {
			bad = append(bad, fmt.Sprintf("%s %s", r.scope, r.state))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return &unsyncedError{fmt.Sprintf("%s not up to date (%s): the reasons are above, and in `leversync status %s`",
		plural(int64(len(bad)), "scope"), strings.Join(bad, ", "), p.connector.ID)}
}
