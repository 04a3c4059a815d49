package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// The whole path by the command line alone: create, serve, sync, status, calls.
func TestSyncEndToEnd(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	fake := c.withLever(levertest.Config{Seed: 5, Opportunities: 60, RatePerSecond: -1})
	id := c.create()
	serve := c.start("serve")
	url := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)

	first := decode[result](t, c.must("sync", id, "--wait", "--json"))
	if len(first.Scopes) != 14 || first.Status != "COMPLETE" {
		t.Fatalf("sync --wait --json = %+v; want 14 scopes of a COMPLETE connector", first)
	}
	for _, s := range first.Scopes {
		want := 0
		for range fake.Expected(s.Scope) {
			want++
		}
		if s.State != "ok" || s.Records != int64(want) || s.Quarantined != 0 {
			t.Errorf("sync --wait --json: %+v; want ok with %d records", s, want)
		}
	}

	// The next one needs next to nothing, and says so.
	again := decode[result](t, c.must("sync", id, "--wait", "--json", "--scope", "candidates", "--scope", "tags"))
	if len(again.Scopes) != 2 || again.Calls == 0 || again.Calls > 10 || len(again.Runs) == 0 {
		t.Errorf("sync --scope candidates --scope tags: %+v; want 2 scopes, some runs and a few calls", again)
	}
	plain := c.must("sync", id, "--wait")
	for _, want := range []string{"candidates", "ok", "READ FROM", "to Lever (bound:"} {
		if !strings.Contains(plain, want) {
			t.Errorf("sync --wait = %s; want %q in it", plain, want)
		}
	}
	full := decode[result](t, c.must("sync", id, "--full", "--wait", "--json", "--scope", "offers"))
	if !slices.ContainsFunc(full.Runs, func(r store.Run) bool { return r.Kind == "resync" && r.Stream == "opportunity-children" }) {
		t.Errorf("sync --full --scope offers made the runs %+v; want a resync of opportunity-children", full.Runs)
	}

	c.checkStatus(id)
	c.checkCalls(id)
	c.checkMetrics(url, serve)
	for _, ex := range store.Examples {
		if a, err := c.db.Store.Ask(t.Context(), ex.SQL, first.ConnectorID); err != nil || len(a.Rows) == 0 {
			t.Errorf("the example %s answers %+v, %v; want rows", ex.Name, a, err)
		}
	}
	if code := serve.stop(); code != exitOK {
		t.Errorf("serve, interrupted: exit %d, want 0: %s", code, serve.stderr.text())
	}
}

func (c *cli) checkStatus(id string) {
	c.t.Helper()
	one := decode[map[string]any](c.t, c.must("status", id, "--json"))
	if one["connector_id"] != id || one["scopes_on"] != 14.0 || one["scopes_ok"] != 14.0 || one["lag_seconds"] == nil || len(one["runs"].([]any)) == 0 {
		c.t.Errorf("status --json = %v; want the connector, 14 of 14 scopes ok, a lag, and runs", one)
	}
	all := decode[map[string][]map[string]any](c.t, c.must("status", "--json"))
	if len(all["connectors"]) != 1 || all["connectors"][0]["connector_id"] != id {
		c.t.Errorf("status --json of all = %v", all)
	}
	if out := c.must("status"); !strings.Contains(out, "14/14") {
		c.t.Errorf("status = %s; want 14/14", out)
	}
	if out := c.must("status", id); !strings.Contains(out, "Latest runs") || !strings.Contains(out, "opportunity-children") {
		c.t.Errorf("status of one = %s; want scopes and runs", out)
	}
	if out := c.must("status", id, "--quarantine"); !strings.Contains(out, "Nothing of Acme is quarantined") {
		c.t.Errorf("status --quarantine = %s", out)
	}
}

func (c *cli) checkCalls(id string) {
	c.t.Helper()
	got := decode[map[string][]store.Call](c.t, c.must("calls", id, "--limit", "5", "--json"))["calls"]
	if len(got) != 5 || !slices.IsSortedFunc(got, func(a, b store.Call) int { return a.StartedAt.Compare(b.StartedAt) }) {
		c.t.Errorf("calls --limit 5 --json = %d calls; want 5, oldest first", len(got))
	}
	if out := c.must("calls", "--scope", "offers", "--since", "1h"); !strings.Contains(out, "/opportunities/:id/offers") {
		c.t.Errorf("calls --scope offers = %s; want the offers' path", out)
	}
	if out := c.must("calls", "--failed", "--status", "500"); out != "No calls.\n" {
		c.t.Errorf("calls --failed --status 500 = %s; want none", out)
	}
	follow := c.start("calls", "--follow", "--json", "--limit", "3")
	follow.find(follow.stdout, `(?s)(\n.*){3}`)
	seen := strings.Count(follow.stdout.text(), "\n")
	c.must("sync", id, "--wait", "--json", "--scope", "tags")
	follow.find(follow.stdout, fmt.Sprintf(`(?s)(\n.*){%d}`, seen+1))
	if code := follow.stop(); code != exitOK {
		c.t.Errorf("calls --follow, interrupted: exit %d, want 0", code)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(follow.stdout.text()) {
		var call store.Call
		if err := json.Unmarshal([]byte(line), &call); err != nil || ids[call.ID.String()] {
			c.t.Errorf("calls --follow --json: %q: %v; want a call a line, each once", line, err)
		}
		ids[call.ID.String()] = true
	}
}

func TestSyncThatCannotBegin(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	id := c.create("--scopes", "jobs")
	if o := c.run("sync", noConnector); o.code != exitNotFound {
		t.Errorf("sync of no connector: exit %d: %s; want 3", o.code, o.err)
	}
	if o := c.run("sync", id, "--scope", "tags"); o.code != exitUsage || !strings.Contains(o.err, "--enable tags") {
		t.Errorf("sync of a scope that is off: exit %d: %s; want 2 and how to turn it on", o.code, o.err)
	}
	c.must("connector", "pause", id)
	if o := c.run("sync", id); o.code != exitFailure || !strings.Contains(o.err, "connector resume") {
		t.Errorf("sync of a paused connector: exit %d: %s; want 1 and how to resume", o.code, o.err)
	}
	c.must("connector", "resume", id)
	c.db.Exec("UPDATE connectors SET status = 'RELINK_NEEDED', status_reason = 'Lever refused it.'")
	if o := c.run("sync", id); o.code != exitUnsynced || !strings.Contains(o.err, "connector relink") {
		t.Errorf("sync of a connector to be relinked: exit %d: %s; want 4 and how to relink", o.code, o.err)
	}
}

// Without --wait, sync notes what is wanted and puts tasks into the queue: one for all, or one a scope.
func TestSyncAsks(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	id := c.create()
	v := decode[map[string]any](t, c.must("sync", id, "--json", "--scope", "tags,jobs", "--full"))
	if len(v["scopes"].([]any)) != 2 || v["full"] != true || v["requested_at"] == nil {
		t.Errorf("sync --json = %v; want 2 scopes, full, requested_at", v)
	}
	if got := storetest.Column[string](c.db, "SELECT scope FROM connector_scopes WHERE requested_at IS NOT NULL ORDER BY 1"); !slices.Equal(got, []string{"jobs", "tags"}) {
		t.Errorf("requested scopes = %q; want jobs and tags", got)
	}
	if got := storetest.Column[string](c.db, "SELECT stream FROM streams WHERE full_requested ORDER BY 1"); !slices.Equal(got, []string{"postings", "tags"}) {
		t.Errorf("streams to be read in full = %q; want postings and tags", got)
	}
	out := c.must("sync", id)
	if !strings.Contains(out, "14 scopes of Acme") {
		t.Errorf("sync = %q; want how much was asked for", out)
	}
	if o := c.run("sync", id, "--wait", "--timeout", "300ms"); o.code != exitFailure || !strings.Contains(o.err, "not done within 300ms") {
		t.Errorf("sync --wait --timeout with no worker: exit %d: %s; want 1", o.code, o.err)
	}
}

// A refused key ends the wait at once with exit 4, and so does a scope that is forbidden.
func TestSyncThatEndsBadly(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	fake := c.withLever(levertest.Config{Opportunities: 20, RatePerSecond: -1})
	fake.Deny("", "tags")
	id := c.create("--scopes", "jobs,tags,remote-users")
	serve := c.start("serve")
	o := c.run("sync", id, "--wait", "--json")
	if o.code != exitUnsynced || !strings.Contains(o.err, "tags forbidden") {
		t.Errorf("sync with a forbidden scope: exit %d: %s; want 4 and which", o.code, o.err)
	}
	states := map[string]string{}
	for _, s := range decode[result](t, o.out).Scopes {
		states[s.Scope] = s.State
	}
	if states["tags"] != "forbidden" || states["jobs"] != "ok" || states["remote-users"] != "ok" {
		t.Errorf("sync with a forbidden scope: states %v; want the others ok", states)
	}

	fake.RevokeKey("test-key")
	o = c.run("sync", id, "--wait", "--scope", string(unified.Jobs))
	if o.code != exitUnsynced || !strings.Contains(o.err, "connector relink "+id) {
		t.Errorf("sync with a refused key: exit %d: %s; want 4 and how to relink", o.code, o.err)
	}
	if strings.Contains(o.err+o.out+serve.stderr.text(), "test-key") {
		t.Error("the key is in an output or the log")
	}
}
