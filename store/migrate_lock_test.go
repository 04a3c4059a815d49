package store_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// empty takes the schema away, for a test of migrations.
func empty(db *storetest.DB) {
	db.Exec("DROP SCHEMA leversync CASCADE")
	db.Exec("DROP SCHEMA ats CASCADE")
}

// TestMigrateGivesWay: a migration that can't have its lock, because somebody reads for long, holds up nobody who comes after
// it for longer than it waits; it goes on once the lock is to be had.
func TestMigrateGivesWay(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	empty(db)
	if _, err := store.MigrateTo(t.Context(), db.URL, 50); err != nil {
		t.Fatal(err)
	}
	long, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close(context.Background())
	tx, err := long.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM leversync.parents`); err != nil {
		t.Fatal(err)
	}
	var done []int64
	migrated := make(chan error, 1)
	go func() {
		var err error
		done, err = store.Migrate(context.WithoutCancel(t.Context()), db.URL)
		migrated <- err
	}()
	for _, try := range []string{"first", "second"} { // it waits, gives way, and waits again
		for storetest.Value[int](db, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ALTER TABLE parents ADD%'`) == 0 {
			select {
			case err := <-migrated:
				t.Fatalf("Migrate = %v, before it got the lock", err)
			case <-time.After(5 * time.Millisecond):
			}
		}
		db.Exec(`SELECT FROM leversync.parents`) // behind it
		select {
		case err := <-migrated:
			t.Fatalf("Migrate = %v after its %s wait, while the lock was not to be had", err, try)
		default:
		}
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil || !slices.Contains(done, 51) {
		t.Errorf("Migrate = %v, %v; want 51 applied once the lock was to be had", done, err)
	}
}

// lastUngentle is the newest migration that need not keep the rules below: 0001 to 0025 make indexes of tables that are new, and
// some of those that are not under a lock. There is no release that would have to be brought up from there.
const lastUngentle = 25

// ungentle are statements that hold a table for as long as it is large. Where one is right all the same (a table that stays
// small, or that the same migration makes), the line before it says "-- gentle:" and why.
var ungentle = []struct {
	is, unless *regexp.Regexp // unless may be nil
	rule       string
}{
	{regexp.MustCompile(`(?i)^CREATE\s+(UNIQUE\s+)?INDEX\b`), regexp.MustCompile(`(?i)\bCONCURRENTLY\b`), "an index is made CONCURRENTLY, in a migration of its own with NO TRANSACTION and lock_timeout 0"},
	{regexp.MustCompile(`(?i)^(DROP\s+INDEX|REINDEX)\b`), regexp.MustCompile(`(?i)\bCONCURRENTLY\b`), "an index is dropped, or made anew, CONCURRENTLY"},
	{regexp.MustCompile(`(?i)\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b`), nil, "another type is a new column: it writes the table anew"},
	{regexp.MustCompile(`(?i)\bADD\s+(COLUMN\s+)?.*(\b(big)?serial\b|GENERATED\s+ALWAYS|DEFAULT\s+[a-z_.]+\()`), nil, "a column whose values are made for each row writes the table anew"},
	{regexp.MustCompile(`(?i)\bADD\s+(CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)\b`), regexp.MustCompile(`(?i)\bNOT\s+VALID\b|\bUSING\s+INDEX\b`), "a constraint is added NOT VALID, and validated by another migration"},
	{regexp.MustCompile(`(?i)\bSET\s+NOT\s+NULL\b`), nil, "NOT NULL reads the whole table under a lock: take a CHECK that is NOT VALID"},
	{regexp.MustCompile(`(?i)^(UPDATE|DELETE\s+FROM)\s`), nil, "rows are changed in batches, by the program, and not in one transaction"},
	{regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN)\b|\bRENAME\b`), nil, "processes of the version before go on while it is applied: what they use goes a version later"},
	{regexp.MustCompile(`(?i)^(CLUSTER\b[^,]*;|VACUUM\s+FULL\b|LOCK\b)`), nil, "a table is not written anew, nor locked"},
}

// faults are the lines of a migration that break a rule.
func faults(sql string) (out []string) {
	sql, _, _ = strings.Cut(sql, "-- +goose Down")
	before := ""
	for line := range strings.Lines(sql) {
		line = strings.TrimSpace(line)
		for _, u := range ungentle {
			if !strings.HasPrefix(line, "--") && !strings.HasPrefix(before, "-- gentle:") && u.is.MatchString(line) && (u.unless == nil || !u.unless.MatchString(line)) {
				out = append(out, line+": "+u.rule)
			}
		}
		before = line
	}
	return out
}

// TestMigrationsAreGentle: no migration that is made from now on holds a table that grows for as long as that takes.
func TestMigrationsAreGentle(t *testing.T) {
	t.Parallel()
	all, err := store.Migrations()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d migrations, %v", len(all), err)
	}
	for name, sql := range all {
		if n, err := strconv.Atoi(name[:4]); err != nil || n <= lastUngentle {
			continue
		}
		for _, f := range faults(sql) {
			t.Errorf("%s: %s", name, f)
		}
	}
	for sql, want := range map[string]int{
		"CREATE INDEX a ON parents (x);":                                       1,
		"CREATE UNIQUE INDEX a ON parents (x);":                                1,
		"CREATE INDEX CONCURRENTLY a ON parents (x);":                          0,
		"-- gentle: a row for each connector\nCREATE INDEX a ON webhooks (x);": 0,
		"DROP INDEX a;":                                                               1,
		"DROP INDEX CONCURRENTLY IF EXISTS a;":                                        0,
		"ALTER TABLE parents ALTER COLUMN lane TYPE bigint;":                          1,
		"ALTER TABLE parents ALTER lane SET DATA TYPE bigint;":                        1,
		"ALTER TABLE parents ADD COLUMN a jsonb, DROP COLUMN b;":                      1,
		"ALTER TABLE parents RENAME COLUMN a TO b;":                                   1,
		"ALTER TABLE parents ADD COLUMN a jsonb;":                                     0,
		"ALTER TABLE parents ADD COLUMN a boolean NOT NULL DEFAULT false;":            0,
		"ALTER TABLE parents ADD COLUMN a uuid DEFAULT gen_random_uuid();":            1,
		"ALTER TABLE parents ADD COLUMN a bigserial;":                                 1,
		"ALTER TABLE parents ADD COLUMN a int GENERATED ALWAYS AS (lane + 1) STORED;": 1,
		"ALTER TABLE parents ADD CONSTRAINT a CHECK (lane > 0);":                      1,
		"ALTER TABLE parents ADD CONSTRAINT a CHECK (lane > 0) NOT VALID;":            0,
		"ALTER TABLE parents ALTER COLUMN lane SET NOT NULL;":                         1,
		"UPDATE parents SET lane = 0;":                                                1,
		"DELETE FROM calls;":                                                          1,
		"ALTER TABLE parents ADD CONSTRAINT a UNIQUE USING INDEX b;":                  0,
		"LOCK TABLE parents;":                                                         1,
		"CLUSTER parents USING a;":                                                    1,
		"CREATE TABLE a (\ncluster text NOT NULL,\nb int);":                           0,
		"CREATE TABLE a (b int);\n-- +goose Down\nDROP INDEX c;":                      0,
		"-- CREATE INDEX a ON parents (x): it is not made":                            0,
	} {
		if got := faults(sql); len(got) != want {
			t.Errorf("faults(%q) = %q; want %d", sql, got, want)
		}
	}
}

// TestNemesisMigratesUnderLoad: while migrations are applied to tables of a million rows, others read and write them. Prints
// how long each held them up, which may be for 2 s beyond what they take anyway.
func TestNemesisMigratesUnderLoad(t *testing.T) {
	t.Parallel()
	rows, from := 2000, 15
	if os.Getenv("LEVERSYNC_NEMESIS") != "" {
		rows = 1_000_000
	}
	db := storetest.New(t)
	empty(db)
	if _, err := store.MigrateTo(t.Context(), db.URL, int64(from)); err != nil {
		t.Fatal(err)
	}
	c := `'00000000-0000-4000-8000-000000000001'::uuid`
	db.Exec(`INSERT INTO connectors (id, org_name, origin_id, token_hash, token_sealed) VALUES (` + c + `, 'Acme', 'a', '', '')`)
	db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, person, stage, raw, active_at, pending)
SELECT `+c+`, 'applications', 'o' || n, 'p' || n, 's' || n % 7, '{}', now(), 1 FROM generate_series(1, $1) n`, rows)
	for _, table := range []string{"applications", "candidates"} {
		db.Exec(`INSERT INTO `+table+` (connector_id, id, remote_id, raw_hash, body_hash) SELECT `+c+`, gen_random_uuid(), 'o' || n, '', '' FROM generate_series(1, $1) n`, rows)
	}
	all, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	var versions []int
	for name := range all {
		if n, err := strconv.Atoi(name[:4]); err == nil && n > from {
			versions = append(versions, n)
		}
	}
	slices.Sort(versions)
	p := probe(t, db.URL)
	usual := p.usual(t, 10)
	t.Logf("with no migration under way: %s at most", usual.Round(time.Millisecond))
	for _, v := range versions {
		p.take()
		began := time.Now()
		if _, err := store.MigrateTo(t.Context(), db.URL, int64(v)); err != nil {
			t.Fatalf("migration %d: %v", v, err)
		}
		took := time.Since(began)
		held := p.take()
		t.Logf("migration %04d on tables of %d rows: %s in all, others held up for %s at most", v, rows, took.Round(time.Millisecond), held.Round(time.Millisecond))
		if held > usual+2*time.Second {
			t.Errorf("migration %04d held others up for %s, want at most 2 s beyond their usual %s", v, held, usual)
		}
	}
	if p.end() == 0 {
		t.Error("nobody read and wrote meanwhile: nothing is shown")
	}
}

// prober reads and writes the large tables all the time, and knows how long that took at most.
type prober struct {
	mu     sync.Mutex
	most   time.Duration
	since  time.Time // the turn under way began
	turns  int
	cancel context.CancelFunc
	done   chan struct{}
}

func probe(t *testing.T, url string) *prober {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer conn.Close(context.Background())
		for ctx.Err() == nil {
			p.mu.Lock()
			p.since = time.Now()
			p.mu.Unlock()
			for _, sql := range []string{
				`SELECT id FROM leversync.applications WHERE remote_id = 'o7' LIMIT 1`,
				`UPDATE leversync.candidates SET raw_hash = '\x01' WHERE id = (SELECT id FROM leversync.candidates LIMIT 1)`,
				`UPDATE leversync.parents SET pending = 1 WHERE remote_id = 'o7'`,
			} {
				if _, err := conn.Exec(ctx, sql); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", sql, err)
					return
				}
			}
			p.mu.Lock()
			p.most, p.turns = max(p.most, time.Since(p.since)), p.turns+1
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() { p.end() })
	return p
}

// take returns how long a turn took at most since it was last asked, the one under way among them.
func (p *prober) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := max(p.most, time.Since(p.since))
	p.most = 0
	return most
}

// usual returns how long one of some turns took at most.
func (p *prober) usual(t *testing.T, turns int) time.Duration {
	t.Helper()
	p.take()
	made := func() int { p.mu.Lock(); defer p.mu.Unlock(); return p.turns }
	for last := made() + turns; made() < last; time.Sleep(time.Millisecond) {
		if t.Failed() {
			t.FailNow()
		}
	}
	return p.take()
}

// end ends it, and returns how many turns it made.
func (p *prober) end() int {
	p.cancel()
	<-p.done
	return p.turns
}
