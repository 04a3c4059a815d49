package dashboard_test

import (
	"bytes"
	"context"
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
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// password is the operator's.
const password = "correct horse battery staple"

// env is the dashboard over a database.
type env struct {
	t    testing.TB
	db   *storetest.DB
	srv  *httptest.Server
	logs *logs

	mu      sync.Mutex
	synced  []asked
	retried []tried
	stored  int // what a retry says could be stored
}

// tried are records of the quarantine that the dashboard tried again.
type tried struct {
	keys   string
	anyway bool
}

// asked is a sync that the dashboard asked for.
type asked struct {
	connector uuid.UUID
	scopes    []unified.Scope
	full      bool
}

type option func(*dashboard.Config)

// newEnv serves the pages over http, newTLSEnv over https.
func newEnv(t *testing.T, options ...option) *env { t.Helper(); return start(t, false, options) }

func newTLSEnv(t *testing.T, options ...option) *env { t.Helper(); return start(t, true, options) }

func start(t testing.TB, secure bool, options []option) *env {
	t.Helper()
	e := &env{t: t, db: storetest.New(t), logs: &logs{}}
	e.srv = httptest.NewUnstartedServer(nil)
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	cfg := dashboard.Config{
		Store: e.db.Store, PublicURL: scheme + e.srv.Listener.Addr().String(), SyncInterval: time.Hour, RateLimit: 10, Version: "1.2.3",
		Log: slog.New(slog.NewJSONHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Sync: func(_ context.Context, c store.Connector, scopes []unified.Scope, full bool) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.synced = append(e.synced, asked{c.ID, scopes, full})
			return nil
		},
		Retry: func(_ context.Context, _ store.Connector, records []store.QuarantinedRecord, anyway bool) (int, error) {
			e.mu.Lock()
			defer e.mu.Unlock()
			var keys []string
			for _, r := range records {
				keys = append(keys, r.Key)
			}
			e.retried = append(e.retried, tried{strings.Join(keys, ","), anyway})
			return e.stored, nil
		},
		Depth: func() (map[string]map[string]int, error) {
			return map[string]map[string]int{"sync": {"pending": 3, "active": 1}, "backfill": {"archived": 2}}, nil
		},
	}
	for _, o := range options {
		o(&cfg)
	}
	h, err := dashboard.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := e.db.Store.SetOperatorPassword(t.Context(), dashboard.HashPassword(password)); err != nil {
		t.Fatalf("SetOperatorPassword: %v", err)
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

// connector makes one that is linked, with all scopes on.
func (e *env) connector(org string) store.Connector {
	e.t.Helper()
	c, _, err := e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{OrgName: org, OriginID: "origin-" + org, APIKey: "key", Scopes: unified.Scopes})
	if err != nil {
		e.t.Fatalf("CreateConnector: %v", err)
	}
	return c
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

// signedIn is a browser that has signed in.
func (e *env) signedIn() *browser {
	e.t.Helper()
	b := e.browser()
	if a := b.post("/login", url.Values{"password": {password}}); a.status != http.StatusOK || a.url.Path != "/" {
		e.t.Fatalf("POST /login = %d at %s, want the connectors\n%s", a.status, a.url.Path, text(a))
	}
	return b
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
	return answer{resp.StatusCode, resp.Request.URL, resp.Header, strings.ReplaceAll(string(body), "<wbr>", "")}
}

func (b *browser) request(method, path string, form url.Values) *http.Request {
	b.e.t.Helper()
	var body io.Reader
	if method != http.MethodGet {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.e.t.Context(), method, b.e.srv.URL+path, body)
	if err != nil {
		b.e.t.Fatal(err)
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return req
}

func (b *browser) get(path string) answer {
	b.e.t.Helper()
	return b.do(b.request(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) answer {
	b.e.t.Helper()
	return b.do(b.request(http.MethodPost, path, form))
}

// stay makes the browser follow no redirect.
func (b *browser) stay() *browser {
	c := *b.c
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{b.e, &c}
}

// want checks the status and that the page holds texts.
func want(t *testing.T, call string, a answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status = %d at %s, want %d\n%s", call, a.status, a.url.Path, status, text(a))
	}
	plain := text(a)
	for _, s := range texts {
		if !strings.Contains(a.body, s) && !strings.Contains(html.UnescapeString(a.body), s) && !strings.Contains(plain, s) {
			t.Errorf("%s: the page does not hold %q\n%s", call, s, plain)
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is a page without its markup.
func text(a answer) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(a.body, " "))), " ")
}
