package connect_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// A mail scanner follows the link, again and again. It changes nothing.
func TestPrefetchChangesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	const sql = `SELECT (SELECT md5(string_agg(l::text, '')) FROM links l) || (SELECT count(*) FROM link_sessions) || (SELECT md5(string_agg(c::text, '')) FROM connectors c)`
	before := storetest.Value[string](e.db, sql)
	for range 5 {
		a := e.browser().get(link)
		want(t, "GET link", a, 200)
		if c := a.header.Get("Set-Cookie"); c != "" {
			t.Errorf("GET link sets a cookie: %s", c)
		}
	}
	req, err := http.NewRequest(http.MethodHead, e.srv.URL+link, nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "HEAD link", e.browser().do(req), 200)
	if after := storetest.Value[string](e.db, sql); after != before {
		t.Error("GET link changed something in Postgres")
	}
	b := e.browser()
	want(t, "the person, then", b.decide(b.allow(link), "accept", nil), 200, "Lever is connected")
}

func TestLinkWorksOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	b, other := e.browser(), e.browser()
	b.allow(link)
	key := url.Values{"api_key": {"test-key"}}

	want(t, "a second POST", b.post(link, nil), http.StatusGone, "has been used", "Go on where you were")
	want(t, "a POST of a key, then", b.post(link+"/key", key), http.StatusGone, "has been used")
	for call, a := range map[string]answer{
		"GET from another browser":      other.get(link),
		"POST from another browser":     other.post(link, nil),
		"POST key from another browser": other.post(link+"/key", key),
	} {
		want(t, call, a, http.StatusGone, "has been used", "for a new one")
		if strings.Contains(a.body, "Go on where you were") {
			t.Errorf("%s: the page shows a way on", call)
		}
	}
	session := href(t, b.get(link), "Go on where you were")
	for call, a := range map[string]answer{
		"GET session":        other.get(session),
		"POST session/allow": other.post(session+"/allow", nil),
		"POST session/key":   other.post(session+"/key", key),
		"GET permissions":    other.get(strings.Replace(session, "session", "permissions", 1)),
		"GET done":           other.get(strings.Replace(session, "session", "done", 1)),
		"POST done/token":    other.post(strings.Replace(session, "session", "done", 1)+"/token", nil),
	} {
		want(t, call+" from another browser", a, http.StatusForbidden, "another browser")
	}
	want(t, "GET done before it is linked", b.get(strings.Replace(session, "session", "done", 1)), 200, "Allow and Continue")
	want(t, "POST token before it is linked", b.post(strings.Replace(session, "session", "done", 1)+"/token", nil), http.StatusForbidden)
}

// Whoever holds another link to an account is told that it is connected, whether they had begun or not.
func TestOtherLinksEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, link := e.link("Acme")
	more := func() string {
		token, _, err := e.db.Store.CreateLink(t.Context(), c.ID, 0)
		if err != nil {
			t.Fatalf("CreateLink: %v", err)
		}
		return "/connect/" + token
	}
	unused, begun := more(), more()
	b, other := e.browser(), e.browser()
	consent := other.allow(begun)
	session := href(t, other.get(begun), "Go on where you were")
	want(t, "one link", b.decide(b.allow(link), "accept", nil), 200, "Lever is connected")
	cred, err := e.db.Store.Credential(t.Context(), c.ID)
	if err != nil {
		t.Fatalf("Credential: %v", err)
	}

	key := url.Values{"api_key": {"test-key"}}
	want(t, "GET of another", e.browser().get(unused), http.StatusGone, "has expired", "until the account is connected by another")
	want(t, "POST of another", e.browser().post(unused, nil), http.StatusGone, "has expired")
	want(t, "POST key of another", e.browser().post(unused+"/key", key), http.StatusGone, "has expired")
	want(t, "who had begun, back from Lever", other.decide(consent, "accept", nil), http.StatusForbidden, "once the account is connected by another link")
	want(t, "who had begun, with a key", other.post(session+"/key", key), http.StatusForbidden, "once the account is connected by another link")
	if got, err := e.db.Store.Credential(t.Context(), c.ID); err != nil || got.Secret != cred.Secret {
		t.Errorf("another link changed the credential, or %v", err)
	}
}

// Who is overtaken while Lever checks a key is told that, and no fault of ours.
func TestOvertakenWhileLeverAnswers(t *testing.T) {
	t.Parallel()
	overtake := func() {}
	toLever := &http.Transport{}
	t.Cleanup(toLever.CloseIdleConnections)
	e := newEnv(t, func(c *connect.Config) {
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			overtake()
			return toLever.RoundTrip(r)
		})
	})
	for _, few := range []bool{false, true} {
		c, link := e.link("Acme")
		b := e.browser()
		b.allow(link)
		session := href(t, b.get(link), "Go on where you were")
		if few {
			e.lever.Deny("test-key", "users")
		}
		overtake = sync.OnceFunc(func() {
			if _, err := e.db.Store.Link(t.Context(), c.ID, store.Credential{Kind: "api_key", Secret: "own"}); err != nil {
				t.Errorf("Link: %v", err)
			}
		})
		a := b.post(session+"/key", url.Values{"api_key": {"test-key"}})
		want(t, fmt.Sprintf("a key, of too few permissions: %t", few), a, http.StatusGone, "This request is over", "connected meanwhile")
	}
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLinksThatDoNotWork(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	e.db.Exec(`UPDATE links SET expires_at = now()`)
	b := e.browser()
	key := url.Values{"api_key": {"test-key"}}
	want(t, "GET of an expired link", b.get(link), http.StatusGone, "has expired")
	want(t, "POST of an expired link", b.post(link, nil), http.StatusGone, "has expired")
	want(t, "POST key of an expired link", b.post(link+"/key", key), http.StatusGone, "has expired")
	for _, path := range []string{"/connect/" + strings.Repeat("A", 43), link[:len(link)-1], link + "x", "/connect/x", "/connect/%00", "/connect/" + strings.Repeat("A", 5000)} {
		want(t, "GET "+path[:min(len(path), 60)], b.get(path), http.StatusNotFound, "This link is not known")
	}
	want(t, "POST of an unknown link", b.post("/connect/"+strings.Repeat("A", 43), nil), http.StatusNotFound, "This link is not known")
	for _, path := range []string{"/connect/", "/connect/session/x", "/connect/session/x/y", "/connect/done/" + strings.Repeat("0", 400)} {
		want(t, "GET "+path[:min(len(path), 60)], b.get(path), http.StatusNotFound, "There is no such page")
	}
}

// A link is no place to guess keys at.
func TestKeysCanNotBeGuessed(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	b := e.browser()
	for range 20 {
		want(t, "a wrong key", b.post(link+"/key", url.Values{"api_key": {"wrong"}}), 422)
	}
	want(t, "the 21st, although right", b.post(link+"/key", url.Values{"api_key": {"test-key"}}), http.StatusTooManyRequests, "Too many keys")
}
