package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Due is a scope of a connector that fell due.
type Due struct {
	ConnectorID uuid.UUID
	Scope       string
	DueAt       time.Time // when it fell due: a traversal that began later serves it
}

// ClaimDue takes up to limit scopes that are due, so that no other scheduler takes them too, and sets when
// they fall due next. Scopes of a connector that fell due together stay together: they share traversals.
//
// The next time is the old one plus the connector's cadence (interval, where it has none of its own), made
// up to now in whole steps after a downtime, give or take a jitter of up to a twentieth of it that is the
// same for all scopes of the connector. It is always in the future.
func (s *Store) ClaimDue(ctx context.Context, interval time.Duration, limit int) ([]Due, error) {
	return many[Due](ctx, s.pool, `WITH due AS (
    SELECT cs.connector_id, cs.scope, cs.next_run_at, greatest(coalesce(c.sync_interval_seconds, $1::float8), 1) AS every
    FROM connector_scopes cs JOIN connectors c ON c.id = cs.connector_id
    WHERE cs.enabled AND cs.next_run_at <= now() AND c.status = 'COMPLETE' AND NOT c.paused
    ORDER BY cs.next_run_at, cs.connector_id LIMIT $2 FOR UPDATE OF cs SKIP LOCKED
)
UPDATE connector_scopes cs SET requested_at = greatest(cs.requested_at, due.next_run_at), queued_at = now(),
    next_run_at = due.next_run_at + make_interval(secs => every * (ceil(extract(epoch FROM now() - due.next_run_at) / every + 0.05)
        + 0.1 * (hashtext(due.connector_id::text || due.next_run_at::text) & 1023) / 1024.0 - 0.05))
FROM due WHERE cs.connector_id = due.connector_id AND cs.scope = due.scope
RETURNING cs.connector_id, cs.scope, due.next_run_at AS due_at`, interval.Seconds(), limit)
}

// Lost is work that Postgres knows of and the queue may not: a run whose holder died or whose wake-up never
// came, or a scope that was asked for and never begun.
type Lost struct {
	ConnectorID uuid.UUID
	Scope       string // "": a stream that only others need; all that is on is woken
	DueAt       time.Time
	Fence       int64 // of the run's stream, which rises with each holder; 0 without a run
}

// ClaimLost takes up to limit of it. grace is how late a wake-up, or the start of a queued task, may be
// before it counts as lost, beside behind, for which what is queued waits for its turn. A claim that is lost too is claimed again
// after both.
//
// A run is claimed for one of its scopes that is on, as due when that was asked for: what the run needs was
// traversed since, and is not traversed again.
func (s *Store) ClaimLost(ctx context.Context, grace, behind time.Duration, limit int) ([]Lost, error) {
	runs, err := many[Lost](ctx, s.pool, `WITH lost AS (
    SELECT st.connector_id, st.stream, coalesce(cs.scope, '') AS scope, least(cs.requested_at, r.started_at) AS due_at
    FROM streams st JOIN connectors c ON c.id = st.connector_id JOIN runs r ON r.connector_id = st.connector_id AND r.id = st.run_id
    LEFT JOIN LATERAL (SELECT scope, requested_at FROM connector_scopes
        WHERE connector_id = st.connector_id AND enabled AND scope = ANY(r.scopes) ORDER BY requested_at NULLS LAST, scope LIMIT 1) cs ON true
    WHERE st.run_id IS NOT NULL AND c.status = 'COMPLETE' AND NOT c.paused
      AND (st.lease_until < now() OR st.lease_until IS NULL) AND coalesce(st.wake_at + $1::interval, st.lease_until, '-infinity') < now()
    LIMIT $2 FOR UPDATE OF st SKIP LOCKED
)
UPDATE streams st SET wake_at = now() FROM lost WHERE st.connector_id = lost.connector_id AND st.stream = lost.stream
RETURNING st.connector_id, lost.scope, lost.due_at, st.fence`, grace+behind, limit)
	if err != nil {
		return nil, err
	}
	scopes, err := many[Lost](ctx, s.pool, claimLostScopes, 2*grace+behind, limit)
	return append(runs, scopes...), err
}

// claimLostScopes is asked every two seconds by each process that schedules: it reads what is lost, and no more.
const claimLostScopes = `WITH lost AS (
    SELECT cs.connector_id, cs.scope FROM connector_scopes cs JOIN connectors c ON c.id = cs.connector_id
    WHERE cs.enabled AND cs.requested_at IS NOT NULL AND coalesce(cs.queued_at, '-infinity') < now() - $1::interval
      AND c.status = 'COMPLETE' AND NOT c.paused
      AND NOT EXISTS (SELECT FROM streams st JOIN runs r ON r.connector_id = st.connector_id AND r.id = st.run_id
                      WHERE st.connector_id = cs.connector_id AND cs.scope = ANY(r.scopes))
    ORDER BY cs.requested_at LIMIT $2 FOR UPDATE OF cs SKIP LOCKED
)
UPDATE connector_scopes cs SET queued_at = now() FROM lost WHERE cs.connector_id = lost.connector_id AND cs.scope = lost.scope
RETURNING cs.connector_id, cs.scope, cs.requested_at AS due_at, 0::bigint AS fence`

// Request asks for scopes of a connector to be brought up to date, from now or from due on, and returns the
// moment that a traversal must begin after to serve the request. full reads everything again, and streams
// names the traversals that this concerns; acceptDeletions lets the next full traversal pass the brake.
func (s *Store) Request(ctx context.Context, connector uuid.UUID, scopes []unified.Scope, due time.Time) (time.Time, error) {
	names := make([]string, len(scopes))
	for i, sc := range scopes {
		names[i] = string(sc)
	}
	var at time.Time
	err := s.pool.QueryRow(ctx, `WITH t AS (SELECT coalesce($3::timestamptz, now()) AS at), upd AS (
    UPDATE connector_scopes SET requested_at = greatest(requested_at, t.at), queued_at = now()
    FROM t WHERE connector_id = $1 AND scope = ANY($2) AND enabled AND (requested_at IS NULL OR requested_at < t.at)
) SELECT at FROM t`, connector, names, nilTime(due)).Scan(&at)
	return at, err
}

// RequestFull makes the next traversal of the streams one of everything.
func (s *Store) RequestFull(ctx context.Context, connector uuid.UUID, streams []string, acceptDeletions bool) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO streams (connector_id, stream, full_requested, accept_deletions) SELECT $1, u, true, $3 FROM unnest($2::text[]) u
ON CONFLICT (connector_id, stream) DO UPDATE SET full_requested = true, accept_deletions = streams.accept_deletions OR $3`, connector, streams, acceptDeletions)
	return err
}

// Settle ends a request that a finished traversal has already served, or that cannot be served now.
func (s *Store) Settle(ctx context.Context, connector uuid.UUID, sc unified.Scope, upTo time.Time) error {
	_, err := s.pool.Exec(ctx, `UPDATE connector_scopes SET requested_at = NULL, queued_at = NULL
WHERE connector_id = $1 AND scope = $2 AND requested_at <= $3`, connector, string(sc), upTo)
	return err
}

// ScopeStatus is how one scope of one connector stands.
type ScopeStatus struct {
	Scope         string     `json:"scope"`
	Enabled       bool       `json:"enabled"`
	State         string     `json:"state"` // pending, syncing, ok, forbidden, failed
	Reason        string     `json:"reason"`
	NextRunAt     time.Time  `json:"next_run_at"`
	RequestedAt   *time.Time `json:"requested_at"`
	SyncedAt      *time.Time `json:"synced_at"` // the watermark
	FirstSyncedAt *time.Time `json:"first_synced_at"`
	LastRunID     *uuid.UUID `json:"last_run_id"`
	Records       int64      `json:"records"`
	Quarantined   int64      `json:"quarantined"`
	Removing      bool       `json:"removing"` // off, and what is stored of it is being removed
	Fresh         bool       `json:"-"`        // turned on since it was last read: all of it is read
}

const scopeColumns = `scope, enabled, state, reason, next_run_at, requested_at, synced_at, first_synced_at, last_run_id, records, quarantined, removing, fresh`

// Scopes lists the 15 scopes of a connector.
func (s *Store) Scopes(ctx context.Context, connector uuid.UUID) ([]ScopeStatus, error) {
	return manyBehind[ScopeStatus](ctx, s, connector, `SELECT `+scopeColumns+`
FROM connector_scopes WHERE connector_id = $1 ORDER BY scope`, connector)
}

// EnabledScopes is the set of scopes that are on.
func (s *Store) EnabledScopes(ctx context.Context, connector uuid.UUID) (map[unified.Scope]bool, error) {
	list, err := s.Scopes(ctx, connector)
	m := map[unified.Scope]bool{}
	for _, sc := range list {
		if sc.Enabled {
			m[unified.Scope(sc.Scope)] = true
		}
	}
	return m, err
}

// Switched is a connector with the scopes that are on, or ErrNotFound.
func (s *Store) Switched(ctx context.Context, id uuid.UUID) (Connector, map[unified.Scope]bool, error) {
	type row struct {
		Connector
		Scopes []string
	}
	r, err := one[row](ctx, s.pool, switched, id)
	on := make(map[unified.Scope]bool, len(r.Scopes))
	for _, sc := range r.Scopes {
		on[unified.Scope(sc)] = true
	}
	return r.Connector, on, err
}

// switched and asked are asked before any work is begun.
const (
	switched = `SELECT ` + connectorColumns + `, ARRAY(SELECT s.scope FROM connector_scopes s WHERE s.connector_id = c.id AND s.enabled) AS scopes
FROM connectors c WHERE id = $1`
	// What is asked for is no condition: a plan that was made without statistics would go through the index of all that is, of all
	// connectors.
	asked = `SELECT scope, CASE WHEN enabled THEN requested_at END AS since FROM connector_scopes WHERE connector_id = $1`
)

// Progress is how far streams of a connector are, and what is still asked of it.
type Progress struct {
	Streams map[string]Stream           // one that never ran is all zero
	Asked   map[unified.Scope]time.Time // of the scopes that are on, those that are to be brought up to date, and since when
}

// Progress looks at some streams, and then at what is asked, in one round trip.
func (s *Store) Progress(ctx context.Context, connector uuid.UUID, streams []string) (Progress, error) {
	type stream struct {
		Name string
		Stream
	}
	type scope struct {
		Scope string
		Since *time.Time // nil: it is off, or nothing is asked
	}
	var found []stream
	var scopes []scope
	b := &pgx.Batch{}
	queue(b, &found, `SELECT stream AS name, `+streamColumns+` FROM streams WHERE connector_id = $1 AND stream = ANY($2)`, wireID(connector), streams)
	queue(b, &scopes, asked, wireID(connector))
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return Progress{}, err
	}
	p := Progress{Streams: make(map[string]Stream, len(found)), Asked: map[unified.Scope]time.Time{}}
	for _, st := range found {
		p.Streams[st.Name] = st.Stream
	}
	for _, sc := range scopes {
		if sc.Since != nil {
			p.Asked[unified.Scope(sc.Scope)] = *sc.Since
		}
	}
	return p, nil
}

// Runs lists a connector's runs, newest first.
func (s *Store) Runs(ctx context.Context, connector uuid.UUID, since time.Time, limit int) ([]Run, error) {
	return many[Run](ctx, s.pool, `SELECT `+runColumns+`
FROM runs WHERE connector_id = $1 AND ($2::timestamptz IS NULL OR started_at >= $2) ORDER BY started_at DESC, id DESC LIMIT $3`, connector, nilTime(since), limit)
}

// SettleScopes ends what is asked of scopes whose stream can't run, and says why.
func (t *Tx) SettleScopes(ctx context.Context, scopes []unified.Scope, state, reason string) error {
	names := make([]string, len(scopes))
	for i, sc := range scopes {
		names[i] = string(sc)
	}
	_, err := t.tx.Exec(ctx, `UPDATE connector_scopes SET state = $3, reason = $4, requested_at = NULL, queued_at = NULL
WHERE connector_id = $1 AND scope = ANY($2) AND enabled`, t.lease.Connector, names, state, reason)
	return err
}
