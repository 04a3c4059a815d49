package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// QuarantinedRecord is a row of the quarantine with the bytes as they came.
type QuarantinedRecord struct {
	Quarantined
	Raw []byte `json:"-"`
}

// QuarantineFilter narrows QuarantineList; zero fields do not.
type QuarantineFilter struct {
	Connector uuid.UUID
	Scope     unified.Scope
	Key       string
	Limit     int // 0: 100
}

// QuarantineList lists what is set aside, newest first.
func (s *Store) QuarantineList(ctx context.Context, f QuarantineFilter) ([]QuarantinedRecord, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	return many[QuarantinedRecord](ctx, s.pool, `SELECT `+quarantinedColumns+`, raw
FROM quarantine WHERE ($1::uuid IS NULL OR connector_id = $1) AND ($2 = '' OR scope = $2) AND ($3 = '' OR key = $3)
ORDER BY last_seen_at DESC, connector_id, scope, key LIMIT $4`, nilID(f.Connector), string(f.Scope), f.Key, f.Limit)
}

// callTime is the longest between a call's start and its id, which is made when its answer is there.
const callTime = 10 * time.Minute

// QuarantineCall is the call that brought a quarantined record: ErrNotFound where it is not known, or no longer in the log.
func (s *Store) QuarantineCall(ctx context.Context, q Quarantined) (Call, error) {
	return quarantineCall(ctx, s.pool, q)
}

func quarantineCall(ctx context.Context, on querier, q Quarantined) (Call, error) {
	if q.CallID == nil || q.CallID.Version() != 7 {
		return Call{}, ErrNotFound
	}
	sec, nsec := q.CallID.Time().UnixTime()
	at := time.Unix(sec, nsec) // the log is kept by time: a look for an id alone would read all of it
	return one[Call](ctx, on, `SELECT * FROM calls WHERE connector_id = $1 AND id = $2 AND started_at BETWEEN $3 AND $4`,
		q.ConnectorID, *q.CallID, at.Add(-callTime), at.Add(time.Second))
}

// Reread is what brings a record from Lever again: lists Kinds (a bit set) of one of Of, where that is given, else all
// of Stream's list.
type Reread struct {
	Stream string
	Of     unified.Scope // applications or jobs: whose child lists; "": none
	Kinds  int
	Lane   int // in which those are put down
}

// listKey begins the key of a child list that could not be read, where no record's key is known.
const listKey = "list of "

// PutDownQuarantined has the next run read a quarantined record again, whether what it hangs on has changed or not. What
// is stored by then leaves the quarantine. gone: the record it hangs on was deleted, and the row went with it.
func (s *Store) PutDownQuarantined(ctx context.Context, q QuarantinedRecord, r Reread) (gone bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if r.Of == "" {
			return putDownList(ctx, tx, q, r)
		}
		parent := q.Parent
		if parent == "" {
			parent = q.Key
		}
		tag, err := tx.Exec(ctx, `UPDATE parents SET pending = pending | $4, pending_rev = pending_rev + 1, lane = $5, put_off = NULL
WHERE connector_id = $1 AND scope = $2 AND remote_id = $3 AND deleted_at IS NULL`, q.ConnectorID, string(r.Of), parent, r.Kinds, r.Lane)
		if err != nil {
			return err
		}
		gone = tag.RowsAffected() == 0
		if !gone && !strings.HasPrefix(q.Key, listKey) {
			return nil
		}
		// A list that fails again comes back, with its reason.
		if tag, err = tx.Exec(ctx, `DELETE FROM quarantine WHERE connector_id = $1 AND scope = $2 AND key = $3`, q.ConnectorID, q.Scope, q.Key); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE connector_scopes SET quarantined = quarantined - $3 WHERE connector_id = $1 AND scope = $2`, q.ConnectorID, q.Scope, tag.RowsAffected())
		return err
	})
	return gone, err
}

// putDownList asks for the whole of a list, and makes the record look changed in it; a department or an office is made of
// jobs, any of them.
func putDownList(ctx context.Context, tx pgx.Tx, q QuarantinedRecord, r Reread) error {
	if _, err := tx.Exec(ctx, `UPDATE parents SET raw_hash = NULL
WHERE connector_id = $1 AND (remote_id = $2 OR scope = 'applications' AND person = $2 OR scope = 'jobs' AND $3 IN ('departments', 'offices'))`,
		q.ConnectorID, q.Key, q.Scope); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO streams (connector_id, stream, full_requested) VALUES ($1, $2, true)
ON CONFLICT (connector_id, stream) DO UPDATE SET full_requested = true`, q.ConnectorID, r.Stream)
	return err
}
