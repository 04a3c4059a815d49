package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leversync/leversync/store/unified"
)

// CheckURL says what is wrong with a connection string; nil: nothing that shows without connecting. Its error
// holds no part of the string.
func CheckURL(url string) error {
	if !strings.Contains(url, "://") && !strings.Contains(url, "=") {
		return fmt.Errorf("store: DATABASE_URL: %w", redactParse(nil))
	}
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return fmt.Errorf("store: DATABASE_URL: %w", redactParse(err))
	}
	return nil
}

// Pool is how the pool of connections stands.
type Pool struct {
	Max, Total, Idle, Acquired int32
	Acquires, Waits            int64 // since the start; Waits found none idle
	WaitTime                   time.Duration
}

// Pool returns it.
func (s *Store) Pool() Pool {
	st := s.pool.Stat()
	return Pool{Max: st.MaxConns(), Total: st.TotalConns(), Idle: st.IdleConns(), Acquired: st.AcquiredConns(),
		Acquires: st.AcquireCount(), Waits: st.EmptyAcquireCount(), WaitTime: st.EmptyAcquireWaitTime()}
}

// ListsLeft counts the child lists that are still to be read, by the scope of their parents: applications or jobs.
func (s *Store) ListsLeft(ctx context.Context, connector uuid.UUID) (map[unified.Scope]int64, error) {
	type group struct {
		Scope   string
		Pending int
		N       int64
	}
	groups, err := many[group](ctx, s.pool, `SELECT scope, pending, count(*) AS n FROM parents
WHERE connector_id = $1 AND pending <> 0 GROUP BY scope, pending`, connector)
	left := map[unified.Scope]int64{}
	for _, g := range groups {
		left[unified.Scope(g.Scope)] += g.N * int64(bits.OnesCount(uint(g.Pending)))
	}
	return left, err
}

// Moved is what was written of one scope.
type Moved struct {
	Scope   string `json:"scope"`
	Created int64  `json:"created"`
	Changed int64  `json:"changed"`
	Deleted int64  `json:"deleted"`
}

// Moved counts what was written of a connector since a moment, by scope; scopes of which nothing was are left out.
func (s *Store) Moved(ctx context.Context, connector uuid.UUID, since time.Time) ([]Moved, error) {
	parts := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		parts[i] = fmt.Sprintf(`SELECT '%s' AS scope, count(*) FILTER (WHERE deleted_at IS NULL AND created_at >= $2) AS created,
    count(*) FILTER (WHERE deleted_at IS NULL AND created_at < $2) AS changed, count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted
FROM %s WHERE connector_id = $1 AND modified_at >= $2`, sc, sc.Table())
	}
	return many[Moved](ctx, s.pool, `SELECT * FROM (`+strings.Join(parts, "\nUNION ALL\n")+`) m WHERE created + changed + deleted > 0`, connector, since)
}

// Answer is what a query answers: texts, as psql would show them; "" for null.
type Answer struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Ask runs a query over the views in ats for one connector, read-only. The query's $1 is the connector.
func (s *Store) Ask(ctx context.Context, sql string, connector uuid.UUID) (Answer, error) {
	var a Answer
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// Texts for all columns: whoever asks shows them, and does not calculate.
		rows, err := tx.Query(ctx, sql, pgx.QueryResultFormats{pgx.TextFormatCode}, connector)
		if err != nil {
			return err
		}
		defer rows.Close()
		for _, f := range rows.FieldDescriptions() {
			a.Columns = append(a.Columns, f.Name)
		}
		for rows.Next() {
			row := make([]string, len(a.Columns))
			for i, b := range rows.RawValues() {
				row[i] = string(b)
			}
			a.Rows = append(a.Rows, row)
		}
		return rows.Err()
	})
	return a, err
}

// Refused reports whether err means that the server is there and does not let us in, or has no such database.
func Refused(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	return strings.HasPrefix(pe.Code, "28") || pe.Code == "3D000" || pe.Code == "42501"
}
