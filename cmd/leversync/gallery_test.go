package main

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store/storetest"
)

// galleryEnv is the folder for pictures of every page, light and dark, wide and narrow, and an index.html of them all.
const galleryEnv = "LEVERSYNC_TEST_GALLERY"

// gallery takes pictures of pages.
type gallery struct {
	*chromium
	folder string
	names  []string
	mux    *http.ServeMux  // the dashboard's routes
	seen   map[string]bool // of them, by pattern
}

func newGallery(t *testing.T, folder string) *gallery {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	g := &gallery{chromium: newChromiumFor(t, 10*time.Minute), folder: folder, mux: http.NewServeMux(), seen: map[string]bool{}}
	for _, r := range dashboard.Routes() {
		g.mux.Handle(r.Pattern, http.NotFoundHandler())
	}
	return g
}

// take takes the page as it is now in all four forms, and refuses one that is wider than its window.
func (g *gallery) take(name string) {
	g.t.Helper()
	g.names = append(g.names, name)
	at, err := url.Parse(evaluate[string](g.chromium, "location.href"))
	if err != nil {
		g.t.Fatal(err)
	}
	_, pattern := g.mux.Handler(&http.Request{Method: http.MethodGet, URL: at, Host: at.Host})
	g.seen[pattern] = true
	for _, width := range []int64{1200, 375} {
		g.viewport(width, 760)
		g.viewport(width, max(760, evaluate[int64](g.chromium, "document.documentElement.scrollHeight"))) // what sticks to an edge is at the page's
		if is := evaluate[int64](g.chromium, "document.documentElement.scrollWidth"); is > width {
			g.t.Errorf("%s is %d pixels wide in a window of %d", name, is, width)
		}
		for _, dark := range []bool{false, true} {
			g.dark(dark)
			ctx, cancel := context.WithTimeout(g.ctx, stepLimit)
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			cancel()
			if err != nil {
				g.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(g.folder, pictureName(name, width, dark)), png, 0o644); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	g.dark(false)
	g.viewport(1200, 760)
}

func pictureName(name string, width int64, dark bool) string {
	form := "light"
	if dark {
		form = "dark"
	}
	return fmt.Sprintf("%s-%d-%s.png", name, width, form)
}

// visit opens a page, waits for a text, and takes it.
func (g *gallery) visit(name, url, text string) {
	g.t.Helper()
	g.open(url)
	g.see(text)
	g.take(name)
}

// index writes a page with all pictures, those of one page side by side.
func (g *gallery) index() {
	g.t.Helper()
	var b strings.Builder
	b.WriteString("<!doctype html><title>Every page</title><style>body{font:14px sans-serif;background:#888}div{display:flex;gap:8px;align-items:flex-start}</style>\n")
	for _, name := range g.names {
		fmt.Fprintf(&b, "<h2 id=%[1]s>%[1]s</h2><div>", html.EscapeString(name))
		for _, width := range []int64{1200, 375} {
			for _, dark := range []bool{false, true} {
				fmt.Fprintf(&b, `<img src="%s" width="%d">`, pictureName(name, width, dark), width*3/4)
			}
		}
		b.WriteString("</div>\n")
	}
	if err := os.WriteFile(filepath.Join(g.folder, "index.html"), []byte(b.String()), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// TestGallery takes every page of the dashboard, and those on which an account is connected: by hand, with make screenshots.
func TestGallery(t *testing.T) {
	t.Parallel()
	c, base, folder := pictured(t, galleryEnv)
	g := newGallery(t, folder)
	g.visit("login", base+"/", "Operator's password")
	g.fill("Operator's password", "wrong")
	g.follow("Sign in", "That is not the password.")
	g.take("login-wrong")
	g.signIn(base, c.env["LEVERSYNC_OPERATOR_PASSWORD"])
	g.visit("connectors-none", base+"/", "No connectors yet")

	g.connect(base)
	ids := c.everyState(t)
	g.visit("connectors", base+"/", "Wayne Enterprises")
	g.visit("connectors-found", base+"/connectors?q=hooli", "Hooli")
	g.visit("create", base+"/connectors/new", "Unique id")
	g.visit("connector", base+"/connectors/"+ids[4], "Scheduled interviews")
	g.visit("connector-forbidden", base+"/connectors/"+ids[1], "permission")
	g.visit("connector-paused", base+"/connectors/"+ids[2], "Paused")
	g.visit("connector-relink", base+"/connectors/"+ids[3], "Relink needed")
	g.visit("connector-syncing", base+"/connectors/"+ids[6], "Syncing")
	of := base + "/connectors/" + ids[1]
	g.visit("runs", of+"/runs", "A run is one traversal")
	g.visit("calls", of+"/calls", "Waited is the time")
	g.visit("calls-failed", of+"/calls?status=failed", "Waited is the time")
	g.click(g.firstCall())
	g.see("Records it wrote")
	g.take("calls-opened")
	g.visit("call", evaluate[string](g.chromium, `document.querySelector("#calls a[data-open]").href`), "One call")
	g.visit("quarantine", of+"/quarantine", "Retry all")
	g.follow(evaluate[string](g.chromium, `document.querySelector("#rows a").innerText`), "As it came")
	g.take("quarantine-record")
	g.visit("use", of+"/use", "Connector token")
	g.visit("settings", of+"/settings", "Read everything again")
	g.click("Delete Globex and everything of it")
	g.see("This can't be undone")
	g.take("settings-delete")
	g.visit("keys-none", base+"/keys", "Create a key")
	g.fill("Name", "backend")
	g.follow("Create key", "Copy the key backend")
	g.take("key")
	g.visit("keys", base+"/keys", "backend")
	g.visit("queues", base+"/queues", "Tasks are only wake-ups")
	g.visit("sessions", base+"/sessions", "This browser")
	g.visit("no-page", base+"/nowhere", "no such page")
	g.visit("docs", base+"/docs", "candidates")
	g.index()
	for _, r := range dashboard.Routes() {
		if path, get := strings.CutPrefix(r.Pattern, "GET "); get && !g.seen[r.Pattern] && !strings.Contains(path, "{file}") {
			t.Errorf("no picture was taken of %s", r.Pattern)
		}
	}
}

// connect takes the pages on which an account is connected, and a magic link in the dashboard.
func (g *gallery) connect(base string) {
	g.t.Helper()
	g.open(base + "/connectors/new")
	g.fill("Organisation", "Cyberdyne Systems")
	g.fill("Unique id", "customer-cy")
	g.follow("Create link", "Send this link to Cyberdyne Systems")
	g.take("link")
	link := evaluate[string](g.chromium, `document.getElementById("link").value`)
	g.visit("connect", link, "Allow and Continue")
	g.click("Give an API key instead")
	g.fill("Lever API key", "wrong")
	g.follow("Check the key and connect", "The key was not taken.")
	g.take("connect-wrong-key")
	g.open(link)
	g.follow("Allow and Continue", "Authorize access to your account")
	g.follow("Deny", "You did not allow it")
	g.take("connect-denied")
	g.open(link)
	g.see("Go on where you were")
	g.take("connect-used")
	g.follow("Go on where you were", "Allow and Continue")
	g.follow("Allow and Continue", "Authorize access to your account")
	evaluate[string](g.chromium, `(f => f.value = f.value.split(" ").filter(s => !/^(offers|interviews):/.test(s)).join(" "))(document.querySelector("[name=scope]"))`)
	g.follow("Accept", "Some permissions are missing")
	g.take("connect-permissions")
	g.follow("Continue without them", "Lever is connected")
	g.see("has been copied")
	g.take("connect-done")
	g.visit("connect-no-link", base+"/connect/nowhere", "link")
}

// everyState makes connectors that stand in every state, one of them with failed calls, runs and quarantined records.
func (c *cli) everyState(t *testing.T) []string {
	t.Helper()
	ids := c.organisations(t)
	c.picture(ids)
	c.db.Exec(`INSERT INTO calls (id, connector_id, run_id, stream, scope, method, path, query, status, attempt, started_at, duration_ms, wait_ms, bytes, records, error)
SELECT gen_random_uuid(), $1, (SELECT id FROM runs WHERE connector_id = $1 LIMIT 1), 'opportunities', 'candidates', 'GET', '/opportunities', 'limit=100&offset=…', s, 1 + n % 3,
    now() - n * interval '40 seconds', 30 * n, 90 * n, 512, 0, e
FROM unnest('{503,429,0,403,404,500}'::int[], '{ServiceUnavailable,TooManyRequests,the connection was reset,Forbidden,ResourceNotFound,InternalServerError}'::text[]) WITH ORDINALITY r(s, e, n)`, ids[1])
	c.db.Exec(`UPDATE runs SET state = 'failed', error = 'Lever answers 503: it is tried again in 2 minutes' WHERE id = (SELECT id FROM runs WHERE connector_id = $1 ORDER BY started_at DESC LIMIT 1)`, ids[1])
	c.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash, run_id, call_id)
SELECT $1, s, gen_random_uuid(), '', e, '{"id":"7a4c21d0-5a8e-4a51-9d5f-0b5a2f1d3c11","createdAt":"yesterday","archived":{"reason":null}}', '\x00', (SELECT id FROM runs WHERE connector_id = $1 LIMIT 1), NULL
FROM unnest('{applications,offers,scheduled-interviews}'::text[], '{"createdAt: cannot unmarshal string into a number of milliseconds","Postgres refused it: SQLSTATE 22003 numeric_in","it has no id"}'::text[]) r(s, e)`, ids[1])
	c.db.Exec(`UPDATE connector_scopes SET quarantined = 1 WHERE connector_id = $1 AND scope IN ('applications', 'offers', 'scheduled-interviews')`, ids[1])
	if n := storetest.Value[int](c.db, `SELECT count(*) FROM quarantine`); n != 3 {
		t.Errorf("%d records in quarantine, want 3", n)
	}
	return ids
}
