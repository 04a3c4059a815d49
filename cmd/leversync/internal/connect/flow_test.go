package connect_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestConnectByOAuth(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T, ...option) *env{"http": newEnv, "https": newTLSEnv} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := make(t)
			c, link := e.link("SpaceX")
			b := e.browser()
			want(t, "GET link", b.get(link), 200, "Connect the Lever account of SpaceX", "Allow and Continue", "leversync</strong> asks")
			consent := b.allow(link)
			q := consent.url.Query()
			if got := q.Get("audience"); !strings.HasSuffix(got, "/v1/") {
				t.Errorf("audience = %q, want a slash at its end", got)
			}
			if q.Has("prompt") || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 {
				t.Errorf("authorize is asked with %v, want PKCE by S256 and no prompt", q)
			}
			done := b.decide(consent, "accept", nil)
			want(t, "after Accept", done, 200, "Lever is connected", "SpaceX", `http-equiv="refresh"`, "0 of 14 kinds")
			if got := e.status(c.ID); got != "COMPLETE" {
				t.Errorf("connector is %s, want COMPLETE", got)
			}
			cred, err := e.db.Store.Credential(t.Context(), c.ID)
			if err != nil || cred.Kind != "oauth" || cred.Refresh == "" {
				t.Errorf("Credential = %v, %v; want OAuth tokens", cred, err)
			}
			due := storetest.Value[int](e.db, `SELECT count(*)::int FROM connector_scopes WHERE enabled AND next_run_at <= now()`)
			if due != 14 {
				t.Errorf("%d scopes are due, want 14: the first sync starts by itself", due)
			}
			if other := e.browser().get(done.url.Path); other.status != http.StatusForbidden {
				t.Errorf("another browser sees the progress page: %d", other.status)
			}
		})
	}
}

func TestAskedPermissions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options []option
		scopes  []unified.Scope
		want    string
	}{
		{"default", nil, nil, "offline_access applications:read:admin archive_reasons:read:admin contact:read:admin feedback:read:admin files:read:admin " +
			"interviews:read:admin offers:read:admin opportunities:read:admin postings:read:admin resumes:read:admin stages:read:admin tags:read:admin " +
			"users:read:admin files:write:admin notes:write:admin opportunities:write:admin"},
		{"read only", []option{readOnly}, []unified.Scope{unified.Jobs, unified.Tags}, "offline_access postings:read:admin tags:read:admin"},
		{"sensitive", []option{readOnly}, []unified.Scope{unified.EEOCs}, "offline_access eeo_responses_pii:read:admin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, tt.options...)
			_, link := e.link("Acme", tt.scopes...)
			b := e.browser()
			page := b.get(link)
			got := b.allow(link).url.Query().Get("scope")
			if got != tt.want {
				t.Errorf("authorize asks for\n%s, want\n%s", got, tt.want)
			}
			for _, p := range strings.Fields(got) {
				if !strings.Contains(page.body, "<code>"+p+"</code>") {
					t.Errorf("the page does not name %s", p)
				}
			}
			if n := len(strings.Fields(got)); n > 20 {
				t.Errorf("%d permissions are asked for, Lever allows 20", n)
			}
			if sensitive := slices.Contains(tt.scopes, unified.EEOCs); strings.Contains(page.body, ">sensitive<") != sensitive {
				t.Errorf("the page marks something sensitive: %t, want %t", !sensitive, sensitive)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	b := e.browser()
	a := b.decide(b.allow(link), "deny", nil)
	want(t, "after Deny", a, http.StatusForbidden, "You did not allow it", "Go back")
	if got := e.status(c.ID); got != "INCOMPLETE" {
		t.Errorf("connector is %s, want INCOMPLETE", got)
	}
	back := href(t, a, "Go back")
	want(t, "GET session", b.get(back), 200, "Allow and Continue")
	want(t, "the second time", b.decide(b.allow(back+"/allow"), "accept", nil), 200, "Lever is connected")
	if got := e.status(c.ID); got != "COMPLETE" {
		t.Errorf("connector is %s, want COMPLETE", got)
	}
	want(t, "GET session once linked", b.get(back), http.StatusConflict, "connected already", "See how far")
}

// href is where a page's button leads.
func href(t *testing.T, a answer, label string) string {
	t.Helper()
	end := strings.Index(a.body, `">`+label+"</a>")
	if end < 0 {
		t.Fatalf("the page has no %q\n%s", label, text(a))
	}
	return a.body[strings.LastIndex(a.body[:end], `"`)+1 : end]
}

func TestMissingPermissions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	b := e.browser()
	consent := b.allow(link)
	var less []string
	for _, p := range strings.Fields(consent.url.Query().Get("scope")) {
		if !strings.HasPrefix(p, "offers:") && !strings.HasPrefix(p, "interviews:") {
			less = append(less, p)
		}
	}
	a := b.decide(consent, "accept", map[string]string{"scope": strings.Join(less, " ")})
	want(t, "after Accept", a, http.StatusForbidden, "Some permissions are missing", "offers:read:admin", "interviews:read:admin", "Scheduled interviews", "Offers.", "Continue without them", "Go back and grant them")
	if strings.Contains(a.body, "users:read:admin") {
		t.Error("a permission that was granted is named as missing")
	}
	if got := e.status(c.ID); got != "INCOMPLETE" {
		t.Errorf("before the decision the connector is %s, want INCOMPLETE", got)
	}
	want(t, "from another browser", e.browser().post(a.url.Path+"/continue", nil), http.StatusForbidden, "another browser")

	b2 := b.allow(href(t, a, "Go back and grant them") + "/allow")
	want(t, "after going back, the held grant", b.get(a.url.Path), 200, "Allow and Continue")
	a = b.decide(b2, "accept", map[string]string{"scope": strings.Join(less, " ")})
	want(t, "Continue", b.post(a.url.Path+"/continue", nil), 200, "Lever is connected")
	if got := e.status(c.ID); got != "COMPLETE" {
		t.Errorf("connector is %s, want COMPLETE", got)
	}
	want(t, "Continue again", b.post(a.url.Path+"/continue", nil), 200, "Lever is connected")
}

func TestWithoutLastingAccess(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	b := e.browser()
	consent := b.allow(link)
	a := b.decide(consent, "accept", map[string]string{"scope": strings.Replace(consent.url.Query().Get("scope"), "offline_access ", "", 1)})
	want(t, "after Accept", a, http.StatusForbidden, "offline_access", "Go back")
	if got := e.status(c.ID); got != "INCOMPLETE" {
		t.Errorf("connector is %s, want INCOMPLETE", got)
	}
}

func TestConnectByKey(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"beside OAuth": nil, "alone": {withoutOAuth}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options...)
			c, link := e.link("Acme")
			b := e.browser()
			page := b.get(link)
			want(t, "GET link", page, 200, "Lever API key", `for="api_key"`)
			if got := strings.Contains(page.body, "Allow and Continue"); got != (options == nil) {
				t.Errorf("the page has Allow and Continue: %t", got)
			}
			want(t, "a wrong key", b.post(link+"/key", url.Values{"api_key": {"canary-wrong-key"}}), 422, "Lever does not accept this key", `role="alert"`)
			want(t, "no key", b.post(link+"/key", nil), 422, "Enter the API key")
			want(t, "no key at all", b.post(link+"/key", url.Values{"api_key": {"two words"}}), 422, "Enter the API key")
			if got := e.status(c.ID); got != "INCOMPLETE" {
				t.Errorf("after wrong keys the connector is %s, want INCOMPLETE", got)
			}
			want(t, "the key", b.post(link+"/key", url.Values{"api_key": {" test-key\n"}}), 200, "Lever is connected")
			cred, err := e.db.Store.Credential(t.Context(), c.ID)
			if err != nil || cred.Kind != "api_key" || cred.Secret != "test-key" {
				t.Errorf("Credential = %v, %v; want the API key", cred, err)
			}
			want(t, "the link again", b.get(link), http.StatusGone, "has been used", "See how far the copy is")
			if strings.Contains(e.logs.String(), "canary-wrong-key") || strings.Contains(e.logs.String(), "test-key") {
				t.Error("the log holds a key")
			}
		})
	}
}

func TestKeyOfTooFewPermissions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.lever.Deny("test-key", "users", "tags")
	c, link := e.link("Acme")
	b := e.browser()
	key := url.Values{"api_key": {"test-key"}}
	a := b.post(link+"/key", key)
	want(t, "a key without users and tags", a, http.StatusForbidden, "users:read:admin", "tags:read:admin", "Lever users")
	back := href(t, a, "Go back and grant them")
	e.lever.Allow("test-key", "users")
	a = b.post(back+"/key", key)
	want(t, "a key without tags", a, http.StatusForbidden, "tags:read:admin")
	if strings.Contains(a.body, "users:read:admin") {
		t.Error("a permission that the key has now is still named")
	}
	want(t, "Continue", b.post(a.url.Path+"/continue", nil), 200, "Lever is connected")
	if got := e.status(c.ID); got != "COMPLETE" {
		t.Errorf("connector is %s, want COMPLETE", got)
	}
}

func TestKeyThatMayReadNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.lever.Deny("test-key", "opportunities", "postings", "stages", "archive_reasons", "users", "tags")
	_, link := e.link("Acme")
	want(t, "the key", e.browser().post(link+"/key", url.Values{"api_key": {"test-key"}}), 422, "may read none")
}

func TestLeverAway(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *connect.Config) { c.LeverURL = "http://127.0.0.1:1/v1"; c.OAuth.AuthURL = "http://127.0.0.1:1" })
	c, link := e.link("Acme")
	b := e.browser()
	want(t, "a key", b.post(link+"/key", url.Values{"api_key": {"test-key"}}), http.StatusBadGateway, "Lever did not answer")
	var to string
	b.stay(func() { to = b.post(link, nil).header.Get("Location") })
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	a := b.get("/connect/callback?code=x&state=" + u.Query().Get("state"))
	want(t, "a code", a, http.StatusBadGateway, "Lever can't be reached", "Go back")
	if got := e.status(c.ID); got != "INCOMPLETE" {
		t.Errorf("connector is %s, want INCOMPLETE", got)
	}
}

func TestRelink(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	c, token, err := e.db.Store.CreateConnector(ctx, store.NewConnector{OrgName: "Acme", OriginID: "1", APIKey: "old"})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	if _, err := e.db.Store.NeedRelink(ctx, c.ID, "refused", time.Time{}); err != nil {
		t.Fatalf("NeedRelink: %v", err)
	}
	link, _, err := e.db.Store.CreateLink(ctx, c.ID, 0)
	if err != nil {
		t.Fatalf("CreateLink: %v", err)
	}
	b := e.browser()
	want(t, "GET link", b.get("/connect/"+link), 200, "Reconnect the Lever account of Acme", "renews a connection")
	done := b.decide(b.allow("/connect/"+link), "accept", nil)
	want(t, "after Accept", done, 200, "Lever is connected")
	if got := e.status(c.ID); got != "COMPLETE" {
		t.Errorf("connector is %s, want COMPLETE", got)
	}
	var tmp struct {
		Token string `json:"temporary_token"`
	}
	a := b.post(done.url.Path+"/token", nil)
	want(t, "POST token", a, 200)
	decode(t, a.body, &tmp)
	got, id, err := e.db.Store.ExchangeTemporaryToken(ctx, tmp.Token)
	if err != nil || got != token || id != c.ID {
		t.Errorf("ExchangeTemporaryToken: another connector's token, %s, %v; want that of %s", id, err, c.ID)
	}
	want(t, "POST token, another browser", e.browser().post(done.url.Path+"/token", nil), http.StatusForbidden)
}

func TestTwoAccountsInOneBrowser(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	one, link1 := e.link("One")
	two, link2 := e.link("Two")
	b := e.browser()
	consent1, consent2 := b.allow(link1), b.allow(link2)
	want(t, "the second", b.decide(consent2, "accept", nil), 200, "the account of <strong>Two")
	want(t, "the first", b.decide(consent1, "accept", nil), 200, "the account of <strong>One")
	if s1, s2 := e.status(one.ID), e.status(two.ID); s1 != "COMPLETE" || s2 != "COMPLETE" {
		t.Errorf("connectors are %s and %s, want COMPLETE", s1, s2)
	}
}

func TestDeletedConnector(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	if err := e.db.Store.DeleteConnector(t.Context(), c.ID); err != nil {
		t.Fatalf("DeleteConnector: %v", err)
	}
	want(t, "GET link", e.browser().get(link), http.StatusNotFound, "not known")
}
