package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// The command rehearses, asks, erases, and has the same receipt when it is asked again; it repeats nothing of the person.
func TestErase(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	id := c.create()
	c.db.Exec(`INSERT INTO candidates (id, connector_id, remote_id, first_name, email_addresses, body_hash) VALUES
    ($2, $1, 'contact-7', 'Wilhelmina', '{w@zylberstein.example}', '\x00')`, id, unified.ID(uuid.MustParse(id), unified.Candidates, "contact-7"))
	c.db.Exec(`INSERT INTO parents (remote_id, connector_id, scope, person, raw) VALUES ('opp-7', $1, 'applications', 'contact-7', '{"name": "Wilhelmina"}')`, id)
	c.db.Exec(`INSERT INTO activities (id, connector_id, remote_id, parent, body, candidate) VALUES (gen_random_uuid(), $1, 'note-7', 'opp-7', 'of Wilhelmina', $2)`,
		id, unified.ID(uuid.MustParse(id), unified.Candidates, "contact-7"))
	args := []string{"erase", "--connector", id, "--candidate", "opp-7"}
	if o := c.run(args...); o.code != exitUsage || !strings.Contains(o.err, "--yes") {
		t.Errorf("erase where nobody can confirm: exit %d, %s; want 2", o.code, o.err)
	}
	dry := c.must(append(args, "--dry-run")...)
	if !strings.Contains(dry, "nothing was done") || !strings.Contains(dry, "candidates") || len(c.db.Find("Wilhelmina")) != 3 {
		t.Errorf("erase --dry-run = %s; want what would be removed, and nothing done", dry)
	}
	done := decode[store.Erasure](t, c.must(append(args, "--yes", "--json")...))
	if done.Counts["candidates"] != 1 || done.Counts["parents"] != 1 || done.Counts["activities"] != 1 || done.DryRun || done.Again {
		t.Errorf("erase --yes = %+v; want a candidate and a parent", done)
	}
	if found := c.db.Find("Wilhelmina", "zylberstein", "contact-7", "opp-7"); len(found) > 0 {
		t.Errorf("after erase: %q", found)
	}
	again := c.must(append(args, "--yes")...)
	if !strings.Contains(again, "done before") || !strings.Contains(again, done.ID.String()) {
		t.Errorf("erase once more = %s; want the receipt %s", again, done.ID)
	}
	// Keys rotate: whom nobody may bring back is known to the new key, too.
	other := "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDI="
	c.env["LEVERSYNC_ENCRYPTION_KEY"] = other + "," + testKey
	c.must("keys", "rotate")
	c.env["LEVERSYNC_ENCRYPTION_KEY"] = other
	if out := c.must(append(args, "--yes")...); !strings.Contains(out, done.ID.String()) {
		t.Errorf("erase with another key = %s; want the receipt %s", out, done.ID)
	}
	for _, o := range []struct {
		args string
		code int
	}{
		{"erase --connector " + id + " --candidate nobody --yes", exitNotFound},
		{"erase --connector " + noConnector + " --candidate nobody --yes", exitNotFound},
		{"erase --connector " + id, exitUsage},
	} {
		if got := c.run(strings.Fields(o.args)...); got.code != o.code || got.err == "" {
			t.Errorf("%s: exit %d, %q; want %d", o.args, got.code, got.err, o.code)
		}
	}
	if n := storetest.Value[int](c.db, `SELECT count(*)::int FROM erasures WHERE connector_id = $1`, id); n != 1 {
		t.Errorf("%d receipts, want 1", n)
	}
}
