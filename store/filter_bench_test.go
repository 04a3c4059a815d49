package store_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// filters are those of the API's lists that name something rare, by scope, with the column that makes row i differ.
var filters = []struct {
	scope  unified.Scope
	field  string
	match  store.Match
	values any    // that the last row alone has
	column string // SQL of row i
}{
	{unified.Candidates, "first_name", store.Folded, []string{"N100000"}, "'n' || i"},
	{unified.Candidates, "last_name", store.Folded, []string{"N100000"}, "'n' || i"},
	{unified.Candidates, "company", store.Folded, []string{"N100000"}, "'n' || i"},
	{unified.Candidates, "tags", store.AnyFold, []string{"N100000"}, "ARRAY['a', 'n' || i]"},
	{unified.Candidates, "email_addresses", store.AnyFold, []string{"N100000"}, "ARRAY['n' || i]"},
	{unified.Applications, "source", store.Equal, []string{"n100000"}, "'n' || i"},
	{unified.Applications, "current_stage", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Applications, "credited_to", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Applications, "reject_reason", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Applications, "job", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Applications, "candidate", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Offers, "creator", store.Related, last(), "md5(i::text)::uuid"},
	{unified.ScheduledInterviews, "organizer", store.Related, last(), "md5(i::text)::uuid"},
	{unified.ScheduledInterviews, "job_interview_stage", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Scorecards, "interview", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Scorecards, "interviewer", store.Related, last(), "md5(i::text)::uuid"},
	{unified.Jobs, "code", store.Equal, []string{"n100000"}, "'n' || i"},
	{unified.Jobs, "offices", store.Related, last(), "ARRAY[md5(i::text)::uuid]"},
}

// last is md5('100000') as an id.
func last() []uuid.UUID { return []uuid.UUID{uuid.MustParse("14ee22ea-ba29-7944-c96a-fdbe5b16c65b")} }

// BenchmarkFilter is a page of each filter, in a list of 100,000, that one record answers: the last.
func BenchmarkFilter(b *testing.B) {
	db := storetest.New(b)
	c, _, err := db.Store.CreateConnector(b.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k", Scopes: unified.Scopes})
	if err != nil {
		b.Fatal(err)
	}
	columns, values := map[unified.Scope]string{}, map[unified.Scope]string{}
	for _, f := range filters {
		columns[f.scope] += ", " + f.field
		values[f.scope] += ", " + f.column
	}
	for sc := range columns {
		db.Exec(fmt.Sprintf(`INSERT INTO %s (connector_id, id, remote_id, body_hash, modified_at, raw%s)
SELECT $1, gen_random_uuid(), i::text, '\x00', '2026-01-01'::timestamptz + i * interval '1 s', jsonb_build_object('x', repeat(md5(i::text), 20))%s FROM generate_series(1, 100000) i`, sc.Table(), columns[sc], values[sc]), c.ID)
	}
	db.Exec("VACUUM ANALYZE")
	for _, f := range filters {
		b.Run(string(f.scope)+"/"+f.field, func(b *testing.B) {
			for b.Loop() {
				p, err := db.Store.Page(b.Context(), store.ReadQuery{Connector: c.ID, Scope: f.scope, Limit: 51,
					Where: []store.Condition{{Field: f.field, Match: f.match, Values: f.values}}})
				if err != nil || len(p.Records) != 1 {
					b.Fatalf("%d records, %v; want the last", len(p.Records), err)
				}
			}
		})
	}
}
