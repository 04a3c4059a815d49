package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// CallQuery asks for a page of the sync log, newest first. Zero fields do not narrow.
type CallQuery struct {
	Connector uuid.UUID
	Run       uuid.UUID
	Scope     string
	Status    *int
	Failed    bool      // status 400 and more, and no answer
	Since     time.Time // from this moment on
	Until     time.Time // before this moment
	After     *Position // what is older than this
	Limit     int
}

// CallPage lists it. Each connector's newest are found by its own index, so that the log of all is no scan.
func (s *Store) CallPage(ctx context.Context, q CallQuery) ([]Call, error) {
	sql, args := q.sql()
	return many[Call](ctx, s.pool, sql, args...)
}

func (q CallQuery) sql() (string, []any) {
	var at *time.Time
	var id *uuid.UUID
	if q.After != nil {
		at, id = &q.After.At, &q.After.ID
	}
	return `SELECT c.* FROM connectors k CROSS JOIN LATERAL (
    SELECT * FROM calls WHERE connector_id = k.id AND ($2 = '' OR scope = $2) AND ($3::integer IS NULL OR status = $3)
      AND ($4::timestamptz IS NULL OR started_at >= $4) AND ($5::timestamptz IS NULL OR started_at < $5)
      AND ($6::timestamptz IS NULL OR (started_at, id) < ($6, $7::uuid)) AND (NOT $9 OR status >= 400 OR status = 0)
      AND ($10::uuid IS NULL OR run_id = $10)
    ORDER BY started_at DESC, id DESC LIMIT $8) c
WHERE $1::uuid IS NULL OR k.id = $1
ORDER BY c.started_at DESC, c.id DESC LIMIT $8`,
		[]any{nilID(q.Connector), q.Scope, q.Status, nilTime(q.Since), nilTime(q.Until), at, id, q.Limit, q.Failed, nilID(q.Run)}
}
