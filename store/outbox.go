package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// KeepWrites is how long a write's key is remembered.
const KeepWrites = 24 * time.Hour

// The kinds of write.
const (
	WriteCandidate  = "candidate"
	WriteAttachment = "attachment"
	WriteActivity   = "activity"
)

// The states of a write. pending → sent → confirmed is the good way.
const (
	WritePending   = "pending"   // nothing was sent
	WriteSent      = "sent"      // it is being sent, or who sent it died
	WriteUnknown   = "unknown"   // it was sent, and no answer came
	WriteConfirmed = "confirmed" // Lever has it, and so have we
	WriteFailed    = "failed"    // Lever does not have it; the key is free again
)

// What Claim refuses with, and what the outbox says of a claim that went to another.
var (
	ErrWriteRunning  = errors.New("store: a write with this key is under way")
	ErrWriteKeyTaken = errors.New("store: the key belongs to another request")
	ErrWriteLost     = errors.New("store: the write was taken over")
	// ErrNotLinked: the connector has no credential that Lever accepts; ErrScopeOff: what would be written is
	// not synced for it, so it could not be read.
	ErrNotLinked = errors.New("store: the connector is not linked")
	ErrScopeOff  = errors.New("store: the scope is off for the connector")
	// ErrRemoteTaken: another write has this record of Lever for its own.
	ErrRemoteTaken = errors.New("store: another write has made this record")
)

// UnsettledError says that it is not known yet what became of a write. Asking again with the same key,
// not before RetryAfter, settles it.
type UnsettledError struct {
	RetryAfter time.Duration
	Made       bool  // Lever has it; it is not here yet
	Err        error // what went wrong; may be nil
}

func (e *UnsettledError) Error() string {
	s := "store: it is not known yet what became of the write"
	if e.Made {
		s = "store: Lever has taken the write, but it could not be read back yet"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is what went wrong.
func (e *UnsettledError) Unwrap() error { return e.Err }

// WriteLimitError says that a connector has begun as many writes of a kind within KeepWrites as it may. Nothing was sent.
type WriteLimitError struct {
	Limit      int
	RetryAfter time.Duration
}

func (e *WriteLimitError) Error() string {
	return fmt.Sprintf("store: the connector's %d writes of this kind in %s are used up", e.Limit, KeepWrites)
}

// UnreadableError says that a write was carried out, and that its record is not to be had: Lever does not
// show it to this credential, or it was deleted since.
type UnreadableError struct{ RemoteID string }

func (e *UnreadableError) Error() string {
	return "store: Lever has taken the write, but does not show the record"
}

// NewWrite asks for a write under an idempotency key.
type NewWrite struct {
	Connector   uuid.UUID
	Key         string
	Kind        string
	Fingerprint []byte          // of the request
	Subject     json.RawMessage // what it is looked up by; set by who carries it out
	Daily       int             // how many of its kind the connector may begin within KeepWrites; 0: as many as it likes
}

// Write is a row of the outbox, claimed by whoever holds it.
type Write struct {
	ConnectorID uuid.UUID
	Key         string
	Kind        string
	State       string
	Claim       *uuid.UUID
	Subject     json.RawMessage
	FirstSentAt *time.Time
	SentAt      *time.Time
	RemoteID    *string
	Reply       json.RawMessage
	Fingerprint []byte
	Looks       int
	CreatedAt   time.Time
	Claimed     bool      // by somebody, now
	Now         time.Time // Postgres' clock
}

const writeColumns = `connector_id, key, kind, state, claim, subject, first_sent_at, sent_at, remote_id, reply, fingerprint, looks, created_at,
    coalesce(claimed_until > now(), false) AS claimed, now() AS now`

// ClaimWrite takes the write of a key, for as long as given. One that is confirmed comes as it is, with its
// reply. One that is sent or unknown must be looked up before it is sent again. Errors: ErrNotFound (no such
// connector), ErrWriteRunning, ErrWriteKeyTaken, *WriteLimitError.
func (s *Store) ClaimWrite(ctx context.Context, n NewWrite, d time.Duration) (Write, error) {
	var w Write
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// A key that is free again, or that was forgotten, begins anew.
		if _, err := tx.Exec(ctx, `DELETE FROM outbox WHERE connector_id = $1 AND key = $2
AND (state = 'failed' OR created_at < now() - $3::interval) AND (claimed_until IS NULL OR claimed_until < now())`, n.Connector, n.Key, KeepWrites); err != nil {
			return err
		}
		if n.Daily > 0 { // one at a time, so that each counts those before it
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('leversync.writes'), hashtext($1))`, n.Connector.String()); err != nil {
				return err
			}
		}
		made, err := tx.Exec(ctx, `INSERT INTO outbox (connector_id, key, kind, fingerprint, subject) SELECT id, $2, $3, $4, $5 FROM connectors WHERE id = $1
ON CONFLICT DO NOTHING`, n.Connector, n.Key, n.Kind, n.Fingerprint, n.Subject)
		if err != nil {
			return err
		}
		if n.Daily > 0 && made.RowsAffected() > 0 {
			if err := withinDay(ctx, tx, n); err != nil {
				return err
			}
		}
		w, err = one[Write](ctx, tx, `SELECT `+writeColumns+` FROM outbox WHERE connector_id = $1 AND key = $2 FOR UPDATE`, n.Connector, n.Key)
		switch {
		case err != nil:
			return err
		case w.Kind != n.Kind || !bytes.Equal(w.Fingerprint, n.Fingerprint):
			return ErrWriteKeyTaken
		case w.State == WriteConfirmed:
			return nil
		case w.Claimed:
			return ErrWriteRunning
		}
		w, err = one[Write](ctx, tx, `UPDATE outbox SET claim = $3, claimed_until = now() + $4 WHERE connector_id = $1 AND key = $2 RETURNING `+writeColumns,
			n.Connector, n.Key, uuid.New(), d)
		return err
	})
	return w, err
}

// withinDay refuses a write that is one too many within KeepWrites. It is among those that are counted; failed ones,
// which Lever does not have, are not.
func withinDay(ctx context.Context, q querier, n NewWrite) error {
	var seconds float64
	err := q.QueryRow(ctx, `SELECT extract(epoch FROM created_at + $3::interval - now()) FROM outbox
WHERE connector_id = $1 AND kind = $2 AND state <> 'failed' AND created_at >= now() - $3::interval AND key <> $4 ORDER BY created_at DESC OFFSET $5 LIMIT 1`,
		n.Connector, n.Kind, KeepWrites, n.Key, n.Daily-1).Scan(&seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = &WriteLimitError{Limit: n.Daily, RetryAfter: time.Duration(seconds * float64(time.Second))}
	}
	return err
}

// WritesLeft is how many writes of a kind a connector may still begin, of daily within KeepWrites.
func (s *Store) WritesLeft(ctx context.Context, connector uuid.UUID, kind string, daily int) (int, error) {
	var n int
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM outbox WHERE connector_id = $1 AND kind = $2 AND state <> 'failed' AND created_at >= now() - $3::interval`,
		connector, kind, KeepWrites).Scan(&n)
	return max(0, daily-n), err
}

// WriteReply is the reply to a write that is confirmed. Errors: ErrWriteKeyTaken.
func (s *Store) WriteReply(ctx context.Context, n NewWrite) (reply json.RawMessage, done bool, err error) {
	w, err := one[Write](ctx, s.pool, `SELECT `+writeColumns+` FROM outbox WHERE connector_id = $1 AND key = $2 AND state = 'confirmed' AND reply IS NOT NULL
AND created_at >= now() - $3::interval`, n.Connector, n.Key, KeepWrites)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case w.Kind != n.Kind || !bytes.Equal(w.Fingerprint, n.Fingerprint):
		return nil, false, ErrWriteKeyTaken
	}
	return w.Reply, true, nil
}

// ClaimUnsettled takes up to limit writes whose outcome is not known, and which nobody works on.
func (s *Store) ClaimUnsettled(ctx context.Context, limit int, d time.Duration) ([]Write, error) {
	return many[Write](ctx, s.pool, `UPDATE outbox o SET claim = gen_random_uuid(), claimed_until = now() + $2, looks = looks + 1
FROM (SELECT connector_id, key FROM outbox WHERE state IN ('sent', 'unknown') AND (look_at IS NULL OR look_at <= now())
    AND (claimed_until IS NULL OR claimed_until < now()) ORDER BY look_at NULLS FIRST LIMIT $1 FOR UPDATE SKIP LOCKED) u(c, k)
WHERE o.connector_id = u.c AND o.key = u.k RETURNING `+writeColumns, limit, d)
}

// SendWrite notes that the write is about to be sent: from here on its outcome is in doubt until it is
// settled. ErrWriteLost: the claim ran out; it must not be sent.
func (s *Store) SendWrite(ctx context.Context, w Write) (Write, error) {
	return s.updateWrite(ctx, w, `state = 'sent', sent_at = now(), first_sent_at = coalesce(first_sent_at, now())`)
}

// AnswerWrite notes which record of Lever's the write has made. ErrRemoteTaken: that is another's.
func (s *Store) AnswerWrite(ctx context.Context, w Write, remoteID string) (Write, error) {
	out, err := s.updateWrite(ctx, w, `remote_id = $4`, remoteID)
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.Code == "23505" {
		return w, ErrRemoteTaken
	}
	return out, err
}

// ReleaseWrite gives the claim back. State is WriteUnknown, and the recoverer looks after again; or
// WriteFailed: Lever does not have it, and the key is free.
func (s *Store) ReleaseWrite(ctx context.Context, w Write, state, reason string, again time.Duration) error {
	_, err := s.updateWrite(ctx, w, `state = $4, reason = $5, look_at = now() + $6, claim = NULL, claimed_until = NULL`, state, reason, again)
	return err
}

func (s *Store) updateWrite(ctx context.Context, w Write, set string, args ...any) (Write, error) {
	out, err := one[Write](ctx, s.pool, fmt.Sprintf(`UPDATE outbox SET %s WHERE connector_id = $1 AND key = $2 AND claim = $3 AND claimed_until > now()
RETURNING %s`, set, writeColumns), append([]any{w.ConnectorID, w.Key, w.Claim}, args...)...)
	if errors.Is(err, ErrNotFound) {
		return w, ErrWriteLost
	}
	return out, err
}

// ConfirmWrite ends a write with its reply, in the transaction of the record that it made. A nil reply means
// that the record is not to be had. What it would have been looked up by is not needed any more, and goes.
func (t *Tx) ConfirmWrite(ctx context.Context, w Write, reply json.RawMessage) error {
	tag, err := t.tx.Exec(ctx, `UPDATE outbox SET state = 'confirmed', reply = $4, subject = '{}', reason = '', claim = NULL, claimed_until = NULL
WHERE connector_id = $1 AND key = $2 AND claim = $3 AND claimed_until > now()`, w.ConnectorID, w.Key, w.Claim, reply)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrWriteLost
	}
	return err
}

// NotOurs are those of a connector's records of Lever, by remote id, that a write of this kind, sent at the
// time given, cannot have made: another write did, or an application of it was stored before.
func (s *Store) NotOurs(ctx context.Context, w Write, remoteIDs []string) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, `SELECT remote_id FROM outbox WHERE connector_id = $1 AND kind = $2 AND remote_id = ANY($3) AND key <> $4
UNION SELECT remote_id FROM applications WHERE connector_id = $1 AND $2 = 'candidate' AND id = ANY($5) AND created_at < $6`,
		w.ConnectorID, w.Kind, remoteIDs, w.Key, applicationIDs(w.ConnectorID, remoteIDs), w.FirstSentAt)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m, err
}

// PurgeWrites forgets the writes that are older than KeepWrites, and returns how many.
func (s *Store) PurgeWrites(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, `DELETE FROM outbox WHERE created_at < now() - $1::interval AND (claimed_until IS NULL OR claimed_until < now())`, KeepWrites)
	return tag.RowsAffected(), err
}
