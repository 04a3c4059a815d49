package main

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/leversync/leversync/lever/levertest"
)

// looked is what a page is held to: accessibility in light and dark, and that it fits a telephone.
func (c *chromium) looked(name string) {
	c.t.Helper()
	c.accessible()
	c.shot(name)
	c.dark(true)
	c.accessible()
	c.viewport(375, 760)
	c.accessible()
	c.shot(name + " on a telephone in the dark")
	if width := evaluate[int](c, "document.documentElement.scrollWidth"); width > 375 {
		c.t.Errorf("%s is %d pixels wide on a telephone of 375", c.at(), width)
	}
	c.dark(false)
	c.viewport(1200, 800)
}

// signIn opens the dashboard with the password that the first start has printed.
func (c *chromium) signIn(base, password string) {
	c.t.Helper()
	c.open(base + "/")
	c.fill("Operator's password", password)
	c.follow("Sign in", "Connectors")
}

// TestDashboardInABrowser is the seed's story by clicks: a connector is created, its magic link followed and the access allowed
// at Lever; its sync is watched until it is synced, its calls are looked at; then an API key and the connector's token read
// the unified records.
func TestDashboardInABrowser(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	account := c.withLever(levertest.Config{Seed: 53, Opportunities: 60, RatePerSecond: -1})
	c.env["LEVER_CLIENT_ID"], c.env["LEVER_CLIENT_SECRET"] = "test-client", "test-secret"
	c.env["LEVERSYNC_RATE_LIMIT"] = "1000"
	serve := c.start("serve")
	password := serve.find(serve.stdout, `The dashboard's password: (\S+)`)
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)

	b := newChromium(t)
	b.viewport(1200, 800)
	b.open(base + "/")
	b.see("Operator's password")
	b.looked("sign in")
	b.fill("Operator's password", "wrong")
	b.follow("Sign in", "That is not the password.")
	b.accessible()
	b.fill("Operator's password", password)
	b.follow("Sign in", "No connectors yet")
	b.looked("no connectors")

	b.follow("Create connector", "Unique id")
	b.looked("create")
	b.fill("Organisation", "SpaceX")
	b.fill("Unique id", "spacex-1")
	b.follow("Create link", "Send this link to SpaceX")
	b.looked("magic link")
	link := evaluate[string](b, `document.getElementById("link").value`)
	b.follow("Copy link", "Copied")
	if at := b.at(); !regexp.MustCompile(`/connectors/[0-9a-f-]{36}$`).MatchString(at) {
		t.Errorf("the page of the link is at %s, want an address that can be loaded again", at)
	}
	page := b.at()

	b.open(link)
	b.follow("Allow and Continue", "Authorize access to your account")
	b.follow("Accept", "Lever is connected")

	b.open(page)
	b.see("Synced") // by itself: the page follows
	b.see("Scheduled interviews")
	if n := b.count("#scopes tbody tr[id^=s-]"); n != 15 {
		t.Errorf("the connector's page shows %d scopes, want 15", n)
	}
	b.looked("connector")
	b.follow("Calls", "Waited is the time")
	b.looked("calls")
	id := page[strings.LastIndex(page, "/")+1:]
	b.open(page + "/calls?scope=tags")
	b.click(b.firstCall())
	b.see("Records it wrote")
	b.looked("a call, opened")
	b.follow("Runs", "A run is one traversal")
	b.looked("runs")
	b.follow("Settings", "Read everything again")
	b.looked("settings")
	b.open(base + "/")
	b.see("SpaceX")
	b.looked("connectors")

	key := b.createKey()
	b.open(page + "/use")
	b.see("Connector token")
	b.looked("token")
	token := evaluate[string](b, `document.getElementById("token").value`)
	api := apiClient{t: t, base: base, key: key, token: token}
	if list := api.get("/api/ats/v1/candidates?page_size=5"); len(list["items"].([]any)) == 0 {
		t.Error("the key and the token of the dashboard read no candidates")
	}
	b.open(base + "/docs")
	b.see("candidates")

	b.damage(c, account, id)
	b.queues(base)
	b.open(base + "/sessions")
	b.see("This browser")
	b.looked("sessions")
	b.remove(page)
	b.follow("Sign out", "You are signed out.")
}

// firstCall is the text of the link that opens the first row of the calls.
func (c *chromium) firstCall() string {
	c.t.Helper()
	c.see("Records")
	return evaluate[string](c, `document.querySelector("#calls a[data-open]").innerText`)
}

// createKey makes an API key, and returns it.
func (c *chromium) createKey() string {
	c.t.Helper()
	c.follow("API keys", "Create a key")
	c.fill("Name", "backend")
	c.follow("Create key", "Copy the key backend")
	c.looked("API key")
	key := evaluate[string](c, `document.getElementById("key").value`)
	c.follow("To the keys", "read, write")
	c.looked("API keys")
	return key
}

// damage has the account's permissions taken away, and looks at how that is told.
func (c *chromium) damage(cli *cli, account *levertest.Server, id string) {
	c.t.Helper()
	account.RevokeGrants()
	c.open(c.base() + "/connectors/" + id)
	c.follow("Sync now", "Asked for.")
	c.see("Relink needed")
	c.looked("relink needed")
}

// queues looks at our own page of them, and at asynqmon.
func (c *chromium) queues(base string) {
	c.t.Helper()
	c.open(base + "/queues")
	c.see("Tasks are only wake-ups")
	c.looked("queues")
	c.follow("Look into the queues with asynqmon", "Queues")
	c.see("sync")
	c.shot("asynqmon")
}

// remove deletes the connector, by the keyboard.
func (c *chromium) remove(page string) {
	c.t.Helper()
	c.open(page + "/settings")
	c.follow("Delete SpaceX and everything of it", "This can't be undone")
	c.shot("delete")
	c.fill("Type the organisation's name: SpaceX", "Space"+kb.Enter)
	c.see("nothing was deleted")
	c.accessible()
	c.fill("Type the organisation's name: SpaceX", "SpaceX")
	c.follow("Delete this connector", "The connector and everything of it was deleted.")
}

// base is the address of the site that the page is of.
func (c *chromium) base() string {
	c.t.Helper()
	return evaluate[string](c, "location.origin")
}

// pauseProbe lets a test say that a page is hidden, counts how often it asks the server, and shortens its waits. It is set up
// before the page's own script runs.
const pauseProbe = `(() => {
  const wait = window.setTimeout, ask = window.fetch, listen = Document.prototype.addEventListener;
  window.asked = 0;
  window.hides = false;
  window.paused = new Promise((resolve) => {
    Document.prototype.addEventListener = function (type, ...rest) {
      listen.call(this, type, ...rest);
      if (type === "visibilitychange") resolve(true);
    };
  });
  window.setTimeout = (f, ms, ...rest) => wait(f, ms / 100, ...rest);
  window.fetch = (...args) => { window.asked++; return ask(...args); };
  Object.defineProperty(document, "hidden", { get: () => window.hides });
})()`

// TestDashboardPausesWhenHidden holds pages that can't be seen to asking nothing, and to catching up once they can.
func TestDashboardPausesWhenHidden(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Opportunities: 1})
	c.env["LEVERSYNC_OPERATOR_PASSWORD"] = "correct horse battery staple"
	base := c.startWeb()
	b := newChromium(t)
	b.signIn(base, c.env["LEVERSYNC_OPERATOR_PASSWORD"])
	b.do("set the probe up", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: pauseProbe})
		return err
	}))
	b.open(base + "/")
	c.must("connector", "create", "--org-name", "Before", "--origin-id", "before", "--json")
	b.see("Before") // it follows by itself
	evaluate[bool](b, "window.hides = true, window.paused")
	asked := evaluate[int](b, "window.asked")
	c.must("connector", "create", "--org-name", "Meanwhile", "--origin-id", "meanwhile", "--json")
	if n := evaluate[int](b, "window.asked"); n != asked || strings.Contains(b.text(), "Meanwhile") {
		t.Errorf("a hidden page has asked the server %d times more, and shows %.200s; want it to wait", n-asked, b.text())
	}
	evaluate[bool](b, `window.hides = false, document.dispatchEvent(new Event("visibilitychange"))`)
	b.see("Meanwhile")
}

// TestQueuesAreLookedAtOnly holds asynqmon to looking.
func TestQueuesAreLookedAtOnly(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Opportunities: 1})
	c.env["LEVERSYNC_OPERATOR_PASSWORD"] = "correct horse battery staple"
	serve := c.start("serve")
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	b := newBrowser(t)
	if page := b.get(base + "/queues/monitor/"); !strings.Contains(page, "Operator's password") {
		t.Errorf("asynqmon without a session: %.200s; want to be asked to sign in", page)
	}
	b.post(base+"/login", map[string][]string{"password": {c.env["LEVERSYNC_OPERATOR_PASSWORD"]}})
	page := b.get(base + "/queues/monitor/")
	if !strings.Contains(page, "<title>Asynq - Monitoring</title>") || strings.Contains(page, "googleapis") {
		t.Errorf("GET /queues/monitor/: %.300s; want asynqmon's page, which asks nothing of other hosts", page)
	}
	if queues := b.get(base + "/queues/monitor/api/queues"); !strings.Contains(queues, `"queues"`) {
		t.Errorf("GET asynqmon's API: %.200s; want queues", queues)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, base+"/queues/monitor/api/queues/sync", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE a queue: %d, want 405", resp.StatusCode)
	}
}
