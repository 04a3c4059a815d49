package dashboard_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

func TestScopesOfAConnector(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("No such field")
	e.db.Exec(`UPDATE connector_scopes SET enabled = false WHERE connector_id = $1 AND scope = 'eeocs'`, f.c.ID)
	b := e.signedIn()
	a := b.get("/connectors/" + f.c.ID.String())
	want(t, "GET it", a, http.StatusOK, "Scheduled interviews", "Failed", "Refused", "Retrying", "No such field.", "Give the API key this permission in Lever", "1,234,567", "90 / 60", "EEOC answers Off")
	if n := strings.Count(a.body, `<tr id="s-`); n != 15 {
		t.Errorf("the page shows %d scopes, want 15", n)
	}
	want(t, "its sparkline", a, http.StatusOK, "90 calls in the last 24 hours, at most")
}

// Pages that are as full as they get, with all they load, weigh less than 100 KB: what was not compressed.
func TestFullPagesAreLight(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.db.Fleet(60)
	b := e.signedIn()
	id := storetest.Value[uuid.UUID](e.db, `SELECT id FROM connectors LIMIT 1`)
	e.db.Exec(`INSERT INTO calls (id, connector_id, scope, method, path, query, status, started_at, duration_ms, error)
SELECT gen_random_uuid(), $1, 'scheduled-interviews', 'GET', '/opportunities/:id/interviews', 'limit=100&offset=…', 503, now() - n * interval '1 second', 0.4, 'lever: /opportunities/:id/interviews: 503 (ServiceUnavailable)' FROM generate_series(1, 60) n`, id)
	e.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash)
SELECT $1, 'applications', gen_random_uuid(), '', 'createdAt: cannot unmarshal string into a number of milliseconds', '{}', '' FROM generate_series(1, 60)`, id)
	for path, rows := range map[string]int{"": 15, "/runs": 50, "/calls": 50, "/quarantine": 50, "all": 50} {
		url := "/connectors/" + id.String() + path
		if path == "all" {
			url = "/"
		}
		a := b.get(url)
		size, loads := len(a.body), 0
		for _, m := range regexp.MustCompile(`(?:href|src)="(/dashboard/assets/[^"]+)"`).FindAllStringSubmatch(a.body, -1) {
			size += len(b.get(m[1]).body)
			loads++
		}
		if n := strings.Count(a.body, "<tr"); n < rows || loads < 2 || size > 100_000 {
			t.Errorf("GET %s: %d rows, %d bytes with the %d files it loads; want %d rows, its style and script, and less than 100 KB", url, n, size, loads, rows)
		}
	}
}

func TestRunsAndCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := e.connector("Acme")
	b := e.signedIn()
	path := "/connectors/" + c.ID.String()
	want(t, "GET runs, none", b.get(path+"/runs"), http.StatusOK, "No runs yet")
	want(t, "GET calls, none", b.get(path+"/calls"), http.StatusOK, "No calls yet")
	e.db.Exec(`INSERT INTO runs (id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound)
SELECT gen_random_uuid(), $1, 'stream-' || n, CASE WHEN n % 2 = 0 THEN '{tags}'::text[] ELSE '{jobs,offices}' END, 'incremental', 'done', now() - n * interval '1 minute', now(), 1, 1 FROM generate_series(1, 120) n`, c.ID)
	first := b.get(path + "/runs")
	want(t, "GET runs", first, http.StatusOK, "stream-1<", "stream-50<", "More")
	second := b.follow(first, "More")
	want(t, "the next runs", second, http.StatusOK, "stream-51<", "stream-100<", "Back")
	want(t, "the last runs", b.follow(second, "More"), http.StatusOK, "stream-101<", "stream-120<")
	if a := b.get(path + "/runs?scope=tags"); strings.Contains(a.body, "stream-1<") || !strings.Contains(a.body, "stream-100<") {
		t.Error("GET runs?scope=tags shows runs of other scopes, or not its own")
	}

	now := time.Now().UTC().Truncate(time.Microsecond)
	var calls []store.Call
	for i := range 60 {
		call := store.Call{ID: uuid.New(), ConnectorID: c.ID, Scope: "tags", Method: "GET", Path: "/tags/" + strconv.Itoa(i), Status: 200, Attempt: 1, StartedAt: now.Add(-time.Duration(i) * 2 * time.Hour)}
		switch i {
		case 3:
			call.Status, call.Scope = 429, "jobs"
		case 4:
			call.Status, call.Error = 0, "connection reset"
		}
		calls = append(calls, call)
	}
	if err := e.db.Store.Log(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	a := b.get(path + "/calls")
	want(t, "GET calls", a, http.StatusOK, "/tags/0<", "/tags/49<", "429", "No answer", "connection reset")
	want(t, "the next calls", b.follow(a, "More"), http.StatusOK, "/tags/50<", "/tags/59<")
	for query, found := range map[string][]string{
		"status=failed": {"/tags/3<", "/tags/4<"}, "status=429": {"/tags/3<"}, "status=0": {"/tags/4<"}, "scope=jobs": {"/tags/3<"},
		"since=1h": {"/tags/0<"}, "status=200&since=24h&scope=tags": {"/tags/0<", "/tags/11<"},
	} {
		a := b.get(path + "/calls?" + query)
		want(t, "GET calls?"+query, a, http.StatusOK, found...)
		if query != "status=200&since=24h&scope=tags" && strings.Count(a.body, `<tr id="k-`) != len(found) {
			t.Errorf("GET calls?%s shows %d calls, want %d", query, strings.Count(a.body, `<tr id="k-`), len(found))
		}
	}
	want(t, "GET calls of a run without any", b.get(path+"/calls?run="+uuid.NewString()), http.StatusOK, "No calls like that")
	want(t, "GET a call", b.get(path+"/calls/"+strconv.FormatInt(calls[3].StartedAt.UnixMicro(), 10)+"/"+calls[3].ID.String()), http.StatusOK,
		"GET /tags/3", "Lever asked for a slower pace", "None that it was the last to change", calls[3].ID.String())
}

// follow opens the link with this text.
func (b *browser) follow(a answer, label string) answer {
	b.e.t.Helper()
	i := strings.Index(a.body, `">`+label+`</a>`)
	if i < 0 {
		b.e.t.Fatalf("%s has no link %s", a.url, label)
	}
	href := a.body[strings.LastIndex(a.body[:i], `href="`)+6 : i]
	return b.get(strings.ReplaceAll(href, "&amp;", "&"))
}

// A call leads to the records that were written with it, and to no others.
func TestRecordsOfACall(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := e.connector("Acme")
	call := store.Call{ID: uuid.New(), ConnectorID: c.ID, Scope: "tags", Method: "GET", Path: "/tags", Status: 200, StartedAt: time.Now().UTC().Truncate(time.Microsecond)}
	e.db.Exec(`INSERT INTO tags (id, connector_id, remote_id, body_hash) VALUES (gen_random_uuid(), $1, 'before', '')`, c.ID)
	e.db.Exec(`WITH w AS (INSERT INTO tags (id, connector_id, remote_id, body_hash) SELECT gen_random_uuid(), $1, 'tag-' || n, '' FROM generate_series(1, 3) n)
INSERT INTO calls (id, connector_id, method, path, status, started_at, duration_ms) VALUES ($2, $1, 'GET', '/tags', 200, $3, 1)`, c.ID, call.ID, call.StartedAt)
	e.db.Exec(`UPDATE tags SET body_hash = '\x01' WHERE remote_id = 'tag-2'`)
	b := e.signedIn()
	a := b.get("/connectors/" + c.ID.String() + "/calls/" + strconv.FormatInt(call.StartedAt.UnixMicro(), 10) + "/" + call.ID.String())
	want(t, "GET the call", a, http.StatusOK, "tag-1", "tag-3")
	if strings.Contains(a.body, "tag-2") || strings.Contains(a.body, "before") {
		t.Error("the call shows records that it did not write, or that have changed since")
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme")
	b := e.signedIn()
	path := "/connectors/" + f.c.ID.String() + "/quarantine"
	want(t, "GET quarantine", b.get(path), http.StatusOK, "key Acme", "Retry all of these")
	want(t, "GET quarantine of another scope", b.get(path+"?scope=jobs"), http.StatusOK, "Nothing is quarantined")
	want(t, "GET the record", b.get(path+"/tags?key="+url.QueryEscape(f.key)), http.StatusOK, `"text": "Acme"`, "15 bytes, shown as JSON", "Retry",
		`/calls/`+strconv.FormatInt(f.call.StartedAt.UnixMicro(), 10)+"/"+f.call.ID.String()+`"`)
	e.stored = 0
	want(t, "POST retry of all", b.post(path, nil), http.StatusOK, "This version can't store them either")
	e.stored = 1
	want(t, "POST retry of one", b.post(path, url.Values{"scope": {"tags"}, "key": {f.key}}), http.StatusOK, "They are read from Lever again")
	want(t, "POST retry of none", b.post(path, url.Values{"scope": {"tags"}, "key": {"none"}}), http.StatusNotFound)
	if len(e.retried) != 2 || e.retried[0].anyway || !e.retried[1].anyway || e.retried[1].keys != f.key {
		t.Errorf("tried again: %+v; want all that can be stored, then the one whatever it is", e.retried)
	}
	for raw, shown := range map[string]string{"\xff\x00\x01": "00000000  ff 00 01", "plain text, no JSON": "plain text, no JSON", `{"a":"` + strings.Repeat("ä", 60_000) + `"}`: "from its beginning"} {
		e.db.Exec(`UPDATE quarantine SET raw = $1`, []byte(raw))
		a := b.get(path + "/tags?key=" + url.QueryEscape(f.key))
		want(t, "GET the record", a, http.StatusOK, shown)
		checkPage(t, "GET the record", a)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	tool := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("the tool at " + r.URL.Path)) })
	e := newEnv(t, func(c *dashboard.Config) { c.Monitor = tool })
	b := e.signedIn()
	want(t, "GET /queues", b.get("/queues"), http.StatusOK, "backfill", "sync", "Look into the queues")
	want(t, "GET the tool", b.get("/queues/monitor/tasks"), http.StatusOK, "the tool at /queues/monitor/tasks")
	away := newEnv(t, func(c *dashboard.Config) {
		c.Depth = func() (map[string]map[string]int, error) { return nil, errors.New("connection refused") }
	})
	want(t, "GET /queues without Redis", away.signedIn().get("/queues"), http.StatusOK, "Redis can't be reached")
}
