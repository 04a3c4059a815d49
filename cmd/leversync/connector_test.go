package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestConnectorCreate(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("a-secret-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := c.must("connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--lever-api-key-file", path,
		"--sync-interval", "30m", "--rate-limit", "5", "--json")
	v := decode[map[string]any](t, out)
	for field, want := range map[string]any{"org_name": "Acme", "origin_id": "acme-1", "status": "COMPLETE", "sync_interval_seconds": 1800.0, "rate_limit": 5.0} {
		if v[field] != want {
			t.Errorf("create --json: %s = %v, want %v", field, v[field], want)
		}
	}
	if id, token := v["connector_id"].(string), v["connector_token"].(string); len(id) != 36 || len(token) < 40 {
		t.Errorf("create --json: connector_id %q, connector_token of %d characters; want a UUID and a token", id, len(token))
	}
	if on := enabledIn(v); len(on) != 14 || slices.Contains(on, "eeocs") {
		t.Errorf("create --json: enabled scopes = %q; want all but eeocs", on)
	}
	if strings.Contains(out, "a-secret-key") {
		t.Errorf("create --json shows the key: %s", out)
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM connector_scopes WHERE enabled AND next_run_at <= now()"); n != 14 {
		t.Errorf("%d scopes are due after create; want 14: the first sync starts by itself", n)
	}

	id := c.create("--scopes", "jobs,tags")
	v = decode[map[string]any](t, c.must("connector", "show", id, "--json"))
	if on := enabledIn(v); !slices.Equal(on, []string{"jobs", "tags"}) {
		t.Errorf("create --scopes jobs,tags: enabled = %q", on)
	}
	plain := c.must("connector", "show", id)
	for _, want := range []string{id, "Acme", "COMPLETE", "jobs, tags"} {
		if !strings.Contains(plain, want) {
			t.Errorf("show = %s; want %q in it", plain, want)
		}
	}
}

func enabledIn(v map[string]any) (on []string) {
	for _, s := range v["scopes"].([]any) {
		if m := s.(map[string]any); m["enabled"] == true {
			on = append(on, m["scope"].(string))
		}
	}
	return on
}

func TestConnectorLife(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	if out := c.must("connector", "list"); !strings.Contains(out, "There are no connectors") {
		t.Errorf("list of none = %q; want it to say so", out)
	}
	if v := decode[map[string][]any](t, c.must("connector", "list", "--json")); v["connectors"] == nil || len(v["connectors"]) != 0 {
		t.Errorf("list --json of none = %v; want an empty list", v)
	}
	id := c.create()
	if out := c.must("connector", "list"); !strings.Contains(out, id) || !strings.Contains(out, "Acme") {
		t.Errorf("list = %q; want the connector", out)
	}

	c.must("connector", "pause", id)
	if out := c.must("connector", "list"); !strings.Contains(out, "paused") {
		t.Errorf("list of a paused one = %q; want that in it", out)
	}
	if v := decode[map[string]any](t, c.must("connector", "resume", id, "--json")); v["paused"] != false {
		t.Errorf("resume --json: paused = %v, want false", v["paused"])
	}

	v := decode[map[string]any](t, c.must("connector", "scopes", id, "--enable", "eeocs", "--disable", "tags,offices", "--json"))
	if on := enabledIn(v); len(on) != len(unified.Scopes)-2 || slices.Contains(on, "tags") || !slices.Contains(on, "eeocs") {
		t.Errorf("scopes --enable eeocs --disable tags,offices: enabled = %q", on)
	}
	if out := c.must("connector", "scopes", id); strings.Count(out, "\n") != len(unified.Scopes)+1 {
		t.Errorf("scopes = %s; want a head and a line for each", out)
	}

	c.db.Exec("UPDATE connectors SET status = 'RELINK_NEEDED', status_reason = 'Lever refused it.'")
	o := c.runWith("new-key", "connector", "relink", id, "--lever-api-key-file", "-", "--json")
	if v := decode[map[string]any](t, o.out); v["status"] != "COMPLETE" || v["status_reason"] != "" {
		t.Errorf("relink --json = %s; want it COMPLETE again", o.out)
	}

	if o := c.run("connector", "delete", id); o.code != exitUsage || !strings.Contains(o.err, "--yes") {
		t.Errorf("delete with nobody to confirm: exit %d: %s; want 2 and --yes", o.code, o.err)
	}
	if v := decode[map[string]any](t, c.must("connector", "delete", id, "--yes", "--json")); v["deleted"] != true || v["connector_id"] != id {
		t.Errorf("delete --json = %v", v)
	}
	for _, args := range [][]string{{"show", id}, {"pause", id}, {"scopes", id}, {"delete", id, "--yes"}, {"show", noConnector}} {
		if o := c.run(append([]string{"connector"}, args...)...); o.code != exitNotFound || !strings.Contains(o.err, "connector list") {
			t.Errorf("connector %s of one that is gone: exit %d: %s; want 3 and where to look", args, o.code, o.err)
		}
	}
	for _, args := range [][]string{{"status", id}, {"calls", id}} {
		if o := c.run(args...); o.code != exitNotFound {
			t.Errorf("%s of one that is gone: exit %d: %s; want 3", args, o.code, o.err)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	if v := decode[map[string][]any](t, c.must("apikey", "list", "--json")); v["api_keys"] == nil {
		t.Errorf("apikey list --json of none = %v; want an empty list", v)
	}
	v := decode[map[string]any](t, c.must("apikey", "create", "--name", "backend", "--json"))
	key, id := v["api_key"].(string), v["id"].(string)
	if !strings.HasPrefix(key, "lvs_") || v["name"] != "backend" {
		t.Errorf("apikey create --json = %v; want a key lvs_… and its name", v)
	}
	if out := c.must("apikey", "create", "--name", "other"); !strings.HasPrefix(out, "lvs_") || strings.Count(out, "\n") != 1 {
		t.Errorf("apikey create printed %q; want the key alone, for a script to take", out)
	}
	if out := c.must("apikey", "list"); !strings.Contains(out, "backend") || strings.Contains(out, key) {
		t.Errorf("apikey list = %s; want the name, and never the key", out)
	}
	small := decode[map[string]any](t, c.must("apikey", "create", "--name", "reports", "--scopes", "read", "--json"))
	if got := fmt.Sprint(small["scopes"]); got != "[read]" {
		t.Errorf("apikey create --scopes read: scopes %s; want [read]", got)
	}
	if o := c.run("apikey", "create", "--name", "x", "--scopes", "read,root"); o.code != exitUsage {
		t.Errorf("apikey create --scopes read,root: exit %d: %s; want %d", o.code, o.err, exitUsage)
	}
	fresh := decode[map[string]any](t, c.must("apikey", "regenerate", id, "--json"))["api_key"].(string)
	if fresh == key || !store.WellFormedKey(fresh) {
		t.Error("apikey regenerate printed no other key")
	}
	for k, want := range map[string]error{key: store.ErrNotFound, fresh: nil} {
		if _, err := c.db.Store.Authorize(t.Context(), k, ""); !errors.Is(err, want) {
			t.Errorf("Authorize after apikey regenerate: %v; want %v", err, want)
		}
	}
	if out := c.must("apikey", "list"); !strings.Contains(out, "admin,read,write") || !strings.Contains(out, "just now") && !strings.Contains(out, "ago") {
		t.Errorf("apikey list = %s; want what each may do, and its last use", out)
	}
	c.must("apikey", "revoke", id)
	if o := c.run("apikey", "regenerate", id); o.code != exitNotFound {
		t.Errorf("regenerate of a revoked key: exit %d: %s; want %d", o.code, o.err, exitNotFound)
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL"); n != 1 {
		t.Errorf("%d keys are revoked, want 1", n)
	}
	if o := c.run("apikey", "revoke", noConnector); o.code != exitNotFound {
		t.Errorf("revoke of no key: exit %d: %s; want 3", o.code, o.err)
	}
}

func TestConnectorToken(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	id := c.create()
	v := decode[map[string]any](t, c.must("connector", "token", id, "--json"))
	token := v["connector_token"].(string)
	_, key, err := c.db.Store.CreateAPIKey(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.db.Store.Authorize(t.Context(), key, token)
	if err != nil || got.Connector == nil || got.Connector.ID.String() != id {
		t.Fatalf("Authorize by the new token = %+v, %v; want connector %s", got.Connector, err, id)
	}
	if out := c.must("connector", "token", id); strings.TrimSpace(out) == token || strings.Count(out, "\n") != 1 {
		t.Errorf("connector token printed %d lines; want another token alone", strings.Count(out, "\n"))
	}
	if got, err = c.db.Store.Authorize(t.Context(), key, token); err != nil || got.Connector != nil {
		t.Errorf("Authorize by the old token = %+v, %v; want no connector", got.Connector, err)
	}
}

func TestConnectorScopesRemoveData(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	id := c.create()
	c.db.Exec(`INSERT INTO tags (id, connector_id, remote_id, name, body_hash) VALUES (gen_random_uuid(), $1, 'tag', 'tag', '\x01'), (gen_random_uuid(), $1, 'other', 'tag', '\x01')`, id)
	left := func() int { return storetest.Value[int](c.db, "SELECT count(*) FROM tags WHERE deleted_at IS NULL") }
	if c.must("connector", "scopes", id, "--disable", "tags"); left() != 2 {
		t.Errorf("%d tags after --disable; want both kept", left())
	}
	if c.must("connector", "scopes", id, "--disable", "tags", "--remove-data"); left() != 0 { // off already: removed all the same
		t.Errorf("%d tags after --disable --remove-data; want none", left())
	}
	if o := c.run("connector", "scopes", id, "--remove-data"); o.code != exitUsage {
		t.Errorf("--remove-data of nothing: exit %d: %s; want %d", o.code, o.err, exitUsage)
	}
}
