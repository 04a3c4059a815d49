package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

// TestTheWholeStory is the seed's: a connector with a magic link, the customer's authorization at Lever, the first
// sync, the unified data by API key and connector token, and a candidate written into Lever.
func TestTheWholeStory(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	account := c.withLever(levertest.Config{Seed: 50, Opportunities: 30, RatePerSecond: -1})
	c.env["LEVER_CLIENT_ID"], c.env["LEVER_CLIENT_SECRET"] = "test-client", "test-secret"
	c.env["LEVERSYNC_RATE_LIMIT"] = "1000"
	serve := c.start("serve")
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)

	created := decode[map[string]any](t, c.must("connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--json"))
	link, token := created["magic_link"].(string), created["connector_token"].(string)
	link = base + link[strings.Index(link, "/connect/"):] // the test's port is chosen by the system
	key := decode[map[string]any](t, c.must("apikey", "create", "--name", "story", "--json"))["api_key"].(string)
	id := created["connector_id"].(string)

	b := newBrowser(t)
	page := b.get(link)
	if !strings.Contains(page, "Acme") || !strings.Contains(page, "Allow and Continue") {
		t.Fatalf("the page behind the magic link does not say who asks and what to press: %.300s", page)
	}
	page = b.post(link+"/key", url.Values{"api_key": {"test-key"}})
	if !strings.Contains(b.last, "/connect/done/") {
		t.Fatalf("after a good key the browser is at %s, want the page of the first sync: %.300s", b.last, page)
	}
	c.must("sync", id, "--wait")

	api := apiClient{t: t, base: base, key: key, token: token}
	first := map[string]string{}
	for _, collection := range []string{"applications", "attachments", "candidates", "departments", "eeocs", "jobs", "job-interview-stages", "offers",
		"offices", "reject-reasons", "remote-users", "scheduled-interviews", "scorecards", "screening-questions", "tags"} {
		list := api.get("/api/ats/v1/" + collection + "?page_size=5")
		items := list["items"].([]any)
		if collection == "eeocs" {
			continue // off by default
		}
		if len(items) == 0 {
			t.Errorf("GET %s: no items after a sync", collection)
			continue
		}
		first[collection] = items[0].(map[string]any)["id"].(string)
	}
	before := account.Len()
	made := api.do(http.MethodPost, "/api/ats/v1/candidates", map[string]any{
		"data": map[string]any{"first_name": "John", "last_name": "Doe", "email_addresses": []string{"john.doe@example.com"},
			"job_interview_stage_id": first["job-interview-stages"], "job_id": first["jobs"]},
		"remote_user": first["remote-users"],
	}, http.StatusOK)
	if account.Len() != before+1 {
		t.Errorf("Lever has %d opportunities after the write, want %d", account.Len(), before+1)
	}
	serve.find(serve.stderr, `msg="request answered" method=POST route=/api/ats/v1/candidates status=200 duration_ms=\S+ bytes=\d+ request_id=\S+`)
	read := api.get("/api/ats/v1/candidates/" + made["id"].(string))
	if read["first_name"] != "John" || read["last_name"] != "Doe" || len(read["applications"].([]any)) != 1 {
		t.Errorf("the new candidate reads %v, want John Doe with one application, at once", read)
	}
	if status, body := get(t, base+"/docs"); status != http.StatusOK || !strings.Contains(body, "/api/ats/v1/candidates") {
		t.Errorf("GET /docs: %d; want a page that documents the candidates", status)
	}
}

type apiClient struct {
	t                *testing.T
	base, key, token string
}

func (a apiClient) get(path string) map[string]any {
	return a.do(http.MethodGet, path, nil, http.StatusOK)
}

func (a apiClient) do(method, path string, body any, want int) map[string]any {
	a.t.Helper()
	status, text := a.send(method, path, body)
	if status != want {
		a.t.Fatalf("%s %s: %d %s; want %d", method, path, status, text, want)
	}
	return decode[map[string]any](a.t, text)
}

// send makes a request, and returns the answer's status and body.
func (a apiClient) send(method, path string, body any) (int, string) {
	a.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.base+path, bytes.NewReader(b))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("X-Connector-Token", a.token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// browser follows links and forms, and keeps cookies.
type browser struct {
	t      *testing.T
	client *http.Client
	last   string // URL of the page it is on
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (b *browser) get(u string) string { return b.open(b.client.Get(u)) }

func (b *browser) post(u string, form url.Values) string {
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, u, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.open(b.client.Do(req))
}

var secretInPath = regexp.MustCompile(`/connect/[A-Za-z0-9_-]{40,}`)

func (b *browser) open(resp *http.Response, err error) string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.last = resp.Request.URL.String()
	if resp.StatusCode >= 400 {
		b.t.Fatalf("%s: %d: %.500s", secretInPath.ReplaceAllString(b.last, "/connect/…"), resp.StatusCode, text)
	}
	return string(text)
}
