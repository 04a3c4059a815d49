package lever

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const created = `{"deduped":true,"data":{"id":"o1","contact":"c1","createdAt":1750000000000}}`

func TestCreateOpportunitySendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	type seen struct {
		body              map[string]any
		line, contentType string
	}
	saw := make(chan seen, 1)
	r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
		s := seen{line: req.Method + " " + req.URL.String(), contentType: req.Header.Get("Content-Type")}
		_ = json.NewDecoder(req.Body).Decode(&s.body)
		saw <- s
		answer(http.StatusCreated, created)(w, req)
	})
	it, deduped, err := r.CreateOpportunity(t.Context(), "u1", NewOpportunity{
		Name: "Ada Example", Stage: "offer", Emails: []string{"ada@example.com"}, Phones: []NewPhone{{Value: "1"}},
		Postings: []string{"p1"}, CreatedAt: MillisTime(1000), Archived: &NewArchived{Reason: "r1"},
	}, CreateOptions{PostingOwner: true})
	if err != nil || !deduped || it.Value.ID != "o1" || it.Value.Contact != "c1" {
		t.Fatalf("CreateOpportunity = %+v, %v, %v; want o1 of c1, deduped", it.Value, deduped, err)
	}
	got := <-saw
	if want := "POST /v1/opportunities?perform_as=u1&perform_as_posting_owner=true"; got.line != want || got.contentType != "application/json" {
		t.Errorf("sent %s as %s; want %s as application/json", got.line, got.contentType, want)
	}
	want := map[string]any{
		"name": "Ada Example", "stage": "offer", "emails": []any{"ada@example.com"}, "phones": []any{map[string]any{"value": "1"}},
		"postings": []any{"p1"}, "createdAt": 1000.0, "archived": map[string]any{"reason": "r1"},
	}
	if g, w := asJSON(got.body), asJSON(want); g != w {
		t.Errorf("body = %s; want %s", g, w)
	}
	calls := r.reported()
	if len(calls) != 1 || calls[0].Method != "POST" || calls[0].PathTemplate != "/opportunities" || calls[0].Status != 201 || calls[0].Records != 1 {
		t.Errorf("calls = %+v; want one POST /opportunities, 201, of 1 record", calls)
	}
	if strings.Contains(calls[0].Query, "u1") {
		t.Errorf("logged query %q names a user; want it redacted", calls[0].Query)
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestTheOutcomeOfAWrite(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
	for name, c := range map[string]struct {
		h       http.HandlerFunc
		unknown bool
		verdict Verdict
	}{
		"refused":        {answer(400, `{"code":"BadRequestError","message":"no"}`), false, VerdictFatal},
		"forbidden":      {answer(403, `{}`), false, VerdictForbidden},
		"not found":      {answer(404, `{}`), false, VerdictGone},
		"over the limit": {answer(429, `{}`), false, VerdictThrottled},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v1/elsewhere", http.StatusTemporaryRedirect)
		}, false, VerdictFatal},
		"server error":     {answer(500, `{}`), true, VerdictTransient},
		"busy":             {answer(503, `{}`), true, VerdictTransient},
		"slow":             {answer(408, `{}`), true, VerdictTransient},
		"hung up":          {hangUp, true, VerdictTransient},
		"not JSON":         {answer(201, `<html>`), true, VerdictMalformed},
		"cut":              {answer(201, created[:30]), true, VerdictMalformed},
		"without an id":    {answer(201, `{"data":{}}`), true, VerdictMalformed},
		"odd success":      {answer(204, ``), true, VerdictMalformed},
		"a field is wrong": {answer(201, `{"data":{"id":"o1","createdAt":{}}}`), true, VerdictMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) { n.Add(1); c.h(w, req) })
			_, _, err := r.CreateOpportunity(t.Context(), "u1", NewOpportunity{Name: "A"}, CreateOptions{})
			if got := isA[*OutcomeError](err); got != c.unknown || Classify(err) != c.verdict {
				t.Errorf("error %v: outcome unknown %v, verdict %s; want %v, %s", err, got, Classify(err), c.unknown, c.verdict)
			}
			if n.Load() != 1 {
				t.Errorf("sent %d times; want once", n.Load())
			}
		})
	}
}

func TestAWriteThatLeftNobodyIsKnownNotToHaveHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, answer(201, created))
	c, err := New(Config{BaseURL: r.url, Auth: APIKey("k"), Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no route")
	})})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.CreateOpportunity(t.Context(), "u1", NewOpportunity{}, CreateOptions{}); isA[*OutcomeError](err) || !isA[*TransportError](err) {
		t.Errorf("CreateOpportunity without a connection: %v; want a *TransportError, no *OutcomeError", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.CreateOpportunity(ctx, "u1", NewOpportunity{}, CreateOptions{}); isA[*OutcomeError](err) || !errors.Is(err, context.Canceled) {
		t.Errorf("CreateOpportunity, canceled before: %v; want context.Canceled, no *OutcomeError", err)
	}
}

// TestAWriteIsNotSentTwice: a GET is, when a kept connection turns out to be closed; a write must not be.
func TestAWriteIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
		if n.Add(1) == 2 { // on a kept connection
			_, _ = io.Copy(io.Discard, req.Body)
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
			return
		}
		answer(201, created)(w, req)
	})
	for i := range 2 {
		_, _, err := r.CreateOpportunity(t.Context(), "u1", NewOpportunity{}, CreateOptions{})
		if got := isA[*OutcomeError](err); got != (i == 1) {
			t.Errorf("write %d: %v; want an *OutcomeError only of the second", i+1, err)
		}
	}
	if n.Load() != 2 {
		t.Errorf("Lever was sent %d writes; want 2", n.Load())
	}
}

func TestUploadFileStreams(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 300_000)
	type seen struct {
		name, kind string
		content    []byte
		length     int64
	}
	saw := make(chan seen, 1)
	var sends atomic.Int64
	r := newRig(t, Config{Auth: &rotating{}}, func(w http.ResponseWriter, req *http.Request) {
		if sends.Add(1) == 1 {
			_, _ = io.Copy(io.Discard, req.Body)
			answer(401, `{}`)(w, req)
			return
		}
		f, h, err := req.FormFile("file")
		if err != nil {
			t.Errorf("FormFile: %v", err)
			return
		}
		b, _ := io.ReadAll(f)
		saw <- seen{h.Filename, h.Header.Get("Content-Type"), b, req.ContentLength}
		answer(201, `{"data":{"id":"f1","name":"a.pdf"}}`)(w, req)
	})
	var opened atomic.Int64
	it, err := r.UploadFile(t.Context(), "o1", "u1", Upload{
		Name: `my "CV".pdf`, ContentType: "application/pdf", Size: int64(len(content)),
		Open: func() (io.Reader, error) { opened.Add(1); return bytes.NewReader(content), nil },
	})
	if err != nil || it.Value.ID != "f1" {
		t.Fatalf("UploadFile = %+v, %v; want f1", it.Value, err)
	}
	if g := <-saw; g.name != `my "CV".pdf` || g.kind != "application/pdf" || !bytes.Equal(g.content, content) || g.length <= int64(len(content)) {
		t.Errorf("Lever got %q, %s, %d bytes, length %d; want my \"CV\".pdf, application/pdf, %d bytes and a length", g.name, g.kind, len(g.content), g.length, len(content))
	}
	if opened.Load() != 2 {
		t.Errorf("opened %d times; want anew for each of 2 sends", opened.Load())
	}
	for _, u := range []Upload{{Size: 1}, {Name: "a"}, {Name: "a", Size: MaxUpload + 1}} {
		if _, err := r.UploadFile(t.Context(), "o1", "u1", u); !errors.Is(err, ErrUpload) {
			t.Errorf("UploadFile(%q, %d bytes): %v; want ErrUpload", u.Name, u.Size, err)
		}
	}
}

// rotating is a credential that a 401 renews.
type rotating struct{ n int }

func (r *rotating) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer t"+string(rune('0'+r.n)))
	return nil
}
func (r *rotating) Refresh(context.Context, string) (bool, error) { r.n++; return true, nil }

func TestAddNote(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"data":{"id":"n1","noteId":"n1","text":""}}`, `{"data":{"noteId":"n1"}}`} {
		r := newRig(t, Config{Timeout: time.Minute}, answer(201, body))
		it, err := r.AddNote(t.Context(), "o1", "u1", NewNote{Value: "hello"})
		if err != nil || it.Value.RecordID() != "n1" {
			t.Errorf("AddNote, answered %s = %+v, %v; want n1", body, it.Value, err)
		}
	}
}
