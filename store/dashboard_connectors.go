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

// How a connector's syncs stand as a whole, from what keeps all of it from going on to nothing.
const (
	SyncNotLinked = "not-linked"
	SyncRelink    = "relink-needed"
	SyncPaused    = "paused"
	SyncOff       = "off"     // no scope is on
	SyncSyncing   = "syncing" // or about to
	SyncFailed    = "failed"  // every scope
	SyncPartial   = "partial" // some scopes failed, or are refused
	SyncSynced    = "synced"
)

// SyncStates are all of them.
var SyncStates = []string{SyncSynced, SyncSyncing, SyncPartial, SyncFailed, SyncRelink, SyncPaused, SyncNotLinked, SyncOff}

// Board is a connector as an operator's list shows it.
type Board struct {
	Connector
	Sync        string     // one of SyncStates
	Percent     int        // of what is to be read, how much was; while syncing
	SyncedAt    *time.Time // the oldest watermark of what is on; nil: something has none
	LastRunAt   *time.Time
	NextRunAt   *time.Time // nil: none is planned
	Records     int64
	Quarantined int64
	ScopesOn    int
	ScopesOK    int
	ScopesBad   int        // failed or refused
	Calls       []int64    // an hour each, 24, the oldest first
	Webhooks    bool       // they are taken
	WebhookAt   *time.Time // the last genuine one; nil: none yet
	Found       int64      // how many there are in all of its list
}

// BoardQuery asks for a page of connectors, by name. Zero fields do not narrow.
type BoardQuery struct {
	ID     uuid.UUID
	Search string // in name, origin id, or the id's beginning
	Sync   string
	Limit  int // 0: all
	Offset int
}

// childScopes are read list by list of their parents, which tells how far a first sync is.
const childScopes = `'attachments', 'offers', 'scheduled-interviews', 'scorecards'`

// boardSQL sums each connector's scopes up, and looks at runs and calls only of those on the page. A run's calls are
// spread evenly over its time: counting the sync log itself would read a row for each call of a day.
var boardSQL = `WITH sums AS (
    SELECT cs.connector_id, count(*) AS total, sum(cs.records)::bigint AS records, sum(cs.quarantined)::bigint AS quarantined,
        min(cs.next_run_at) AS next_run_at, min(cs.synced_at) AS synced_at,
        bool_or(cs.synced_at IS NULL AND cs.state <> 'forbidden') AS never,
        count(*) FILTER (WHERE cs.state IN ('failed', 'forbidden')) AS bad,
        count(*) FILTER (WHERE cs.state = 'ok') AS ok,
        count(*) FILTER (WHERE cs.state IN ('pending', 'syncing') OR cs.state = 'ok' AND cs.requested_at IS NOT NULL) AS busy,
        count(*) FILTER (WHERE cs.state = 'syncing' AND cs.scope IN (` + childScopes + `)) AS children
    FROM connector_scopes cs WHERE cs.enabled AND ($1::uuid IS NULL OR cs.connector_id = $1) GROUP BY cs.connector_id
), all_of AS (
    SELECT ` + prefixed("c", connectorColumns) + `, s.total, s.busy, s.bad, s.ok, s.children, s.synced_at, s.never, s.next_run_at,
        coalesce(s.records, 0) AS records, coalesce(s.quarantined, 0) AS quarantined,
        CASE WHEN c.status = 'INCOMPLETE' THEN 'not-linked' WHEN c.status = 'RELINK_NEEDED' THEN 'relink-needed' WHEN c.paused THEN 'paused'
             WHEN s.total IS NULL THEN 'off' WHEN s.busy > 0 THEN 'syncing' WHEN s.bad = s.total THEN 'failed' WHEN s.bad > 0 THEN 'partial' ELSE 'synced' END AS sync
    FROM connectors c LEFT JOIN sums s ON s.connector_id = c.id
    WHERE ($1::uuid IS NULL OR c.id = $1)
      AND ($2 = '' OR c.org_name ILIKE $3 OR c.origin_id ILIKE $3 OR c.id::text LIKE $4)
), page AS (
    SELECT *, count(*) OVER () AS found FROM all_of WHERE $5 = '' OR sync = $5 ORDER BY lower(org_name), created_at, id LIMIT nullif($6, 0) OFFSET $7
)
SELECT ` + prefixed("p", connectorColumns) + `, p.sync, p.records, p.quarantined, p.found, r.last_run_at, h.calls,
    coalesce(p.total, 0) AS scopes_on, coalesce(p.ok, 0) AS scopes_ok, coalesce(p.bad, 0) AS scopes_bad, w.connector_id IS NOT NULL AS webhooks, w.received_at AS webhook_at,
    CASE WHEN p.never THEN NULL ELSE p.synced_at END AS synced_at,
    CASE WHEN p.status = 'COMPLETE' AND NOT p.paused THEN p.next_run_at END AS next_run_at,
    CASE WHEN p.sync = 'syncing' THEN floor(100 * (p.total - p.busy + p.children * coalesce(l.read, 0)) / p.total)::integer ELSE 0 END AS percent
FROM page p
LEFT JOIN webhooks w ON w.connector_id = p.id
CROSS JOIN LATERAL (SELECT max(started_at) AS last_run_at FROM runs WHERE connector_id = p.id) r
LEFT JOIN LATERAL (SELECT greatest(0, 1 - count(*)::float8 / nullif((SELECT records FROM connector_scopes WHERE connector_id = p.id AND scope = 'applications'), 0)) AS read
    FROM parents WHERE connector_id = p.id AND scope = 'applications' AND pending <> 0) l ON p.sync = 'syncing' AND p.children > 0
CROSS JOIN LATERAL (
    SELECT array_agg(coalesce(n, 0) ORDER BY hour) AS calls FROM generate_series(0, 23) hour LEFT JOIN (
        SELECT g, round(sum(u.calls * (least(u.until, g + 1) - greatest(u.since, g)) / (u.until - u.since)))::bigint AS n
        FROM (SELECT calls, 24 - extract(epoch FROM now() - started_at)::float8 / 3600 AS since,
                  greatest(24 - extract(epoch FROM now() - coalesce(ended_at, now()))::float8 / 3600, 24 - extract(epoch FROM now() - started_at)::float8 / 3600 + 1e-6) AS until
              FROM runs WHERE connector_id = p.id AND started_at > now() - interval '3 days' AND calls > 0 AND (ended_at IS NULL OR ended_at > now() - interval '24 hours')) u
        CROSS JOIN LATERAL generate_series(greatest(0, floor(u.since)::integer), least(23, ceil(u.until)::integer - 1)) g
        GROUP BY g) b ON b.g = hour) h
ORDER BY lower(p.org_name), p.created_at, p.id`

// Boards lists connectors for an operator: how each stands, in one query.
func (s *Store) Boards(ctx context.Context, q BoardQuery) ([]Board, error) {
	like := escapeLike(q.Search)
	// Planned for what is asked each time: the plan for any question is a hundred times slower.
	list, err := many[Board](ctx, s.pool, boardSQL, pgx.QueryExecModeCacheDescribe, nilID(q.ID), q.Search, "%"+like+"%", strings.ToLower(like)+"%", q.Sync, q.Limit, q.Offset)
	if err != nil {
		return nil, fmt.Errorf("store: boards: %w", err)
	}
	return list, nil
}

// escapeLike makes a text match itself in LIKE.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// Board is one connector, or ErrNotFound.
func (s *Store) Board(ctx context.Context, id uuid.UUID) (Board, error) {
	list, err := s.Boards(ctx, BoardQuery{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Board{}, err
	}
	return list[0], nil
}

// ConnectorToken opens a connector's token. ErrNotFound: there is no such connector.
func (s *Store) ConnectorToken(ctx context.Context, id uuid.UUID) (string, error) {
	type row struct{ TokenSealed []byte }
	r, err := one[row](ctx, s.pool, `SELECT token_sealed FROM connectors WHERE id = $1`, id)
	if err != nil {
		return "", err
	}
	token, err := s.keys.open(id.String(), "connector token", r.TokenSealed)
	return string(token), err
}

// RunPage lists a connector's runs, newest first: of one scope, unless it is "", and older than after.
func (s *Store) RunPage(ctx context.Context, connector uuid.UUID, sc unified.Scope, after *Position, limit int) ([]Run, error) {
	var at *time.Time
	var id *uuid.UUID
	if after != nil {
		at, id = &after.At, &after.ID
	}
	return many[Run](ctx, s.pool, `SELECT id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound, polled, swept, throttled, wait_ms,
    read, written, deleted, quarantined, sanitized, error
FROM runs WHERE connector_id = $1 AND ($2 = '' OR $2 = ANY(scopes)) AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
ORDER BY started_at DESC, id DESC LIMIT $5`, connector, string(sc), at, id, limit)
}
