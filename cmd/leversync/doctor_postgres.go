package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
)

const (
	noPostgres = "Postgres can't be asked"
	// longTransaction is how long one may be under way before it is told of.
	longTransaction = 30 * time.Minute
)

// ofServer makes a check of what Postgres says of itself.
func ofServer(judge func(*doctor, store.Server) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding {
		if d.store == nil {
			return skipped("%s", noPostgres)
		}
		s, err := d.server()
		if err != nil {
			return skipped("%s", noPostgres)
		}
		return judge(d, s)
	}
}

// ofUpkeep makes a check of how Postgres' house is kept.
func ofUpkeep(judge func(store.Upkeep) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding {
		if d.store == nil {
			return skipped("%s", noPostgres)
		}
		u, err := d.upkeep()
		if err != nil {
			return skipped("%s", noPostgres)
		}
		return judge(u)
	}
}

func checkConfiguration(_ context.Context, d *doctor) finding {
	if len(d.problems) > 0 {
		return fail("set what is named; README.md lists all variables", "%s", strings.Join(d.problems, "; "))
	}
	return ok("all variables are well-formed")
}

func checkPostgres(_ context.Context, d *doctor) finding {
	if d.store == nil {
		return fail("set DATABASE_URL to postgres://user:password@host:5432/database", "it is not configured")
	}
	if _, err := d.server(); err != nil {
		return fail("start it, or check DATABASE_URL", "it does not answer: %v", cause(err))
	}
	return ok("it answers")
}

func checkPostgresVersion(_ *doctor, s store.Server) finding {
	if s.VersionNum < 140000 {
		return fail("use Postgres 14 or newer", "%s is too old", s.Version)
	}
	return ok("%s", s.Version)
}

func checkEncoding(_ *doctor, s store.Server) finding {
	if s.Encoding != "UTF8" {
		return fail("make a new database with ENCODING 'UTF8', and run `leversync migrate`", "the database's encoding is %s: names of other scripts can't be stored", s.Encoding)
	}
	return ok("UTF8")
}

func checkWritable(_ *doctor, s store.Server) finding {
	if s.ReadOnly {
		return fail("let DATABASE_URL name the primary; look at default_transaction_read_only", "the server is a standby, or read-only")
	}
	return ok("the server takes writes")
}

func checkIsolation(_ *doctor, s store.Server) finding {
	if s.Isolation != "read committed" {
		return warn("ALTER ROLE … SET default_transaction_isolation = 'read committed'", "transactions are %s by default: more of them are refused and made again", s.Isolation)
	}
	return ok("%s", s.Isolation)
}

func checkConnections(d *doctor, s store.Server) finding {
	free := s.MaxConnections - s.Connections
	switch {
	case d.cfg.DBConns > s.MaxConnections:
		return fail("lower LEVERSYNC_DB_CONNS, or raise max_connections", "a process may hold %d connections, the server allows %d", d.cfg.DBConns, s.MaxConnections)
	case free < d.cfg.DBConns:
		return warn("lower LEVERSYNC_DB_CONNS, raise max_connections, or put a pooler between", "%d of %d connections are in use: another process (%d) would not fit", s.Connections, s.MaxConnections, d.cfg.DBConns)
	}
	return ok("%d of %d in use; a process holds at most %d", s.Connections, s.MaxConnections, d.cfg.DBConns)
}

func checkDurability(_ *doctor, s store.Server) finding {
	if !s.Fsync || !s.FullPages {
		return warn("set fsync = on and full_page_writes = on", "a crash of the machine may destroy the database: fsync or full_page_writes is off")
	}
	return ok("fsync and full_page_writes are on")
}

func checkAutovacuum(_ *doctor, s store.Server) finding {
	if !s.Autovacuum {
		return warn("set autovacuum = on", "autovacuum is off: tables grow, and plans go wrong")
	}
	return ok("on")
}

func checkSize(_ *doctor, s store.Server) finding {
	return ok("the database takes %s; Postgres does not tell what is free", bytesText(s.SizeBytes))
}

func checkRowSecurity(ctx context.Context, d *doctor) finding {
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	w, err := d.store.Wall(ctx)
	if err != nil {
		return skipped("%s", noPostgres)
	}
	if !w.Stands {
		return warn("as an administrator of Postgres: "+w.Fix+" Then run `leversync migrate`", "the role %s is not there for us, or may not read: connectors are kept apart by the queries alone", w.Reader)
	}
	return ok("connector tokens read as the role %s, which row-level security holds", w.Reader)
}

func checkMayCreate(_ *doctor, s store.Server) finding {
	if !s.MayCreate {
		return warn("GRANT CREATE ON SCHEMA leversync, or run `leversync migrate` as another role", "the role %s may not create tables: it can't migrate, nor make the sync log's partitions", s.Role)
	}
	return ok("the role %s may create tables", s.Role)
}

func checkRights(u store.Upkeep) finding {
	if len(u.NoRights) > 0 {
		return fail("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA leversync", "no right to read and write: %s", clip(strings.Join(u.NoRights, ", "), 120))
	}
	return ok("all tables can be read and written")
}

func checkTransactions(u store.Upkeep) finding {
	if u.OldestTransaction > longTransaction {
		return warn("find it in pg_stat_activity (xact_start), and end it", "a transaction is under way for %s: the feed of changes waits for it, and vacuum too", short(u.OldestTransaction))
	}
	return ok("the oldest is %s old", short(u.OldestTransaction))
}

func checkSlots(u store.Upkeep) finding {
	if u.DeadSlots > 0 {
		return warn("SELECT * FROM pg_replication_slots WHERE NOT active; start their readers, or drop them", "%s that nobody reads: the disk fills", plural(int64(u.DeadSlots), "replication slot"))
	}
	return ok("none without a reader")
}

func checkStatistics(u store.Upkeep) finding {
	if len(u.StaleTables) > 0 {
		return warn("ANALYZE these tables; look at autovacuum's settings", "statistics are old or missing: %s", clip(strings.Join(u.StaleTables, ", "), 120))
	}
	return ok("statistics of all large tables are fresh")
}

func checkMigrations(_ context.Context, d *doctor) finding {
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	n, err := d.pending()
	switch {
	case err != nil:
		return skipped("%s", noPostgres)
	case n > 0:
		return fail("run `leversync migrate`", "%s pending", plural(int64(n), "migration"))
	}
	return ok("the schema is this version's")
}

func bytesText(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return number(n) + " bytes"
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
