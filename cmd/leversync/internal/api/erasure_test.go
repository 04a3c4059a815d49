package api

import (
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

func TestErasures(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	path := "/api/v1/connectors/" + e.conn.ID.String() + "/erasures"
	who := blank(unified.Candidates, e.conn, "contact-7")
	id := who.Base().ID.String()
	e.put(e.conn, who)
	dry := e.send(e.key, "POST", path, `{"candidate":"`+id+`","dry_run":true}`)
	if got := dry.json(t); dry.status != 200 || got["dry_run"] != true || got["id"] != uuid.Nil.String() || len(e.ok(ats+"candidates").items(t)) != 1 {
		t.Errorf("POST, dry = %d %s; want counts, and nothing done", dry.status, dry.body)
	}
	done := e.send(e.key, "POST", path, `{"candidate":"`+id+`"}`)
	receipt := done.json(t)
	if done.status != 200 || receipt["counts"].(map[string]any)["candidates"] != 1.0 || receipt["again"] != false {
		t.Fatalf("POST = %d %s; want a receipt", done.status, done.body)
	}
	if a := e.get(ats + "candidates/" + id); a.status != 404 {
		t.Errorf("GET the erased = %d %s; want 404", a.status, a.body)
	}
	var feed []map[string]any
	e.until(func() bool {
		feed = e.ok(ats + "changes").items(t)
		return len(feed) > 0 && feed[len(feed)-1]["operation"] == "delete"
	})
	if len(feed) != 1 || feed[0]["id"] != id || feed[0]["operation"] != "delete" || feed[0]["remote_id"] != "" {
		t.Errorf("the feed = %v; want the candidate deleted, without Lever's id", feed)
	}
	if again := e.send(e.key, "POST", path, `{"candidate":"`+id+`"}`).json(t); again["again"] != true || again["id"] != receipt["id"] {
		t.Errorf("POST once more = %v; want the receipt %v", again, receipt["id"])
	}
	if list := e.send(e.key, "GET", path, "").items(t); len(list) != 1 || list[0]["id"] != receipt["id"] {
		t.Errorf("GET = %v; want the one receipt", list)
	}
	for _, c := range []struct {
		name, key, path, body string
		want                  int
	}{
		{"nobody", e.key, path, `{"candidate":"nobody"}`, 404},
		{"no name", e.key, path, `{}`, 422},
		{"U+0000", e.key, path, `{"candidate":"\u0000"}`, 422},
		{"another connector", e.key, "/api/v1/connectors/" + uuid.NewString() + "/erasures", `{"candidate":"` + id + `"}`, 404},
		{"a key that may not", e.newKey([]string{store.KeyRead, store.KeyWrite}), path, `{"candidate":"` + id + `"}`, 403},
	} {
		if a := e.send(c.key, "POST", c.path, c.body); a.status != c.want {
			t.Errorf("POST %s = %d %s; want %d", c.name, a.status, a.body, c.want)
		}
	}
}
