package api

import (
	"context"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// The states of a scope: why a list may hold less than expected.
const (
	stateOK      = "ok"
	stateFirst   = "syncing-first-time"
	stateRefused = "forbidden"
	stateOff     = "scope-off"
	stateRelink  = "relink-needed"
	stateFailed  = "failed"
)

// scopeState is the state of a scope of a connector.
func scopeState(c store.Connector, s store.ScopeStatus) string {
	switch {
	case !s.Enabled:
		return stateOff
	case c.Status == "RELINK_NEEDED":
		return stateRelink
	case s.State == "forbidden":
		return stateRefused
	case s.State == "failed":
		return stateFailed
	case s.FirstSyncedAt == nil:
		return stateFirst
	}
	return stateOK
}

// freshness is a scope's watermark ("" before there is one) and state.
func (s *server) freshness(ctx context.Context, c store.Connector, sc unified.Scope) (watermark, state string, err error) {
	st, err := s.cfg.Store.ScopeStatus(ctx, c.ID, sc)
	if err != nil {
		return "", "", err
	}
	if st.SyncedAt != nil {
		watermark = st.SyncedAt.UTC().Format(unified.TimeLayout)
	}
	return watermark, scopeState(c, st), nil
}
