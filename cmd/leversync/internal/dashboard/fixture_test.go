package dashboard_test

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// furnished is a connector that has something on each of its pages.
type furnished struct {
	c    store.Connector
	call store.Call
	key  string // of its record in quarantine
	api  store.APIKey
}

func (f furnished) ids() map[string]string {
	return map[string]string{"id": f.c.ID.String(), "at": strconv.FormatInt(f.call.StartedAt.UnixMicro(), 10), "call": f.call.ID.String(), "scope": "tags", "file": "dashboard.css"}
}

// furnish makes a connector whose every text is the name: reasons, errors, keys and raw records, too.
func (e *env) furnish(name string) furnished {
	e.t.Helper()
	f := furnished{c: e.connector(name), key: "key " + name}
	ctx := e.t.Context()
	run := uuid.New()
	e.db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound, error)
VALUES ($1, $2, 'tags', '{tags}', 'incremental', 'failed', now() - interval '2 hours', now() - interval '1 hour', 90, 60, $3)`, run, f.c.ID, name)
	e.db.Exec(`UPDATE connector_scopes SET state = CASE scope WHEN 'tags' THEN 'failed' WHEN 'offers' THEN 'forbidden' WHEN 'jobs' THEN 'syncing' ELSE 'ok' END,
    reason = CASE WHEN scope IN ('tags', 'offers', 'jobs') THEN $2 ELSE '' END, synced_at = now() - interval '3 minutes', records = 1234567,
    last_run_id = $3, quarantined = CASE WHEN scope = 'tags' THEN 1 ELSE 0 END WHERE connector_id = $1`, f.c.ID, name, run)
	e.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash, run_id) VALUES ($1, 'tags', $2, $3, $3, $4, '\x00', $5)`,
		f.c.ID, f.key, name, []byte(`{"text":"`+name+`"}`), run)
	f.call = store.Call{ID: uuid.Must(uuid.NewV7()), ConnectorID: f.c.ID, RunID: &run, Stream: "tags", Scope: "tags", Method: "GET", Path: "/tags", Query: "limit=100",
		Status: 503, Attempt: 2, StartedAt: time.Now().UTC().Truncate(time.Microsecond), DurationMS: 120, WaitMS: 40, Bytes: 2048, Records: 7, Error: name}
	if err := e.db.Store.Log(ctx, []store.Call{f.call}); err != nil {
		e.t.Fatalf("Log: %v", err)
	}
	e.db.Exec(`UPDATE quarantine SET call_id = $2 WHERE connector_id = $1`, f.c.ID, f.call.ID)
	var err error
	if f.api, _, err = e.db.Store.CreateAPIKey(ctx, name); err != nil {
		e.t.Fatalf("CreateAPIKey: %v", err)
	}
	return f
}

// settle makes all of a connector synced.
func (e *env) settle(c store.Connector) {
	e.t.Helper()
	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', reason = '', requested_at = NULL, synced_at = now() WHERE connector_id = $1`, c.ID)
}

// count counts rows.
func (e *env) count(sql string, args ...any) int {
	e.t.Helper()
	return storetest.Value[int](e.db, sql, args...)
}
