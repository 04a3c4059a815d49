package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Server is what Postgres says of itself, and of the role that we are there.
type Server struct {
	Version                     string // as people write it: 15.18
	VersionNum                  int    // 150018
	Encoding                    string // of the database
	Isolation                   string // default_transaction_isolation
	ReadOnly                    bool   // a standby, or made so by a setting
	Fsync, FullPages            bool
	Autovacuum                  bool
	MaxConnections, Connections int
	Now                         time.Time
	Role                        string
	MayCreate                   bool // in the schema leversync: migrations need that
	SizeBytes                   int64
}

// Server asks for it.
func (s *Store) Server(ctx context.Context) (Server, error) {
	return one[Server](ctx, s.pool, `SELECT split_part(current_setting('server_version'), ' ', 1) AS version, current_setting('server_version_num')::int AS version_num,
    pg_encoding_to_char(d.encoding) AS encoding, current_setting('default_transaction_isolation') AS isolation,
    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only,
    current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_pages, current_setting('autovacuum') = 'on' AS autovacuum,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS max_connections,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
    clock_timestamp() AS now, current_user::text AS role,
    coalesce(has_schema_privilege(to_regnamespace('leversync')::oid, 'CREATE'), has_database_privilege(d.oid, 'CREATE')) AS may_create,
    pg_database_size(d.oid) AS size_bytes
FROM pg_database d WHERE d.datname = current_database()`)
}

// Upkeep is what stands in Postgres' way of keeping its house.
type Upkeep struct {
	OldestTransaction time.Duration // of anybody in this database
	DeadSlots         int           // replication slots that nobody reads: WAL is kept for them without end
	StaleTables       []string      // large, and with statistics of other times
	NoRights          []string      // tables that we may not read and write
}

// Upkeep asks for it.
func (s *Store) Upkeep(ctx context.Context) (Upkeep, error) {
	return one[Upkeep](ctx, s.pool, `SELECT
    coalesce((SELECT max(now() - xact_start) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()), '0') AS oldest_transaction,
    (SELECT count(*) FROM pg_replication_slots WHERE NOT active)::int AS dead_slots,
    ARRAY(SELECT relname::text FROM pg_stat_user_tables WHERE schemaname = 'leversync' AND n_live_tup > 10000
        AND (coalesce(last_analyze, last_autoanalyze) IS NULL OR n_mod_since_analyze > n_live_tup) ORDER BY relname) AS stale_tables,
    ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = to_regnamespace('leversync') AND c.relkind IN ('r', 'p')
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
        ORDER BY c.relname) AS no_rights`)
}

// Workload is how the work stands, over all connectors. Those that are paused or not linked count for nothing but Connectors,
// Relink and Paused.
type Workload struct {
	Connectors    int   `json:"connectors"`
	Relink        int   `json:"relink"`
	Paused        int   `json:"paused"`
	Overdue       int   `json:"overdue"`         // scopes that fell due, and no scheduler took
	Unserved      int   `json:"unserved"`        // scopes that were queued ten minutes ago, and no run of them has begun
	StuckRuns     int   `json:"stuck_runs"`      // runs whose holder is gone for a minute, and that nobody took over
	Failed        int   `json:"failed_scopes"`   // scopes whose last run failed
	Forbidden     int   `json:"forbidden"`       // scopes that Lever refuses
	LateScopes    int   `json:"late_scopes"`     // scopes without a complete traversal for a day, and three times their interval
	Quarantined   int64 `json:"quarantined"`     // records
	Records       int64 `json:"records"`         //
	UnknownWrites int   `json:"unknown_writes"`  // writes to Lever whose outcome is not known for ten minutes
	APIKeys       int   `json:"api_keys"`        // not revoked
	CallsLastHour int64 `json:"calls_last_hour"` // to Lever
	Refused       int64 `json:"calls_refused"`   // of those: no answer, or 5xx
	Throttled     int64 `json:"calls_throttled"` // of those: 429
	LogDays       int   `json:"log_days"`        // partitions of the sync log from today on
}

// Workload asks for it. interval is the installation's, for connectors that have none of their own.
func (s *Store) Workload(ctx context.Context, interval time.Duration) (Workload, error) {
	return one[Workload](ctx, s.pool, `WITH live AS (SELECT id, coalesce(sync_interval_seconds, $1::float8) AS every FROM connectors WHERE status = 'COMPLETE' AND NOT paused),
sc AS (SELECT cs.*, l.every FROM connector_scopes cs JOIN live l ON l.id = cs.connector_id WHERE cs.enabled),
st AS (SELECT s.* FROM streams s JOIN live l ON l.id = s.connector_id WHERE s.run_id IS NOT NULL),
ca AS (SELECT status FROM calls WHERE started_at > now() - interval '1 hour')
SELECT (SELECT count(*) FROM connectors)::int AS connectors,
    (SELECT count(*) FROM connectors WHERE status = 'RELINK_NEEDED')::int AS relink,
    (SELECT count(*) FROM connectors WHERE paused)::int AS paused,
    (SELECT count(*) FROM sc WHERE next_run_at < now() - interval '1 minute')::int AS overdue,
    (SELECT count(*) FROM sc WHERE requested_at < now() - interval '10 minutes' AND NOT EXISTS (SELECT FROM st JOIN runs r ON r.connector_id = st.connector_id AND r.id = st.run_id
        WHERE st.connector_id = sc.connector_id AND sc.scope = ANY(r.scopes)))::int AS unserved,
    (SELECT count(*) FROM st WHERE coalesce(wake_at, lease_until) < now() - interval '1 minute' AND coalesce(lease_until, '-infinity') < now() - interval '1 minute')::int AS stuck_runs,
    (SELECT count(*) FROM sc WHERE state = 'failed')::int AS failed,
    (SELECT count(*) FROM sc WHERE state = 'forbidden')::int AS forbidden,
    (SELECT count(*) FROM sc WHERE state <> 'forbidden' AND synced_at < now() - greatest(interval '1 day', make_interval(secs => 3 * every)))::int AS late_scopes,
    (SELECT coalesce(sum(quarantined), 0) FROM sc)::bigint AS quarantined,
    (SELECT coalesce(sum(records), 0) FROM sc)::bigint AS records,
    (SELECT count(*) FROM outbox WHERE state IN ('sent', 'unknown') AND sent_at < now() - interval '10 minutes')::int AS unknown_writes,
    (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL)::int AS api_keys,
    (SELECT count(*) FROM ca) AS calls_last_hour,
    (SELECT count(*) FROM ca WHERE status = 0 OR status >= 500) AS refused,
    (SELECT count(*) FROM ca WHERE status = 429) AS throttled,
    (SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'calls'::regclass
        AND c.relname >= 'calls_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AND c.relname ~ '^calls_[0-9]{8}$')::int AS log_days`, interval.Seconds())
}

// RefusedScope is a scope that Lever refuses to a connector.
type RefusedScope struct {
	ConnectorID uuid.UUID
	Scope       string
	Reason      string
}

// RefusedScopes lists those that are on, of one connector or, with the zero id, of all.
func (s *Store) RefusedScopes(ctx context.Context, connector uuid.UUID) ([]RefusedScope, error) {
	return many[RefusedScope](ctx, s.pool, `SELECT connector_id, scope, reason FROM connector_scopes
WHERE enabled AND state = 'forbidden' AND ($1::uuid IS NULL OR connector_id = $1) ORDER BY connector_id, scope`, nilID(connector))
}

// CheckSealed opens everything that is sealed, and tells what does not open. Nothing is shown, and nothing written.
func (s *Store) CheckSealed(ctx context.Context) (opened int64, unopened []Unopened, err error) {
	for _, c := range sealedColumns {
		rows, err := s.pool.Query(ctx, fmt.Sprintf(`SELECT %[3]s, %[2]s FROM %[1]s WHERE %[2]s IS NOT NULL`, c.table, c.column, c.id))
		if err != nil {
			return 0, nil, err
		}
		var id uuid.UUID
		var sealed []byte
		if _, err := pgx.ForEachRow(rows, []any{&id, &sealed}, func() error {
			if _, err := s.keys.open(id.String(), c.purpose, sealed); err != nil {
				unopened = append(unopened, Unopened{What: c.purpose, ID: id, Reason: strings.TrimPrefix(err.Error(), "store: ")})
				return nil
			}
			opened++
			return nil
		}); err != nil {
			return 0, nil, err
		}
	}
	return opened, unopened, nil
}

// AParent is the remote id of one live parent of a connector, to ask Lever for its child lists; "" for none.
func (s *Store) AParent(ctx context.Context, connector uuid.UUID, sc unified.Scope) (string, error) {
	var id string
	err := s.pool.QueryRow(ctx, `SELECT coalesce(max(remote_id), '') FROM (SELECT remote_id FROM parents
    WHERE connector_id = $1 AND scope = $2 AND deleted_at IS NULL LIMIT 1) p`, connector, string(sc)).Scan(&id)
	return id, err
}
