package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// SyncStatus is how a connector's scopes stand.
type SyncStatus struct {
	ConnectorID string        `json:"connector_id" format:"uuid"`
	Status      string        `json:"status" enum:"COMPLETE,INCOMPLETE,RELINK_NEEDED"`
	Paused      bool          `json:"paused"`
	Scopes      []ScopeStatus `json:"scopes" nullable:"false"`
}

// ScopeStatus is how one scope stands.
type ScopeStatus struct {
	Scope       string        `json:"scope" doc:"Its name."`
	State       string        `json:"state" enum:"ok,syncing-first-time,forbidden,scope-off,relink-needed,failed" doc:"As in X-Sync-State."`
	Syncing     bool          `json:"syncing" doc:"A run is under way, or asked for."`
	Watermark   *unified.Time `json:"watermark" doc:"Changes made in Lever before this moment are here."`
	LagSeconds  *float64      `json:"lag_seconds" doc:"Now minus watermark."`
	NextRunAt   *unified.Time `json:"next_run_at" doc:"When it falls due next; null: it does not."`
	LastRun     *LastRun      `json:"last_run" doc:"The newest run that read it."`
	Records     int64         `json:"records" doc:"How many there are."`
	Quarantined int64         `json:"quarantined" doc:"How many could not be mapped or stored."`
	Error       *string       `json:"error" doc:"What is wrong, and what to do."`
}

// LastRun is one attempt to bring a scope up to date.
type LastRun struct {
	ID        string        `json:"id" format:"uuid"`
	Kind      string        `json:"kind" doc:"backfill, incremental or resync."`
	State     string        `json:"state" doc:"running, done, failed, forbidden or canceled."`
	StartedAt unified.Time  `json:"started_at" format:"date-time"`
	EndedAt   *unified.Time `json:"ended_at"`
	Calls     int64         `json:"calls" doc:"Calls to Lever, for all scopes that it read."`
}

func registerSyncStatus(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, _ *TokenHeader) (*bodyOutput[SyncStatus], error) {
		c := connectorOf(ctx)
		scopes, err := s.cfg.Store.Scopes(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		runs, err := s.cfg.Store.LastRuns(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[SyncStatus]{Body: SyncStatus{ConnectorID: c.ID.String(), Status: c.Status, Paused: c.Paused, Scopes: []ScopeStatus{}}}
		for _, st := range scopes {
			var run *store.Run
			if st.LastRunID != nil {
				if r, ok := runs[*st.LastRunID]; ok {
					run = &r
				}
			}
			out.Body.Scopes = append(out.Body.Scopes, scopeStatus(*c, st, run, time.Now()))
		}
		return out, nil
	})
}

func scopeStatus(c store.Connector, st store.ScopeStatus, run *store.Run, now time.Time) ScopeStatus {
	out := ScopeStatus{
		Scope: st.Scope, State: scopeState(c.Status, st), Syncing: st.Enabled && (st.State == "syncing" || st.RequestedAt != nil),
		Watermark: moment(st.SyncedAt), Records: st.Records, Quarantined: st.Quarantined,
	}
	if st.SyncedAt != nil {
		lag := now.Sub(*st.SyncedAt).Seconds()
		out.LagSeconds = &lag
	}
	if st.Enabled && c.Status == "COMPLETE" && !c.Paused {
		out.NextRunAt = moment(&st.NextRunAt)
	}
	if run != nil {
		out.LastRun = &LastRun{ID: run.ID.String(), Kind: run.Kind, State: run.State, StartedAt: unified.NewTime(run.StartedAt), EndedAt: moment(run.EndedAt), Calls: run.Calls}
	}
	if e := scopeError(c, st, out.State); e != "" {
		out.Error = &e
	}
	return out
}

// scopeError says what is wrong with a scope and what to do; "": nothing.
func scopeError(c store.Connector, st store.ScopeStatus, state string) string {
	var what, do string
	switch state {
	case stateRelink:
		what, do = c.StatusReason, "have the account's owner link it again"
	case stateRefused:
		what, do = st.Reason, "give the credential the permission in Lever, or turn the scope off"
	case stateFailed:
		what, do = st.Reason, "it is tried again when it falls due; POST /api/embedded/v1/connectors/resync tries at once"
	default:
		return ""
	}
	if what == "" {
		what = "Lever refused"
	}
	return fmt.Sprintf("%s: %s", what, do)
}

func registerResync(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, _ *TokenHeader) (*bodyOutput[string], error) {
		c := connectorOf(ctx)
		switch {
		case c.Status != "COMPLETE":
			return nil, refuse(http.StatusConflict, "The connector must be linked first: its status is "+c.Status)
		case c.Paused:
			return nil, refuse(http.StatusConflict, "The connector's syncs are paused")
		}
		enabled, err := s.cfg.Store.EnabledScopes(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		var on []unified.Scope
		for _, sc := range unified.Scopes {
			if enabled[sc] {
				on = append(on, sc)
			}
		}
		// Postgres knows first: should the queue lose the task, the reconciler finds it.
		due, err := s.cfg.Store.Request(ctx, c.ID, on, time.Time{})
		if err != nil {
			return nil, err
		}
		if err := s.cfg.Queue.Enqueue(ctx, task.Sync{ConnectorID: c.ID, DueAt: &due}, task.Options{}); err != nil {
			s.cfg.Log.WarnContext(ctx, "sync not queued: the scheduler will", "connector_id", c.ID, "error", err)
		}
		return &bodyOutput[string]{Body: "Sync started"}, nil
	})
}
