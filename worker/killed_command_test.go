package worker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// killed runs a command up to a row that the test keeps from it, and ends it there by kill -9.
func (e *env) killed(cmd *exec.Cmd, row string, args ...any) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, e.db.URL)
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, row, args...)
	}
	if err = errors.Join(err, cmd.Start()); err != nil {
		e.t.Fatal(err)
	}
	waiting := func() int {
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}
	e.until("the command has come to the row", time.Minute, func() bool { return waiting() == 1 })
	_ = cmd.Process.Kill() // that it was killed is its error
	_ = cmd.Wait()
	if err := tx.Rollback(ctx); err != nil {
		e.t.Fatal(err)
	}
	e.until("Postgres knows that it has gone", time.Minute, func() bool {
		return storetest.Value[int](e.db, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND state IN ('active', 'idle in transaction') AND application_name NOT IN ('storetest', '') AND pid <> pg_backend_pid() AND xact_start IS NOT NULL`) == 0
	})
}

// TestAKilledRotationGoesOn: `leversync keys rotate` dies by kill -9 with some values sealed anew and others not. All open
// meanwhile, and the next one seals the rest.
func TestAKilledRotationGoesOn(t *testing.T) {
	t.Parallel()
	program := buildServe(t)
	e := &env{t: t, db: storetest.New(t)}
	conns := e.link(30, unified.Tags)
	fresh := base64.StdEncoding.EncodeToString([]byte("the second of these tests' keys!"))
	rotate := func() *exec.Cmd {
		cmd := exec.Command(program, "keys", "rotate")
		cmd.Env = append(os.Environ(), "DATABASE_URL="+e.db.URL, "LEVERSYNC_ENCRYPTION_KEY="+fresh+","+storetest.EncryptionKey)
		return cmd
	}
	old := storetest.Value[[]byte](e.db, `SELECT substring(sealed FOR 9) FROM credentials LIMIT 1`)
	left := func(sql string) int { return storetest.Value[int](e.db, sql, old) }
	const credentials, tokens = `SELECT count(*)::int FROM credentials WHERE substring(sealed FOR 9) = $1`, `SELECT count(*)::int FROM connectors WHERE substring(token_sealed FOR 9) = $1`
	e.killed(rotate(), `SELECT FROM leversync.credentials WHERE connector_id = $1 FOR UPDATE`, conns[0].ID)
	if c, k := left(credentials), left(tokens); c != 1 || k != len(conns) {
		t.Errorf("killed in the midst, %d credentials and %d tokens are sealed with the old key, want 1 and %d", c, k, len(conns))
	}
	opens := func(keys string) {
		t.Helper()
		ring, err := store.ParseKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), store.Config{URL: e.db.URL, Keys: ring, MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, c := range conns {
			if got, err := s.Credential(t.Context(), c.ID); err != nil || got.Secret != "test-key" {
				t.Errorf("the credential of %s does not open: %v", c.ID, err)
			}
			if token, err := s.ConnectorToken(t.Context(), c.ID); err != nil || token == "" {
				t.Errorf("the token of %s does not open: %v", c.ID, err)
			}
		}
	}
	opens(fresh + "," + storetest.EncryptionKey)
	if out, err := rotate().CombinedOutput(); err != nil {
		t.Fatalf("leversync keys rotate, again: %v: %s", err, out)
	}
	opens(fresh)
	ledger.add("operator's command killed", tally{tried: 1, survived: 1, failed: t.Failed()})
}

// TestAKilledErasureDidNothing: `leversync erase` dies by kill -9 with half of a person's records emptied. Nothing is changed, and
// the next one erases all.
func TestAKilledErasureDidNothing(t *testing.T) {
	t.Parallel()
	program := buildServe(t)
	e := newEnv(t, levertest.Config{Seed: 85, Opportunities: 10, RatePerSecond: -1}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	person := storetest.Value[string](e.db, `SELECT candidate::text FROM applications WHERE candidate IS NOT NULL ORDER BY id LIMIT 1`)
	erase := func() *exec.Cmd {
		cmd := exec.Command(program, "erase", "--connector", e.conn.ID.String(), "--candidate", person, "--yes")
		cmd.Env = append(os.Environ(), "DATABASE_URL="+e.db.URL, "LEVERSYNC_ENCRYPTION_KEY="+storetest.EncryptionKey)
		return cmd
	}
	e.killed(erase(), `SELECT FROM leversync.candidates WHERE id = $1 FOR UPDATE`, person) // applications and attachments come before
	e.check()
	if n := storetest.Value[int](e.db, `SELECT (SELECT count(*) FROM erased)::int + (SELECT count(*) FROM erasures)::int`); n != 0 {
		t.Errorf("a killed erasure has left %d receipts and hashes, want none", n)
	}
	if out, err := erase().CombinedOutput(); err != nil {
		t.Fatalf("leversync erase, again: %v: %s", err, out)
	}
	if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM applications WHERE candidate = $1`, person) +
		storetest.Value[int](e.db, `SELECT count(*)::int FROM candidates WHERE id = $1 AND deleted_at IS NULL`, person); n != 0 {
		t.Errorf("%d records of the person are left, want none", n)
	}
	ledger.add("operator's command killed", tally{tried: 1, survived: 1, failed: t.Failed()})
}
