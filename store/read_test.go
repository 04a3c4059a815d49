package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// TestReadPlans holds every question that the API asks often to its index: in an account of 20,000 opportunities
// beside another, none reads a whole table of records. Where the tables are partitioned by the hash of the connector, the same
// questions are answered in the same way, from the one partition that the connector is in.
func TestReadPlans(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	fillForPlans(db, c.ID, other.ID)
	flat := readPlans(t, db, c.ID)
	for question, plan := range flat {
		if strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s: a sequential scan:\n%s", question, plan)
		}
	}
	if feed := flat["changes"]; strings.Contains(feed, "Sort  (cost") && strings.Contains(feed, "Bitmap") {
		t.Errorf("changes:\n%s", feed)
	}
	at := &store.Position{At: time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)}
	for _, q := range []store.CallQuery{{Limit: 51}, {Connector: c.ID, Limit: 51}, {Connector: c.ID, Limit: 51, After: at}, {Limit: 51, Since: at.At}} {
		if plan, err := store.CallsPlan(t.Context(), db.Store, q); err != nil || strings.Contains(plan, "Seq Scan on calls") {
			t.Errorf("calls %+v: %v, a sequential scan:\n%s", q, err, plan)
		}
	}

	db.Partition(4)
	for question, plan := range readPlans(t, db, c.ID) {
		if want, got := shapeOf(flat[question]), shapeOf(plan); got != want {
			t.Errorf("%s, partitioned:\n%s\nwant it as in one table:\n%s", question, got, want)
		}
		if used := partitionOf.FindAllStringSubmatch(plan, -1); len(used) == 0 || slices.ContainsFunc(used, func(m []string) bool { return m[1] != used[0][1] }) {
			t.Errorf("%s, partitioned: it reads other partitions than one:\n%s", question, plan)
		}
	}
}

var (
	// partitionOf is a scan of a partition; its number is that of the connector's place.
	partitionOf = regexp.MustCompile(` on [a-z_]+_(\d) [a-z_]+`)
	// Of a plan these depend on sizes, or on what things are called where there are partitions.
	costs      = regexp.MustCompile(`  \(cost=.*\)`)
	usingIndex = regexp.MustCompile(`(Index (?:Only )?Scan(?: Backward)?) using \S+|(Bitmap Index Scan) on \S+`)
	onTable    = regexp.MustCompile(` on [a-z_]+ [a-z_]+`)
	numbers    = regexp.MustCompile(`([a-z])_\d+\b`)
)

// shapeOf is a plan without costs and without the names of partitions and indexes: the conditions say what an index is of.
func shapeOf(plan string) string {
	plan = numbers.ReplaceAllString(usingIndex.ReplaceAllString(costs.ReplaceAllString(plan, ""), "$1$2"), "$1")
	return onTable.ReplaceAllStringFunc(plan, func(on string) string {
		if f := strings.Fields(on); f[1] == f[2] { // a partition is said with the name that the query has for it
			return " on " + f[1]
		}
		return on
	})
}

// fillForPlans gives c 20,000 records of each scope, and other 2,000.
func fillForPlans(db *storetest.DB, c, other uuid.UUID) {
	for id, n := range map[uuid.UUID]int{other: 2000, c: 20000} {
		for _, sc := range unified.Scopes {
			columns, values := "", ""
			switch sc {
			case unified.Applications, unified.Attachments, unified.EEOCs:
				columns, values = ", candidate", ", md5($1 || 'candidates' || i % 15000)::uuid"
			case unified.Candidates:
				columns, values = ", email_addresses", ", ARRAY['p' || i || '@Example.com']"
			case unified.RemoteUsers:
				columns, values = ", email", ", 'u' || i || '@Example.com'"
			case unified.ScreeningQuestions:
				columns, values = ", job", ", md5($1 || 'jobs' || i % 1000)::uuid"
			case unified.Offers, unified.ScheduledInterviews, unified.Scorecards:
				columns, values = ", application", ", md5($1 || 'applications' || i % 15000)::uuid"
			}
			if sc == unified.Attachments {
				columns, values = columns+", source", values+", 'files'"
			}
			db.Exec(fmt.Sprintf(`INSERT INTO %[1]s (connector_id, id, remote_id, parent, body_hash, modified_at%[2]s)
SELECT $1::uuid, md5($1 || '%[1]s' || i)::uuid, i::text, (i %% 15000)::text, '\x00', '2026-01-01'::timestamptz + i * interval '1 s'%[3]s FROM generate_series(1, %[4]d) i`,
				sc.Table(), columns, strings.ReplaceAll(values, "$1", "$1::text"), n), id.String())
		}
	}
	db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, person) SELECT $1, 'applications', i::text, (i % 15000)::text FROM generate_series(1, 20000) i`, c)
	db.Exec(`INSERT INTO calls (id, connector_id, method, path, status, started_at, duration_ms)
SELECT gen_random_uuid(), CASE WHEN i % 10 = 0 THEN $2::uuid ELSE $1::uuid END, 'GET', '/', 200, '2026-01-01'::timestamptz + i * interval '1 s', 1 FROM generate_series(1, 20000) i`, c, other)
	db.Exec("ANALYZE")
}

// readPlans are the questions that the API asks of c, and how each is answered.
func readPlans(t *testing.T, db *storetest.DB, c uuid.UUID) map[string]string {
	t.Helper()
	some := []uuid.UUID{unified.ID(c, unified.Candidates, "7")}
	at := &store.Position{At: time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC), ID: some[0]}
	var questions []store.ReadQuery
	for _, sc := range unified.Scopes {
		questions = append(questions,
			store.ReadQuery{Connector: c, Scope: sc, Limit: 51},
			store.ReadQuery{Connector: c, Scope: sc, Limit: 51, After: at, Raw: true},
			store.ReadQuery{Connector: c, Scope: sc, Limit: 51, ModifiedAfter: at.At},
			store.ReadQuery{Connector: c, Scope: sc, Limit: 51, RemoteIDs: []string{"7"}},
			store.ReadQuery{Connector: c, Scope: sc, IDs: some})
	}
	where := func(sc unified.Scope, field string, m store.Match, values any) {
		questions = append(questions, store.ReadQuery{Connector: c, Scope: sc, Limit: 51, Where: []store.Condition{{Field: field, Match: m, Values: values}}})
	}
	where(unified.Applications, "candidate", store.Related, some)
	where(unified.Applications, "job", store.Related, some)
	where(unified.Applications, "current_stage", store.Related, some)
	where(unified.Scorecards, "interview", store.Related, some)
	where(unified.Attachments, "candidate", store.Related, some)
	where(unified.EEOCs, "candidate", store.Related, some)
	where(unified.Offers, "application", store.Related, some)
	where(unified.ScheduledInterviews, "application", store.Related, some)
	where(unified.Scorecards, "application", store.Related, some)
	where(unified.ScreeningQuestions, "job", store.Related, some)
	where(unified.Candidates, "email_addresses", store.AnyFold, []string{"P7@example.com"})
	where(unified.RemoteUsers, "email", store.Folded, []string{"U7@example.com"})
	feed, err := store.ChangesPlan(t.Context(), db.Store, c, store.FeedPosition{Version: 5, Scope: 3})
	if err != nil {
		t.Fatalf("plan of changes: %v", err)
	}
	plans := map[string]string{"changes": feed}
	for _, q := range questions {
		plan, err := store.ReadPlan(t.Context(), db.Store, q)
		if err != nil {
			t.Fatalf("plan of %+v: %v", q, err)
		}
		plans[fmt.Sprintf("%s, after %v, by %v %v, raw %t, since %v, where %+v", q.Scope, q.After, q.IDs, q.RemoteIDs, q.Raw, q.ModifiedAfter, q.Where)] = plan
	}
	return plans
}
