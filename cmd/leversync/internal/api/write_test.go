package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// desk is an API that writes to a fake Lever, all of which was synced.
type desk struct {
	*env
	fake *levertest.Server
}

func newDesk(t *testing.T, set ...func(*Config)) *desk {
	t.Helper()
	fake := levertest.New(levertest.Config{Seed: 60, Opportunities: 40, RatePerSecond: -1})
	t.Cleanup(fake.Close)
	url, stop, err := levertest.Serve("127.0.0.1:0", fake)
	if err != nil {
		t.Fatalf("Serve: %v", err)
	}
	t.Cleanup(stop)
	d := &desk{fake: fake}
	d.env = newEnv(t, func(c *Config) {
		w := worker.New(worker.Config{Store: c.Store, Redis: c.Redis, LeverURL: url + "/v1", Log: c.Log, RateLimit: 1e6})
		c.Writer = worker.NewWriter(w, worker.WriterConfig{Settle: time.Nanosecond})
		for _, f := range set {
			f(c)
		}
	})
	d.lever = url + "/v1"
	d.seed(d.conn)
	return d
}

// seed stores the users, postings and stages of the fake Lever, as a sync would.
func (d *desk) seed(c store.Connector) {
	var recs []unified.Record
	for _, id := range d.fake.Records("users") {
		recs = append(recs, &unified.RemoteUser{Envelope: envelope(c, unified.RemoteUsers, id)})
	}
	for _, id := range d.fake.Records("postings") {
		recs = append(recs, &unified.Job{Envelope: envelope(c, unified.Jobs, id)})
	}
	for _, id := range d.fake.Records("stages") {
		recs = append(recs, &unified.JobInterviewStage{Envelope: envelope(c, unified.JobInterviewStages, id)})
	}
	d.put(c, recs...)
}

func (d *desk) id(sc unified.Scope, kind string, n int) string {
	return unified.ID(d.conn.ID, sc, d.fake.Records(kind)[n]).String()
}

func (d *desk) user() string { return d.id(unified.RemoteUsers, "users", 0) }

// post asks with the key and the connector's token.
func (d *desk) post(path string, body any, headers ...string) answer {
	d.t.Helper()
	b, ok := body.(string)
	if !ok {
		j, err := json.Marshal(body)
		if err != nil {
			d.t.Fatal(err)
		}
		b = string(j)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, strings.NewReader(b))
	if err != nil {
		d.t.Fatal(err)
	}
	headers = append([]string{"Authorization", "Bearer " + d.key, "X-Connector-Token", d.token, "Content-Type", "application/json"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("POST %s: %v", path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

const candidatesPath = "/api/ats/v1/candidates"

// person is the seed's body.
func (d *desk) person(n int) map[string]any {
	return map[string]any{
		"data": map[string]any{
			"first_name": "John", "last_name": fmt.Sprint("Doe", n), "company": "Acme", "locations": []string{"Leeds"},
			"phone_numbers": []string{"+1 555 0100"}, "email_addresses": []string{fmt.Sprintf("john%d@new.example.com", n)},
			"urls":                   []any{map[string]any{"value": "https://john.example.com", "url_type": "PERSONAL"}},
			"job_interview_stage_id": d.id(unified.JobInterviewStages, "stages", 3),
			"job_id":                 d.id(unified.Jobs, "postings", 0),
		},
		"remote_user": d.user(), "additional_attributes": map[string]any{}, "custom_fields": map[string]any{},
	}
}

// with is a body with one field set, by its place: data.title.
func with(body map[string]any, place string, v any) map[string]any {
	m := body
	parts := strings.Split(place, ".")
	for _, p := range parts[:len(parts)-1] {
		m = m[p].(map[string]any)
	}
	m[parts[len(parts)-1]] = v
	return body
}

func TestCreateCandidate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.post(candidatesPath, d.person(1), "X-Idempotency-Key", "key-1")
	if a.status != http.StatusOK || a.header.Get("X-Idempotency-Key") != "key-1" {
		t.Fatalf("POST = %d %s, key %q; want 200, key-1", a.status, a.body, a.header.Get("X-Idempotency-Key"))
	}
	made := a.json(t)
	if made["first_name"] != "John" || made["last_name"] != "Doe1" || made["title"] != "Acme" {
		t.Errorf("answer = %s; want John Doe1 of Acme", a.body)
	}
	got := d.ok(candidatesPath + "/" + made["id"].(string))
	if g, w := normalised(t, got.body), normalised(t, a.body); g != w {
		t.Errorf("GET by id = %s; want what was answered, %s", g, w)
	}
	app := d.ok("/api/ats/v1/applications/" + made["applications"].([]any)[0].(string)).json(t)
	if app["candidate"] != made["id"] || app["job"] != d.id(unified.Jobs, "postings", 0) || app["current_stage"] != d.id(unified.JobInterviewStages, "stages", 3) {
		t.Errorf("application = %v; want the candidate's, of the job, in the stage", app)
	}
	if again := d.post(candidatesPath, d.person(1), "X-Idempotency-Key", "key-1"); !bytes.Equal(again.body, a.body) {
		t.Errorf("asked again = %d %s; want %s", again.status, again.body, a.body)
	}
	other := d.post(candidatesPath, d.person(2), "X-Idempotency-Key", "key-1")
	if other.status != http.StatusConflict || other.json(t)["detail"] != "Idempotency key already exists with a different payload." {
		t.Errorf("another body under the key = %d %s; want the contract's 409", other.status, other.body)
	}
	if n := d.fake.Len(); n != 41 {
		t.Errorf("Lever has %d opportunities; want one more than 40", n)
	}
}

// normalised is a record without what differs by how it was asked for.
func normalised(t *testing.T, b []byte) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "raw_data")
	out, _ := json.Marshal(m)
	return string(out)
}

func TestCreateCandidateTakesBothBodies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, body := range map[string]any{
		"the user alone":    map[string]any{"data": map[string]any{}, "remote_user_id": d.user()},
		"flat":              map[string]any{"first_name": "Flat", "job": d.id(unified.Jobs, "postings", 1), "remote_user": d.user(), "last_interaction_at": nil},
		"nulls":             `{"data":{"first_name":null,"email_addresses":null,"urls":[{"value":null,"url_type":null}]},"remote_user":"` + d.user() + `","custom_fields":null}`,
		"Lever's own":       with(with(d.person(3), "additional_attributes", map[string]any{"origin": "referred", "sources": []string{"x"}, "owner": d.user(), "followers": []string{d.fake.Records("users")[1]}}), "data.title", "CTO"),
		"created before":    with(d.person(4), "additional_attributes", map[string]any{"createdAt": "2020-01-02T03:04:05Z", "perform_as_posting_owner": true}),
		"a field of nobody": with(with(d.person(5), "data.shoe_size", 44), "custom_fields", map[string]any{"a": 1}),
	} {
		a := d.post(candidatesPath, body)
		if a.status != http.StatusOK || a.header.Get("X-Idempotency-Key") == "" {
			t.Errorf("%s: %d %s; want 200 and a key", name, a.status, a.body)
		}
		want := ""
		if name == "a field of nobody" {
			want = "custom_fields,data.shoe_size"
		}
		if got := a.header.Get("X-Ignored-Fields"); got != want {
			t.Errorf("%s: ignored %q; want %q", name, got, want)
		}
	}
}

func TestCreateCandidateRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	foreign, _ := d.newConnector()
	d.seed(foreign)
	theirs := func(sc unified.Scope, kind string) string {
		return unified.ID(foreign.ID, sc, d.fake.Records(kind)[0]).String()
	}
	without := d.person(1)
	delete(without, "remote_user")
	attr := func(name string, v any) any {
		return with(d.person(1), "additional_attributes", map[string]any{name: v})
	}
	for _, c := range []struct {
		name string
		body any
		loc  string
		kind string
	}{
		{"no user", without, `["body","remote_user"]`, "missing"},
		{"no JSON", `{`, `["body"]`, "model_attributes_type"},
		{"an array", `[]`, `["body"]`, "model_attributes_type"},
		{"another connector's user", with(d.person(1), "remote_user", theirs(unified.RemoteUsers, "users")), `["body","remote_user"]`, "value_error"},
		{"another connector's job", with(d.person(1), "data.job_id", theirs(unified.Jobs, "postings")), `["body","data","job_id"]`, "value_error"},
		{"another connector's stage", with(d.person(1), "data.job_interview_stage_id", theirs(unified.JobInterviewStages, "stages")), `["body","data","job_interview_stage_id"]`, "value_error"},
		{"an unknown job", with(d.person(1), "data.job_id", uuid.NewString()), `["body","data","job_id"]`, "value_error"},
		{"Lever's own user", with(d.person(1), "remote_user", d.fake.Records("users")[0]), `["body","remote_user"]`, "value_error"},
		{"no id", with(d.person(1), "data.job_id", "7"), `["body","data","job_id"]`, "uuid_parsing"},
		{"a number for a name", with(d.person(1), "data.first_name", 7), `["body","data","first_name"]`, "string_type"},
		{"a text for a list", with(d.person(1), "data.email_addresses", "a@b.c"), `["body","data","email_addresses"]`, "list_type"},
		{"U+0000 in a name", with(d.person(1), "data.first_name", "J\x00"), `["body","data","first_name"]`, "value_error"},
		{"half a surrogate pair", `{"first_name":"\ud800","remote_user":"` + d.user() + `"}`, `["body","first_name"]`, "value_error"},
		{"private", with(d.person(1), "data.is_private", true), `["body","data","is_private"]`, "value_error"},
		{"an attribute that is not forwarded", attr("contact", "x"), `["body","additional_attributes","contact"]`, "extra_forbidden"},
		{"an unknown origin", attr("origin", "moon"), `["body","additional_attributes","origin"]`, "enum"},
		{"an unknown owner", attr("owner", theirs(unified.RemoteUsers, "users")), `["body","additional_attributes","owner"]`, "value_error"},
		{"created in the future", attr("createdAt", time.Now().Add(time.Hour).UnixMilli()), `["body","additional_attributes","createdAt"]`, "value_error"},
		{"archived for nothing", attr("archived", map[string]any{}), `["body","additional_attributes","archived","reason"]`, "missing"},
	} {
		a := d.post(candidatesPath, c.body)
		var got ValidationErrorResponse
		if err := json.Unmarshal(a.body, &got); a.status != 422 || err != nil || len(got.Detail) != 1 {
			t.Errorf("%s: %d %s; want a 422 of one problem", c.name, a.status, a.body)
			continue
		}
		if locText(got.Detail[0]) != c.loc || got.Detail[0].Type != c.kind {
			t.Errorf("%s: %s at %s; want %s at %s", c.name, got.Detail[0].Type, locText(got.Detail[0]), c.kind, c.loc)
		}
	}
	if n := d.fake.CallsBy()["/opportunities"]; n != 0 {
		t.Errorf("Lever was asked %d times; want never", n)
	}
}

func TestWhatLeverRefusesComesBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const gone = "00000000-0000-4000-8000-000000000000"
	d.put(d.conn, &unified.Job{Envelope: envelope(d.conn, unified.Jobs, gone)})
	refused := with(d.person(1), "data.job_id", unified.ID(d.conn.ID, unified.Jobs, gone).String())
	fault := func(status int) func() {
		return func() {
			if _, err := d.fake.Inject(levertest.Fault{Match: "^POST ", Kind: levertest.FaultStatus, Status: status, Times: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name     string
		before   func()
		body     any
		status   int
		theirs   any
		response bool
	}{
		{"an unknown posting", func() {}, refused, 422, 400.0, true},
		{"a 429", fault(429), d.person(2), 503, 429.0, false},
		{"a 500", fault(500), d.person(3), 503, 500.0, false},
		{"no permission", func() { d.fake.Deny("test-key", "opportunities") }, d.person(4), 502, 403.0, true},
		{"a revoked key", func() { d.fake.RevokeKey("test-key") }, d.person(5), 502, 401.0, false},
		{"not linked any more", func() {}, d.person(6), 409, nil, false},
	} {
		c.before()
		a := d.post(candidatesPath, c.body)
		m := a.json(t)
		if a.status != c.status || m["detail"] == nil || m["integration_status_code"] != c.theirs {
			t.Errorf("%s: %d %s; want %d with %v of Lever", c.name, a.status, a.body, c.status, c.theirs)
		}
		if c.theirs != nil && m["integration_endpoint"] != "POST /opportunities" {
			t.Errorf("%s: endpoint %v; want POST /opportunities", c.name, m["integration_endpoint"])
		}
		if (m["integration_response"] != nil) != c.response {
			t.Errorf("%s: response %v; want one: %v", c.name, m["integration_response"], c.response)
		}
		if a.status == 503 && a.header.Get("Retry-After") == "" || a.header.Get("X-Idempotency-Key") == "" {
			t.Errorf("%s: headers %v; want the key, and Retry-After with a 503", c.name, a.header)
		}
	}
}

func TestMetaAndWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	meta := d.ok(candidatesPath + "/create/meta").json(t)
	data, _ := meta["data"].(map[string]any)
	user, _ := data["remote_user"].(map[string]any)
	if meta["success"] != true || user["required"] != true {
		t.Errorf("meta = %v; want success, and remote_user required", meta)
	}
	for _, sc := range unified.Scopes {
		if sc == unified.Candidates {
			continue
		}
		a := d.post("/api/ats/v1/"+string(sc), `{}`)
		if text, _ := a.json(t)["detail"].(string); a.status != http.StatusNotImplemented || len(text) < 20 {
			t.Errorf("POST %s = %d %s; want 501 with a sentence", sc, a.status, a.body)
		}
	}
	for _, r := range writes() {
		if r.Method == http.MethodPost && r.Scope != store.KeyWrite {
			t.Errorf("%s needs the scope %s; want write", r.Path, r.Scope)
		}
	}
}

func TestCreateAttachment(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.post(candidatesPath, d.person(1)).json(t)["id"].(string)
	path := candidatesPath + "/" + id + "/attachments"
	body := map[string]any{"file_name": "cover letter.txt", "file_content": "aGVsbG8=", "content_type": "text/plain", "remote_user_id": d.user()}
	a := d.post(path, body, "X-Idempotency-Key", "f")
	m := a.json(t)
	if a.status != http.StatusOK || m["file_name"] != "cover letter.txt" || m["candidate"] != id || m["attachment_type"] != "COVER_LETTER" {
		t.Fatalf("POST = %d %s; want the cover letter of %s", a.status, a.body, id)
	}
	if again := d.post(path, body, "X-Idempotency-Key", "f"); !bytes.Equal(again.body, a.body) {
		t.Errorf("asked again = %s; want %s", again.body, a.body)
	}
	if got := d.ok("/api/ats/v1/attachments/" + m["id"].(string)).json(t); got["file_url"] != m["file_url"] {
		t.Errorf("GET by id: file_url %v; want %v", got["file_url"], m["file_url"])
	}
	if a := d.post(candidatesPath+"/"+uuid.NewString()+"/attachments", body); a.status != http.StatusNotFound {
		t.Errorf("an unknown candidate = %d; want 404", a.status)
	}
	for name, bad := range map[string]map[string]any{
		"no file":           {"file_name": "a", "remote_user_id": d.user()},
		"both":              {"file_name": "a", "file_content": "aGVsbG8=", "file_url": "https://example.com/a", "remote_user_id": d.user()},
		"no base64":         {"file_name": "a", "file_content": "!", "remote_user_id": d.user()},
		"no user":           {"file_name": "a", "file_content": "aGVsbG8="},
		"this machine":      {"file_url": d.url + "/openapi.json", "remote_user_id": d.user()},
		"a metadata server": {"file_url": "http://169.254.169.254/latest/meta-data", "remote_user_id": d.user()},
	} {
		if a := d.post(path, bad); a.status != 422 {
			t.Errorf("%s: %d %s; want 422", name, a.status, a.body)
		}
	}
	if n := d.fake.CallsBy()["/opportunities/:id/files"]; n != 2 {
		t.Errorf("Lever's files were asked for %d times; want one POST and one GET", n)
	}
}

func TestCreateActivity(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.post(candidatesPath, d.person(1)).json(t)["id"].(string)
	note := func() map[string]any {
		return map[string]any{"user": d.user(), "activity_type": "NOTE", "body": "Called them", "visibility": "PRIVATE", "candidate": id}
	}
	a := d.post("/api/ats/v1/activities", note(), "X-Idempotency-Key", "n")
	if m := a.json(t); a.status != http.StatusCreated || m["body"] != "Called them" || m["remote_id"] == nil || m["candidate"] != id {
		t.Fatalf("POST = %d %s; want 201 and the note", a.status, a.body)
	}
	if again := d.post("/api/ats/v1/activities", note(), "X-Idempotency-Key", "n"); again.status != http.StatusCreated || !bytes.Equal(again.body, a.body) {
		t.Errorf("asked again = %d %s; want %s", again.status, again.body, a.body)
	}
	missing := note()
	delete(missing, "visibility")
	for name, c := range map[string]struct {
		body   map[string]any
		status int
	}{
		"an e-mail":            {with(note(), "activity_type", "EMAIL"), 501},
		"no candidate":         {with(note(), "candidate", nil), 422},
		"an unknown candidate": {with(note(), "candidate", uuid.NewString()), 422},
		"a missing key":        {missing, 422},
		"U+0000":               {with(note(), "body", "a\x00b"), 422},
		"odd visibility":       {with(note(), "visibility", "SOME"), 422},
	} {
		if a := d.post("/api/ats/v1/activities", c.body); a.status != c.status {
			t.Errorf("%s: %d %s; want %d", name, a.status, a.body, c.status)
		}
	}
}

func TestAnswersToWritesMeetTheContract(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	d := newDesk(t)
	a := d.post(candidatesPath, d.person(1))
	id := a.json(t)["id"].(string)
	c.check(t, "a new candidate", "Candidate", a.body)
	c.check(t, "the meta", "MetaResponse", d.ok(candidatesPath+"/create/meta").body)
	c.check(t, "a 422", "ValidationErrorResponse", d.post(candidatesPath, `{}`).body)
	c.check(t, "a 501", "ErrorResponse", d.post("/api/ats/v1/jobs", `{}`).body)
	c.check(t, "a file", "Attachment", d.post(candidatesPath+"/"+id+"/attachments",
		map[string]any{"file_name": "a.txt", "file_content": "aGVsbG8=", "remote_user_id": d.user()}).body)
	c.check(t, "a note", "Activity", d.post("/api/ats/v1/activities",
		map[string]any{"user": nil, "activity_type": "NOTE", "body": "x", "visibility": nil, "candidate": id}).body)
}

func TestWritesLeaveNoPersonInTheLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.post(candidatesPath, d.person(1))
	rows := storetest.Column[string](d.db, `SELECT to_jsonb(c)::text FROM calls c`)
	if i := slices.IndexFunc(rows, func(r string) bool { return strings.Contains(r, "john1") || strings.Contains(r, "Doe") }); i >= 0 || len(rows) != 2 {
		t.Errorf("call log = %q; want two calls, without the person", rows)
	}
}
