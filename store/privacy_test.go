package store_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/storetest"
)

// The roles for reports are made by the SQL that the page gives, word by word but for their names, which all databases
// of a server share: the one reads every view but the EEO answers, the other those alone, and neither anything behind.
func TestReportRoles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "deploy", "docs", "privacy.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of SQL in privacy.md; want 2", len(blocks))
	}
	db := storetest.New(t)
	suffix := storetest.Value[string](db, `SELECT '_' || current_database()`)
	reports, eeo := "ats_reports"+suffix, "ats_eeo_reports"+suffix
	admin, err := pgx.ParseConfig(os.Getenv("LEVERSYNC_TEST_DATABASE_URL")) // tests' own role may make none
	if err != nil {
		t.Fatal(err)
	}
	admin.Database = storetest.Value[string](db, `SELECT current_database()`)
	conn, err := pgx.ConnectConfig(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, b := range blocks {
		do(strings.NewReplacer("ats_eeo_reports", `"`+eeo+`"`, "ats_reports", `"`+reports+`"`).Replace(b[1]))
	}
	defer func() {
		for _, role := range []string{reports, eeo} {
			do(`RESET ROLE; DROP OWNED BY "` + role + `"; DROP ROLE "` + role + `"`)
		}
	}()
	may := func(role, schema string) map[string]bool {
		out := map[string]bool{}
		for _, name := range storetest.Column[string](db, `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $2 AND c.relkind IN ('r', 'p', 'v') AND has_schema_privilege($1, n.oid, 'USAGE') AND has_table_privilege($1, c.oid, 'SELECT')`, role, schema) {
			out[name] = true
		}
		return out
	}
	views := storetest.Column[string](db, `SELECT relname::text FROM pg_class WHERE relnamespace = 'ats'::regnamespace AND relkind = 'v'`)
	forReports, forEEO := may(reports, "ats"), may(eeo, "ats")
	for _, v := range views {
		// deleted_records names records of all scopes, EEO answers too.
		if want := v != "eeocs" && v != "deleted_records"; forReports[v] != want {
			t.Errorf("ats_reports may read ats.%s: %t; want %t", v, forReports[v], want)
		}
		if want := v == "eeocs"; forEEO[v] != want {
			t.Errorf("ats_eeo_reports may read ats.%s: %t; want %t", v, forEEO[v], want)
		}
	}
	for _, role := range []string{reports, eeo} {
		if got := may(role, "leversync"); len(got) != 0 {
			t.Errorf("%s may read tables behind the views: %v", role, got)
		}
		if n := storetest.Value[int](db, `SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('ats', 'leversync') AND c.relkind IN ('r', 'p', 'v')
AND (has_table_privilege($1, c.oid, 'INSERT') OR has_table_privilege($1, c.oid, 'UPDATE') OR has_table_privilege($1, c.oid, 'DELETE') OR has_table_privilege($1, c.oid, 'TRUNCATE'))`, role); n != 0 {
			t.Errorf("%s may write %d tables; want none", role, n)
		}
	}
	// What they may, they can: as the role itself.
	for _, role := range []string{reports, eeo} {
		do(`RESET ROLE; SET ROLE "` + role + `"`)
		for _, from := range []string{"ats", "leversync"} {
			for _, v := range append(slices.Clone(views), "credentials", "parents", "api_keys") {
				allowed := from == "ats" && (role == reports && forReports[v] || role == eeo && forEEO[v])
				if _, err := conn.Exec(t.Context(), `SELECT * FROM `+from+`.`+v+` LIMIT 1`); (err == nil) != allowed {
					t.Errorf("%s: SELECT FROM %s.%s: %v; want it allowed: %t", role, from, v, err, allowed)
				}
			}
		}
	}
}
