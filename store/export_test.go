package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leversync/leversync/store/unified"
)

// RememberedFor tells the store that it learnt at a moment who a caller is, and is how often, of some who ask at
// another, one would have to ask Postgres.
func RememberedFor(s *Store, learnt, asked time.Time, times int) (anew int) {
	id := [sha256.Size]byte{1}
	s.callers.put(id, Caller{}, learnt)
	for range times {
		if _, ok := s.callers.get(id, asked); !ok {
			anew++
		}
	}
	return anew
}

// TakeReads begins all reads that may run at once, and returns what ends them.
func TakeReads(s *Store) (end func()) {
	for range cap(s.reads) {
		s.reads <- struct{}{}
	}
	return func() {
		for range cap(s.reads) {
			<-s.reads
		}
	}
}

// ReadPlan is how Postgres answers a ReadQuery.
func ReadPlan(ctx context.Context, s *Store, q ReadQuery) (string, error) {
	first := ""
	for _, c := range q.Where {
		sql, ok := byText[q.Scope][c.Field]
		if !ok {
			continue
		}
		p, err := plan(ctx, s, sql, q.Connector, c.Values)
		if err != nil {
			return "", err
		}
		first += p + "\n"
	}
	q, err := s.beforeWall(ctx, q)
	if err != nil {
		return "", err
	}
	sql, args := q.SQL()
	p, err := Behind(ctx, s, q.Connector, "EXPLAIN "+sql, args...)
	return first + p, err
}

// ChangesPlan is how Postgres finds a page of the feed.
func ChangesPlan(ctx context.Context, s *Store, connector uuid.UUID, after FeedPosition) (string, error) {
	return Behind(ctx, s, connector, "EXPLAIN "+changesSQL(after), connector, "5", after.ID, 101)
}

// NextWorkPlan is how Postgres finds the parents whose children are read next.
func NextWorkPlan(ctx context.Context, s *Store, connector uuid.UUID, limit int) (string, error) {
	return plan(ctx, s, nextWork, connector, "applications", 31, []string{"o7"}, limit)
}

// ClaimLostPlan is how Postgres finds scopes whose tasks are lost.
func ClaimLostPlan(ctx context.Context, s *Store) (string, error) {
	return plan(ctx, s, claimLostScopes, time.Minute, 500)
}

// AskedPlans are how Postgres finds what is on and what is asked of a connector.
func AskedPlans(ctx context.Context, s *Store, connector uuid.UUID) (map[string]string, error) {
	a, err := plan(ctx, s, switched, connector)
	b, berr := plan(ctx, s, asked, connector)
	return map[string]string{"switched": a, "asked": b}, errors.Join(err, berr)
}

// AbsentPlan is how Postgres finds what is stored of a scope and was not met.
func AbsentPlan(ctx context.Context, t *Tx, sc unified.Scope) (string, error) {
	lines, err := t.notMet(ctx, "EXPLAIN ", sc.Table(), "")
	return strings.Join(lines, "\n"), err
}

// CallsPlan is how Postgres finds a page of the sync log.
func CallsPlan(ctx context.Context, s *Store, q CallQuery) (string, error) {
	sql, args := q.sql()
	return plan(ctx, s, sql, args...)
}

func plan(ctx context.Context, s *Store, sql string, args ...any) (string, error) {
	rows, err := s.pool.Query(ctx, "EXPLAIN "+sql, args...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}

// Behind is what a query of one column answers on the way that a connector's token's requests go, a row a line.
func Behind(ctx context.Context, s *Store, connector uuid.UUID, sql string, args ...any) (string, error) {
	var lines []string
	err := s.behind(ctx, connector, func(b *pgx.Batch) {
		b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
			lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	})
	return strings.Join(lines, "\n"), err
}

// ContinueFeed is what readies a new connection, on one of those that are there. It reports whether versions were raised.
func ContinueFeed(ctx context.Context, s *Store) (raised bool, err error) {
	var was, is int64
	if err := s.pool.QueryRow(ctx, `SELECT ahead FROM feed`).Scan(&was); err != nil {
		return false, err
	}
	err = s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return goOn(ctx, c.Conn()) })
	if err != nil {
		return false, err
	}
	err = s.pool.QueryRow(ctx, `SELECT ahead FROM feed`).Scan(&is)
	return is > was, err
}

// Connect makes so many connections, which are idle then.
func Connect(ctx context.Context, s *Store, n int) error {
	for range n {
		c, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
	}
	return nil
}

// MaintainCallsAt is MaintainCalls at a moment.
func MaintainCallsAt(ctx context.Context, s *Store, at time.Time, keep time.Duration) error {
	return s.maintainCalls(ctx, at, keep)
}

// ResealsPurpose reports whether Reseal knows of values sealed for a purpose.
func ResealsPurpose(purpose string) bool {
	return slices.ContainsFunc(sealedColumns, func(c sealedColumn) bool { return c.purpose == purpose })
}

// MigrateTo applies the migrations up to a version, as Migrate does.
func MigrateTo(ctx context.Context, url string, version int64) ([]int64, error) {
	db, p, err := provider(url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS leversync"); err != nil {
		return nil, err
	}
	return up(ctx, p, version)
}

// Migrations are the migrations' texts, by file name.
func Migrations() (map[string]string, error) {
	files, err := migrations.ReadDir("migrations")
	out := map[string]string{}
	for _, f := range files {
		b, rerr := migrations.ReadFile("migrations/" + f.Name())
		if rerr != nil {
			return nil, rerr
		}
		out[f.Name()] = string(b)
	}
	return out, err
}

// ParentWork does what changes parents wherever they stand, each by itself, to those of the transaction's connector, and takes it
// back. Of each it says how many parents were read, and how many changed.
func ParentWork(ctx context.Context, t *Tx) (map[string][2]int64, error) {
	steps := map[string]func() error{
		"DropWork": func() error { return t.DropWork(ctx, unified.Applications, 1) },
		"Forget":   func() error { return t.Forget(ctx, []string{"r1", "r2"}) },
	}
	for i, r := range (Keep{Raw: time.Hour, Deleted: time.Hour}).rules() {
		if r.table == "parents" {
			steps[fmt.Sprint("retention ", i)] = func() error {
				_, err := t.tx.Exec(ctx, r.sql, t.lease.Connector, r.age, retainBatch)
				return err
			}
		}
	}
	for i, step := range removal(unified.Applications)[1:] { // the first empties the records
		steps[fmt.Sprint("removal ", i)] = func() error {
			_, err := step(ctx, t.tx, t.lease.Connector)
			return err
		}
	}
	out := map[string][2]int64{}
	for name, do := range steps {
		var before, after [2]int64
		counters := func(to *[2]int64) error {
			return t.tx.QueryRow(ctx, `SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0), n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE relname = 'parents'`).Scan(&to[0], &to[1])
		}
		outer := t.tx
		sp, err := outer.Begin(ctx)
		if err != nil {
			return nil, err
		}
		t.tx = sp
		err = errors.Join(counters(&before), do(), counters(&after), sp.Rollback(ctx))
		if t.tx = outer; err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = [2]int64{after[0] - before[0], after[1] - before[1]}
	}
	return out, nil
}

// BeginRemoval does the first batch of a removal that has parents to remove, and returns what commits it.
func BeginRemoval(ctx context.Context, s *Store, connector uuid.UUID, sc unified.Scope) (commit func() error, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	steps := removal(sc)
	if n, err := steps[len(steps)-1](ctx, tx, connector); err != nil || n == 0 {
		return nil, errors.Join(err, errors.New("nothing to remove"), tx.Rollback(ctx))
	}
	return func() error { return tx.Commit(ctx) }, nil
}
