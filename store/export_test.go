package store

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ReadPlan is how Postgres answers a ReadQuery.
func ReadPlan(ctx context.Context, s *Store, q ReadQuery) (string, error) {
	sql, args := q.sql()
	rows, err := s.pool.Query(ctx, "EXPLAIN "+sql, args...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// ChangesPlan is how Postgres finds a page of the feed.
func ChangesPlan(ctx context.Context, s *Store, connector any, after FeedPosition) (string, error) {
	rows, err := s.pool.Query(ctx, "EXPLAIN "+changesSQL(after), connector, "5", after.ID, 101)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// ResealsPurpose reports whether Reseal knows of values sealed for a purpose.
func ResealsPurpose(purpose string) bool {
	return slices.ContainsFunc(sealedColumns, func(c sealedColumn) bool { return c.purpose == purpose })
}
