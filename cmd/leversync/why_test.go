package main

import (
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// Why tells of a record by our id and by Lever's: its body, ours, the run and the call that brought it.
func TestWhy(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 12, Opportunities: 20, RatePerSecond: -1})
	id := c.create()
	serve := c.start("serve")
	serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	c.must("sync", id, "--wait", "--json")
	serve.stop()

	type lineages struct{ Records []lineageView }
	remote := storetest.Column[string](c.db, "SELECT remote_id FROM scheduled_interviews WHERE deleted_at IS NULL ORDER BY id LIMIT 1")[0]
	got := decode[lineages](t, c.must("why", remote, "--json")).Records
	if len(got) != 1 {
		t.Fatalf("why %s = %d records, want 1", remote, len(got))
	}
	v := got[0]
	if v.RawGone || v.Scope != "scheduled-interviews" || v.RemoteID != remote || !strings.Contains(string(v.Raw), remote) || !strings.Contains(string(v.Record), remote) {
		t.Errorf("why --json = %+v; want the interview, Lever's body and ours", v)
	}
	if v.Run == nil || v.Run.Stream != "opportunity-children" || len(v.Runs) == 0 || len(v.Calls) == 0 || v.Calls[0].Path != "/opportunities/:id/interviews" || v.Calls[0].Records == 0 {
		t.Errorf("why --json: run %+v, calls %+v; want the run of opportunity-children, and its calls", v.Run, v.Calls)
	}
	again := decode[lineages](t, c.must("why", v.ID.String(), "--connector", id, "--json")).Records
	if len(again) != 1 || again[0].ID != v.ID {
		t.Errorf("why by our id = %+v; want the same record", again)
	}
	// An opportunity is an application, and a candidate's body.
	application := storetest.Column[string](c.db, "SELECT remote_id FROM applications ORDER BY id LIMIT 1")[0]
	c.db.Exec(`INSERT INTO quarantine (connector_id, scope, key, reason, raw, raw_hash) VALUES ($1, 'applications', $2, 'no time', '', '')`, id, application)
	out := c.must("why", application)
	for _, want := range []string{"applications", "set aside", "no time", "no longer in the log", "What Lever sent", `"createdAt"`, "READ FROM", "PATH"} {
		if !strings.Contains(out, want) {
			t.Errorf("why %s = %s; want %q in it", application, out, want)
		}
	}
	// Once retention has let the bodies go, it says so.
	if _, err := c.db.Store.Retain(t.Context(), store.Keep{Raw: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	person := storetest.Column[string](c.db, "SELECT remote_id FROM candidates ORDER BY id LIMIT 1")[0]
	for _, of := range []string{remote, application, person} {
		if out := c.must("why", of); !strings.Contains(out, "LEVERSYNC_KEEP_RAW") || strings.Contains(out, "It is made of other") {
			t.Errorf("why %s = %s; want it said that the body is kept no longer", of, out)
		}
		if got := decode[lineages](t, c.must("why", of, "--json")).Records; len(got) != 1 || !got[0].RawGone {
			t.Errorf("why %s --json = %+v; want raw_gone", of, got)
		}
	}
	department := storetest.Column[string](c.db, "SELECT id::text FROM departments ORDER BY id LIMIT 1")[0]
	if out := c.must("why", department); strings.Contains(out, "LEVERSYNC_KEEP_RAW") || !strings.Contains(out, "It is made of other") {
		t.Errorf("why %s = %s; want it said that it has no body of its own", department, out)
	}
	for args, code := range map[string]int{"why nobody": exitNotFound, "why " + remote + " --connector " + noConnector: exitNotFound, "why": exitUsage} {
		if o := c.run(strings.Fields(args)...); o.code != code || o.err == "" {
			t.Errorf("%s: exit %d, said %q; want %d and what to do", args, o.code, o.err, code)
		}
	}
}
