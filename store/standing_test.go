package store_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// Standing sees who is late by their own interval, and counts nobody who is not to be synced.
func TestStanding(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	fresh, late, paused := linked(t, db), linked(t, db), linked(t, db)
	db.Exec(`UPDATE connector_scopes SET synced_at = now() - interval '2 hours', records = 7, quarantined = 1 WHERE scope = 'tags'`)
	db.Exec(`UPDATE connectors SET sync_interval_seconds = 60 WHERE id = $1`, late.ID)
	db.Exec(`UPDATE connectors SET paused = true WHERE id = $1`, paused.ID)
	db.Exec(`UPDATE connector_scopes SET state = 'failed' WHERE scope = 'tags' AND connector_id = $1`, fresh.ID)

	st, err := db.Store.Standing(t.Context(), time.Hour)
	if err != nil {
		t.Fatalf("Standing: %v", err)
	}
	var tags store.ScopeStanding
	for _, sc := range st.Scopes {
		if sc.Scope == string(unified.Tags) {
			tags = sc
		}
	}
	if tags.LagSeconds < 7200 || tags.LagSeconds > 7300 {
		t.Errorf("Standing: tags lag %v s, want two hours", tags.LagSeconds)
	}
	tags.LagSeconds = 0
	if want := (store.ScopeStanding{Scope: "tags", N: 2, Late: 1, Failed: 1, Records: 14, Quarantined: 2}); tags != want {
		t.Errorf("Standing: %+v, want %+v", tags, want)
	}
	if len(st.Connectors) != 2 || st.Connectors[0] != (store.StatusCount{Status: "complete", N: 2}) || st.Connectors[1] != (store.StatusCount{Status: "paused", N: 1}) {
		t.Errorf("Standing: connectors %v, want 2 complete and 1 paused", st.Connectors)
	}
	lags, err := db.Store.Lags(t.Context(), 1)
	if err != nil || len(lags) == 0 {
		t.Fatalf("Lags(1) = %d, %v; want those of one connector", len(lags), err)
	}
	for _, l := range lags {
		if l.ConnectorID != lags[0].ConnectorID || l.LagSeconds < 0 {
			t.Errorf("Lags(1) holds %+v beside %v; want one connector's, from 0 on", l, lags[0].ConnectorID)
		}
	}
}
