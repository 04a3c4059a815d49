package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// TestWebhooksBringChanges: what Lever tells of by webhooks is in the API within seconds, at the price that the manual states,
// though no sync is due for a day.
func TestWebhooksBringChanges(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	account := c.withLever(levertest.Config{Seed: 51, Opportunities: 40, RatePerSecond: -1, WebhookRetry: time.Second})
	c.env["LEVERSYNC_SYNC_INTERVAL"] = "24h"
	serve := c.start("serve")
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	c.env["LEVERSYNC_PUBLIC_URL"] = base
	id := c.create()
	connector := uuid.MustParse(id)
	c.must("sync", id, "--wait")
	key := decode[map[string]any](t, c.must("apikey", "create", "--name", "hooks", "--json"))["api_key"].(string)
	api := apiClient{t: t, base: base, key: key, token: strings.TrimSpace(c.must("connector", "token", id))}

	if v := decode[webhooksView](t, c.must("connector", "webhooks", id, "--json")); v.Enabled {
		t.Errorf("webhooks are on by default: %+v", v)
	}
	v := decode[webhooksView](t, c.must("connector", "webhooks", id, "--enable", "--json"))
	if !v.Enabled || len(v.Events) != 10 || !strings.HasPrefix(v.URL, base+"/webhooks/lever/") || len(v.URL) < len(base)+40 {
		t.Fatalf("connector webhooks --enable = %+v; want 10 events, and a URL that nobody guesses", v)
	}

	read := func(sc unified.Scope, remote string) map[string]any {
		status, body := api.send(http.MethodGet, "/api/ats/v1/"+string(sc)+"/"+unified.ID(connector, sc, remote).String(), nil)
		if status == http.StatusNotFound {
			return nil
		}
		if status != http.StatusOK {
			t.Fatalf("GET %s: %d %s", sc, status, body)
		}
		return decode[map[string]any](t, body)
	}
	active := account.PickN(5, levertest.Active, levertest.WithApplication)
	change := func(touched levertest.Touched, err error) levertest.Touched {
		if err != nil {
			t.Fatal(err)
		}
		return touched
	}
	stage := read(unified.Applications, active[0])["current_stage"]
	var interview, contact, fresh string
	for _, step := range []struct {
		name  string
		do    func()
		seen  func() bool
		calls int // to Lever, at most
	}{
		{"a stage", func() { change(account.AdvanceStage(active[0])) }, func() bool { return read(unified.Applications, active[0])["current_stage"] != stage }, 1},
		{"an interview", func() { interview = change(account.AddInterview(active[1])).Record }, func() bool { return read(unified.ScheduledInterviews, interview) != nil }, 3},
		{"an interview, canceled", func() { change(account.CancelInterview(active[1])) }, func() bool { return read(unified.ScheduledInterviews, interview) == nil }, 3},
		{"a name", func() { contact = change(account.EditContact(active[2])).Record }, func() bool {
			first, _ := read(unified.Candidates, contact)["first_name"].(string)
			return strings.HasPrefix(first, "Edited")
		}, 1},
		{"a rejection", func() { change(account.Archive(active[3], false)) }, func() bool { return read(unified.Applications, active[3])["rejected_at"] != nil }, 1},
		{"a deletion", func() { change(account.DeleteOpportunity(active[4])) }, func() bool { return read(unified.Applications, active[4]) == nil }, 1},
		{"an application", func() { fresh = change(account.AddOpportunity()).Record }, func() bool { return read(unified.Applications, fresh) != nil }, 3},
	} {
		account.ResetCounters()
		began := time.Now()
		step.do()
		account.Flush()
		c.quiet()
		if !step.seen() {
			t.Errorf("%s is not in the API", step.name)
		}
		t.Logf("%s is in the API after %s, with %d calls", step.name, time.Since(began).Round(time.Millisecond), account.Calls())
		if got := account.Calls(); got > step.calls {
			t.Errorf("%s cost %d calls, want at most %d: %v", step.name, got, step.calls, account.CallsBy())
		}
	}
	if _, body := get(t, base+"/metrics"); !strings.Contains(body, `leversync_webhook_deliveries_total{result="taken"}`) || !strings.Contains(body, `area="webhooks"`) ||
		strings.Contains(body, v.URL[strings.LastIndex(v.URL, "/")+1:]) {
		t.Errorf("the metrics lack the webhooks, or hold the path's secret")
	}
	if logs := serve.stderr.text(); strings.Contains(logs, v.URL[strings.LastIndex(v.URL, "/")+1:]) || strings.Contains(logs, "level=ERROR") {
		t.Errorf("the log holds the path's secret, or an error: %s", logs)
	}

	// They go with the connector.
	c.must("connector", "delete", id, "--yes")
	if got := account.Webhooks(); len(got) != 0 {
		t.Errorf("after the connector was deleted Lever still sends %q", got)
	}
}

// quiet returns when no hint is left.
func (c *cli) quiet() {
	c.t.Helper()
	deadline := time.After(time.Minute)
	for storetest.Value[int](c.db, `SELECT count(*)::int FROM hints`) > 0 {
		select {
		case <-deadline:
			c.t.Fatal("hints are left after a minute")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestWebhooksByHand: where Lever does not let a credential register them, the URL and the tokens go by hand.
func TestWebhooksByHand(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	account := c.withLever(levertest.Config{Seed: 52, Opportunities: 3, RatePerSecond: -1})
	c.env["LEVERSYNC_PUBLIC_URL"] = "https://sync.example.com"
	id := c.create()
	if o := c.runWith("a-token", "connector", "webhooks", id, "--signing-token-file", "-"); o.code != exitUsage || !strings.Contains(o.err, "--enable --by-hand") {
		t.Errorf("a token before they are on: exit %d: %s; want 2, and what to do", o.code, o.err)
	}
	if o := c.run("connector", "webhooks", id, "--by-hand"); o.code != exitUsage {
		t.Errorf("--by-hand alone: exit %d, want 2", o.code)
	}
	account.Deny("", "webhooks")
	o := c.run("connector", "webhooks", id, "--enable")
	if o.code != exitFailure || !strings.Contains(o.err, "webhooks:write:admin") || !strings.Contains(o.out, "https://sync.example.com/webhooks/lever/") ||
		!strings.Contains(o.out, "--signing-token-file") {
		t.Errorf("--enable without the permission: exit %d: %s%s; want 1, the URL, and what to do", o.code, o.out, o.err)
	}
	o = c.runWith("a-token\n", "connector", "webhooks", id, "--signing-token-file", "-", "--json")
	if v := decode[webhooksView](t, o.out); o.code != exitOK || v.ByHand != 1 || len(v.Events) != 0 || strings.Contains(o.out+o.err, "a-token") {
		t.Errorf("--signing-token-file: exit %d: %s%s; want one token by hand, and no sight of it", o.code, o.out, o.err)
	}
	if v := decode[webhooksView](t, c.must("connector", "webhooks", id, "--disable", "--json")); v.Enabled || v.URL != "" {
		t.Errorf("--disable: %+v; want them off", v)
	}
	c.must("connector", "webhooks", id, "--disable") // it is
	c.must("connector", "webhooks", id)
	if o := c.run("connector", "webhooks", noConnector); o.code != exitNotFound {
		t.Errorf("webhooks of no connector: exit %d, want 3", o.code)
	}
}
