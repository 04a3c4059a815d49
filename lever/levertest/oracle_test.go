package levertest_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

// expected are all records of an account that the oracle expects.
func expected(t *testing.T, s *levertest.Server) map[string]map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]map[string]any{}
	for _, scope := range levertest.Scopes {
		all[scope] = map[string]map[string]any{}
		for id, record := range s.Expected(scope) {
			if id == "" || all[scope][id] != nil {
				t.Errorf("%s: remote id %q is empty or comes twice", scope, id)
			}
			all[scope][id] = record
		}
	}
	return all
}

// checkRelations tells whether all relations lead to records, and all values have the kinds promised.
func checkRelations(t *testing.T, all map[string]map[string]map[string]any) {
	t.Helper()
	for scope, records := range all {
		for id, record := range records {
			for field, v := range record {
				switch v := v.(type) {
				case levertest.Rel:
					if all[v.Scope][v.RemoteID] == nil {
						t.Errorf("%s %s: %s leads to %v, which is not there", scope, id, field, v)
					}
				case []levertest.Rel:
					for _, r := range v {
						if all[r.Scope][r.RemoteID] == nil {
							t.Errorf("%s %s: %s leads to %v, which is not there", scope, id, field, r)
						}
					}
				case nil, string, bool, int, []string, []map[string]any:
				default:
					t.Errorf("%s %s: %s is a %T", scope, id, field, v)
				}
				if v == "" {
					t.Errorf("%s %s: %s is an empty text, want nil", scope, id, field)
				}
			}
		}
	}
}

func TestExpectedRelationsResolve(t *testing.T) {
	t.Parallel()
	for _, confidential := range []bool{false, true} {
		l := newLever(t, levertest.Config{Seed: 9, Opportunities: 350, Postings: 20, Confidential: confidential})
		all := expected(t, l.Server)
		checkRelations(t, all)
		query := ""
		if confidential {
			query = "?confidentiality=all"
		}
		if got, want := len(all["applications"]), len(l.rows("/opportunities"+query)); got != want {
			t.Errorf("confidential %t: %d applications expected, want %d", confidential, got, want)
		}
		for scope, records := range all {
			if len(records) == 0 {
				t.Errorf("confidential %t: no %s expected", confidential, scope)
			}
		}
	}
}

func TestExpectedAfterChanges(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 9, Opportunities: 250})
	before := expected(t, l.Server)
	for range 3 {
		for _, name := range []string{
			"advance_stage", "archive", "unarchive", "edit_contact", "add_interview", "cancel_interview", "add_feedback", "edit_feedback",
			"delete_feedback", "add_offer", "add_file", "delete_file", "delete_opportunity", "delete_application", "add_opportunity",
			"anonymize", "rename_posting", "delete_posting", "deactivate_user", "delete_user", "remove_stage", "remove_reason",
		} {
			if _, err := l.Mutate(name, ""); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	after := expected(t, l.Server)
	checkRelations(t, after)
	for scope := range after {
		same := maps.EqualFunc(before[scope], after[scope], func(a, b map[string]any) bool { return reflect.DeepEqual(a, b) })
		if same && !slices.Contains([]string{"screening-questions", "departments", "offices", "eeocs"}, scope) {
			t.Errorf("%s: nothing changed", scope)
		}
	}
	again := expected(t, l.Server)
	if !reflect.DeepEqual(after, again) {
		t.Error("the same account gave two different sets of records")
	}
}

func TestExpectedFields(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 9, Opportunities: 500})
	record := func(scope, id string) map[string]any {
		t.Helper()
		for got, r := range l.Expected(scope) {
			if got == id {
				return r
			}
		}
		t.Fatalf("no record %s of %s", id, scope)
		return nil
	}
	rejected := l.pick(levertest.Rejected, levertest.WithApplication)
	o := l.one("/opportunities/" + rejected)
	archived := o["archived"].(map[string]any)
	r := record("applications", rejected)
	at := time.UnixMilli(int64(archived["archivedAt"].(float64))).UTC().Format("2006-01-02T15:04:05.000Z")
	if r["rejected_at"] != at || r["reject_reason"] != (levertest.Rel{Scope: "reject-reasons", RemoteID: archived["reason"].(string)}) {
		t.Errorf("rejected application has %v for %v, want %s for %v", r["rejected_at"], r["reject_reason"], at, archived["reason"])
	}
	if r := record("applications", l.pick(levertest.Hired)); r["rejected_at"] != nil || r["reject_reason"] != nil {
		t.Errorf("hired application was rejected at %v for %v, want nil", r["rejected_at"], r["reject_reason"])
	}
	lead := record("applications", l.pick(levertest.WithoutApplication))
	if lead["job"] != nil {
		t.Errorf("a lead has job %v, want nil", lead["job"])
	}
	shared := l.one("/opportunities/" + l.pick(levertest.SharedContact))["contact"].(string)
	if apps := record("candidates", shared)["applications"].([]levertest.Rel); len(apps) < 2 {
		t.Errorf("a shared contact has %d applications, want more", len(apps))
	}
	first := record("job-interview-stages", "lead-new")
	if first["stage_order"] != 0 || first["name"] != "New lead" {
		t.Errorf("the first stage is %v, want New lead at 0", first)
	}
}

func TestInterviewStatusFollowsTheHour(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 9, Opportunities: 50})
	made, err := l.AddInterview(l.pick(levertest.WithoutChildren))
	if err != nil {
		t.Fatal(err)
	}
	status := func(now time.Time) any {
		for id, r := range l.ExpectedAt("scheduled-interviews", now) {
			if id == made.Record {
				return r["status"]
			}
		}
		return "absent"
	}
	if got := status(l.clock.now()); got != "SCHEDULED" {
		t.Errorf("status before the interview is %v, want SCHEDULED", got)
	}
	if got := status(l.clock.now().Add(96 * time.Hour)); got != "AWAITING_FEEDBACK" && got != "COMPLETE" {
		t.Errorf("status after the interview is %v, want AWAITING_FEEDBACK or COMPLETE", got)
	}
	if _, err := l.AddFeedback(made.Opportunities[0]); err != nil {
		t.Fatal(err)
	}
	if got := status(l.clock.now()); got != "COMPLETE" {
		t.Errorf("status with all feedback is %v, want COMPLETE", got)
	}
	if _, err := l.CancelInterview(made.Opportunities[0]); err != nil {
		t.Fatal(err)
	}
	if got := status(l.clock.now()); got != "absent" {
		t.Errorf("status of the cancelled interview is %v, want it absent", got)
	}
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s, err := levertest.NewRecorded(os.DirFS(fixtures(t)), levertest.Config{RatePerSecond: -1, Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	l := &fake{Server: s, t: t, clock: clock}
	rows := l.rows("/opportunities?expand=applications&limit=30")
	if len(rows) != 100 {
		t.Errorf("%d recorded opportunities, want 100", len(rows))
	}
	children := map[string]int{}
	for _, r := range rows {
		for _, kind := range []string{"interviews", "feedback", "offers", "resumes", "files"} {
			children[kind] += len(l.rows("/opportunities/" + id(r) + "/" + kind))
		}
	}
	for _, kind := range []string{"interviews", "feedback", "offers"} {
		if children[kind] == 0 {
			t.Errorf("no recorded %s", kind)
		}
	}
	for path, want := range map[string]int{
		"/postings": 6, "/users": 11, "/stages": 11, "/archive_reasons": 12, "/tags": 53, "/eeo/responses/pii?created_at_start=1": 3,
		"/opportunities/deleted": 0, "/eeo/responses/pii": 0, "/archive_reasons?type=hired": 1,
	} {
		if got := len(l.rows(path)); got != want {
			t.Errorf("GET %s gave %d rows, want %d", path, got, want)
		}
	}
	for _, p := range l.Records("postings") {
		if a := l.get("/postings/" + p + "/apply"); a.Status != 200 {
			t.Logf("no recorded form of posting %s", p)
		}
	}
	checkRelations(t, expected(t, s))
}

func TestExpectedIsJSON(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 9, Opportunities: 50})
	a := l.call("GET", "/_control/expected/candidates", nil)
	var got map[string]map[string]any
	if err := json.Unmarshal(a.Body, &got); err != nil || len(got) < 40 {
		t.Errorf("GET /_control/expected/candidates: %d records, %v, want more than 40", len(got), err)
	}
}
