package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Wall is how the second wall between connectors stands: see migration 0009. Without it the queries alone, all of
// which name their connector, keep connectors apart.
type Wall struct {
	Reader string // the role that a connector's token reads as
	Stands bool   // we may become it, it may read, and it passes no policy
	Fix    string // SQL for an administrator, after which `leversync migrate` builds it; "" where it stands
}

// Wall looks at the second wall.
func (s *Store) Wall(ctx context.Context) (Wall, error) {
	var w Wall
	err := s.pool.QueryRow(ctx, `SELECT n.reader, coalesce(pg_has_role(current_user, r.oid, 'MEMBER') AND has_schema_privilege(r.oid, 'leversync', 'USAGE')
    AND NOT r.rolsuper AND NOT r.rolbypassrls, false) AS stands
FROM (SELECT left(o.rolname, 56) || '_reader' AS reader FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner WHERE n.nspname = 'leversync') n
LEFT JOIN pg_roles r ON r.rolname = n.reader`).Scan(&w.Reader, &w.Stands)
	if err != nil {
		return Wall{}, fmt.Errorf("store: wall: %w", err)
	}
	if !w.Stands {
		role := pgx.Identifier{w.Reader}.Sanitize()
		var us string
		if err := s.pool.QueryRow(ctx, `SELECT quote_ident(current_user)`).Scan(&us); err != nil {
			return Wall{}, fmt.Errorf("store: wall: %w", err)
		}
		w.Fix = fmt.Sprintf("CREATE ROLE %s NOLOGIN; GRANT %[1]s TO %s;", role, us)
	}
	return w, nil
}

// wallSQL begins a transaction behind the wall. It reads no table, and ends with the transaction.
const (
	wallSQL   = `SELECT set_config('leversync.connector_id', $1, true), set_config('role', $2, true)`
	noWallSQL = `SELECT set_config('leversync.connector_id', $1, true)`
)

// behind runs what fn queues in one transaction and one round trip, in which Postgres shows one connector's rows
// alone, whatever the statements forget to say. All that a connector's token reads goes this way, a few at a time.
func (s *Store) behind(ctx context.Context, connector uuid.UUID, fn func(*pgx.Batch)) error {
	select {
	case s.reads <- struct{}{}:
		defer func() { <-s.reads }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.sendBehind(ctx, s.pool, connector, fn)
}

// sendBehind is behind on a pool, or within a transaction: to its end the wall stands.
func (s *Store) sendBehind(ctx context.Context, db batcher, connector uuid.UUID, fn func(*pgx.Batch)) error {
	w := s.wall.Load()
	if w == nil {
		now, err := s.Wall(ctx)
		if err != nil {
			return err
		}
		s.wall.Store(&now)
		w = &now
	}
	b := &pgx.Batch{}
	if w.Stands {
		b.Queue(wallSQL, connector.String(), w.Reader)
	} else {
		b.Queue(noWallSQL, connector.String())
	}
	fn(b)
	return db.SendBatch(ctx, b).Close()
}

// batcher is a pool or a transaction.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// oneBehind is one, behind the wall of a connector.
func oneBehind[T any](ctx context.Context, s *Store, connector uuid.UUID, sql string, args ...any) (T, error) {
	var zero T
	list, err := manyBehind[T](ctx, s, connector, sql, args...)
	switch {
	case err != nil:
		return zero, err
	case len(list) == 0:
		return zero, ErrNotFound
	}
	return list[0], nil
}

// manyBehind is many, behind the wall of a connector.
func manyBehind[T any](ctx context.Context, s *Store, connector uuid.UUID, sql string, args ...any) ([]T, error) {
	var list []T
	err := s.behind(ctx, connector, func(b *pgx.Batch) { queue(b, &list, sql, args...) })
	return list, err
}

// queue adds a query for rows of T by column names to a batch; into has them once the batch is through.
func queue[T any](b *pgx.Batch, into *[]T, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
		return err
	})
}
