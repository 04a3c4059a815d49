package storetest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leversync/leversync/store"
)

// setupTimeout bounds each step that a test's database needs besides the test itself.
const setupTimeout = time.Minute

// EncryptionKey seals the credentials of tests, in the form of LEVERSYNC_ENCRYPTION_KEY: for processes that a test
// starts. It is base64 of 32 bytes.
const EncryptionKey = "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDE="

// MaxConns bounds each Store's connections: many tests run side by side on one server.
const MaxConns = 8

// DB is a migrated database that belongs to one test.
type DB struct {
	URL   string
	Store *store.Store

	t    testing.TB
	pool *pgxpool.Pool // for the test's own look at the tables, apart from the Store's pool
	root string        // the database's URL for an administrator
}

// Skew puts Postgres' clock off by d in this database, for everything that a statement, a default or a function asks it from
// now on: it is as if the clocks of all processes were off by as much the other way.
func (db *DB) Skew(d time.Duration) {
	db.t.Helper()
	ctx, cancel := context.WithTimeout(db.t.Context(), setupTimeout)
	defer cancel()
	off := strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	// now() stays the function that defaults and views are bound to; its body becomes another.
	if err := execute(ctx, db.root, `SET allow_system_table_mods = on;
CREATE OR REPLACE FUNCTION pg_catalog.true_clock_timestamp() RETURNS timestamptz LANGUAGE internal VOLATILE STRICT PARALLEL SAFE AS 'clock_timestamp';
CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT pg_catalog.transaction_timestamp() + interval '`+off+`' $$;
CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$ SELECT pg_catalog.true_clock_timestamp() + interval '`+off+`' $$`); err != nil {
		db.t.Fatalf("storetest: put Postgres' clock off: %v", err)
	}
}

// New returns an empty, migrated database of t's own, which is dropped when t ends, whoever is still
// connected. A plain role owns it and connects to it: row-level security counts for it. Its Store seals with a key that all tests share.
func New(t testing.TB) *DB {
	t.Helper()
	server := os.Getenv(databaseEnv)
	if server == "" {
		missing(t, "no Postgres ("+databaseEnv+" is not set)")
	}
	if !mainRuns.Load() {
		t.Fatal("storetest.New without storetest.Main: this package needs a TestMain that calls it")
	}
	from, err := migratedTemplate()
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{t: t}
	db.URL = clone(t, server, from)
	db.root = beside(server, db.URL)
	db.Store = openStore(t, db.URL)
	db.pool = openPool(t, db.URL)
	return db
}

// clone copies the template and returns the URL of the copy.
func clone(t testing.TB, server, from string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	name := databaseName("test")
	sql := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(from) + " OWNER " + quote(template.owner.Username())
	if err := execute(ctx, server, sql); err != nil {
		t.Fatalf("storetest: create a database from the template: %v", err)
	}
	t.Cleanup(func() {
		if err := dropDatabase(server, name); err != nil {
			t.Errorf("storetest: drop the test's database: %v", err)
		}
	})
	return owned(server, name, template.owner)
}

// beside is a server's URL with the database of another.
func beside(server, other string) string {
	s, err1 := url.Parse(server)
	o, err2 := url.Parse(other)
	if err := errors.Join(err1, err2); err != nil {
		panic("storetest: " + databaseEnv + " is not a URL") // execute has parsed it before
	}
	s.Path = o.Path
	return s.String()
}

func openStore(t testing.TB, url string) *store.Store {
	t.Helper()
	keys, err := store.ParseKeyring(EncryptionKey)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	s, err := store.Open(context.Background(), store.Config{URL: url, Keys: keys, MaxConns: MaxConns})
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func openPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	c.MaxConns = 2
	c.ConnConfig.RuntimeParams["application_name"] = "storetest"
	c.ConnConfig.RuntimeParams["search_path"] = "leversync,public"
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Exec runs a statement on its own connection, outside of the Store; its search path is the Store's.
func (db *DB) Exec(sql string, args ...any) {
	db.t.Helper()
	if _, err := db.pool.Exec(db.t.Context(), sql, args...); err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
}

// Value returns the one value that a query answers with: storetest.Value[int](db, "SELECT count(*) …").
func Value[T any](db *DB, sql string, args ...any) T {
	db.t.Helper()
	values := Column[T](db, sql, args...)
	if len(values) != 1 {
		db.t.Fatalf("%s: got %d rows, want 1", sql, len(values))
	}
	return values[0]
}

// Column returns the values of a query's only column, in the query's order.
func Column[T any](db *DB, sql string, args ...any) []T {
	db.t.Helper()
	rows, err := db.pool.Query(db.t.Context(), sql, args...)
	if err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
	return values
}
