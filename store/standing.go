package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Standing is how all connectors stand together, for metrics. It holds counts alone.
type Standing struct {
	Connectors []StatusCount
	Scopes     []ScopeStanding
	Unsettled  int64 // writes to Lever whose outcome is not known
	Hints      int64 // of webhooks, not looked at yet
}

// StatusCount is how many connectors have a status: incomplete, complete, relink_needed, or paused, whatever else.
type StatusCount struct {
	Status string
	N      int64
}

// ScopeStanding is how a scope stands, over the connectors that are to be synced and have it on.
type ScopeStanding struct {
	Scope       string
	N           int64
	LagSeconds  float64 // of the one that is furthest behind: now minus watermark, or minus when it was linked
	Late        int64   // whose lag is more than three times their interval
	Failed      int64
	Forbidden   int64
	Records     int64
	Quarantined int64 // records set aside
}

// lag is how far a scope (cs) of a connector (c) is behind.
const lag = `extract(epoch FROM now() - coalesce(cs.synced_at, c.completed_at, c.created_at))::float8`

// Standing counts, over all connectors. interval is the cadence of those that have none of their own. It reads
// every row of connectors and connector_scopes: ask for it once in a while.
func (s *Store) Standing(ctx context.Context, interval time.Duration) (Standing, error) {
	var st Standing
	var err error
	if st.Connectors, err = many[StatusCount](ctx, s.pool, `SELECT CASE WHEN paused THEN 'paused' ELSE lower(status) END AS status, count(*) AS n
FROM connectors GROUP BY 1 ORDER BY 1`); err != nil {
		return st, err
	}
	if st.Scopes, err = many[ScopeStanding](ctx, s.pool, `SELECT cs.scope, count(*) AS n, greatest(max(`+lag+`), 0) AS lag_seconds,
    count(*) FILTER (WHERE `+lag+` > 3 * coalesce(c.sync_interval_seconds, $1::float8)) AS late,
    count(*) FILTER (WHERE cs.state = 'failed') AS failed, count(*) FILTER (WHERE cs.state = 'forbidden') AS forbidden,
    sum(cs.records)::bigint AS records, sum(cs.quarantined)::bigint AS quarantined
FROM connector_scopes cs JOIN connectors c ON c.id = cs.connector_id
WHERE cs.enabled AND c.status = 'COMPLETE' AND NOT c.paused GROUP BY cs.scope ORDER BY cs.scope`, interval.Seconds()); err != nil {
		return st, err
	}
	return st, s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM outbox WHERE state IN ('sent', 'unknown')), (SELECT count(*) FROM hints)`).
		Scan(&st.Unsettled, &st.Hints)
}

// ScopeLag is how far a scope of a connector is behind.
type ScopeLag struct {
	ConnectorID uuid.UUID
	Scope       string
	LagSeconds  float64
}

// Lags tells it of the scopes that are on of the first limit connectors that are to be synced.
func (s *Store) Lags(ctx context.Context, limit int) ([]ScopeLag, error) {
	return many[ScopeLag](ctx, s.pool, `SELECT cs.connector_id, cs.scope, greatest(`+lag+`, 0) AS lag_seconds
FROM (SELECT * FROM connectors WHERE status = 'COMPLETE' AND NOT paused ORDER BY created_at, id LIMIT $1) c
JOIN connector_scopes cs ON cs.connector_id = c.id AND cs.enabled`, limit)
}
