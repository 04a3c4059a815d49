package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// methodAndPath is a route with its parameters filled in.
func methodAndPath(r dashboard.Route, ids map[string]string) (string, string) {
	method, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		method, path = http.MethodGet, r.Pattern
	}
	path = strings.TrimSuffix(path, "{$}")
	for name, value := range ids {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return method, path
}

// Every route but those that are open, by the table that serves them, sends a stranger away and does nothing.
func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme")
	before := e.state()
	for _, cookie := range []string{"", "leversync-operator=" + strings.Repeat("A", 43), "leversync-operator=short"} {
		b := e.browser().stay()
		for _, route := range dashboard.Routes() {
			method, path := methodAndPath(route, f.ids())
			req := b.request(method, path, url.Values{"name": {"Acme"}, "scope": {"tags"}})
			if cookie != "" {
				req.Header.Set("Cookie", cookie)
			}
			a := b.do(req)
			if route.Open {
				continue
			}
			if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/login") || strings.Contains(a.body, "Acme") {
				t.Errorf("%s %s with the cookie %q: %d to %q; want 303 to /login, and nothing of a connector", method, path, cookie, a.status, a.header.Get("Location"))
			}
		}
	}
	if after := e.state(); after != before {
		t.Errorf("strangers changed something: %q, before it was %q", after, before)
	}
}

// state is what actions change.
func (e *env) state() string {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	return storetest.Value[string](e.db, `SELECT concat_ws(' ', (SELECT string_agg(concat_ws(',', id, paused, sync_interval_seconds, encode(token_hash, 'hex')), ';' ORDER BY id) FROM connectors),
    (SELECT count(*) FROM links), (SELECT string_agg(concat_ws(',', id, encode(hash, 'hex'), revoked_at), ';' ORDER BY id) FROM api_keys),
    (SELECT string_agg(enabled::text, ',' ORDER BY connector_id, scope) FROM connector_scopes))`) + string(rune('0'+len(e.synced)+len(e.retried)))
}

// A POST that another site makes a signed-in browser send is refused, whatever the route.
func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme")
	b := e.signedIn().stay()
	before := e.state()
	for _, head := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		{"Sec-Fetch-Site": "", "Origin": "null"},
	} {
		for _, route := range dashboard.Routes() {
			method, path := methodAndPath(route, f.ids())
			if method != http.MethodPost {
				continue
			}
			req := b.request(method, path, url.Values{"name": {"Acme"}, "org_name": {"X"}, "origin_id": {"x"}, "scope": {"tags"}, "password": {password}})
			for k, v := range head {
				if req.Header.Set(k, v); v == "" {
					req.Header.Del(k)
				}
			}
			if a := b.do(req); a.status != http.StatusForbidden || !strings.Contains(a.body, "another site") {
				t.Errorf("%s %s with %v: %d, want 403", method, path, head, a.status)
			}
		}
	}
	if after := e.state(); after != before {
		t.Errorf("another site changed something: %q, before it was %q", after, before)
	}
}

// No GET changes anything.
func TestLooksChangeNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme")
	b := e.signedIn().stay()
	before := e.state()
	for _, route := range dashboard.Routes() {
		_, path := methodAndPath(route, f.ids())
		b.get(path + "?name=Acme&scope=tags")
	}
	if after := e.state(); after != before {
		t.Errorf("a GET changed something: %q, before it was %q", after, before)
	}
}

var (
	elements = regexp.MustCompile(`<[a-zA-Z][^>]*>`)
	values   = regexp.MustCompile(`"[^"]*"`)
	// inline is what no element of ours has: its values left out, a handler, a style, or an element that could do harm.
	inline  = regexp.MustCompile(`(?i)^<(?:style|iframe|object|embed|base)\b|\s(?:on[a-z]+|style|srcdoc)\s*=|^<script>`)
	foreign = regexp.MustCompile(`(?i)(?:src|href|action|srcset)\s*=\s*"(?:[a-z]+:|//)[^"]*"`)
	untold  = regexp.MustCompile(`<(?:input|select)\s[^>]*>`)
)

// hostile are names and reasons as somebody might give them who wants to be more than a text.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`, `</title><script>alert(1)</script>`, `javascript:alert(1)`,
	`{{.Secret}}`, "\u202egnp.exe", `<svg/onload=alert(1)>`, `&lt;script&gt;`, `https://evil.example/`, `a" style="position:fixed`, "`${alert(1)}`",
	`--><script>alert(1)</script>`, `]]><script>alert(1)</script>`, `<a href="//evil.example">x</a>`, `%3Cscript%3E`, `\x3cscript\x3e`, `<iframe srcdoc="x">`, `<base href="//evil.example">`, `<meta http-equiv=refresh content=0>`,
}

// Every page, with each text in every place where others decide what is written.
func TestPagesAreOurs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.signedIn()
	for _, name := range hostile {
		f := e.furnish(name)
		paths := []string{"/", "/login?next=" + url.QueryEscape("/"+name), "/?q=" + url.QueryEscape(name), "/?status=" + url.QueryEscape(name), "/?done=" + url.QueryEscape(name), "/connectors/new"}
		for _, route := range dashboard.Routes() {
			if method, path := methodAndPath(route, f.ids()); method == http.MethodGet && !strings.Contains(path, "{") {
				paths = append(paths, path)
			}
		}
		paths = append(paths, "/connectors/"+f.c.ID.String()+"/quarantine/tags?key="+url.QueryEscape(f.key))
		for _, path := range paths {
			checkPage(t, "GET "+path, b.get(path))
		}
		checkPage(t, "POST /connectors", b.post("/connectors", url.Values{"org_name": {name}, "origin_id": {name}, "scope": {"tags"}}))
		checkPage(t, "POST /connectors, incomplete", b.post("/connectors", url.Values{"org_name": {name}}))
		checkPage(t, "POST /keys", b.post("/keys", url.Values{"name": {name}, "scope": {"read"}}))
		checkPage(t, "POST delete, other name", b.post("/connectors/"+f.c.ID.String()+"/delete", url.Values{"name": {"x" + name}}))
		checkPage(t, "POST cadence", b.post("/connectors/"+f.c.ID.String()+"/cadence", url.Values{"interval": {name}, "rate": {name}}))
		e.db.Exec(`DELETE FROM connectors`)
		e.db.Exec(`DELETE FROM api_keys`)
	}
}

func checkPage(t *testing.T, call string, a answer) {
	t.Helper()
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		return
	}
	if a.status >= 500 {
		t.Errorf("%s: %d\n%s", call, a.status, text(a))
	}
	for _, tag := range elements.FindAllString(a.body, -1) {
		if inline.MatchString(values.ReplaceAllString(tag, `""`)) {
			t.Errorf("%s: the page holds %s: a script or style of its own", call, tag)
		}
		if foreign.MatchString(tag) {
			t.Errorf("%s: the page leads elsewhere: %s", call, tag)
		}
	}
	for _, tag := range untold.FindAllString(a.body, -1) {
		if strings.Contains(tag, `type="hidden"`) || strings.Contains(tag, `type="checkbox"`) {
			continue
		}
		id := regexp.MustCompile(`\sid="([^"]*)"`).FindStringSubmatch(tag)
		if id == nil || !strings.Contains(a.body, `<label for="`+id[1]+`"`) {
			t.Errorf("%s: no label for %s", call, tag)
		}
	}
	if n := strings.Count(a.body, "<h1"); n != 1 {
		t.Errorf("%s: %d headings of the first level, want 1", call, n)
	}
	if len(a.body) > 100<<10 {
		t.Errorf("%s: %d bytes, want less than 100 KB", call, len(a.body))
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("%s: Content-Security-Policy = %q", call, csp)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %s = %q, want %q", call, name, got, want)
		}
	}
}

func TestUnknownThings(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme")
	b := e.signedIn()
	gone := uuid.NewString()
	for _, path := range []string{
		"/nothing", "/connectors/x", "/connectors/" + gone, "/connectors/" + gone + "/runs", "/connectors/" + gone + "/calls", "/connectors/" + gone + "/settings",
		"/connectors/" + gone + "/use", "/connectors/" + gone + "/quarantine", "/connectors/" + f.c.ID.String() + "/calls/1/" + gone,
		"/connectors/" + f.c.ID.String() + "/calls/x/y", "/connectors/" + f.c.ID.String() + "/quarantine/tags?key=none", "/connectors/" + f.c.ID.String() + "/quarantine/none?key=x",
		"/dashboard/assets/none.css", "/queues/monitor/",
	} {
		want(t, "GET "+path, b.get(path), http.StatusNotFound)
	}
	for _, path := range []string{"/connectors/" + gone + "/pause", "/connectors/" + gone + "/delete", "/keys/" + gone + "/revoke", "/keys/x/regenerate", "/sessions/x/end"} {
		want(t, "POST "+path, b.post(path, url.Values{"name": {""}}), http.StatusNotFound)
	}
	// A cursor that is none of ours, or another list's, begins at the start.
	want(t, "GET calls with a foreign cursor", b.get("/connectors/"+f.c.ID.String()+"/calls?cursor="+e.db.Store.Cursor("other", store.Position{})), http.StatusOK, "GET /tags")
}
