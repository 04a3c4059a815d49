package worker_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// shape is all that migrations make, as text.
const shape = `SELECT string_agg(x, E'\n' ORDER BY x) FROM (
    SELECT format('%s.%s.%s %s %s %s', table_schema, table_name, column_name, data_type, is_nullable, column_default) FROM information_schema.columns WHERE table_schema IN ('leversync', 'ats')
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'leversync'
    UNION ALL SELECT viewname || definition FROM pg_views WHERE schemaname = 'ats'
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'leversync'::regnamespace
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'leversync'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT relname || relacl::text FROM pg_class WHERE relnamespace = 'leversync'::regnamespace AND relacl IS NOT NULL AND relname NOT LIKE 'calls\_%'
) t (x)`

// differences are the lines of one text that the other has not.
func differences(a, b string) (out []string) {
	for i, pair := range [][2]string{{a, b}, {b, a}} {
		has := map[string]bool{}
		for line := range strings.Lines(pair[1]) {
			has[line] = true
		}
		for line := range strings.Lines(pair[0]) {
			if !has[line] {
				out = append(out, []string{"+ ", "- "}[i]+strings.TrimSpace(line))
			}
		}
	}
	return out
}

// TestAKilledMigrationGoesOn: `leversync migrate` dies by kill -9 in the midst of its work, at any migration. The next one goes
// on, and makes the same schema.
func TestAKilledMigrationGoesOn(t *testing.T) {
	t.Parallel()
	kills := amount(2, 20)
	program, rng := buildServe(t), random(t)
	db := storetest.New(t)
	want := storetest.Value[string](db, shape)
	all := storetest.Value[int](db, `SELECT count(*)::int FROM goose_db_version`)
	e := &env{t: t, db: db}
	migrate := func() *exec.Cmd {
		cmd := exec.Command(program, "migrate")
		cmd.Env = append(os.Environ(), "DATABASE_URL="+db.URL)
		return cmd
	}
	tried, midst := 0, 0
	for ; tried < kills || midst == 0 && tried < kills+20; tried++ { // on a busy machine a kill can come too late
		db.Exec(`DROP SCHEMA leversync CASCADE`)
		db.Exec(`DROP SCHEMA IF EXISTS ats CASCADE`)
		cmd := migrate()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		at := rng.IntN(all)
		e.await("some migrations are applied", func() bool {
			return storetest.Value[bool](db, `SELECT to_regclass('leversync.goose_db_version') IS NOT NULL`) &&
				storetest.Value[int](db, `SELECT count(*)::int FROM leversync.goose_db_version`) >= at
		})
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		e.until("Postgres knows that it has gone", time.Minute, func() bool {
			return storetest.Value[int](db, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'storetest' AND query ILIKE '%create%' AND state <> 'idle'`) == 0
		})
		if n, err := store.Pending(t.Context(), db.URL); err != nil || n > 0 {
			midst++
		}
		if out, err := migrate().CombinedOutput(); err != nil {
			t.Fatalf("leversync migrate after a kill at migration %d: %v: %s", at, err, out)
		}
		if got := storetest.Value[string](db, shape); got != want {
			t.Fatalf("killed at migration %d and begun again, the schema has other lines:\n%s", at, strings.Join(differences(got, want), "\n"))
		}
	}
	if midst == 0 {
		t.Error("no kill came in the midst: nothing is shown")
	}
	t.Logf("%d kills, %d of them before all was applied", tried, midst)
	ledger.add("migration killed", tally{tried: tried, survived: tried})
}
