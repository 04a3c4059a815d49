package connect_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	e := newTLSEnv(t)
	_, link := e.link("Acme")
	b := e.browser()
	pages := map[string]answer{
		"the link": b.get(link), "an unknown link": b.get("/connect/x"), "the callback": b.get("/connect/callback"),
		"no page": b.get("/connect/"), "a session": b.get("/connect/session/x"),
		"progress": b.decide(b.allow(link), "accept", nil), "a used link": b.get(link),
	}
	for name, a := range pages {
		for header, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s = %q, want %q", name, header, got, want)
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' " + e.auth} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy lacks %q: %s", name, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(a.body, "<style") || strings.Contains(a.body, " style=") || strings.Contains(a.body, "onclick") {
			t.Errorf("%s: something is inline", name)
		}
		if strings.Contains(a.body, `src="http`) || strings.Contains(a.body, `href="http`) {
			t.Errorf("%s: the page loads from another host", name)
		}
		if len(a.body) > 50_000 {
			t.Errorf("%s: %d bytes", name, len(a.body))
		}
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T, ...option) *env{"http": newEnv, "https": newTLSEnv} {
		e := make(t)
		_, link := e.link("Acme")
		b := e.browser()
		var a answer
		b.stay(func() { a = b.post(link, nil) })
		c, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatalf("%s: no cookie: %v", name, err)
		}
		secure := name == "https"
		if strings.HasPrefix(c.Name, "__Host-") != secure || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: cookie = %s", name, strings.Replace(c.String(), c.Value, "…", 1))
		}
		if strings.Contains(a.header.Get("Location"), c.Value) {
			t.Errorf("%s: the cookie's secret is in a URL", name)
		}
	}
}

// Other sites can't make a browser use a link, whatever it has cookies for.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	e := newTLSEnv(t)
	b := e.browser()
	try := func(method, path, site, origin string) answer {
		req, err := http.NewRequest(method, e.srv.URL+path, strings.NewReader("api_key=wrong"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, v := range map[string]string{"Sec-Fetch-Site": site, "Origin": origin} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		return b.do(req)
	}
	_, link := e.link("Acme")
	n := 0
	for _, site := range []string{"", "none", "same-origin", "same-site", "cross-site", "nonsense"} {
		for _, origin := range []string{"", e.srv.URL, "null", "https://evil.example", strings.Replace(e.srv.URL, "https", "http", 1)} {
			refused := origin != e.srv.URL // which no other site can say to be
			switch site {
			case "none", "same-origin":
				refused = false
			case "": // a browser of long ago, or none: its origin's host decides; that of http is kept out by HSTS
				refused = origin == "null" || strings.Contains(origin, "evil")
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				n++
				a := try(method, link+"/key", site, origin)
				if got := a.status == http.StatusForbidden; got != refused {
					t.Errorf("%s by Sec-Fetch-Site %q, Origin %q: status = %d, want refused: %t", method, site, origin, a.status, refused)
				}
				if refused {
					want(t, method+" from elsewhere", a, http.StatusForbidden, "The request came from another page")
				}
			}
			n += 2
			if a := try("GET", link, site, origin); a.status != http.StatusOK {
				t.Errorf("GET by Sec-Fetch-Site %q, Origin %q: status = %d, want 200: links lead in", site, origin, a.status)
			}
			_, other := e.link("Acme")
			if a := try("POST", other, site, origin); (a.status == http.StatusForbidden) != refused {
				t.Errorf("POST of a link by Sec-Fetch-Site %q, Origin %q: status = %d, want refused: %t", site, origin, a.status, refused)
			}
		}
	}
	t.Logf("%d of method, site and origin", n)
}

func TestForeignWordsStayWords(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'"><svg/onload=alert(1)>`, `</title><script>alert(1)</script>`,
		`{{.App}}`, `javascript:alert(1)`, "<!--", `<a href="https://evil.example">click</a>`, "\u202egnp.exe", `&lt;b&gt;`,
	} {
		_, link := e.link(name)
		b := e.browser()
		for call, a := range map[string]answer{"GET link": b.get(link), "a wrong key": b.post(link+"/key", url.Values{"api_key": {"<b>x</b>"}}), "done": b.post(link+"/key", url.Values{"api_key": {"test-key"}})} {
			for _, bad := range []string{"<script>alert", "<img", "<svg", "<!--", "evil.example\"", "<b>"} {
				if strings.Contains(a.body, bad) {
					t.Errorf("%s of %q: the page holds %q", call, name, bad)
				}
			}
			if !strings.Contains(a.body, "the account of") && !strings.Contains(a.body, "the Lever account of") {
				t.Errorf("%s of %q: status = %d", call, name, a.status)
			}
		}
	}
}

func TestLargeForm(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	want(t, "a form of 1 MB", e.browser().post(link+"/key", url.Values{"api_key": {strings.Repeat("x", 1<<20)}}), http.StatusBadRequest, "can't be read")
	want(t, "a key of 600 characters", e.browser().post(link+"/key", url.Values{"api_key": {strings.Repeat("x", 600)}}), 422, "Enter the API key")
}

func TestAssets(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, link := e.link("Acme")
	b := e.browser()
	size := len(b.get(link).body)
	for path, kind := range map[string]string{"connect.css": "text/css", "connect.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		a := b.get("/connect/assets/" + path)
		want(t, path, a, 200)
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s: Content-Type = %q, want %q", path, got, kind)
		}
		size += len(a.body)
	}
	if size > 100_000 {
		t.Errorf("the page is %d bytes in all, want at most 100 KB", size)
	}
	if a := b.get("/connect/assets/"); a.status != http.StatusNotFound {
		t.Errorf("GET assets/ = %d, want no list of files", a.status)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]connect.Config{
		"no store":                {PublicURL: "https://sync.example.com"},
		"no public URL":           {Store: &store.Store{}},
		"a public URL of no host": {Store: &store.Store{}, PublicURL: "sync.example.com"},
		"another scheme":          {Store: &store.Store{}, PublicURL: "ftp://sync.example.com"},
		"no OAuth URL":            {Store: &store.Store{}, PublicURL: "https://sync.example.com", OAuth: lever.OAuthConfig{ClientID: "x", AuthURL: "auth"}},
	} {
		if _, err := connect.New(cfg); err == nil {
			t.Errorf("New with %s: no error", name)
		}
	}
}
