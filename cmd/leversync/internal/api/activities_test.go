package api

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// note stores a note on a candidate, as if it had been written.
func (e *env) note(c store.Connector, remote, person string) {
	e.t.Helper()
	e.db.Exec(`INSERT INTO activities (connector_id, id, remote_id, parent, body, candidate) VALUES ($1, $2, $3, 'o', $3, $4)`,
		c.ID, unified.ID(c.ID, unified.Activities, remote), remote, unified.ID(c.ID, unified.Candidates, person))
}

// TestActivities writes notes and reads them back: by all filters, page by page, each as it was answered.
func TestActivities(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	d := newDesk(t)
	const path = "/api/ats/v1/activities"
	if a := d.ok(path); len(a.items(t)) != 0 || a.header.Get("X-Sync-State") != "ok" || a.header.Get("X-Sync-Watermark") != "" {
		t.Errorf("GET %s before any = %s, %s, %q; want none, ok, no watermark", path, a.body, a.header.Get("X-Sync-State"), a.header.Get("X-Sync-Watermark"))
	}
	var people [2]string
	for i := range people {
		people[i] = d.post(candidatesPath, d.person(i)).json(t)["id"].(string)
	}
	another := d.id(unified.RemoteUsers, "users", 1)
	var made []map[string]any
	for i := range 5 {
		user := any(d.user())
		if i == 4 {
			user = another
		}
		a := d.post(path, map[string]any{"user": user, "activity_type": "NOTE", "subject": "Call", "body": fmt.Sprint("Called them ", i), "visibility": "PUBLIC", "candidate": people[i%2]})
		if a.status != http.StatusCreated {
			t.Fatalf("POST %s = %d %s; want 201", path, a.status, a.body)
		}
		one := path + "/" + a.json(t)["id"].(string)
		if got := d.ok(one); normalised(t, got.body) != normalised(t, a.body) {
			t.Errorf("GET %s = %s; want what was answered, %s", one, got.body, a.body)
		}
		c.check(t, "GET "+one, "Activity", d.ok(one+"?include_raw_data=true&include_custom_fields=true").body)
		made = append(made, a.json(t))
	}
	c.check(t, "GET "+path, "ActivityList", d.ok(path+"?include_raw_data=true&include_custom_fields=true").body)
	c.check(t, "GET "+path+" expanded", "ActivityList", d.ok(path+"?expand=user,candidate[id,first_name]").body)
	str := func(i int, field string) string { return url.QueryEscape(made[i][field].(string)) }
	for query, want := range map[string]int{
		"": 5, "user=" + another: 1, "user=" + another + "," + d.user(): 5, "candidate=" + people[0]: 3, "candidate=" + people[1] + "&user=" + another: 0,
		"ids=" + str(1, "id") + "," + str(2, "id"): 2, "remote_id=" + str(3, "remote_id"): 1, "candidate=" + uuid.NewString(): 0,
		"modified_after=" + str(4, "modified_at"): 0, "modified_before=" + str(0, "modified_at"): 0,
	} {
		got := d.all(path + "?page_size=2&" + query)
		seen := map[any]bool{}
		for _, i := range got {
			seen[i["id"]] = true
		}
		if len(got) != want || len(seen) != want {
			t.Errorf("GET %s?%s: %d notes, %d of them different; want %d", path, query, len(got), len(seen), want)
		}
	}
	for query, want := range map[string]int{"user=x": 422, "expand=job": 422, "subject=Call": 422, "cursor=" + d.db.Store.Cursor("tags", store.Position{}): 422} {
		if a := d.get(path + "?" + query); a.status != want {
			t.Errorf("GET %s?%s = %d %s; want %d", path, query, a.status, a.body, want)
		}
	}
	d.db.Exec(`UPDATE candidates SET deleted_at = now() WHERE id = $1`, people[0])
	if got := d.all(path + "?page_size=2"); len(got) != 2 {
		t.Errorf("GET %s with a candidate gone: %d notes; want the other's 2", path, len(got))
	}
	if a := d.get(path + "/" + made[0]["id"].(string)); a.status != http.StatusNotFound {
		t.Errorf("GET %s of a candidate who is gone = %d; want 404", path, a.status)
	}
	if got := d.ok(path + "?include_deleted=true").items(t); len(got) != 5 {
		t.Errorf("GET %s?include_deleted=true: %d notes; want 5", path, len(got))
	}
}
