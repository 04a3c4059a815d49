package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// HiredReasons are the remote ids of the archive reasons that mean hired.
func (s *Store) HiredReasons(ctx context.Context, connector uuid.UUID) (map[string]bool, error) {
	return hiredReasons(ctx, s.pool, connector)
}

func hiredReasons(ctx context.Context, q querier, connector uuid.UUID) (map[string]bool, error) {
	rows, err := q.Query(ctx, `SELECT remote_id FROM hired_reasons WHERE connector_id = $1`, connector)
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

// SetHiredReasons replaces them. Applications archived for a reason whose meaning changed are written again
// by the next traversal.
func (t *Tx) SetHiredReasons(ctx context.Context, ids []string) error {
	old, err := hiredReasons(ctx, t.tx, t.lease.Connector)
	if err != nil {
		return err
	}
	var changed []string
	for _, id := range ids {
		if !old[id] {
			changed = append(changed, id)
		}
		delete(old, id)
	}
	for id := range old {
		changed = append(changed, id)
	}
	if len(changed) == 0 {
		return nil
	}
	if _, err := t.tx.Exec(ctx, `DELETE FROM hired_reasons WHERE connector_id = $1 AND NOT remote_id = ANY($2)`, t.lease.Connector, notNil(ids)); err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, `INSERT INTO hired_reasons (connector_id, remote_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`, t.lease.Connector, ids); err != nil {
		return err
	}
	return t.Forget(ctx, changed)
}

// OfferStages are the remote ids of the offer stage and of those after it, in the pipeline's order.
func (s *Store) OfferStages(ctx context.Context, connector uuid.UUID, offer string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT remote_id FROM job_interview_stages WHERE connector_id = $1 AND deleted_at IS NULL
AND stage_order >= (SELECT stage_order FROM job_interview_stages WHERE connector_id = $1 AND deleted_at IS NULL AND remote_id = $2)`, connector, offer)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if len(ids) == 0 {
		ids = []string{offer}
	}
	return ids, err
}
