package api

import "github.com/leversync/leversync/store"

// The states of a scope: why a list may hold less than expected.
const (
	stateOK      = "ok"
	stateFirst   = "syncing-first-time"
	stateRefused = "forbidden"
	stateOff     = "scope-off"
	stateRelink  = "relink-needed"
	stateFailed  = "failed"
)

// scopeState is the state of a scope of a connector that has a status.
func scopeState(connectorStatus string, s store.ScopeStatus) string {
	switch {
	case !s.Enabled:
		return stateOff
	case connectorStatus == "RELINK_NEEDED":
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
