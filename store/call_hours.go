package store

import (
	"context"

	"github.com/google/uuid"
)

// CallHours counts a connector's calls of the last 24 hours by the scope they served and by the hour, the oldest first.
func (s *Store) CallHours(ctx context.Context, connector uuid.UUID) (map[string][24]int64, error) {
	type row struct {
		Scope string
		Hour  int
		N     int64
	}
	rows, err := many[row](ctx, s.pool, `SELECT scope, least(23, 23 - floor(extract(epoch FROM now() - started_at) / 3600))::int AS hour, count(*) AS n
FROM calls WHERE connector_id = $1 AND started_at > now() - interval '24 hours' GROUP BY 1, 2`, connector)
	out := map[string][24]int64{}
	for _, r := range rows {
		hours := out[r.Scope]
		if r.Hour >= 0 {
			hours[r.Hour] += r.N
		}
		out[r.Scope] = hours
	}
	return out, err
}
