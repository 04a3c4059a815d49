package connect_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// env is the connect pages, a fake Lever behind them, and a database.
type env struct {
	t     *testing.T
	db    *storetest.DB
	lever *levertest.Server
	auth  string // Lever's URL
	srv   *httptest.Server
	logs  *logs
	cfg   connect.Config
}

type option func(*connect.Config)

func withoutOAuth(c *connect.Config) { c.OAuth = lever.OAuthConfig{} }
func readOnly(c *connect.Config)     { c.ReadOnly = true }

// newEnv serves the pages over http, newTLSEnv over https.
func newEnv(t *testing.T, options ...option) *env { t.Helper(); return start(t, false, options) }

func newTLSEnv(t *testing.T, options ...option) *env { t.Helper(); return start(t, true, options) }

func start(t *testing.T, secure bool, options []option) *env {
	t.Helper()
	e := &env{t: t, db: storetest.New(t), lever: levertest.New(levertest.Config{Opportunities: 5, RatePerSecond: -1}), logs: &logs{}}
	t.Cleanup(e.lever.Close)
	var stop func()
	var err error
	if e.auth, stop, err = levertest.Serve("127.0.0.1:0", e.lever); err != nil {
		t.Fatalf("Serve: %v", err)
	}
	t.Cleanup(stop)
	e.srv = httptest.NewUnstartedServer(nil)
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	e.cfg = connect.Config{
		Store: e.db.Store, PublicURL: scheme + e.srv.Listener.Addr().String(), LeverURL: e.auth + "/v1",
		OAuth: lever.OAuthConfig{AuthURL: e.auth, ClientID: "test-client", ClientSecret: "test-secret", APIBaseURL: e.auth + "/v1"},
		Log:   slog.New(slog.NewJSONHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(&e.cfg)
	}
	h, err := connect.New(e.cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	e.srv.Config.Handler = h
	if secure {
		e.srv.StartTLS()
	} else {
		e.srv.Start()
	}
	t.Cleanup(e.srv.Close)
	return e
}

// logs is what was logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// link makes a connector that waits to be linked, and the path of its link.
func (e *env) link(org string, scopes ...unified.Scope) (store.Connector, string) {
	e.t.Helper()
	lt, err := e.db.Store.CreateLinkToken(e.t.Context(), store.NewLink{OrgName: org, OriginID: "1", Category: "ATS", Integration: "lever", Scopes: scopes})
	if err != nil {
		e.t.Fatalf("CreateLinkToken: %v", err)
	}
	return lt.Connector, "/connect/" + lt.Token
}

// status is the connector's.
func (e *env) status(id uuid.UUID) string {
	e.t.Helper()
	c, err := e.db.Store.Connector(e.t.Context(), id)
	if err != nil {
		e.t.Fatalf("Connector: %v", err)
	}
	return c.Status
}

// browser keeps cookies and follows redirects, as browsers do.
type browser struct {
	e *env
	c *http.Client
}

func (e *env) browser() *browser {
	e.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	c := *e.srv.Client()
	c.Jar = jar
	return &browser{e, &c}
}

// answer is a page that a browser came to.
type answer struct {
	status int
	url    *url.URL
	header http.Header
	body   string
}

func (b *browser) do(req *http.Request) answer {
	b.e.t.Helper()
	resp, err := b.c.Do(req)
	if err != nil {
		b.e.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.e.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return answer{resp.StatusCode, resp.Request.URL, resp.Header, string(body)}
}

// absolute is a path of ours as a URL; a URL stays one.
func (b *browser) absolute(path string) string {
	if strings.HasPrefix(path, "/") {
		return b.e.srv.URL + path
	}
	return path
}

func (b *browser) get(path string) answer {
	b.e.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.absolute(path), nil)
	if err != nil {
		b.e.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(path string, form url.Values) answer {
	b.e.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.absolute(path), strings.NewReader(form.Encode()))
	if err != nil {
		b.e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "/") {
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return b.do(req)
}

// stay makes the browser follow no redirect, for fn.
func (b *browser) stay(fn func()) {
	b.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	fn()
	b.c.CheckRedirect = nil
}

// allow presses "Allow and Continue" and returns Lever's consent page.
func (b *browser) allow(path string) answer {
	b.e.t.Helper()
	a := b.post(path, nil)
	if a.status != http.StatusOK || a.url.Path != "/authorize" {
		b.e.t.Fatalf("POST %s = %d at %s, want Lever's consent page\n%s", path, a.status, a.url.Path, text(a))
	}
	return a
}

// decide presses accept or deny on Lever's consent page, whose parameters may be changed before.
func (b *browser) decide(consent answer, decision string, change map[string]string) answer {
	b.e.t.Helper()
	form := consent.url.Query()
	for k, v := range change {
		form.Set(k, v)
	}
	form.Set("decision", decision)
	return b.post(b.e.auth+"/authorize", form)
}

// decideOnly is decide, up to the URL that Lever sends the browser back to.
func (b *browser) decideOnly(consent answer, decision string) *url.URL {
	b.e.t.Helper()
	var to *url.URL
	b.stay(func() {
		a := b.decide(consent, decision, nil)
		var err error
		if to, err = url.Parse(a.header.Get("Location")); err != nil || to.Path != connect.CallbackPath {
			b.e.t.Fatalf("Lever sends the browser to %q", a.header.Get("Location"))
		}
	})
	return to
}

// want checks the status and that the page holds texts.
func want(t *testing.T, call string, a answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status = %d at %s, want %d\n%s", call, a.status, a.url.Path, status, text(a))
	}
	for _, s := range texts {
		if !strings.Contains(a.body, s) && !strings.Contains(html.UnescapeString(a.body), s) {
			t.Errorf("%s: the page does not hold %q\n%s", call, s, text(a))
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is the beginning of a page, without its markup.
func text(a answer) string {
	s := strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
	return s[:min(len(s), 400)]
}

func decode(t *testing.T, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%q is no JSON: %v", body, err)
	}
}
