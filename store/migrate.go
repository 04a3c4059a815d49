package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the database up to this binary's schema, forward only. Any number of processes may do
// it at once: an advisory lock lets one at a time work, and the others find nothing left to do. Who works with the
// database meanwhile is held up for a moment at most: a lock that is not to be had within a second is asked for again later.
// It returns the versions it applied.
func Migrate(ctx context.Context, url string) ([]int64, error) {
	db, p, err := provider(url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS leversync"); err != nil {
		// Two that create it at once: one of them is told that it is there.
		var there bool
		if qerr := db.QueryRowContext(ctx, "SELECT to_regnamespace('leversync') IS NOT NULL").Scan(&there); qerr != nil || !there {
			return nil, fmt.Errorf("store: create schema: %w", err)
		}
	}
	done, err := up(ctx, p, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("store: migrate: %w", err)
	}
	err = givingWay(ctx, func() error {
		_, err := db.ExecContext(ctx, "SELECT leversync.build_wall()")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: second wall: %w", err)
	}
	return done, nil
}

// up applies the migrations up to a version, and returns which.
func up(ctx context.Context, p *goose.Provider, version int64) (done []int64, err error) {
	err = givingWay(ctx, func() error {
		res, err := p.UpTo(ctx, version)
		if part, ok := errors.AsType[*goose.PartialError](err); ok {
			res = part.Applied
		}
		for _, r := range res {
			done = append(done, r.Source.Version)
		}
		return err
	})
	return done, err
}

const (
	// lockFor is how long a statement of a migration waits for a lock, and givesWay the pause after it. While it waits, all who
	// want the table after it wait behind it.
	lockFor  = time.Second
	givesWay = time.Second
	// lockTries is how often a lock is asked for: whoever holds it for minutes is to be looked at by a person.
	lockTries = 120
)

// givingWay does something, again and again where a lock was not to be had in time.
func givingWay(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		pe, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || pe.Code != "55P03" || try == lockTries { // lock_not_available
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(givesWay):
		}
	}
}

// Pending is how many migrations this binary has that the database has not.
func Pending(ctx context.Context, url string) (int, error) {
	db, p, err := provider(url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('leversync.goose_db_version') IS NOT NULL").Scan(&there); err != nil {
		return 0, fmt.Errorf("store: migrations: %w", err)
	}
	if !there {
		return len(p.ListSources()), nil
	}
	st, err := p.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: migrations: %w", err)
	}
	n := 0
	for _, s := range st {
		if s.State == goose.StatePending {
			n++
		}
	}
	return n, nil
}

func provider(url string) (*sql.DB, *goose.Provider, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, nil, fmt.Errorf("store: DATABASE_URL: %w", redactParse(err))
	}
	c.RuntimeParams["search_path"] = searchPath
	c.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockFor.Milliseconds(), 10)
	db := stdlib.OpenDB(*c)
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, nil, err
	}
	// Out of order, because migrations land in another order than they are numbered in: a database that
	// followed every commit may lack one between two that it has.
	p, err := goose.NewProvider(goose.DialectPostgres, db, sub, goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true))
	if err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("store: migrations: %w", err)
	}
	return db, p, nil
}
