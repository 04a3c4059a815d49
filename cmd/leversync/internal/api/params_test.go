package api

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

func ptr[T any](v T) *T { return &v }

// small is an account of a few related records.
func small(e *env) {
	id := func(sc unified.Scope, remote string) *uuid.UUID { return ptr(unified.ID(e.conn.ID, sc, remote)) }
	env := func(sc unified.Scope, remote, parent string) unified.Envelope {
		x := envelope(e.conn, sc, remote)
		x.Parent = parent
		return x
	}
	past, future := unified.NewTime(time.Now().Add(-time.Hour)), unified.NewTime(time.Now().Add(time.Hour))
	e.put(e.conn,
		&unified.Candidate{Envelope: env(unified.Candidates, "c1", ""), FirstName: ptr("Ada"), LastName: ptr("Lovelace"), EmailAddresses: []string{"Ada@Example.com", "ada@home.example"}, Tags: []string{"Maths"}},
		&unified.Candidate{Envelope: env(unified.Candidates, "c2", ""), FirstName: ptr("Grace"), LastName: ptr("Hopper"), EmailAddresses: []string{"grace@example.com"}, Company: ptr("Navy")},
		&unified.Application{Envelope: env(unified.Applications, "a1", ""), Candidate: id(unified.Candidates, "c1"), Job: id(unified.Jobs, "j1"), Source: ptr("LinkedIn"), CurrentStage: id(unified.JobInterviewStages, "s1")},
		&unified.Application{Envelope: env(unified.Applications, "a2", ""), Candidate: id(unified.Candidates, "c2"), Job: id(unified.Jobs, "gone"), Source: ptr("Referral"), RejectReason: id(unified.RejectReasons, "r1")},
		&unified.Job{Envelope: env(unified.Jobs, "j1", ""), Name: ptr("Engineer"), Code: ptr("R-1"), Status: ptr("OPEN"), Offices: []uuid.UUID{*id(unified.Offices, "Paris"), *id(unified.Offices, "nowhere")}},
		&unified.Job{Envelope: env(unified.Jobs, "j2", ""), Name: ptr("Clerk"), Status: ptr("CLOSED")},
		&unified.Office{Envelope: env(unified.Offices, "Paris", ""), Name: ptr("Paris")},
		&unified.JobInterviewStage{Envelope: env(unified.JobInterviewStages, "s1", ""), Name: ptr("Screen"), StageOrder: ptr(0)},
		&unified.RejectReason{Envelope: env(unified.RejectReasons, "r1", ""), Name: ptr("Withdrew")},
		&unified.RemoteUser{Envelope: env(unified.RemoteUsers, "u1", ""), Email: ptr("Boss@Example.com")},
		&unified.Offer{Envelope: env(unified.Offers, "o1", "a1"), Application: id(unified.Applications, "a1"), Creator: id(unified.RemoteUsers, "u1"), Status: ptr("SENT")},
		&unified.ScheduledInterview{Envelope: env(unified.ScheduledInterviews, "i1", "a1"), Application: id(unified.Applications, "a1"), EndAt: &future, FeedbackExpected: ptr(true), Interviewers: []uuid.UUID{*id(unified.RemoteUsers, "u1")}},
		&unified.ScheduledInterview{Envelope: env(unified.ScheduledInterviews, "i2", "a1"), Application: id(unified.Applications, "a1"), EndAt: &past, FeedbackExpected: ptr(true)},
		&unified.ScheduledInterview{Envelope: env(unified.ScheduledInterviews, "i3", "a2"), Application: id(unified.Applications, "a2"), EndAt: &past, FeedbackExpected: ptr(true), FeedbackForms: []uuid.UUID{*id(unified.Scorecards, "f1")}},
		&unified.Scorecard{Envelope: env(unified.Scorecards, "f1", "a2"), Application: id(unified.Applications, "a2"), Interview: id(unified.ScheduledInterviews, "i3"), SubmittedAt: &past},
		&unified.Attachment{Envelope: env(unified.Attachments, "f1", "a1"), Candidate: id(unified.Candidates, "c1"), FileName: ptr("cv.pdf"), Source: "files"},
		&unified.EEOC{Envelope: env(unified.EEOCs, "e1", ""), Candidate: id(unified.Candidates, "c2")},
		&unified.ScreeningQuestion{Envelope: env(unified.ScreeningQuestions, "q1", "j1"), Job: id(unified.Jobs, "j1"), Options: []unified.Option{{Label: "yes"}}},
		tag(e.conn, "Maths", "Maths"), tag(e.conn, "gone", "Gone"))
	e.commit(e.conn, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tombstone(ctx, unified.Tags, []string{"gone"})
	})
}

func remotes(items []map[string]any) string {
	var out []string
	for _, i := range items {
		out = append(out, i["remote_id"].(string))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	small(e)
	id := func(sc unified.Scope, remote string) string { return unified.ID(e.conn.ID, sc, remote).String() }
	both := id(unified.Candidates, "c1") + "," + id(unified.Candidates, "c2")
	for _, c := range []struct{ path, want string }{
		{"candidates", "c1 c2"},
		{"candidates?ids=" + id(unified.Candidates, "c2"), "c2"},
		{"candidates?ids=" + both, "c1 c2"},
		{"candidates?remote_id=c1", "c1"},
		{"candidates?remote_id=nobody", ""},
		{"candidates?first_name=ADA", "c1"},
		{"candidates?first_name=ada&last_name=hopper", ""},
		{"candidates?company=navy", "c2"},
		{"candidates?tag=maths", "c1"},
		{"candidates?email_addresses=ADA@example.com", "c1"},
		{"candidates?email_addresses=ada@home.example&email_addresses=GRACE@example.com", "c1 c2"},
		{"candidates?modified_after=2001-01-01", "c1 c2"},
		{"candidates?modified_after=2001-01-01T00:00:00+01:00", "c1 c2"},
		{"candidates?modified_after=2101-01-01T00:00:00Z", ""},
		{"candidates?modified_before=2001-01-01T00:00:00", ""},
		{"applications?candidate=" + id(unified.Candidates, "c1"), "a1"},
		{"applications?candidate=" + both, "a1 a2"},
		{"applications?job=" + id(unified.Jobs, "j1"), "a1"},
		{"applications?source=LinkedIn", "a1"},
		{"applications?source=linkedin", ""},
		{"applications?current_stage=" + id(unified.JobInterviewStages, "s1"), "a1"},
		{"applications?reject_reason=" + id(unified.RejectReasons, "r1"), "a2"},
		{"applications?credited_to=" + id(unified.RemoteUsers, "u1"), ""},
		{"jobs?status=OPEN", "j1"},
		{"jobs?status=NEVER", ""},
		{"jobs?code=R-1", "j1"},
		{"jobs?offices=" + id(unified.Offices, "Paris"), "j1"},
		{"offices?remote_id=Paris", "Paris"},
		{"remote-users?email=boss@example.com", "u1"},
		{"offers?application=" + id(unified.Applications, "a1"), "o1"},
		{"offers?creator=" + id(unified.RemoteUsers, "u1"), "o1"},
		{"scheduled-interviews?application=" + id(unified.Applications, "a1"), "i1 i2"},
		{"scorecards?interview=" + id(unified.ScheduledInterviews, "i3"), "f1"},
		{"attachments?candidate=" + id(unified.Candidates, "c1"), "f1"},
		{"eeocs?candidate=" + id(unified.Candidates, "c2"), "e1"},
		{"screening-questions?job=" + id(unified.Jobs, "j1"), "q1"},
		{"tags", "Maths"},
		{"tags?include_deleted=true", "Maths gone"},
	} {
		if got := remotes(e.ok(ats + c.path).items(t)); got != c.want {
			t.Errorf("GET %s: %q; want %q", c.path, got, c.want)
		}
	}
}

func TestRelationsAndExpand(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	small(e)
	one := func(path string) map[string]any {
		t.Helper()
		items := e.ok(ats + path).items(t)
		if len(items) != 1 {
			t.Fatalf("GET %s: %d items; want 1", path, len(items))
		}
		return items[0]
	}
	c1 := unified.ID(e.conn.ID, unified.Candidates, "c1").String()
	a1 := unified.ID(e.conn.ID, unified.Applications, "a1").String()
	a := one("applications?remote_id=a1")
	if a["candidate"] != c1 {
		t.Errorf("candidate = %v; want %s", a["candidate"], c1)
	}
	if b := one("applications?remote_id=a2"); b["job"] != nil {
		t.Errorf("job = %v, which is not there; want null", b["job"])
	}
	if j := one("jobs?remote_id=j1"); len(j["offices"].([]any)) != 1 {
		t.Errorf("offices = %v; want the one that is there", j["offices"])
	}
	c := one("candidates?remote_id=c1")
	if apps := c["applications"].([]any); len(apps) != 1 || apps[0] != a1 {
		t.Errorf("applications = %v; want %s", apps, a1)
	}
	a = one("applications?remote_id=a1&expand=candidate,job[id,name],reject_reason")
	if got := a["candidate"].(map[string]any); got["first_name"] != "Ada" || got["applications"].([]any)[0] != a1 {
		t.Errorf("candidate = %v; want Ada, with ids of applications", got)
	}
	if got := a["job"].(map[string]any); len(got) != 2 || got["name"] != "Engineer" {
		t.Errorf("job = %v; want id and name", got)
	}
	if a["reject_reason"] != nil {
		t.Errorf("reject_reason = %v; want null", a["reject_reason"])
	}
	got := e.ok(ats + "candidates/" + c1 + "?expand=applications[current_stage],attachments").json(t)
	if apps := got["applications"].([]any); len(apps) != 1 || len(apps[0].(map[string]any)) != 1 {
		t.Errorf("applications = %v; want one with its stage alone", apps)
	}
	if files := got["attachments"].([]any); len(files) != 1 || files[0].(map[string]any)["file_name"] != "cv.pdf" {
		t.Errorf("attachments = %v; want cv.pdf", files)
	}
	for remote, want := range map[string]string{"i1": "SCHEDULED", "i2": "AWAITING_FEEDBACK", "i3": "COMPLETE"} {
		if got := one("scheduled-interviews?remote_id=" + remote)["status"]; got != want {
			t.Errorf("status of %s = %v; want %s", remote, got, want)
		}
	}
}

func TestRecordParameters(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	small(e)
	plain := e.ok(ats + "tags?remote_id=Maths").items(t)[0]
	if _, there := plain["raw_data"]; there || plain["custom_fields"] != nil {
		t.Errorf("a record = %v; want no raw_data, and custom_fields null", plain)
	}
	if _, there := plain["remote_deleted_at"]; there {
		t.Errorf("a record = %v; want no remote_deleted_at", plain)
	}
	full := e.ok(ats + "tags?remote_id=Maths&include_raw_data=true&include_custom_fields=true").items(t)[0]
	if full["raw_data"].(map[string]any)["id"] != "Maths" || full["custom_fields"] == nil {
		t.Errorf("a record with all = %v; want raw_data and custom_fields", full)
	}
	gone := ats + "tags/" + unified.ID(e.conn.ID, unified.Tags, "gone").String()
	if a := e.get(gone); a.status != 404 {
		t.Errorf("GET of a deleted record = %d; want 404", a.status)
	}
	if got := e.ok(gone + "?include_deleted=true").json(t)["remote_deleted_at"]; got == nil {
		t.Errorf("remote_deleted_at of a deleted record = %v; want a time", got)
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.put(e.conn, tag(e.conn, "a", "A"), tag(e.conn, "b", "B"))
	other, _ := e.newConnector()
	mine := e.ok(ats + "tags?page_size=1").json(t)["cursor"].(string)
	p, err := e.db.Store.Position(e.conn.ID.String()+" tags", mine)
	if err != nil {
		t.Fatal(err)
	}
	foreign := e.db.Store.Cursor(other.ID.String()+" tags", p)
	for _, c := range []struct{ path, loc, kind string }{
		{"tags?page_size=0", "page_size", "greater_than_equal"},
		{"candidates?first_name=%00", "first_name", "value_error"},
		{"candidates?email_addresses=a&email_addresses=a%ffb", "email_addresses", "value_error"},
		{"tags?a%00=1", "a\x00", "value_error"},
		{"candidates?first_name=%zz", "first_name", "value_error"},
		{"candidates?first_name=100%", "first_name", "value_error"},
		{"candidates?first_name=a&last%=b", "last%", "value_error"},
		{"candidates?first_name=a;b", "first_name", "value_error"},
		{"candidates?first_name=a;last_name=b", "first_name", "value_error"},
		{"candidates?first_name=a&first_name=b", "first_name", "value_error"},
		{"candidates?first_name=a&first%5Fname=a", "first_name", "value_error"},
		{"candidates?email_addresses=&email_addresses=a", "email_addresses", "value_error"},
		{"candidates?email_addresses=a" + strings.Repeat("&", 10_000), "query", "too_long"},
		{"candidates/not-an-id?include_deleted=%", "include_deleted", "value_error"},
		{"tags?page_size=201", "page_size", "less_than_equal"},
		{"tags?page_size=x", "page_size", "int_parsing"},
		{"tags?pagesize=5", "pagesize", "extra_forbidden"},
		{"tags?candidate=1", "candidate", "extra_forbidden"},
		{"tags?expand=job", "expand", "extra_forbidden"},
		{"tags?ids=x", "ids", "uuid_parsing"},
		{"tags?include_raw_data=maybe", "include_raw_data", "bool_parsing"},
		{"tags?modified_after=yesterday", "modified_after", "datetime_parsing"},
		{"tags?cursor=nonsense", "cursor", "value_error"},
		{"tags?cursor=" + foreign, "cursor", "value_error"},
		{"departments?cursor=" + mine, "cursor", "value_error"},
		{"tags?cursor=" + flip(mine), "cursor", "value_error"},
		{"changes?after=" + mine, "after", "value_error"},
		{"applications?job=1,2", "job", "uuid_parsing"},
		{"applications?expand=jobs", "expand", "value_error"},
		{"applications?expand=job.offices", "expand", "value_error"},
		{"applications?expand=job[", "expand", "value_error"},
		{"applications?expand=job[nme]", "expand", "value_error"},
		{"applications?expand=job[id]x", "expand", "value_error"},
		{"applications?expand=job,", "expand", "value_error"},
		{"applications?expand=source", "expand", "value_error"},
		{"tags/not-an-id", "id", "uuid_parsing"},
	} {
		a := e.get(ats + c.path)
		if a.status != 422 {
			t.Errorf("GET %s = %d %s; want 422", c.path, a.status, a.body)
			continue
		}
		item := a.json(t)["detail"].([]any)[0].(map[string]any)
		loc := item["loc"].([]any)
		if loc[len(loc)-1] != c.loc || item["type"] != c.kind || item["msg"] == "" {
			t.Errorf("GET %s: detail = %v; want loc %s, type %s", c.path, item, c.loc, c.kind)
		}
	}
	for query, hint := range map[string]string{"%": "send it as %25", ";": "send it as %3B", "a&source=b": "send it once"} {
		if a := e.get(ats + "applications?source=" + query); !strings.Contains(string(a.body), hint) {
			t.Errorf("GET applications?source=%s = %s; want %q", query, a.body, hint)
		}
	}
	for _, path := range []string{"tags?remote_id=a%25%3B", "tags?&remote_id=a%2B&", "candidates?email_addresses=a&email_addresses=a"} {
		if got := e.ok(ats + path).items(t); len(got) != 0 {
			t.Errorf("GET %s = %v; want none", path, got)
		}
	}
	if a := e.ok(ats + "tags?page_size=1&cursor=" + url.QueryEscape(mine)); len(a.items(t)) != 1 || a.json(t)["cursor"] != nil {
		t.Errorf("the second page of two = %s; want one item and cursor null", bytes.TrimSpace(a.body))
	}
}

// flip changes one character of a cursor.
func flip(s string) string {
	b := []byte(s)
	if b[3]++; b[3] == 'z'+1 || b[3] == 'Z'+1 || b[3] == '9'+1 {
		b[3] = 'b'
	}
	return string(b)
}
