package api

import (
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

func TestChangeScopes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	path := "/api/v1/connectors/" + e.conn.ID.String() + "/scopes"
	e.put(e.conn, tag(e.conn, "a", "Ada"), blank(unified.Offices, e.conn, "o"))
	of := func(a answer, name string) map[string]any {
		t.Helper()
		list, _ := a.json(t)["scopes"].([]any)
		for _, s := range list {
			if m := s.(map[string]any); m["scope"] == name {
				return m
			}
		}
		t.Fatalf("%s is not in %d %s", name, a.status, a.body)
		return nil
	}
	a := e.send(e.key, "GET", path, "")
	if got := of(a, "tags"); a.status != 200 || got["enabled"] != true || got["records"] != 1.0 {
		t.Errorf("GET %s: tags %v; want them on, with one record", path, got)
	}
	a = e.send(e.key, "PATCH", path, `{"scopes":{"offices":false}}`)
	if got := of(a, "offices"); a.status != 200 || got["enabled"] != false || got["records"] != 1.0 {
		t.Errorf("PATCH offices off: %v; want them off, and their record kept", got)
	}
	if got := e.ok(ats + "offices"); len(got.items(t)) != 1 || got.header.Get("X-Sync-State") != "scope-off" {
		t.Errorf("GET offices = %s, %q; want the one that was kept, and scope-off", got.body, got.header.Get("X-Sync-State"))
	}
	a = e.send(e.key, "PATCH", path, `{"scopes":{"tags":false},"remove_data":true}`)
	if got := of(a, "tags"); a.status != 200 || got["enabled"] != false || got["records"] != 0.0 || got["removing"] != false {
		t.Errorf("PATCH tags off with removal: %v; want them off and gone", got)
	}
	if n := len(e.ok(ats + "tags").items(t)); n != 0 {
		t.Errorf("%d tags after their removal; want none", n)
	}
	gone := e.ok(ats + "tags?include_deleted=true").items(t)
	if len(gone) != 1 || gone[0]["remote_deleted_at"] == nil || gone[0]["name"] != nil {
		t.Errorf("tags with the deleted = %v; want one that is gone, and its name with it", gone)
	}
	a = e.send(e.key, "PATCH", path, `{"scopes":{"tags":true}}`)
	if got := of(a, "tags"); a.status != 200 || got["enabled"] != true {
		t.Errorf("PATCH tags on: %v; want them on", got)
	}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PATCH", path, `{"scopes":{"persons":true}}`, 422},
		{"PATCH", path, `{"scopes":{"tags":"no"}}`, 422},
		{"PATCH", path, `{}`, 422},
		{"PATCH", "/api/v1/connectors/" + uuid.NewString() + "/scopes", `{"scopes":{"tags":true}}`, 404},
		{"GET", "/api/v1/connectors/" + uuid.NewString() + "/scopes", "", 404},
	} {
		if a := e.send(e.key, c.method, c.path, c.body); a.status != c.want {
			t.Errorf("%s %s %s = %d %s; want %d", c.method, c.path, c.body, a.status, a.body, c.want)
		}
	}
}
