package store

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Spread returns the moments that cut a connector's applications into n parts of about the same size by when they were
// made, from a sample of every step-th. It returns none where applications are not stored, and the same one twice where
// many were made at once. The list of opportunities is cut by them: they need not be exact, only cheap to know.
func (s *Store) Spread(ctx context.Context, connector uuid.UUID, n, step int) ([]time.Time, error) {
	shares := make([]float64, 0, n)
	for i := 1; i < n; i++ {
		shares = append(shares, float64(i)/float64(n))
	}
	var at []time.Time
	err := s.pool.QueryRow(ctx, `WITH every AS (
    SELECT id FROM (SELECT id, row_number() OVER (ORDER BY modified_at, id) AS place FROM applications WHERE connector_id = $1) a WHERE place % $3 = 0
) SELECT coalesce(percentile_disc($2::float8[]) WITHIN GROUP (ORDER BY a.applied_at), '{}')
FROM every JOIN applications a USING (id) WHERE a.connector_id = $1 AND a.deleted_at IS NULL AND a.applied_at IS NOT NULL`,
		connector, shares, max(step, 1)).Scan(&at)
	return at, err
}

// Oldest is when the first of a connector's users, jobs and applications was made, as far as they are stored; nil: none is.
// It is for a connector of which few applications are stored yet.
func (s *Store) Oldest(ctx context.Context, connector uuid.UUID) (*time.Time, error) {
	var at *time.Time
	err := s.pool.QueryRow(ctx, `SELECT least(
    (SELECT min(remote_created_at) FROM remote_users WHERE connector_id = $1 AND deleted_at IS NULL),
    (SELECT min(remote_created_at) FROM jobs WHERE connector_id = $1 AND deleted_at IS NULL),
    (SELECT min(applied_at) FROM applications WHERE connector_id = $1 AND deleted_at IS NULL))`, connector).Scan(&at)
	return at, err
}
