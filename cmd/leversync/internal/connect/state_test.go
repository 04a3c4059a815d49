package connect_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
)

// callback is the path and query that Lever sent the browser to, changed.
func callback(u *url.URL, change func(url.Values)) string {
	q := u.Query()
	change(q)
	return u.Path + "?" + q.Encode()
}

func set(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
func del(name string) func(url.Values)        { return func(q url.Values) { q.Del(name) } }

// What comes back from Lever is taken only as it was asked for: by the same browser, once, in time. Nothing else links anything.
func TestCallbackIsRefused(t *testing.T) {
	t.Parallel()
	e := newTLSEnv(t)
	_, foreignLink := e.link("Mallory")
	mallory := e.browser()
	foreign := mallory.decideOnly(mallory.allow(foreignLink), "accept")

	tests := []struct {
		name   string
		attack func(b *browser, back *url.URL) answer
		status int
		text   string
	}{
		{"no state", func(b *browser, back *url.URL) answer { return b.get(callback(back, del("state"))) }, 400, "Something is missing"},
		{"empty state", func(b *browser, back *url.URL) answer { return b.get(callback(back, set("state", ""))) }, 400, "Something is missing"},
		{"garbage for a state", func(b *browser, back *url.URL) answer { return b.get(callback(back, set("state", "x.y"))) }, 403, "does not belong to your request"},
		{"another's state", func(b *browser, back *url.URL) answer {
			return b.get(callback(back, set("state", foreign.Query().Get("state"))))
		}, 403, "belongs to another browser"},
		{"another's state under one's own session", func(b *browser, back *url.URL) answer {
			own, _, _ := strings.Cut(back.Query().Get("state"), ".")
			_, random, _ := strings.Cut(foreign.Query().Get("state"), ".")
			return b.get(callback(back, set("state", own+"."+random)))
		}, 403, "does not belong to your request"},
		{"one's answer in another browser", func(_ *browser, back *url.URL) answer { return mallory.get(back.String()) }, 403, "belongs to another browser"},
		{"one's answer without cookies", func(b *browser, back *url.URL) answer { return b.e.browser().get(back.String()) }, 403, "belongs to another browser"},
		{"another's whole answer", func(b *browser, _ *url.URL) answer { return b.get(foreign.String()) }, 403, "belongs to another browser"},
		{"another's code", func(b *browser, back *url.URL) answer {
			return b.get(callback(back, set("code", foreign.Query().Get("code"))))
		}, 400, "no longer good"},
		{"an unknown code", func(b *browser, back *url.URL) answer { return b.get(callback(back, set("code", "x"))) }, 400, "no longer good"},
		{"no code", func(b *browser, back *url.URL) answer { return b.get(callback(back, del("code"))) }, 400, "incomplete"},
		{"a state of eleven minutes ago", func(b *browser, back *url.URL) answer {
			id, _, _ := strings.Cut(back.Query().Get("state"), ".")
			b.e.db.Exec(`UPDATE link_sessions SET state_expires_at = now() WHERE replace(id::text, '-', '') = $1`, id)
			return b.get(back.String())
		}, 410, "took too long"},
		{"a session that is over", func(b *browser, back *url.URL) answer {
			id, _, _ := strings.Cut(back.Query().Get("state"), ".")
			b.e.db.Exec(`UPDATE link_sessions SET expires_at = now() WHERE replace(id::text, '-', '') = $1`, id)
			return b.get(back.String())
		}, 403, "belongs to another browser"},
		{"an error of Lever", func(b *browser, back *url.URL) answer {
			return b.get(callback(back, func(q url.Values) {
				q.Del("code")
				q.Set("error", "server_error")
				q.Set("error_description", "<b>canary</b>")
			}))
		}, 502, "Lever could not go on"},
		{"a refusal with a code beside it", func(b *browser, back *url.URL) answer { return b.get(callback(back, set("error", "access_denied"))) }, 403, "You did not allow it"},
	}
	for _, tt := range tests {
		c, link := e.link("Acme")
		b := e.browser()
		back := b.decideOnly(b.allow(link), "accept")
		a := tt.attack(b, back)
		want(t, tt.name, a, tt.status, tt.text)
		if got := e.status(c.ID); got != "INCOMPLETE" {
			t.Errorf("%s: the connector is %s, want INCOMPLETE", tt.name, got)
		}
		if strings.Contains(a.body, "canary") {
			t.Errorf("%s: the page repeats what came by the URL", tt.name)
		}
	}
}

func TestCallbackIsTakenOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	b := e.browser()
	back := b.decideOnly(b.allow(link), "accept")
	want(t, "the first time", b.get(back.String()), 200, "Lever is connected")
	before, err := e.db.Store.Credential(t.Context(), c.ID)
	if err != nil {
		t.Fatalf("Credential: %v", err)
	}
	want(t, "the second time", b.get(back.String()), http.StatusGone, "taken already", "See how far the copy is")
	after, err := e.db.Store.Credential(t.Context(), c.ID)
	after.ExpiresAt = before.ExpiresAt // told by our clock, to the millisecond
	if err != nil || after != before {
		t.Errorf("a replay changed the credential, or %v", err)
	}
}

func TestOlderAuthorizationIsOver(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	b := e.browser()
	first := b.allow(link)
	session := href(t, b.get(link), "Go on where you were")
	second := b.allow(session + "/allow")
	want(t, "the answer to the first", b.decide(first, "accept", nil), http.StatusForbidden, "does not belong to your request")
	want(t, "the answer to the second", b.decide(second, "accept", nil), 200, "Lever is connected")
}

// Wherever a request asks to be sent, the pages lead to themselves and to Lever alone.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	b := e.browser()
	evil := "https://evil.example"
	q := "?" + url.Values{"next": {evil}, "redirect_uri": {evil}, "return_to": {evil}, "url": {evil}}.Encode()
	b.stay(func() {
		a := b.post(link+q, url.Values{"redirect_uri": {evil}, "next": {evil}})
		if to := a.header.Get("Location"); !strings.HasPrefix(to, e.auth+"/authorize?") || strings.Contains(to, "evil") {
			t.Errorf("POST link leads to %s", to)
		}
		for _, path := range []string{"/connect//evil.example", "//evil.example/connect/", "/connect/..//evil.example", "/connect/\\evil.example", "/connect/done/%2f%2fevil.example"} {
			a := b.get(e.srv.URL + path + q)
			if to, err := url.Parse(a.header.Get("Location")); err != nil || to.Host != "" && to.Host != e.srv.Listener.Addr().String() {
				t.Errorf("GET %s leads to %s", path, a.header.Get("Location"))
			}
		}
	})
}

func TestUnknownApp(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *connect.Config) { c.OAuth.ClientSecret = "canary-secret" })
	_, link := e.link("Acme")
	b := e.browser()
	a := b.decide(b.allow(link), "accept", nil)
	want(t, "after Accept", a, http.StatusBadGateway, "Lever does not know this application")
	if strings.Contains(e.logs.String()+a.body, "canary-secret") {
		t.Error("the client secret leaked")
	}
}
