// Package store owns Postgres: all the SQL of leversync, a file per noun, and the migrations.
//
// Postgres owns the truth: what is due, leases, cursors, records, runs, calls, failures. Internal tables
// live in the schema leversync, which may change between releases; the views in the schema ats are the
// stable face for people who query.
//
// # Keys
//
// Every large table is keyed by the connector and the record, with the selective column first: with
// connector_id first and no statistics yet, the planner answers a probe of 100 ids by reading the whole
// connector, page after page of a first load. A key of both allows partitioning or distribution by
// connector_id.
//
// # Raw payloads
//
// Lever's own body is kept once. An application and a candidate are made of the same opportunities, so
// theirs is in the table parents, beside the work that is left to do for it.
//
// # Errors
//
// ErrNotFound for what is not there, ErrFenced for a holder whose lease went to another. Everything else
// comes wrapped from pgx. No error holds a value of a record.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNotFound is what a look-up of something that is not there returns.
var ErrNotFound = errors.New("store: not found")

// Config says how to reach Postgres. Only URL is needed.
type Config struct {
	URL string
	// MaxConns bounds the pool; 0 means 16. Connections are dear, goroutines are not: this is the bound.
	MaxConns int32
	// MaxReads bounds how many reads by a connector's token run at once; 0 means twice the processors. More of them than
	// Postgres has processors for take no less time in all: each only takes longer, and the slowest much longer.
	MaxReads int
	// Keys seal credentials; the first seals, all open. Empty is fine where no credential is touched.
	Keys *Keyring
	// StatementTimeout ends a statement that hangs; 0 means one minute.
	StatementTimeout time.Duration
	// LeaseFor is how long a lease holds without renewal; 0 means DefaultLease. All processes must agree.
	LeaseFor time.Duration
	// Failpoint is told of each failpoint that the process comes to, so that a test can end it there; nil in life.
	Failpoint func(point string, connector uuid.UUID, of string)
}

// Store is leversync's Postgres. Safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	keys     *Keyring
	leaseFor time.Duration
	reads    chan struct{} // one for each read that runs: first come, first served
	ahead    chan struct{} // one for each transaction that has begun ahead of its turn
	renewing chan struct{} // one for each token that is being renewed

	failpoint func(point string, connector uuid.UUID, of string) // nil outside of tests
	callers   lately[[sha256.Size]byte, Caller]
	standings lately[listOf, standing]
	wall      atomic.Pointer[Wall] // as it stood when it was first needed
}

// searchPath makes plain table names mean ours.
const searchPath = "leversync"

// Open connects. It does not wait for a server that is away: see WaitReady.
func Open(ctx context.Context, c Config) (*Store, error) {
	pc, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("store: DATABASE_URL: %w", redactParse(err))
	}
	pc.MaxConns = c.MaxConns
	if pc.MaxConns == 0 {
		pc.MaxConns = 16
	}
	timeout := c.StatementTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	if c.LeaseFor == 0 {
		c.LeaseFor = DefaultLease
	}
	if c.MaxReads == 0 {
		c.MaxReads = 2 * runtime.GOMAXPROCS(0)
	}
	rp := pc.ConnConfig.RuntimeParams
	rp["search_path"] = searchPath
	rp["application_name"] = "leversync"
	rp["statement_timeout"] = fmt.Sprint(timeout.Milliseconds())
	// A process that freezes, or whose machine is lost, in mid-transaction keeps its rows locked: nobody could
	// take over its leases, although they have run out.
	rp["idle_in_transaction_session_timeout"] = fmt.Sprint(c.LeaseFor.Milliseconds())
	rp["timezone"] = "UTC"
	// Compiling a query takes seconds where there are many CTEs and laterals, and running ours takes milliseconds.
	rp["jit"] = "off"
	pc.MaxConnLifetimeJitter = 5 * time.Minute
	pc.ConnConfig.ConnectTimeout = 5 * time.Second
	pc.AfterConnect = prepare
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("store: connect: %w", err)
	}
	return &Store{pool: pool, keys: c.Keys, leaseFor: c.LeaseFor, failpoint: c.Failpoint,
		reads: make(chan struct{}, c.MaxReads), ahead: make(chan struct{}, pc.MaxConns/aheadShare),
		renewing: make(chan struct{}, max(1, pc.MaxConns/renewShare))}, nil
}

// redactParse drops what pgx says of the connection string: it may hold the password.
func redactParse(error) error {
	return errors.New("not a connection string: want postgres://user:password@host:5432/database")
}

// Close ends all connections.
func (s *Store) Close() { s.pool.Close() }

// Ping asks the server whether it is there.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Unstorable reports whether err means that Postgres was handed a text that it cannot hold: one with U+0000, or that is not
// UTF-8.
func Unstorable(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "22021" || pe.Code == "22P05")
}

// Away reports whether err means that Postgres can't be reached, or is starting or stopping.
func Away(err error) bool {
	if err == nil {
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		switch pe.Code {
		case "25P03", "57P01", "57P02", "57P03", "53300", "08000", "08003", "08006":
			return true
		}
		return false
	}
	var ce *pgconn.ConnectError
	return errors.As(err, &ce) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

// Unable reports whether err means that Postgres is there and can't do what it was asked for now, whatever that was: no
// room on its disk, no memory, read only, an error of its system, or a conflict that trying again did not end.
func Unable(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "40", "53", "58":
		return true
	}
	return pe.Code == "25006" || pe.Code == "55P03"
}

// one runs a query for a single row of T by column names, or ErrNotFound.
func one[T any](ctx context.Context, q querier, sql string, args ...any) (T, error) {
	var zero T
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return zero, err
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return zero, ErrNotFound
	}
	return v, err
}

// many runs a query for rows of T by column names.
func many[T any](ctx context.Context, q querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
}

// setOf runs a query for one column, and returns its values as a set.
func setOf[T comparable](ctx context.Context, q querier, sql string, args ...any) (map[T]bool, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	set := map[T]bool{}
	var v T
	_, err = pgx.ForEachRow(rows, []any{&v}, func() error {
		set[v] = true
		return nil
	})
	return set, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}
