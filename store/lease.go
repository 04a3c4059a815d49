package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Lease is the right to run one stream of one connector. It holds until Config.LeaseFor has passed without
// renewal; the fence is what every commit checks.
type Lease struct {
	Connector uuid.UUID
	Stream    string
	Owner     string
	Fence     int64
	RunID     uuid.UUID // zero: no run is under way
}

// DefaultLease is how long a lease holds without renewal. A worker that died is replaced after it.
const DefaultLease = 8 * time.Second

// LeaseFor is how long this store's leases hold without renewal.
func (s *Store) LeaseFor() time.Duration { return s.leaseFor }

// Stream is the state of one traversal of a Lever list.
type Stream struct {
	Fence           int64
	RunID           *uuid.UUID
	RunStartedAt    *time.Time
	Cursor          json.RawMessage
	Interrupted     bool // a holder of the run under way died
	WakeAt          *time.Time
	Failures        int
	Generation      int64
	LastStartedAt   *time.Time // of the last complete traversal
	LastTriedAt     *time.Time // of the last that ended, however it did
	LastFullAt      *time.Time
	LastFullPages   int
	DeletionsUntil  *time.Time
	FullRequested   bool
	AcceptDeletions bool
	SweptAt         *time.Time
	Flags           json.RawMessage
	Held            bool      // by anybody, now
	Now             time.Time // Postgres' clock: the only one that leases and watermarks go by
}

const streamColumns = `fence, run_id, run_started_at, cursor, interrupted, wake_at, failures, generation, last_started_at, last_tried_at, last_full_at,
    last_full_pages, deletions_until, full_requested, accept_deletions, swept_at, flags,
    coalesce(lease_until > now(), false) AS held, now() AS now`

// Stream returns the state of a stream; one that never ran is all zero.
func (s *Store) Stream(ctx context.Context, connector uuid.UUID, stream string) (Stream, error) {
	st, err := one[Stream](ctx, s.pool, `SELECT `+streamColumns+` FROM streams WHERE connector_id = $1 AND stream = $2`, connector, stream)
	if errors.Is(err, ErrNotFound) {
		return one[Stream](ctx, s.pool, `SELECT now() AS now`)
	}
	return st, err
}

// ErrHeld means that another worker holds the lease; ErrCapped that the connector has its share of slots.
var (
	ErrHeld   = errors.New("store: another worker holds the lease")
	ErrCapped = errors.New("store: the connector holds as many leases as it may")
)

// Acquire takes the lease of a stream and raises its fence. At most limit leases of one connector are held
// at a time. A lease that ran out, instead of having been released, marks the run under way as interrupted.
func (s *Store) Acquire(ctx context.Context, connector uuid.UUID, stream, owner string, limit int) (Lease, Stream, error) {
	var taken []Stream
	b := &pgx.Batch{} // one round trip, and one transaction
	// One at a time for each connector: two that count at once would both find room for one more.
	b.Queue(`SELECT FROM connectors WHERE id = $1 FOR NO KEY UPDATE`, wireID(connector))
	b.Queue(`INSERT INTO streams (connector_id, stream) VALUES ($1, $2) ON CONFLICT DO NOTHING`, wireID(connector), stream)
	queue(b, &taken, `UPDATE streams SET fence = fence + 1, lease_owner = $3, lease_until = now() + $4, wake_at = NULL,
    interrupted = interrupted OR (run_id IS NOT NULL AND lease_until IS NOT NULL)
WHERE connector_id = $1 AND stream = $2 AND (lease_until IS NULL OR lease_until < now())
  AND (SELECT count(*) FROM streams o WHERE o.connector_id = $1 AND o.lease_until > now()) < $5
RETURNING `+streamColumns, wireID(connector), stream, owner, s.leaseFor, limit)
	err := s.pool.SendBatch(ctx, b).Close()
	if err == nil && len(taken) == 0 {
		cur, err := s.Stream(ctx, connector, stream)
		if err != nil {
			return Lease{}, Stream{}, err
		}
		if cur.Held {
			return Lease{}, cur, ErrHeld
		}
		return Lease{}, cur, ErrCapped
	}
	if err != nil {
		return Lease{}, Stream{}, err
	}
	st := taken[0]
	l := Lease{Connector: connector, Stream: stream, Owner: owner, Fence: st.Fence}
	if st.RunID != nil {
		l.RunID = *st.RunID
	}
	return l, st, nil
}

// LeasesHeld counts the leases of a connector that hold now.
func (s *Store) LeasesHeld(ctx context.Context, connector uuid.UUID) (int, error) {
	var n int
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM streams WHERE connector_id = $1 AND lease_until > now()`, connector).Scan(&n)
	return n, err
}

// Renew keeps the lease for another Config.LeaseFor, or returns ErrFenced.
func (s *Store) Renew(ctx context.Context, l Lease) error {
	tag, err := s.pool.Exec(ctx, `UPDATE streams SET lease_until = now() + $4 WHERE connector_id = $1 AND stream = $2 AND fence = $3 AND lease_until IS NOT NULL`,
		l.Connector, l.Stream, l.Fence, s.leaseFor)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return err
}

// Release gives the lease back. The run under way wants to go on after wakeIn; negative: it ended.
func (s *Store) Release(ctx context.Context, l Lease, wakeIn time.Duration) error {
	var wake *time.Duration
	if wakeIn >= 0 {
		wake = &wakeIn
	}
	_, err := s.pool.Exec(ctx, `UPDATE streams SET lease_owner = NULL, lease_until = NULL,
    wake_at = CASE WHEN run_id IS NOT NULL THEN now() + $4::interval END
WHERE connector_id = $1 AND stream = $2 AND fence = $3`, l.Connector, l.Stream, l.Fence, wake)
	return err
}

// Run is one attempt to bring the scopes of a stream up to date.
type Run struct {
	ID          uuid.UUID  `json:"id"`
	ConnectorID uuid.UUID  `json:"connector_id"`
	Stream      string     `json:"stream"`
	Scopes      []string   `json:"scopes"`
	Kind        string     `json:"kind"`  // backfill, incremental, resync, hints
	State       string     `json:"state"` // running, done, failed, forbidden, canceled
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at"`
	Calls       int64      `json:"calls"`
	Bound       int64      `json:"bound"`
	Polled      int64      `json:"polled"` // of the bound: read because nothing tells of their change
	Swept       int64      `json:"swept"`  // of the bound: the rolling sweep's slice
	Throttled   int64      `json:"throttled"`
	WaitMS      int64      `json:"wait_ms"`
	Read        int64      `json:"read"`
	Written     int64      `json:"written"`
	Deleted     int64      `json:"deleted"`
	Quarantined int64      `json:"quarantined"`
	Sanitized   int64      `json:"sanitized"`
	Error       string     `json:"error"`
}

// runColumns are those of a Run.
const runColumns = `id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound, polled, swept, throttled, wait_ms,
    read, written, deleted, quarantined, sanitized, error`

// Begin starts a run under the lease: from here on the stream is under way until Finish, whoever holds it.
func (s *Store) Begin(ctx context.Context, l Lease, kind string, scopes []string, cursor json.RawMessage, full bool) (Lease, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return l, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := checkFence(ctx, tx, l); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE streams SET run_id = $3, run_started_at = now(), cursor = $4, interrupted = false, failures = 0,
    full_requested = full_requested AND NOT $5, generation = generation + 1 WHERE connector_id = $1 AND stream = $2`,
			l.Connector, l.Stream, id, cursor, full); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sweep_pages WHERE connector_id = $1 AND stream = $2`, l.Connector, l.Stream); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO runs (id, connector_id, stream, scopes, kind) VALUES ($1, $2, $3, $4, $5)`,
			id, l.Connector, l.Stream, scopes, kind); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE connector_scopes SET last_run_id = $3, state = CASE WHEN state = 'forbidden' THEN state ELSE 'syncing' END
WHERE connector_id = $1 AND scope = ANY($2)`, l.Connector, scopes, id)
		return err
	})
	l.RunID = id
	return l, err
}

// Restart throws the cursor of the run under way away: its page token has expired.
func (t *Tx) Restart(ctx context.Context, cursor json.RawMessage) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, `DELETE FROM sweep_pages WHERE connector_id = $1 AND stream = $2`, t.lease.Connector, t.lease.Stream); err != nil {
		return err
	}
	_, err := t.tx.Exec(ctx, `UPDATE streams SET cursor = $3, generation = generation + 1, interrupted = false WHERE connector_id = $1 AND stream = $2`,
		t.lease.Connector, t.lease.Stream, cursor)
	return err
}

// Outcome is how a run ended.
type Outcome struct {
	State  string // done, failed, forbidden, canceled
	Reason string // in words, for the scopes' state; "" when done
	Full   bool   // it was a complete traversal of the whole list
	Pages  int    // of that
	// DeletionsUntil is how far the list of deletions was read; zero: it was not.
	DeletionsUntil time.Time
	// Forbidden are scopes of the stream that Lever refused, though the run went on.
	Forbidden map[string]string
	Swept     bool // the rolling sweep took its slice
}

// Finish ends the run under way, in the caller's transaction: watermark, states and the run's row.
// The watermark is the run's start: what changed after it may have been missed.
func (t *Tx) Finish(ctx context.Context, o Outcome) error {
	l := t.lease
	if err := t.flush(ctx); err != nil { // a cursor that was saved before is done with
		return err
	}
	if err := t.endRun(ctx, o); err != nil {
		return err
	}
	var until *time.Time
	if !o.DeletionsUntil.IsZero() {
		until = &o.DeletionsUntil
	}
	done := o.State == "done"
	if _, err := t.tx.Exec(ctx, `UPDATE streams SET run_id = NULL, cursor = NULL, wake_at = NULL, interrupted = false, failures = 0,
    last_started_at = CASE WHEN $3 THEN run_started_at ELSE last_started_at END, last_tried_at = run_started_at,
    last_full_at = CASE WHEN $3 AND $4 THEN run_started_at ELSE last_full_at END,
    last_full_pages = CASE WHEN $3 AND $4 THEN $5 ELSE last_full_pages END,
    accept_deletions = accept_deletions AND NOT ($3 AND $4),
    swept_at = CASE WHEN $3 AND ($7 OR swept_at IS NULL) THEN run_started_at ELSE swept_at END,
    deletions_until = coalesce($6, deletions_until)
WHERE connector_id = $1 AND stream = $2`, l.Connector, l.Stream, done, o.Full, o.Pages, until, o.Swept); err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, `DELETE FROM sweep_pages WHERE connector_id = $1 AND stream = $2`, l.Connector, l.Stream); err != nil {
		return err
	}
	names, reasons := make([]string, 0, len(o.Forbidden)), make([]string, 0, len(o.Forbidden))
	for n, r := range o.Forbidden {
		names, reasons = append(names, n), append(reasons, r)
	}
	state := map[string]string{"done": "ok", "failed": "failed", "forbidden": "forbidden", "canceled": "pending"}[o.State]
	// A scope that was refused, or failed, has had its attempt: it falls due again by its schedule.
	_, err := t.tx.Exec(ctx, `UPDATE connector_scopes cs SET
    state = CASE WHEN f.reason IS NOT NULL THEN 'forbidden' ELSE $3 END,
    reason = coalesce(f.reason, $4),
    queued_at = NULL,
    synced_at = CASE WHEN f.reason IS NULL AND $3 = 'ok' THEN r.started_at ELSE cs.synced_at END,
    first_synced_at = CASE WHEN f.reason IS NULL AND $3 = 'ok' THEN coalesce(cs.first_synced_at, now()) ELSE cs.first_synced_at END,
    fresh = cs.fresh AND NOT (f.reason IS NULL AND $3 = 'ok'),
    requested_at = CASE WHEN $3 <> 'pending' AND cs.requested_at <= r.started_at THEN NULL ELSE cs.requested_at END
FROM (SELECT r.started_at, u.scope FROM runs r, unnest(r.scopes) u(scope) WHERE r.connector_id = $1 AND r.id = $2) r
LEFT JOIN unnest($5::text[], $6::text[]) f(scope, reason) USING (scope)
WHERE cs.connector_id = $1 AND cs.scope = r.scope`,
		l.Connector, l.RunID, state, o.Reason, names, reasons)
	t.failpoint(PointFinishing)
	return err
}

// endRun ends the run's row, and keeps it: with what this transaction has counted so far.
func (t *Tx) endRun(ctx context.Context, o Outcome) error {
	r, err := one[Run](ctx, t.tx, `UPDATE runs SET state = $3, ended_at = clock_timestamp(), error = $4 WHERE connector_id = $1 AND id = $2
RETURNING `+runColumns, t.lease.Connector, t.lease.RunID, o.State, o.Reason)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	c := t.counts
	r.Calls, r.Bound, r.Polled, r.Swept = r.Calls+c.Calls, r.Bound+c.Bound, r.Polled+c.Polled, r.Swept+c.Swept
	r.Throttled, r.WaitMS = r.Throttled+c.Throttled, r.WaitMS+c.WaitMS
	r.Read, r.Written, r.Deleted = r.Read+c.Read, r.Written+c.Written, r.Deleted+c.Deleted
	r.Quarantined, r.Sanitized = r.Quarantined+c.Quarantined, r.Sanitized+c.Sanitized
	t.ended = &r
	return err
}

// Failed counts a failure of the run under way that will be tried again, and returns how many in a row.
func (t *Tx) Failed(ctx context.Context, reason string, show bool) (int, error) {
	var n int
	if err := t.tx.QueryRow(ctx, `UPDATE streams SET failures = failures + 1 WHERE connector_id = $1 AND stream = $2 RETURNING failures`,
		t.lease.Connector, t.lease.Stream).Scan(&n); err != nil {
		return 0, err
	}
	_, err := t.tx.Exec(ctx, `UPDATE connector_scopes SET reason = $3, state = CASE WHEN $4 THEN 'failed' ELSE state END
WHERE connector_id = $1 AND scope = ANY((SELECT scopes FROM runs WHERE connector_id = $1 AND id = $2)::text[])`,
		t.lease.Connector, t.lease.RunID, reason, show)
	return n, err
}

// SetFlags stores what was learnt of the account on this stream.
func (t *Tx) SetFlags(ctx context.Context, flags json.RawMessage) error {
	_, err := t.tx.Exec(ctx, `UPDATE streams SET flags = $3 WHERE connector_id = $1 AND stream = $2`, t.lease.Connector, t.lease.Stream, flags)
	return err
}

// SetKind sets what kind of run it turned out to be.
func (t *Tx) SetKind(ctx context.Context, kind string) error {
	_, err := t.tx.Exec(ctx, `UPDATE runs SET kind = $3 WHERE connector_id = $1 AND id = $2`, t.lease.Connector, t.lease.RunID, kind)
	return err
}
