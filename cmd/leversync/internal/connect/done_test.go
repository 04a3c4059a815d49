package connect_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	b := e.browser()
	done := b.post(link+"/key", url.Values{"api_key": {"test-key"}}).url.Path
	const refresh = `http-equiv="refresh"`

	e.db.Exec(`UPDATE connector_scopes SET state = 'syncing', records = 1234 WHERE scope = 'candidates'`)
	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', synced_at = now(), records = 56 WHERE scope = 'jobs'`)
	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', synced_at = now() - interval '1 hour' WHERE scope = 'tags'`)
	a := b.get(done)
	want(t, "under way", a, 200, "The first copy", "1 of 14 kinds of records complete", "1,290 records", "copying", "waiting", refresh, `value="1" max="14"`, "data-live")
	if strings.Contains(a.body, "EEOC") {
		t.Error("the page shows a scope that is off")
	}
	a = b.get(done + "?updates=off")
	want(t, "not followed", a, 200, "Follow again")
	if strings.Contains(a.body, refresh) || strings.Contains(a.body, "data-live") {
		t.Error("with updates=off the page still follows")
	}

	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', synced_at = now()`)
	e.db.Exec(`UPDATE connector_scopes SET state = 'forbidden', reason = 'canary' WHERE scope = 'offers'`)
	e.db.Exec(`UPDATE connector_scopes SET state = 'failed', reason = 'canary' WHERE scope = 'tags'`)
	a = b.get(done)
	want(t, "over", a, 200, "What can be read has been copied", "no permission", "tried again later", "12 of 14")
	if strings.Contains(a.body, refresh) {
		t.Error("the page still follows what is over")
	}
	if strings.Contains(a.body, "canary") {
		t.Error("the page shows what is meant for the operator")
	}
	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', synced_at = now()`)
	want(t, "all complete", b.get(done), 200, "Everything has been copied", "14 of 14", "You can close this page")

	if err := e.db.Store.SetPaused(t.Context(), c.ID, true); err != nil {
		t.Fatal(err)
	}
	want(t, "paused", b.get(done), 200, "Copying is paused")
	e.db.Exec(`UPDATE connectors SET status = 'RELINK_NEEDED'`)
	want(t, "refused since", b.get(done), 200, "needs your attention")
	e.db.Exec(`UPDATE link_sessions SET expires_at = now()`)
	want(t, "a day later", b.get(done), 403, "another browser")
}
