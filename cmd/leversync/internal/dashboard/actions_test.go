package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestCreateConnector(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.signedIn()
	want(t, "GET / with no connectors", b.get("/"), http.StatusOK, "No connectors yet", "Create the first connector")
	want(t, "GET /connectors/new", b.get("/connectors/new"), http.StatusOK, "Organisation", "Unique id", "ATS", "Lever", "EEOC answers")
	want(t, "POST /connectors, empty", b.post("/connectors", nil), http.StatusUnprocessableEntity, "Say whose Lever account it is.", "Choose at least one.")
	a := b.post("/connectors", url.Values{"org_name": {" SpaceX "}, "origin_id": {"spacex-1"}, "category": {"ATS"}, "integration": {"lever"}, "scope": {"jobs", "tags", "nonsense"}, "days": {"1"}})
	want(t, "POST /connectors", a, http.StatusOK, "Send this link to SpaceX", "Copy link", e.srv.URL+"/connect/")
	link := regexp.MustCompile(`/connect/([A-Za-z0-9_-]{43})`).FindStringSubmatch(a.body)
	if link == nil {
		t.Fatal("there is no magic link on the page")
	}
	l, err := e.db.Store.FindLink(t.Context(), link[1])
	if err != nil {
		t.Fatalf("FindLink: %v; want the link that the page shows", err)
	}
	on, err := e.db.Store.EnabledScopes(t.Context(), l.ConnectorID)
	if err != nil || len(on) != 2 || !on[unified.Jobs] || !on[unified.Tags] {
		t.Errorf("EnabledScopes = %v, %v; want jobs and tags", on, err)
	}
	if days := e.count(`SELECT round(extract(epoch FROM expires_at - now()) / 86400)::int FROM links`); days != 1 {
		t.Errorf("the link works for %d days, want 1", days)
	}
	want(t, "GET /", b.get("/"), http.StatusOK, "SpaceX", "spacex-1", "Not linked yet")
	want(t, "GET its page", b.get("/connectors/"+l.ConnectorID.String()), http.StatusOK, "Nobody has allowed the access yet", "New magic link")
	if strings.Contains(e.logs.String(), link[1]) {
		t.Error("the log holds the magic link")
	}
}

func TestListOfConnectors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.signedIn()
	synced, syncing, partial, failed, relink, paused := e.connector("Synced Inc"), e.connector("Syncing Inc"), e.connector("Partial Inc"), e.connector("Failed Inc"), e.connector("Relink 100%"), e.connector("Paused Inc")
	for _, c := range []store.Connector{synced, partial, failed, relink, paused} {
		e.settle(c)
	}
	e.db.Exec(`UPDATE connector_scopes SET state = 'ok', synced_at = now() WHERE connector_id = $1 AND scope <> 'tags'`, syncing.ID)
	e.db.Exec(`UPDATE connector_scopes SET state = 'forbidden' WHERE connector_id = $1 AND scope = 'offers'`, partial.ID)
	e.db.Exec(`UPDATE connector_scopes SET state = 'failed' WHERE connector_id = $1`, failed.ID)
	e.db.Exec(`UPDATE connectors SET status = 'RELINK_NEEDED', status_reason = 'Lever refused the key' WHERE id = $1`, relink.ID)
	e.db.Exec(`UPDATE connectors SET paused = true WHERE id = $1`, paused.ID)
	for status, org := range map[string]string{"synced": "Synced Inc", "syncing": "Syncing Inc", "partial": "Partial Inc", "failed": "Failed Inc", "relink-needed": "Relink 100%", "paused": "Paused Inc"} {
		a := b.get("/?status=" + status)
		want(t, "GET /?status="+status, a, http.StatusOK, org, "1 to 1 of 1")
	}
	want(t, "GET /", b.get("/"), http.StatusOK, "Syncing 93 %", "Relink needed", "Partial", "1 to 6 of 6")
	for search, n := range map[string]string{"SYNC": "1 to 2 of 2", "origin-Paused": "1 to 1 of 1", "100%": "1 to 1 of 1", synced.ID.String()[:8]: "1 to 1 of 1", "_": "No connector matches", "nothing": "No connector matches"} {
		want(t, "GET /?q="+search, b.get("/?q="+url.QueryEscape(search)), http.StatusOK, n)
	}
	want(t, "GET a page beyond the last", b.get("/?page=9"), http.StatusOK)
	want(t, "GET the page of the one to be linked again", b.get("/connectors/"+relink.ID.String()), http.StatusOK, "Lever refused the key.", "until the account is linked again", "Relink")
	want(t, "a search that no text of ours can hold", b.get("/?q=Syn%00ced%ff"), http.StatusOK, "Synced Inc")
}

func TestPagesOfConnectors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.signedIn()
	e.db.Exec(`INSERT INTO connectors (id, org_name, origin_id, token_hash, token_sealed)
SELECT gen_random_uuid(), 'Org ' || lpad(n::text, 4, '0'), 'o' || n, decode(lpad(to_hex(n), 8, '0'), 'hex'), '' FROM generate_series(1, 120) n`)
	want(t, "GET /", b.get("/"), http.StatusOK, "Org 0001", "Org 0050", "1 to 50 of 120", "More")
	a := b.get("/?page=3")
	want(t, "GET /?page=3", a, http.StatusOK, "Org 0101", "Org 0120", "101 to 120 of 120", "Back")
	if strings.Contains(a.body, ">More<") {
		t.Error("the last page leads to another")
	}
}

func TestConnectorActions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := e.connector("Acme")
	e.settle(c)
	b := e.signedIn()
	path := "/connectors/" + c.ID.String()
	want(t, "POST sync", b.post(path+"/sync", nil), http.StatusOK, "Asked for.")
	want(t, "POST sync of one scope", b.post(path+"/sync", url.Values{"scope": {"offers"}}), http.StatusOK, "Asked for.")
	want(t, "POST sync of no scope", b.post(path+"/sync", url.Values{"scope": {"nothing"}}), http.StatusBadRequest)
	want(t, "POST resync", b.post(path+"/resync", nil), http.StatusOK, "Everything is read again")
	if len(e.synced) != 3 || len(e.synced[0].scopes) != 15 || e.synced[0].full || len(e.synced[1].scopes) != 1 || e.synced[1].scopes[0] != unified.Offers || !e.synced[2].full {
		t.Errorf("asked for %+v; want all, offers, and all in full", e.synced)
	}
	want(t, "POST pause", b.post(path+"/pause", nil), http.StatusOK, "It is paused", "Resume")
	want(t, "POST sync while paused", b.post(path+"/sync", nil), http.StatusConflict, "It can't sync now")
	want(t, "POST resume", b.post(path+"/resume", nil), http.StatusOK, "It goes on", "Sync now")
	want(t, "POST scopes", b.post(path+"/scopes", url.Values{"scope": {"tags", "jobs"}}), http.StatusOK, "The scopes are as you chose")
	if on, err := e.db.Store.EnabledScopes(t.Context(), c.ID); err != nil || len(on) != 2 {
		t.Errorf("EnabledScopes = %v, %v; want tags and jobs", on, err)
	}
	if n := e.count(`SELECT count(*) FROM connector_scopes WHERE connector_id = $1 AND removing`, c.ID); n != 0 {
		t.Errorf("%d scopes are being removed, want none: it was not asked for", n)
	}
	want(t, "POST scopes, with removal", b.post(path+"/scopes", url.Values{"scope": {"tags"}, "remove": {"yes"}}), http.StatusOK, "is removed within a minute")
	if got := storetest.Column[string](e.db, `SELECT scope FROM connector_scopes WHERE connector_id = $1 AND removing`, c.ID); len(got) != 1 || got[0] != "jobs" {
		t.Errorf("scopes that are being removed: %q; want jobs alone, which was turned off", got)
	}
	want(t, "POST sync of a scope that is off", b.post(path+"/sync", url.Values{"scope": {"offers"}}), http.StatusConflict, "That scope is off")
	want(t, "POST scopes, none", b.post(path+"/scopes", nil), http.StatusOK, "Every scope is turned off")
	want(t, "POST sync with none on", b.post(path+"/sync", nil), http.StatusConflict, "Every scope is off")
	for _, bad := range []url.Values{{"interval": {"0"}}, {"interval": {"soon"}}, {"rate": {"-1"}}, {"rate": {"NaN"}}, {"rate": {"1e9"}}} {
		want(t, "POST cadence "+bad.Encode(), b.post(path+"/cadence", bad), http.StatusUnprocessableEntity)
	}
	want(t, "POST cadence", b.post(path+"/cadence", url.Values{"interval": {"15"}, "rate": {"2.5"}}), http.StatusOK, "Saved", `value="15"`, `value="2.5"`)
	a := b.post(path+"/relink", nil)
	want(t, "POST relink", a, http.StatusOK, "renews the access", "/connect/")
	if n := e.count(`SELECT count(*) FROM links WHERE connector_id = $1`, c.ID); n != 1 {
		t.Errorf("%d links after a relink, want 1", n)
	}
}

func TestConnectorToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, token, err := e.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	b := e.signedIn()
	path := "/connectors/" + c.ID.String() + "/use"
	want(t, "GET use", b.get(path), http.StatusOK, token, "Copy token", "X-Connector-Token")
	for _, other := range []string{"/", "/connectors/" + c.ID.String(), "/connectors/" + c.ID.String() + "/settings"} {
		if strings.Contains(b.get(other).body, token) {
			t.Errorf("GET %s shows the connector's token", other)
		}
	}
	a := b.post("/connectors/"+c.ID.String()+"/token", nil)
	want(t, "POST token", a, http.StatusOK, "The connector has a new token.")
	if strings.Contains(a.body, token) {
		t.Error("after a new token was made the page shows the old one")
	}
	if strings.Contains(e.logs.String(), token) {
		t.Error("the log holds the connector's token")
	}
}

func TestDeleteConnector(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	f := e.furnish("Acme & Sons")
	other := e.connector("Other")
	b := e.signedIn()
	path := "/connectors/" + f.c.ID.String()
	want(t, "GET settings", b.get(path+"/settings"), http.StatusOK, "This can't be undone", "18,518,505 records", "1 quarantined record", "Nothing changes in Lever")
	for _, name := range []string{"", "acme & sons", "Other"} {
		want(t, "POST delete with the name "+name, b.post(path+"/delete", url.Values{"name": {name}}), http.StatusUnprocessableEntity, "nothing was deleted")
	}
	want(t, "POST delete", b.post(path+"/delete", url.Values{"name": {"Acme & Sons"}}), http.StatusOK, "was deleted", "Other")
	if _, err := e.db.Store.Connector(t.Context(), f.c.ID); err == nil {
		t.Error("the connector is still there")
	}
	if _, err := e.db.Store.Connector(t.Context(), other.ID); err != nil {
		t.Errorf("the other connector: %v", err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.signedIn()
	find := regexp.MustCompile(`lvs_[A-Za-z0-9_-]{51}`)
	want(t, "GET /keys", b.get("/keys"), http.StatusOK, "No program can use the API yet")
	for _, bad := range []url.Values{{"scope": {"read"}}, {"name": {"x"}}, {"name": {"x"}, "scope": {"root"}}, {"name": {"a\nb"}, "scope": {"read"}}} {
		want(t, "POST /keys "+bad.Encode(), b.post("/keys", bad), http.StatusUnprocessableEntity)
	}
	a := b.post("/keys", url.Values{"name": {"backend"}, "scope": {"read", "admin"}})
	want(t, "POST /keys", a, http.StatusOK, "Copy the key backend", "shown this once")
	key := find.FindString(a.body)
	caller, err := e.db.Store.Authorize(t.Context(), key, "")
	if err != nil || strings.Join(caller.KeyScopes, ",") != "admin,read" {
		t.Fatalf("Authorize(the key shown) = %v, %v; want read and admin", caller.KeyScopes, err)
	}
	a = b.get("/keys")
	want(t, "GET /keys", a, http.StatusOK, "backend", "admin, read")
	if find.MatchString(a.body) {
		t.Error("the list of keys shows a key")
	}
	path := "/keys/" + caller.KeyID.String()
	a = b.post(path+"/regenerate", nil)
	again := find.FindString(a.body)
	want(t, "POST regenerate", a, http.StatusOK, "opens nothing any more")
	if _, err := e.db.Store.Authorize(t.Context(), key, ""); err == nil || again == key || again == "" {
		t.Error("the old key works after it was made anew")
	}
	if _, err := e.db.Store.Authorize(t.Context(), again, ""); err != nil {
		t.Errorf("the new key: %v", err)
	}
	want(t, "POST revoke", b.post(path+"/revoke", nil), http.StatusOK, "The key is revoked", "1 revoked key")
	if _, err := e.db.Store.Authorize(t.Context(), again, ""); err == nil {
		t.Error("a revoked key works")
	}
	if find.MatchString(e.logs.String()) {
		t.Error("the log holds a key")
	}
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM api_keys WHERE name LIKE 'lvs_%'`); n != 0 {
		t.Error("a key is in the database")
	}
}
