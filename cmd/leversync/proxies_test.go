package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted, err := config.ParseProxies("10.0.0.0/8, 127.0.0.1 2001:db8:f::/48")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, peer, forwarded, want string }{
		{"nobody's proxy", "192.0.2.1:5", "198.51.100.1", "192.0.2.1:0"},
		{"nobody's proxy, who says to be ours", "192.0.2.1:5", "10.0.0.1, 127.0.0.1", "192.0.2.1:0"},
		{"a proxy that says nothing", "10.0.0.1:5", "", "10.0.0.1:0"},
		{"a proxy", "10.0.0.1:5", "198.51.100.1", "198.51.100.1:0"},
		{"a proxy, and what the client made up", "10.0.0.1:5", "203.0.113.9, 198.51.100.1", "198.51.100.1:0"},
		{"a client that names our proxies", "10.0.0.1:5", "10.9.9.9, 198.51.100.1", "198.51.100.1:0"},
		{"two proxies", "127.0.0.1:5", "203.0.113.9,198.51.100.1,10.1.2.3", "198.51.100.1:0"},
		{"two headers", "10.0.0.1:5", "203.0.113.9|198.51.100.1", "198.51.100.1:0"},
		{"proxies alone", "127.0.0.1:5", "10.3.3.3, 10.1.2.3", "10.3.3.3:0"},
		{"a port", "10.0.0.1:5", "198.51.100.1:4711", "198.51.100.1:0"},
		{"IPv6", "[2001:db8:f::1]:5", "2001:db8::7", "[2001:db8::7]:0"},
		{"IPv6 in brackets", "10.0.0.1:5", "[2001:db8::7]", "[2001:db8::7]:0"},
		{"IPv6 with a port", "10.0.0.1:5", "[2001:db8::7]:4711", "[2001:db8::7]:0"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.1]:5", "::ffff:198.51.100.1", "198.51.100.1:0"},
		{"a word", "10.0.0.1:5", "unknown", "10.0.0.1:0"},
		{"a word after an address", "10.0.0.1:5", "198.51.100.1, unknown", "10.0.0.1:0"},
		{"a word before the proxies", "127.0.0.1:5", "_hidden, 10.1.2.3", "10.1.2.3:0"},
		{"commas", "10.0.0.1:5", ",,", "10.0.0.1:0"},
		{"markup", "10.0.0.1:5", "<script>", "10.0.0.1:0"},
		{"a long list", "10.0.0.1:5", strings.Repeat("10.0.0.2,", 5000) + "198.51.100.1", "198.51.100.1:0"},
		{"a socket", "@", "198.51.100.1", "@"},
	} {
		if got := clientAddress(c.peer, strings.Split(c.forwarded, "|"), trusted); got != c.want {
			t.Errorf("%s: clientAddress(%s, %.60q) = %s; want %s", c.name, c.peer, c.forwarded, got, c.want)
		}
	}
}

// Behind a proxy that is named each client has tries of its own, whatever it makes up; without one, what is said of an
// address counts for nothing.
func TestGuessesAreCountedThroughAProxy(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	const looked = http.StatusServiceUnavailable // there is no password to compare with, which would take its time
	for _, trusted := range []string{"", "127.0.0.0/8"} {
		h := site0(t, c, "LEVERSYNC_TRUSTED_PROXIES", trusted)
		try := func(forwarded string) int {
			r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"password": {"a guess"}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-For", forwarded)
			r.RemoteAddr = "127.0.0.1:4711"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		for i := range 8 {
			if got := try("203.0.113." + string(rune('0'+i)) + ", 198.51.100.1"); got != looked {
				t.Errorf("proxies %q: guess %d: %d; want it looked at", trusted, i, got)
			}
		}
		if got := try("203.0.113.99, 198.51.100.1"); got != http.StatusTooManyRequests {
			t.Errorf("proxies %q: the ninth guess, with another address made up: %d; want 429", trusted, got)
		}
		want := map[string]int{"": http.StatusTooManyRequests, "127.0.0.0/8": looked}[trusted]
		if got := try("198.51.100.2"); got != want {
			t.Errorf("proxies %q: another client's first guess: %d; want %d", trusted, got, want)
		}
	}
}

// site0 is what serve answers with, one variable set.
func site0(t *testing.T, c *cli, name, value string) http.Handler {
	t.Helper()
	c.env[name] = value
	p := c.process(t)
	sites, err := p.sites(t.Context())
	if err != nil || len(sites) != 1 {
		t.Fatalf("sites = %d, %v; want one", len(sites), err)
	}
	t.Cleanup(func() { _ = closeSites(sites) })
	return sites[0].handler
}
