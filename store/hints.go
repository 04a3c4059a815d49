package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// HintKind is what a hint names.
type HintKind string

// What hints can name.
const (
	HintOpportunity HintKind = "opportunity"
	HintContact     HintKind = "contact" // and with it all opportunities of that person
)

// Hint says that something may have changed in Lever. It is no evidence: it says where to look.
type Hint struct {
	Kind     HintKind
	RemoteID string
	Scopes   []unified.Scope // whose lists of it may have changed too
	// What Postgres adds.
	ReceivedAt time.Time // the newest of those that name the same
	Attempts   int       // looks that have failed
}

// putHint notes a hint; those that name the same are one. Nothing is noted of whom the connector has erased.
func (s *Store) putHint(ctx context.Context, q querier, connector uuid.UUID, h Hint) error {
	g, err := s.guardOf(ctx, q, connector)
	if err != nil {
		return err
	}
	if gone, err := g.erased(ctx, q, []string{h.RemoteID}); err != nil || gone[h.RemoteID] {
		return err
	}
	names := make([]string, len(h.Scopes))
	for i, sc := range h.Scopes {
		names[i] = string(sc)
	}
	_, err = q.Exec(ctx, `INSERT INTO hints AS h (connector_id, kind, remote_id, scopes) VALUES ($1, $2, $3, $4)
ON CONFLICT (connector_id, kind, remote_id) DO UPDATE SET received_at = excluded.received_at, looked_at = NULL, attempts = 0,
    scopes = ARRAY(SELECT x FROM unnest(h.scopes || excluded.scopes) x GROUP BY x ORDER BY x)`, connector, string(h.Kind), h.RemoteID, names)
	return err
}

// ClaimHinted takes up to limit connectors of which hints wait to be looked at, so that no other scheduler takes them too.
// One whose task is lost is taken again after grace; behind is how long what is in the queue waits before its turn.
func (s *Store) ClaimHinted(ctx context.Context, grace, behind time.Duration, limit int) ([]uuid.UUID, error) {
	type row struct{ ConnectorID uuid.UUID }
	rows, err := many[row](ctx, s.pool, `WITH due AS (
    SELECT w.connector_id FROM webhooks w JOIN connectors c ON c.id = w.connector_id
    WHERE coalesce(w.queued_at + $1::interval, '-infinity') < now() AND coalesce(w.wake_at, '-infinity') <= now()
      AND c.status = 'COMPLETE' AND NOT c.paused AND EXISTS (SELECT FROM hints h WHERE h.connector_id = w.connector_id)
    ORDER BY w.queued_at NULLS FIRST LIMIT $2 FOR NO KEY UPDATE OF w SKIP LOCKED
)
UPDATE webhooks w SET queued_at = now() FROM due WHERE w.connector_id = due.connector_id RETURNING w.connector_id`, grace+behind, limit)
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.ConnectorID
	}
	return ids, err
}

// RestHints ends the work of a task on a connector's hints: those that are left, and new ones, are taken up by another, which
// waits at least this long.
func (s *Store) RestHints(ctx context.Context, connector uuid.UUID, wait time.Duration) error {
	_, err := s.pool.Exec(ctx, `UPDATE webhooks SET queued_at = NULL, wake_at = now() + $2 WHERE connector_id = $1`, connector, wait)
	return err
}

// HintsWait reports whether there are hints of a connector that may be looked at now.
func (s *Store) HintsWait(ctx context.Context, connector uuid.UUID) (bool, error) {
	var wait bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hints h JOIN webhooks w USING (connector_id)
WHERE connector_id = $1 AND h.looked_at IS NULL AND coalesce(w.wake_at, '-infinity') <= now())`, connector).Scan(&wait)
	return wait, err
}

// Hints are up to limit of a connector's that nobody has looked at, the oldest first.
func (s *Store) Hints(ctx context.Context, connector uuid.UUID, limit int) ([]Hint, error) {
	return many[Hint](ctx, s.pool, `SELECT kind, remote_id, scopes, received_at, attempts FROM hints
WHERE connector_id = $1 AND looked_at IS NULL ORDER BY received_at LIMIT $2`, connector, limit)
}

// Looked says what became of a hint. It changes none that was renewed meanwhile.
type Looked struct {
	Hint
	Failed bool // it is to be tried again
	Lists  int  // bit set: lists that are put down to be read; 0: nothing is left to do
}

// Looked settles hints, in the transaction that writes what they brought.
func (t *Tx) Looked(ctx context.Context, done []Looked) error {
	if len(done) == 0 {
		return nil
	}
	hints, kinds, lists, failed := make([]Hint, len(done)), make([]string, len(done)), make([]int32, len(done)), make([]bool, len(done))
	for i, d := range done {
		hints[i], kinds[i], lists[i], failed[i] = d.Hint, string(d.Kind), int32(d.Lists), d.Failed
	}
	const those = ` unnest($2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::boolean[]) u(kind, id, at, lists, failed)
WHERE h.connector_id = $1 AND h.kind = u.kind AND h.remote_id = u.id AND h.received_at = u.at AND `
	for _, sql := range []string{
		`DELETE FROM hints h USING` + those + `u.lists = 0 AND NOT u.failed`,
		`UPDATE hints h SET looked_at = CASE WHEN NOT u.failed THEN now() END, lists = u.lists, attempts = h.attempts + u.failed::integer FROM` + those + `(u.lists <> 0 OR u.failed)`,
	} {
		if _, err := t.tx.Exec(ctx, sql, t.lease.Connector, kinds, hintIDs(hints), hintTimes(hints), lists, failed); err != nil {
			return err
		}
	}
	return nil
}

// LeaveHints leaves the hints of now to a sync that begins after them: their lists are put down for it, and
// are not read once more when it is through.
func (t *Tx) LeaveHints(ctx context.Context, hints []Hint) error {
	_, err := t.tx.Exec(ctx, `UPDATE hints h SET scopes = '{}' FROM unnest($2::text[], $3::timestamptz[]) u(id, at)
WHERE h.connector_id = $1 AND h.remote_id = u.id AND h.received_at = u.at`, t.lease.Connector, hintIDs(hints), hintTimes(hints))
	return err
}

func hintIDs(hints []Hint) []string {
	ids := make([]string, len(hints))
	for i, h := range hints {
		ids[i] = h.RemoteID
	}
	return ids
}

func hintTimes(hints []Hint) []time.Time {
	at := make([]time.Time, len(hints))
	for i, h := range hints {
		at[i] = h.ReceivedAt
	}
	return at
}

// MarkNamed puts kinds down for the parents named, those that wait already too: who is reading them now began before.
func (t *Tx) MarkNamed(ctx context.Context, sc unified.Scope, kinds, lane int, remoteIDs []string) (int64, error) {
	if len(remoteIDs) == 0 {
		return 0, nil
	}
	return t.mark(ctx, sc, kinds, lane, "remote_id = ANY($5)", remoteIDs)
}

// hinted narrows parents p to those that a hint has put lists down for.
const hinted = `FROM parents p JOIN hints h ON h.connector_id = p.connector_id AND h.kind = 'opportunity' AND h.remote_id = p.remote_id AND h.looked_at IS NOT NULL
WHERE p.connector_id = $1 AND p.scope = 'applications' AND p.pending & h.lists & $2 <> 0`

// NextHinted is NextWork of the lists that hints have put down, and no others.
func (s *Store) NextHinted(ctx context.Context, connector uuid.UUID, kinds int, except []string, limit int) ([]Work, error) {
	return many[Work](ctx, s.pool, `SELECT p.remote_id, p.person, p.pending & h.lists & $2 & ~`+waiting+` AS pending, p.pending_rev, p.lane, p.put_off `+hinted+`
AND p.pending & h.lists & $2 & ~`+waiting+` <> 0 AND NOT p.remote_id = ANY($3) ORDER BY h.received_at LIMIT $4`, connector, kinds, notNil(except), limit)
}

// HintedLeft counts what NextHinted has to give, after it has forgotten the hints whose lists were read.
func (s *Store) HintedLeft(ctx context.Context, connector uuid.UUID, kinds int) (Left, error) {
	if _, err := s.pool.Exec(ctx, `DELETE FROM hints h WHERE connector_id = $1 AND looked_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM parents p WHERE p.remote_id = h.remote_id AND p.connector_id = h.connector_id AND p.scope = 'applications' AND p.pending & h.lists & $2 <> 0)`,
		connector, kinds); err != nil {
		return Left{}, err
	}
	return one[Left](ctx, s.pool, workLeft("p.pending & h.lists & $2")+hinted, connector, kinds)
}

// BeginBeside starts a run of hints under the lease, beside the stream's own run, if there is one: the stream's cursor, times and
// states stay as they are. What a worker that died has left of one is ended.
func (s *Store) BeginBeside(ctx context.Context, l Lease) (Lease, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return l, err
	}
	l.RunID = id
	_, err = s.Commit(ctx, l, func(ctx context.Context, t *Tx) error {
		if _, err := t.tx.Exec(ctx, `UPDATE runs SET state = 'canceled', ended_at = now(), error = 'its worker died; what it had not done is done by another'
WHERE connector_id = $1 AND stream = $2 AND kind = 'hints' AND state = 'running'`, l.Connector, l.Stream); err != nil {
			return err
		}
		_, err := t.tx.Exec(ctx, `INSERT INTO runs (id, connector_id, stream, scopes, kind) VALUES ($1, $2, $3, '{}', 'hints')`, id, l.Connector, l.Stream)
		return err
	})
	return l, err
}

// FinishBeside ends the run that BeginBeside began.
func (t *Tx) FinishBeside(ctx context.Context, state, reason string) error {
	return t.endRun(ctx, Outcome{State: state, Reason: reason})
}

// WakeAfter is when the run under way of a stream wants to go on; negative: there is none.
func (st Stream) WakeAfter() time.Duration {
	if st.RunID == nil {
		return -1
	}
	if st.WakeAt == nil {
		return 0
	}
	return max(st.WakeAt.Sub(st.Now), 0)
}
