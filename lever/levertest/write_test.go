package levertest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

type created struct {
	ID      string   `json:"id"`
	Contact string   `json:"contact"`
	Name    string   `json:"name"`
	Emails  []string `json:"emails"`
	Tags    []string `json:"tags"`
}

func (l *fake) create(query string, body any) (answer, created) {
	l.t.Helper()
	a := l.call("POST", "/v1/opportunities"+query, body)
	var v created
	_ = json.Unmarshal(a.Data, &v)
	return a, v
}

// activeUser is somebody that writes can be made as.
func (l *fake) activeUser() string { return id(l.rows("/users")[0]) }

func TestCreateIsNeverIdempotent(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 6, Opportunities: 100})
	as := "?perform_as=" + l.activeUser()
	postings := l.Records("postings")
	body := map[string]any{"name": "New Person", "emails": []string{"new@example.com"}, "postings": postings[:1], "tags": []string{"brand new"}}
	first, a := l.create(as, body)
	second, b := l.create(as, body)
	if first.Status != 201 || first.Deduped || second.Status != 201 || !second.Deduped {
		t.Errorf("two creations = %d deduped %t, %d deduped %t, want 201 false, 201 true", first.Status, first.Deduped, second.Status, second.Deduped)
	}
	if a.ID == b.ID || a.Contact != b.Contact {
		t.Errorf("opportunities %s and %s of contacts %s and %s, want two of one contact", a.ID, b.ID, a.Contact, b.Contact)
	}
	if rows := l.rows("/opportunities?email=new@example.com"); len(rows) != 2 {
		t.Errorf("%d opportunities with the address, want 2", len(rows))
	}
	if rows := l.rows("/opportunities?tag=brand%20new"); len(rows) != 2 {
		t.Errorf("%d opportunities with the tag, want 2", len(rows))
	}
	// The data of the contact that is there wins.
	old := l.one("/opportunities/" + l.pick(levertest.WithResume))
	if emails := old["emails"].([]any); len(emails) > 0 {
		_, c := l.create(as, map[string]any{"name": "Somebody Else", "emails": []any{emails[0]}})
		if c.Name != old["name"] || c.Contact != old["contact"] {
			t.Errorf("creation with a known address gave %q of %s, want %q of %s", c.Name, c.Contact, old["name"], old["contact"])
		}
	}
	for _, bad := range []struct {
		query string
		body  map[string]any
	}{
		{"", body}, {as, map[string]any{"postings": postings[:2]}}, {as, map[string]any{"stage": "nonsense"}},
		{as, map[string]any{"createdAt": l.clock.now().Add(time.Hour).UnixMilli()}}, {"?perform_as=nobody", body},
	} {
		if a, _ := l.create(bad.query, bad.body); a.Status != 400 {
			t.Errorf("create%s with %v = %d, want 400", bad.query, bad.body, a.Status)
		}
	}
	checkRelations(t, expected(t, l.Server))
}

func TestCreateFromAForm(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 6, Opportunities: 30})
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"name", "Form Person"}, {"emails[]", "form@example.com"}, {"phones[0][type]", "work"}, {"phones[0][value]", "1"}} {
		if err := m.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	for field, name := range map[string]string{"resumeFile": "cv.pdf", "files[]": "letter.pdf"} {
		w, err := m.CreateFormFile(field, name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "some bytes")
	}
	_ = m.Close()
	r := httptest.NewRequest("POST", "http://lever.test/v1/opportunities?perform_as="+l.activeUser(), &b)
	r.SetBasicAuth("test-key", "")
	r.Header.Set("Content-Type", m.FormDataContentType())
	a := l.send(r)
	var v created
	_ = json.Unmarshal(a.Data, &v)
	if a.Status != 201 || v.Name != "Form Person" || len(v.Emails) != 1 {
		t.Fatalf("create from a form = %d %+v, want 201 with name and address", a.Status, v)
	}
	resumes, files := l.rows("/opportunities/"+v.ID+"/resumes"), l.rows("/opportunities/"+v.ID+"/files")
	if len(resumes) != 1 || len(files) != 1 || files[0]["name"] != "letter.pdf" {
		t.Errorf("%d resumes and %d files, want one of each", len(resumes), len(files))
	}
}

func TestWriteAnswersHaveEmptyPersonalFields(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 6, Opportunities: 200})
	o := l.pick(levertest.Active, levertest.WithApplication)
	base := "/v1/opportunities/" + o
	reason := l.Records("archive_reasons")[0]
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"PUT", base + "/stage", map[string]string{"stage": "offer"}}, {"PUT", base + "/archived", map[string]any{"reason": reason}},
		{"PUT", base + "/archived", map[string]any{"reason": nil}}, {"POST", base + "/addTags", map[string]any{"tags": []string{"x"}}},
		{"POST", base + "/removeTags", map[string]any{"tags": []string{"x"}}}, {"POST", base + "/addSources", map[string]any{"sources": []string{"y"}}},
	} {
		a := l.call(c.method, c.path, c.body)
		var v created
		_ = json.Unmarshal(a.Data, &v)
		if a.Status != 200 || v.ID != o || v.Name != "" || len(v.Emails) != 0 {
			t.Errorf("%s %s = %d %+v, want 200 with empty name and emails", c.method, c.path, a.Status, v)
		}
	}
	full := l.one("/opportunities/" + o)
	if full["stage"] != "offer" || full["archived"] != nil || full["contact"] == "" {
		t.Errorf("after the writes: stage %v, archived %v, want offer, nil", full["stage"], full["archived"])
	}
	note := l.call("POST", base+"/notes", map[string]any{"value": "a note"})
	if note.Status != 201 || len(l.rows("/opportunities/"+o+"/notes")) == 0 {
		t.Errorf("POST notes = %d, want 201 and the note listed", note.Status)
	}
	if a := l.call("PUT", base+"/stage", map[string]string{"stage": "nonsense"}); a.Status != 400 {
		t.Errorf("PUT stage with an unknown one = %d, want 400", a.Status)
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	type event struct {
		ID, Event, Token, Signature string
		TriggeredAt                 int64
		Data                        map[string]any
	}
	var mu sync.Mutex
	var got []event
	tries := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var e event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.UserAgent() != "Lever-Webhooks" {
			t.Errorf("delivery from %q: %v", r.UserAgent(), err)
		}
		got = append(got, e)
	}))
	defer receiver.Close()
	l := newLever(t, levertest.Config{Opportunities: 50, WebhookRetry: time.Millisecond})
	a := l.call("POST", "/v1/webhooks", map[string]any{"url": receiver.URL, "event": "candidateStageChange"})
	var hook struct {
		ID            string `json:"id"`
		Configuration struct {
			SignatureToken string `json:"signatureToken"`
		} `json:"configuration"`
	}
	_ = json.Unmarshal(a.Data, &hook)
	if a.Status != 201 || hook.Configuration.SignatureToken == "" {
		t.Fatalf("POST webhooks = %d, want 201 with a signature token", a.Status)
	}
	if list := l.get("/webhooks"); bytes.Contains(list.Body, []byte("signatureToken")) {
		t.Error("the list of webhooks shows the signature token")
	}
	o := l.pick()
	if _, err := l.AdvanceStage(o); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AddTag(o, "no event"); err != nil {
		t.Fatal(err)
	}
	if n := l.Flush(); n != 1 {
		t.Fatalf("Flush() = %d, want 1 delivery", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || got[0].Event != "candidateStageChange" || got[0].Data["opportunityId"] != o || len(got[0].Token) != 48 {
		t.Fatalf("received %+v, want one candidateStageChange of %s", got, o)
	}
	mac := hmac.New(sha256.New, []byte(hook.Configuration.SignatureToken))
	_, _ = fmt.Fprintf(mac, "%s%d", got[0].Token, got[0].TriggeredAt)
	if hex.EncodeToString(mac.Sum(nil)) != got[0].Signature {
		t.Error("the signature is not that of token and triggeredAt")
	}
	if a := l.call("DELETE", "/v1/webhooks/"+hook.ID, nil); a.Status != 204 {
		t.Errorf("DELETE webhooks = %d, want 204", a.Status)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 1, Opportunities: 500})
	a := l.call("POST", "/_control/mutate", map[string]any{"count": 40})
	var out struct {
		Done []struct {
			Kind          string   `json:"kind"`
			Opportunities []string `json:"opportunities"`
		} `json:"done"`
	}
	_ = json.Unmarshal(a.Body, &out)
	distinct := map[string]bool{}
	for _, d := range out.Done {
		for _, o := range d.Opportunities {
			distinct[o] = true
		}
	}
	if a.Status != 200 || len(out.Done) < 35 || len(distinct) < 30 {
		t.Errorf("mutate 40 = %d: %d done on %d opportunities, want about 40 on different ones", a.Status, len(out.Done), len(distinct))
	}
	l.call("POST", "/_control/faults", map[string]any{"match": "/stages", "kind": "status", "status": 500})
	if a := l.get("/stages"); a.Status != 500 {
		t.Errorf("stages with a fault = %d, want 500", a.Status)
	}
	l.call("DELETE", "/_control/faults", nil)
	l.call("POST", "/_control/deny", map[string]any{"deny": []string{"users"}})
	if a := l.get("/users"); a.Status != 403 {
		t.Errorf("denied users = %d, want 403", a.Status)
	}
	l.call("PUT", "/_control/rate", map[string]any{"per_second": 0.5})
	var counters struct {
		Calls  int            `json:"calls"`
		Status map[string]int `json:"status"`
	}
	_ = json.Unmarshal(l.call("GET", "/_control/counters", nil).Body, &counters)
	if counters.Calls != 2 || counters.Status["500"] != 1 {
		t.Errorf("counters are %+v, want 2 calls, one of them 500", counters)
	}
	if a := l.call("GET", "/_control/pick?situation=with_offer&n=3", nil); a.Status != 200 || !bytes.Contains(a.Body, []byte("-")) {
		t.Errorf("pick = %d %s, want ids", a.Status, a.Body)
	}
}
