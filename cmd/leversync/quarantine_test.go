package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// A record of a list, and one that hangs on an opportunity, are set aside, looked at, and tried again: in vain while
// Lever sends them as it did, with success afterwards.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	fake := c.withLever(levertest.Config{Seed: 9, Opportunities: 60, RatePerSecond: -1})
	app, _ := fake.Pick(levertest.WithApplication)
	owner, _ := fake.Pick(levertest.WithInterview)
	for _, f := range []levertest.Fault{
		{Match: `^GET /opportunities$`, Kind: levertest.FaultPoison, Poison: levertest.PoisonWrongType, Record: app},
		{Match: `^GET /opportunities/` + owner + `/interviews$`, Kind: levertest.FaultPoison, Poison: levertest.PoisonNumber},
	} {
		if _, err := fake.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	id := c.create()
	serve := c.start("serve")
	serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	c.must("sync", id, "--wait", "--json")

	type listing struct{ Quarantine []store.Quarantined }
	list := decode[listing](t, c.must("quarantine", "list", "--json")).Quarantine
	if len(list) != 2 {
		t.Fatalf("quarantine list --json = %+v; want the application and the interview", list)
	}
	interview := list[0]
	if interview.Scope != "scheduled-interviews" {
		interview = list[1]
	}
	if out := c.must("quarantine", "list", id, "--scope", "applications"); !strings.Contains(out, app) || strings.Contains(out, interview.Key) {
		t.Errorf("quarantine list --scope applications = %s; want %s alone", out, app)
	}
	if out := c.must("quarantine", "show", id, "applications", app); !strings.Contains(out, `"id": "`+app+`"`) || !strings.Contains(out, "reason") || !strings.Contains(out, "GET /opportunities?") {
		t.Errorf("quarantine show = %s; want the reason, the call and the raw record", out)
	}
	shown := decode[map[string]json.RawMessage](t, c.must("quarantine", "show", id, "scheduled-interviews", interview.Key, "--json"))
	if !strings.Contains(string(shown["raw"]), interview.Key) || !strings.Contains(string(shown["raw"]), "1e200000") || string(shown["parent"]) != `"`+owner+`"` {
		t.Errorf("quarantine show --json = %s; want the interview of %s as Lever sent it", shown, owner)
	}
	if !strings.Contains(string(shown["call"]), `"/opportunities/:id/interviews"`) {
		t.Errorf("quarantine show --json: call %s; want that of the interviews", shown["call"])
	}

	outcomes := func(args ...string) map[string]string {
		t.Helper()
		got := map[string]string{}
		for _, r := range decode[struct{ Retried []retried }](t, c.must(append([]string{"quarantine", "retry", id, "--json"}, args...)...)).Retried {
			got[r.Scope] = r.Outcome
		}
		return got
	}
	if got := outcomes(); got["applications"] != retryStill || got["scheduled-interviews"] != retryStill {
		t.Errorf("quarantine retry of what can't be mapped = %v; want both refused", got)
	}
	fake.ClearFaults()
	if got := outcomes("--anyway"); got["applications"] != retryReread || got["scheduled-interviews"] != retryReread {
		t.Errorf("quarantine retry --anyway = %v; want both read again", got)
	}
	c.must("sync", id, "--wait", "--json", "--scope", "applications,scheduled-interviews")
	if out := c.must("quarantine", "list"); !strings.Contains(out, "Nothing is quarantined") {
		t.Errorf("quarantine list afterwards = %s; want nothing", out)
	}
	if n := storetest.Value[int](c.db, "SELECT sum(quarantined)::int FROM connector_scopes"); n != 0 {
		t.Errorf("%d quarantined by the scopes' counts, want none", n)
	}
	for table, remote := range map[string]string{"applications": app, "scheduled_interviews": interview.Key} {
		if n := storetest.Value[int](c.db, "SELECT count(*) FROM "+table+" WHERE remote_id = $1 AND deleted_at IS NULL", remote); n != 1 {
			t.Errorf("%s: %d rows of %s after the retry, want 1", table, n, remote)
		}
	}
}

// What hangs on a deleted opportunity goes with it; what is off stays.
func TestQuarantineRetryOfWhatIsGone(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	id := c.create("--scopes", "offers,candidates")
	c.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, parent, reason, raw, raw_hash) VALUES
    ($1, 'offers', 'offer-1', 'gone', 'x', '{"id":"offer-1"}', ''), ($1, 'tags', 'tag-1', '', 'x', '{"text":"tag-1"}', '')`, id)
	c.db.Exec(`UPDATE connector_scopes SET quarantined = 1 WHERE connector_id = $1 AND scope = 'offers'`, id)
	out := c.must("quarantine", "retry", id)
	for _, want := range []string{"gone", "what it hangs on was deleted", "the scope is off"} {
		if !strings.Contains(out, want) {
			t.Errorf("quarantine retry = %s; want %q in it", out, want)
		}
	}
	if n := storetest.Value[int](c.db, "SELECT sum(quarantined)::int FROM connector_scopes"); n != 0 {
		t.Errorf("%d quarantined by the scopes' counts, want none", n)
	}
	for args, code := range map[string]int{
		"show " + id + " offers nope":             exitNotFound,
		"show " + id + " people nope":             exitUsage,
		"retry " + id + " --key x":                exitUsage,
		"retry " + id + " --key x --scope offers": exitNotFound,
		"list " + noConnector:                     exitNotFound,
		"list --limit 0":                          exitUsage,
		"retry " + id + " --scope people":         exitUsage,
	} {
		if o := c.run(append([]string{"quarantine"}, strings.Fields(args)...)...); o.code != code || o.err == "" {
			t.Errorf("quarantine %s: exit %d, said %q; want %d and what to do", args, o.code, o.err, code)
		}
	}
}
