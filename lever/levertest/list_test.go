package levertest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
)

func TestPagingVisitsEachOnceInLeversOrder(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 1, Opportunities: 1234, Confidential: true})
	stages := map[string]int{}
	for i, s := range l.rows("/stages") {
		stages[id(s)] = i
	}
	for _, limit := range []string{"", "&limit=7"} {
		rows := l.rows("/opportunities?confidentiality=all" + limit)
		seen := map[string]bool{}
		for _, r := range rows {
			seen[id(r)] = true
		}
		if len(rows) != 1234 || len(seen) != 1234 {
			t.Errorf("list%s gave %d rows with %d ids, want 1234 of each", limit, len(rows), len(seen))
		}
		if !slices.IsSortedFunc(rows, func(a, b map[string]any) int {
			return cmp.Or(
				cmp.Compare(stages[a["stage"].(string)], stages[b["stage"].(string)]),
				cmp.Compare(b["lastAdvancedAt"].(float64), a["lastAdvancedAt"].(float64)),
				cmp.Compare(id(a), id(b)))
		}) {
			t.Errorf("list%s is not ordered by stage, lastAdvancedAt descending, id", limit)
		}
	}
}

func TestTokenNamesTheNextRecord(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 1, Opportunities: 50})
	first := l.get("/opportunities?limit=10")
	if !strings.HasPrefix(first.Next, "%5B") {
		t.Fatalf("next is %q, want a percent-encoded JSON array", first.Next)
	}
	second := l.get("/opportunities?limit=10&offset=" + url.QueryEscape(first.Next))
	var page []map[string]any
	if err := json.Unmarshal(second.Data, &page); err != nil {
		t.Fatal(err)
	}
	plain, _ := url.QueryUnescape(first.Next)
	if !strings.Contains(plain, id(page[0])) {
		t.Errorf("next %q does not name the first record of the next page, %s", plain, id(page[0]))
	}
}

func TestBadLists(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 20})
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/opportunities?limit=0", 400, "limit"},
		{"/opportunities?limit=101", 400, "limit"},
		{"/opportunities?limit=x", 400, "limit"},
		{"/opportunities?offset=nonsense", 400, "Invalid offset token"},
		{"/users?offset=%255B1%255D", 400, "Invalid offset token"},
		{"/opportunities?updated_at_start=today", 400, "updated_at_start"},
		{"/opportunities?confidentiality=all", 403, "confidential"},
		{"/opportunities/0f5c0000-0000-4000-8000-000000000000", 404, "not found"},
		{"/nothing", 404, "not found"},
		{"/applications/deleted", 400, "required"},
		{"/opportunities/deleted?deleted_at_start=1&deleted_at_end=2592000002", 400, "30 days"},
		{"/postings?updated_at_start=1&state=published", 400, "cannot be combined"},
		{"/postings?updated_at_start=1&confidentiality=non-confidential", 200, ""},
		{"/opportunities/deleted", 200, ""},
	}
	for _, tt := range tests {
		a := l.get(tt.path)
		if a.Status != tt.status || !strings.Contains(a.Message, tt.want) || tt.status >= 400 && a.Code == "" {
			t.Errorf("GET %s = %d %q %q, want %d with %q", tt.path, a.Status, a.Code, a.Message, tt.status, tt.want)
		}
	}
}

func TestSameSeedSameAccount(t *testing.T) {
	t.Parallel()
	read := func(seed int64) string {
		l := newLever(t, levertest.Config{Seed: seed, Opportunities: 200})
		out := string(l.get("/opportunities?expand=applications").Body) + string(l.get("/postings").Body) + string(l.get("/users").Body)
		for _, o := range l.PickN(5, levertest.WithInterview) {
			out += string(l.get("/opportunities/" + o + "/interviews").Body)
		}
		return out
	}
	first := read(7)
	if first != read(7) {
		t.Error("two accounts of seed 7 differ")
	}
	if first == read(8) {
		t.Error("the accounts of seeds 7 and 8 are equal")
	}
}

func TestAccountIsLikeARealOne(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 3, Opportunities: 4000, Confidential: true})
	share := map[string]int{}
	contacts := map[any]bool{}
	for _, o := range l.rows("/opportunities?confidentiality=all") {
		contacts[o["contact"]] = true
		for what, is := range map[string]bool{
			"null updatedAt": o["updatedAt"] == nil, "lead": len(o["applications"].([]any)) == 0, "archived": o["archived"] != nil,
			"untouched": o["lastInteractionAt"] == o["createdAt"], "nameless": o["name"] == "",
		} {
			if is {
				share[what]++
			}
		}
		if o["lastInteractionAt"].(float64) < o["createdAt"].(float64) || o["lastAdvancedAt"].(float64) < o["createdAt"].(float64) {
			t.Fatalf("opportunity %s has a clock before its creation", id(o))
		}
	}
	share["shared contact"] = 4000 - len(contacts)
	for what, want := range map[string][2]int{
		"null updatedAt": {930, 985}, "lead": {25, 40}, "archived": {320, 380}, "untouched": {300, 700}, "nameless": {5, 20},
		"shared contact": {25, 50},
	} {
		if got := share[what] * 1000 / 4000; got < want[0] || got > want[1] {
			t.Errorf("%d of 1000 opportunities are %s, want %d to %d", got, what, want[0], want[1])
		}
	}
	for _, in := range []levertest.Situation{
		levertest.InOfferStage, levertest.RecentlyInterviewed, levertest.OldInterviews, levertest.WithOffer, levertest.WithFile, levertest.Hired,
		levertest.WithoutChildren, levertest.Confidential, levertest.SharedContact,
	} {
		if _, ok := l.Pick(in); !ok {
			t.Errorf("Pick(%s) found none", in)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 5, Opportunities: 600})
	all := l.rows("/opportunities")
	num := func(v any) int64 { f, _ := v.(float64); return int64(f) }
	mid := num(all[len(all)/2]["createdAt"])
	sample := all[3]
	for _, r := range all {
		if r["archived"] != nil && len(r["emails"].([]any)) > 0 && len(r["applications"].([]any)) > 0 {
			sample = r
			break
		}
	}
	archived := sample["archived"].(map[string]any)
	email := sample["emails"].([]any)[0].(string)
	app := l.rows("/opportunities/" + id(sample) + "/applications")[0]
	tests := []struct {
		query string
		keep  func(map[string]any) bool
	}{
		{fmt.Sprintf("created_at_start=%d", mid), func(r map[string]any) bool { return num(r["createdAt"]) >= mid }},
		{fmt.Sprintf("created_at_end=%d", mid), func(r map[string]any) bool { return num(r["createdAt"]) <= mid }},
		{"updated_at_start=1", func(r map[string]any) bool { return r["updatedAt"] != nil }},
		{fmt.Sprintf("advanced_at_start=%d", mid), func(r map[string]any) bool { return num(r["lastAdvancedAt"]) >= mid }},
		{fmt.Sprintf("archived_at_end=%d", mid), func(r map[string]any) bool {
			a, ok := r["archived"].(map[string]any)
			return ok && num(a["archivedAt"]) <= mid
		}},
		{"archived=true", func(r map[string]any) bool { return r["archived"] != nil }},
		{"archived=false", func(r map[string]any) bool { return r["archived"] == nil }},
		{"stage_id=offer&stage_id=lead-new", func(r map[string]any) bool { return r["stage"] == "offer" || r["stage"] == "lead-new" }},
		{"stage_id=nonsense", func(map[string]any) bool { return false }},
		{"contact_id=" + sample["contact"].(string), func(r map[string]any) bool { return r["contact"] == sample["contact"] }},
		{"email=" + url.QueryEscape(email), func(r map[string]any) bool { return slices.Contains(r["emails"].([]any), any(email)) }},
		{"archive_reason_id=" + archived["reason"].(string), func(r map[string]any) bool {
			a, ok := r["archived"].(map[string]any)
			return ok && a["reason"] == archived["reason"]
		}},
		{"tag=Test", func(r map[string]any) bool { return slices.Contains(r["tags"].([]any), any("Test")) }},
		{"origin=sourced", func(r map[string]any) bool { return r["origin"] == "sourced" }},
		{"snoozed=true", func(r map[string]any) bool { return r["snoozedUntil"] != nil }},
		{"email=nobody@example.com", func(map[string]any) bool { return false }},
	}
	ids := func(rows []map[string]any, keep func(map[string]any) bool) []string {
		var out []string
		for _, r := range rows {
			if keep == nil || keep(r) {
				out = append(out, id(r))
			}
		}
		return out
	}
	for _, tt := range tests {
		got, want := ids(l.rows("/opportunities?limit=9&"+tt.query), nil), ids(all, tt.keep)
		if !slices.Equal(got, want) {
			t.Errorf("list with %s gave %d rows, want %d in the same order", tt.query, len(got), len(want))
		}
	}
	byPosting := ids(l.rows("/opportunities?posting_id="+app["posting"].(string)), nil)
	if !slices.Contains(byPosting, id(sample)) || len(byPosting) == len(all) {
		t.Errorf("list by posting gave %d rows, want some, with %s", len(byPosting), id(sample))
	}
}

func TestExpandAndInclude(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 5, Opportunities: 60})
	o := l.pick(levertest.WithApplication)
	plain := l.one("/opportunities/" + o)
	if _, ok := plain["applications"].([]any)[0].(string); !ok {
		t.Errorf("applications are %v, want ids", plain["applications"])
	}
	full := l.one("/opportunities/" + o + "?expand=applications&expand=stage&expand=contact&expand=owner")
	if app := full["applications"].([]any)[0].(map[string]any); app["opportunityId"] != o {
		t.Errorf("the expanded application is of %v, want %s", app["opportunityId"], o)
	}
	for _, key := range []string{"stage", "contact", "owner"} {
		if got := full[key].(map[string]any)["id"]; got != plain[key] {
			t.Errorf("expanded %s has id %v, want %v", key, got, plain[key])
		}
	}
	few := l.one("/opportunities/" + o + "?include=id&include=name")
	if len(few) != 2 {
		t.Errorf("include=id&include=name gave %d fields, want 2", len(few))
	}
}

func TestBodiesDecodeIntoTheClientsTypes(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 11, Opportunities: 300})
	into := func(path string, v any) {
		t.Helper()
		if err := json.Unmarshal(l.get(path).Data, v); err != nil {
			t.Errorf("GET %s does not decode into %T: %v", path, v, err)
		}
	}
	var opportunities []lever.Opportunity
	into("/opportunities?expand=applications", &opportunities)
	for _, o := range opportunities {
		base := "/opportunities/" + o.ID
		into(base+"/interviews", &[]lever.Interview{})
		into(base+"/feedback", &[]lever.Feedback{})
		into(base+"/offers", &[]lever.Offer{})
		into(base+"/resumes", &[]lever.Resume{})
		into(base+"/files", &[]lever.File{})
	}
	into("/postings", &[]lever.Posting{})
	into("/users?includeDeactivated=true", &[]lever.User{})
	into("/stages", &[]lever.Stage{})
	into("/archive_reasons", &[]lever.ArchiveReason{})
	into("/tags", &[]lever.Tag{})
	into("/eeo/responses/pii?created_at_start=1", &[]lever.EEOResponse{})
	into("/postings/"+l.Records("postings")[0]+"/apply", &lever.ApplicationForm{})
}

func TestAccountLists(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 2, Opportunities: 3000})
	public := len(l.rows("/postings"))
	inside := len(l.rows("/postings?state=published&distributionChannel=internal"))
	extra := 0
	for _, p := range l.rows("/postings?state=published&distributionChannel=internal") {
		if !slices.Contains(p["distributionChannels"].([]any), any("public")) {
			extra++
		}
	}
	if extra == 0 || inside <= extra || public+extra != len(l.Records("postings")) {
		t.Errorf("postings: %d in the plain list, %d only in the internal one, want %d in all", public, extra, len(l.Records("postings")))
	}
	active, all := l.rows("/users"), l.rows("/users?includeDeactivated=true")
	if len(active) >= len(all) {
		t.Errorf("users: %d active, %d in all, want fewer active ones", len(active), len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b map[string]any) int { return cmp.Compare(b["createdAt"].(float64), a["createdAt"].(float64)) }) {
		t.Error("users are not ordered by createdAt descending")
	}
	if got := l.rows("/stages"); len(got) != 12 || got[0]["id"] != "lead-new" || got[10]["id"] != "offer" {
		t.Errorf("stages are %v, want 12 with lead-new first and offer before the last", got)
	}
	if got := l.rows("/archive_reasons?type=hired"); len(got) != 1 {
		t.Errorf("%d hired reasons, want 1", len(got))
	}
	week, ever := len(l.rows("/eeo/responses/pii")), len(l.rows("/eeo/responses/pii?created_at_start=1"))
	if week >= ever/10 || ever < 600 {
		t.Errorf("EEO rows: %d without created_at_start, %d with, want the last week against nearly a third of 3000", week, ever)
	}
	if tags := l.rows("/tags?limit=10"); !slices.ContainsFunc(tags, func(v map[string]any) bool { return v["text"] == "Full-Time" }) {
		t.Error("the tag Full-Time is missing")
	}
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 2, Opportunities: 3000})
	got := map[int]int{}
	for _, o := range l.PickN(200, levertest.WithFile) {
		for _, f := range l.rows("/opportunities/" + o + "/files") {
			a := l.get("/opportunities/" + o + "/files/" + id(f) + "/download")
			got[a.Status]++
			if want := fmt.Sprint(f["size"]); a.Status == 200 && fmt.Sprint(len(a.Body)) != want {
				t.Errorf("file of %s bytes downloads as %d bytes", want, len(a.Body))
			}
		}
	}
	if got[200] == 0 || got[422] == 0 || len(got) != 2 {
		t.Errorf("downloads by status are %v, want many 200 and some 422", got)
	}
}

func TestPageTokensExpire(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 300, PageTokens: time.Minute})
	next := url.QueryEscape(l.get("/opportunities").Next)
	if a := l.get("/opportunities?offset=" + next); a.Status != 200 {
		t.Errorf("a fresh token answers %d, want 200", a.Status)
	}
	l.clock.add(time.Minute)
	if a := l.get("/opportunities?offset=" + next); a.Status != 400 || a.Message != "Invalid offset token" {
		t.Errorf("an old token answers %d %q, want 400 Invalid offset token", a.Status, a.Message)
	}
}

func TestAMillionOpportunities(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	l := newLever(t, levertest.Config{Seed: 1, Opportunities: 1_000_000})
	made := time.Since(start)
	next := l.get("/opportunities?expand=applications").Next
	a := l.get("/opportunities?limit=3&offset=" + url.QueryEscape(next))
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("1,000,000 opportunities: made in %v, %d bytes each", made, used/1_000_000)
	if a.Status != 200 || used > 100<<20 {
		t.Errorf("second page: status %d, heap grew by %d MiB, want 200 and at most 100 MiB", a.Status, used>>20)
	}
	runtime.KeepAlive(l)
}

func TestTemplatesInCounters(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 30})
	o := l.pick()
	l.get("/opportunities")
	l.get("/opportunities/" + o + "/offers")
	l.get("/opportunities/" + o + "/offers")
	l.get("/nothing")
	want := map[string]int{"/opportunities": 1, "/opportunities/:id/offers": 2, "": 1}
	if got := l.CallsBy(); !reflect.DeepEqual(got, want) {
		t.Errorf("CallsBy() = %v, want %v", got, want)
	}
	if got := l.CallsByStatus(); got[200] != 3 || got[404] != 1 || l.Calls() != 4 {
		t.Errorf("CallsByStatus() = %v, Calls() = %d, want 3 times 200, once 404, 4 in all", got, l.Calls())
	}
	l.ResetCounters()
	if l.Calls() != 0 || len(l.CallsBy()) != 0 {
		t.Errorf("after ResetCounters: Calls() = %d, want 0", l.Calls())
	}
}

func BenchmarkPage(b *testing.B) {
	s := levertest.New(levertest.Config{Seed: 1, Opportunities: 20_000, RatePerSecond: -1})
	defer s.Close()
	for _, query := range []string{"", "?expand=applications"} {
		b.Run("query="+query, func(b *testing.B) {
			r := newGet("/v1/opportunities" + query)
			for b.Loop() {
				s.ServeHTTP(&discard{}, r)
			}
		})
	}
}
