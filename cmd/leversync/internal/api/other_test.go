package api

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, c := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"GET", "/", 404, ""}, {"GET", ats, 404, ""}, {"GET", ats + "no-such-scope", 404, ""},
		{"PUT", ats + "tags", 405, "GET, POST"}, {"GET", "/api/embedded/v1/connectors/resync", 405, "POST"},
	} {
		a := e.do(c.method, c.path)
		if a.status != c.want || a.header.Get("Allow") != c.allow || a.json(t)["detail"] == nil {
			t.Errorf("%s %s = %d, Allow %q, %s; want %d, %q", c.method, c.path, a.status, a.header.Get("Allow"), a.body, c.want, c.allow)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	if got := e.do("GET", ats+"tags", "X-Request-Id", "mine-1").header.Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("X-Request-Id = %q; want the client's", got)
	}
	for _, bad := range []string{"", "with space", strings.Repeat("x", 200)} {
		if got := e.do("GET", ats+"tags", "X-Request-Id", bad).header.Get("X-Request-Id"); got == bad || len(got) != 36 {
			t.Errorf("X-Request-Id for %q = %q; want a new one", bad, got)
		}
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	set := func(sql string) {
		e.db.Exec("UPDATE connector_scopes SET "+sql+" WHERE connector_id = $1 AND scope = 'tags'", e.conn.ID)
	}
	check := func(want string) {
		t.Helper()
		a := e.ok(ats + "tags")
		if got := a.header.Get("X-Sync-State"); got != want {
			t.Errorf("X-Sync-State = %q; want %q", got, want)
		}
		for _, s := range e.ok(ats + "sync-status").json(t)["scopes"].([]any) {
			if m := s.(map[string]any); m["scope"] == "tags" {
				trouble := want == "forbidden" || want == "failed" || want == "relink-needed"
				if m["state"] != want || (m["error"] != nil) != trouble {
					t.Errorf("sync-status of tags = %v; want %s", m, want)
				}
			}
		}
	}
	check("syncing-first-time")
	set("state = 'ok', synced_at = '2026-01-02T03:04:05.678Z', first_synced_at = now()")
	check("ok")
	if got, want := e.ok(ats+"tags").header.Get("X-Sync-Watermark"), "2026-01-02T03:04:05.678Z"; got != want {
		t.Errorf("X-Sync-Watermark = %q; want %q", got, want)
	}
	set("state = 'forbidden', reason = 'Lever says no'")
	check("forbidden")
	set("state = 'failed'")
	check("failed")
	e.db.Exec("UPDATE connectors SET status = 'RELINK_NEEDED', status_reason = 'refused' WHERE id = $1", e.conn.ID)
	check("relink-needed")
	set("enabled = false")
	check("scope-off")
}

func TestConnectors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other, otherToken := e.newConnector()
	items := e.all(ats + "connectors?page_size=1")
	if len(items) != 2 || items[0]["connector_token"] != e.token || items[1]["connector_token"] != otherToken {
		t.Errorf("connectors page by page = %v; want both, with their tokens", items)
	}
	if got := items[0]; got["status"] != "COMPLETE" || got["end_user"] != "Acme" || got["origin_id"] != "acme-1" || got["sync_status"] != "Syncing" {
		t.Errorf("a connector = %v", got)
	}
	for path, want := range map[string]int{
		"connectors?connector_token=" + otherToken: 1, "connectors?connector_token=x": 0, "connectors?origin_id=acme-1": 2,
		"connectors?is_active=false": 0, "connectors?is_active=true": 2,
	} {
		if got := len(e.ok(ats + path).items(t)); got != want {
			t.Errorf("GET %s: %d connectors; want %d", path, got, want)
		}
	}
	del := func(id uuid.UUID) answer {
		return e.do("DELETE", ats+"connectors/"+id.String()+"/delete", "Authorization", "Bearer "+e.key)
	}
	if a := del(other.ID); a.status != 200 || a.json(t)["message"] == "" {
		t.Errorf("DELETE = %d %s; want 200 and a message", a.status, a.body)
	}
	if a := del(other.ID); a.status != 404 {
		t.Errorf("DELETE again = %d; want 404", a.status)
	}
	if a := e.do("GET", ats+"tags", "Authorization", "Bearer "+e.key, "X-Connector-Token", otherToken); a.status != 401 {
		t.Errorf("GET with the token of a deleted connector = %d; want 401", a.status)
	}
	if a := e.do("POST", "/api/v1/org-check", "Authorization", "Bearer "+e.key); a.status != 200 || strings.TrimSpace(string(a.body)) != "{}" {
		t.Errorf("org-check = %d %s; want 200 {}", a.status, a.body)
	}
}

func TestResync(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	resync := func() answer {
		return e.do("POST", "/api/embedded/v1/connectors/resync", "Authorization", "Bearer "+e.key, "X-Connector-Token", e.token)
	}
	a := resync()
	var text string
	if err := json.Unmarshal(a.body, &text); err != nil || a.status != 200 || text == "" {
		t.Fatalf("resync = %d %s; want 200 and a string", a.status, a.body)
	}
	scopes, err := e.db.Store.Scopes(t.Context(), e.conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scopes {
		if s.RequestedAt == nil {
			t.Errorf("scope %s was not asked for", s.Scope)
		}
	}
	// Depth errs for the queue that was never used.
	if depth, _ := task.NewQueue(e.rdb).Depth(); depth[task.QueueSync]["pending"] != 1 {
		t.Errorf("the queue holds %v; want one pending task", depth)
	}
	if err := e.db.Store.SetPaused(t.Context(), e.conn.ID, true); err != nil {
		t.Fatal(err)
	}
	if a := resync(); a.status != http.StatusConflict {
		t.Errorf("resync of a paused connector = %d; want 409", a.status)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other, _ := e.newConnector()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var calls []store.Call
	for i := range 10 {
		c := store.Call{ID: uuid.New(), ConnectorID: e.conn.ID, Scope: "tags", Method: "GET", Path: "/tags", Status: 200, StartedAt: start.Add(time.Duration(i/2) * time.Minute)}
		if i == 3 {
			c.Status, c.Scope = 0, "offers"
		}
		if i == 4 {
			c.ConnectorID = other.ID
		}
		calls = append(calls, c)
	}
	if err := e.db.Store.Log(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"?page_size=3": 10, "?page_size=2&connector=" + e.conn.ID.String(): 9, "?connector=" + other.ID.String(): 1, "?scope=offers": 1,
		"?status=0": 1, "?status=200": 9, "?since=2026-01-01T00:02:00Z": 6, "?until=2026-01-01T00:02:00Z": 4, "?connector=" + uuid.NewString(): 0,
	} {
		seen := map[any]bool{}
		for _, c := range e.all("/api/v1/calls" + path) {
			seen[c["id"]] = true
		}
		if len(seen) != want {
			t.Errorf("GET calls%s: %d calls; want %d", path, len(seen), want)
		}
	}
	for _, bad := range []string{"?scope=no", "?status=x", "?connector=x", "?since=x"} {
		if a := e.get("/api/v1/calls" + bad); a.status != 422 {
			t.Errorf("GET calls%s = %d %s; want 422", bad, a.status, a.body)
		}
	}
}

func TestDownloadRefusals(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	lever := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<script>"))
	}))
	t.Cleanup(lever.Close)
	e := newEnv(t)
	e.lever = lever.URL
	e.put(e.conn, blank(unified.Attachments, e.conn, "f"))
	path := ats + "attachments/" + unified.ID(e.conn.ID, unified.Attachments, "f").String() + "/download"
	a := e.ok(path)
	if string(a.body) != "<script>" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a download = %s %v; want the file, as an attachment", a.body, a.header)
	}
	for from, want := range map[int]int{404: 404, 403: 409, 401: 409, 422: 409, 500: 502, 429: 503} {
		status = from
		if a := e.get(path); a.status != want || a.json(t)["detail"] == nil {
			t.Errorf("GET a file where Lever says %d = %d %s; want %d", from, a.status, a.body, want)
		}
	}
}

// Whatever a file is called, and says to be, it is an attachment of one name, and no header but that.
func TestFileHeaders(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "cv.pdf": "cv.pdf", "my cv.pdf": "my cv.pdf", "Łukasz.pdf": "Łukasz.pdf", "../../etc/passwd": "passwd", `C:\Users\cv.pdf`: "cv.pdf", "a/": "",
		`x"; filename="y.exe`: `x"; filename="y.exe`, "x\r\nSet-Cookie: a=b": "x\r\nSet-Cookie: a=b", "x\x00.pdf": "x\x00.pdf", "\u202egnp.exe": "\u202egnp.exe", "..": "..",
	} {
		h := http.Header{}
		fileHeaders(h, http.Header{"Content-Type": {"text/html; charset=utf-7"}}, name)
		kind, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != want || strings.ContainsAny(h.Get("Content-Disposition"), "\r\n\x00") {
			t.Errorf("a file called %q: Content-Disposition %q, %v; want an attachment called %q", name, h.Get("Content-Disposition"), err, want)
		}
		if h.Get("Content-Type") != "text/html" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || len(h) != 3 {
			t.Errorf("a file called %q: %v; want its kind alone, in a sandbox", name, h)
		}
	}
}

func TestAuthorizeNotesTheLastUse(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.ok(ats + "tags")
	keys, err := e.db.Store.APIKeys(context.Background())
	if err != nil || keys[0].LastUsedAt == nil {
		t.Errorf("keys after a request = %+v, %v; want a last use", keys, err)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	page := e.do("GET", "/docs")
	csp := page.header.Get("Content-Security-Policy")
	if page.status != 200 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") || strings.Contains(string(page.body), "<script") {
		t.Errorf("GET /docs = %d, policy %q; want a page without scripts", page.status, csp)
	}
	for _, part := range strings.Split(string(page.body), `"http`)[1:] {
		url, _, _ := strings.Cut("http"+part, `"`)
		if !strings.HasPrefix(url, "https://sync.example.com") {
			t.Errorf("the page names another host: %s", url)
		}
	}
	for _, r := range routes {
		if !strings.Contains(string(page.body), `id="`+r.ID+`"`) {
			t.Errorf("the page has nothing of %s", r.ID)
		}
	}
	doc := e.do("GET", "/openapi.json").json(t)
	if doc["openapi"] != "3.1.0" || len(doc["paths"].(map[string]any)) < 35 {
		t.Errorf("openapi.json: %v with %d paths", doc["openapi"], len(doc["paths"].(map[string]any)))
	}
	for _, path := range []string{"/docs/style.css", "/docs/lever.svg", "/openapi.yaml"} {
		if a := e.do("GET", path); a.status != 200 || len(a.body) == 0 {
			t.Errorf("GET %s = %d with %d bytes", path, a.status, len(a.body))
		}
	}
}
