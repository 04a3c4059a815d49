package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// FailedRun is a run that did not end well, for those who help: no name of an account, no record.
type FailedRun struct {
	ConnectorID uuid.UUID  `json:"connector_id"`
	ID          uuid.UUID  `json:"id"`
	Stream      string     `json:"stream"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"`
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at"`
	Calls       int64      `json:"calls"`
	Error       string     `json:"error"`
}

// FailedRuns lists the latest of all connectors.
func (s *Store) FailedRuns(ctx context.Context, since time.Time, limit int) ([]FailedRun, error) {
	return many[FailedRun](ctx, s.pool, `SELECT connector_id, id, stream, kind, state, started_at, ended_at, calls, error FROM runs
WHERE started_at > $1 AND (state IN ('failed', 'forbidden') OR error <> '') ORDER BY started_at DESC LIMIT $2`, since, limit)
}

// TableSize is how large a table is: a partition counts for itself.
type TableSize struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"` // as the statistics have it
	Bytes int64  `json:"bytes"`
}

// TableSizes lists our tables, the largest first.
func (s *Store) TableSizes(ctx context.Context) ([]TableSize, error) {
	return many[TableSize](ctx, s.pool, `SELECT c.relname::text AS "table", greatest(c.reltuples, 0)::bigint AS rows, pg_total_relation_size(c.oid) AS bytes
FROM pg_class c WHERE c.relnamespace = to_regnamespace('leversync') AND c.relkind = 'r' ORDER BY bytes DESC, 1`)
}

// Migrations lists the versions that were applied to the database, and when.
func (s *Store) Migrations(ctx context.Context) ([]AppliedMigration, error) {
	return many[AppliedMigration](ctx, s.pool, `SELECT version_id AS version, tstamp AT TIME ZONE 'UTC' AS applied_at FROM goose_db_version WHERE is_applied AND version_id > 0 ORDER BY id`)
}

// AppliedMigration is one of them.
type AppliedMigration struct {
	Version   int64     `json:"version"`
	AppliedAt time.Time `json:"applied_at"`
}
