package dashboard_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store/storetest"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.browser()
	want(t, "GET / without a session", b.get("/"), http.StatusOK, "Operator's password")
	want(t, "POST /login with a wrong password", b.post("/login", url.Values{"password": {"wrong"}}), http.StatusForbidden, "That is not the password.")
	want(t, "GET / after a wrong password", b.get("/"), http.StatusOK, "Operator's password")
	a := b.post("/login", url.Values{"password": {password}, "next": {"/sessions"}})
	want(t, "POST /login", a, http.StatusOK, "Browsers that are signed in", "This browser")
	if a.url.Path != "/sessions" {
		t.Errorf("after signing in the browser is at %s, want where it wanted to go: /sessions", a.url.Path)
	}
	want(t, "POST /logout", b.post("/logout", nil), http.StatusOK, "You are signed out.")
	want(t, "GET / after signing out", b.get("/"), http.StatusOK, "Operator's password")
	if log := e.logs.String(); strings.Contains(log, password) {
		t.Errorf("the log holds the password: %s", log)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	one, two, three := e.signedIn(), e.signedIn(), e.signedIn()
	page := one.get("/sessions")
	if n := strings.Count(page.body, "Another browser"); n != 2 {
		t.Errorf("GET /sessions names %d other browsers, want 2", n)
	}
	list, err := e.db.Store.OperatorSessions(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("OperatorSessions = %d, %v; want 3", len(list), err)
	}
	gone := 0
	for _, o := range list {
		if strings.Count(page.body, o.ID.String()) == 1 && gone == 0 && strings.Contains(page.body, "/sessions/"+o.ID.String()+"/end") {
			if strings.Contains(page.body[:strings.Index(page.body, o.ID.String())], "This browser") {
				continue // its own row comes first: end another's
			}
			want(t, "POST /sessions/ID/end", one.post("/sessions/"+o.ID.String()+"/end", nil), http.StatusOK)
			gone++
		}
	}
	want(t, "POST /logout/everywhere", two.post("/logout/everywhere", nil), http.StatusOK, "Operator's password")
	for name, b := range map[string]*browser{"one": one, "two": two, "three": three} {
		want(t, "GET / of "+name+" after signing out everywhere", b.get("/"), http.StatusOK, "Operator's password")
	}
}

func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]string{
		"idle for 8 hours": `UPDATE operator_sessions SET seen_at = now() - interval '8 hours 1 minute'`,
		"7 days old":       `UPDATE operator_sessions SET expires_at = now() - interval '1 second'`,
		"password changed": `DELETE FROM operator_sessions`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			b := e.signedIn()
			want(t, "GET /", b.get("/"), http.StatusOK, "Connectors")
			e.db.Exec(age)
			want(t, "GET / once it is "+name, b.get("/"), http.StatusOK, "Operator's password")
		})
	}
}

// A page that is left open asks for news by itself, and must not keep its session alive for ever.
func TestPollsKeepNoSessionAlive(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *dashboard.Config) {
		c.Monitor = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "asynqmon") })
	})
	b := e.signedIn()
	e.db.Exec(`UPDATE operator_sessions SET seen_at = now() - interval '7 hours'`)
	poll := b.request(http.MethodGet, "/", nil)
	poll.Header.Set("X-Leversync-Poll", "1")
	want(t, "a poll", b.do(poll), http.StatusOK, "Connectors")
	idle := func() bool {
		return storetest.Value[bool](e.db, `SELECT seen_at < now() - interval '6 hours' FROM operator_sessions`)
	}
	if !idle() {
		t.Error("a poll counts as a use of the session")
	}
	want(t, "a poll of asynqmon's", b.get(dashboard.MonitorPath+"/api/queues"), http.StatusOK, "asynqmon")
	if !idle() {
		t.Error("a poll of asynqmon's counts as a use of the session")
	}
	for _, page := range []string{"/", dashboard.MonitorPath + "/"} {
		e.db.Exec(`UPDATE operator_sessions SET seen_at = now() - interval '7 hours'`)
		b.get(page)
		if idle() {
			t.Errorf("%s, which a person opens, does not count as a use of the session", page)
		}
	}
	e.db.Exec(`DELETE FROM operator_sessions`)
	poll = b.request(http.MethodGet, "/", nil)
	poll.Header.Set("X-Leversync-Poll", "1")
	if a := b.do(poll); a.status != http.StatusUnauthorized {
		t.Errorf("a poll without a session: %d, want 401: the script loads the page anew", a.status)
	}
}

func TestPasswordsAreNotGuessed(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	b := e.browser()
	refused := 0
	for i := range 12 {
		a := b.post("/login", url.Values{"password": {fmt.Sprint("guess ", i)}})
		switch a.status {
		case http.StatusTooManyRequests:
			if refused++; a.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		case http.StatusForbidden:
		default:
			t.Errorf("guess %d: %d, want 403 or 429", i, a.status)
		}
	}
	if refused < 3 {
		t.Errorf("of 12 guesses in a row %d were refused unseen, want 3 and more", refused)
	}
	if a := b.post("/login", url.Values{"password": {password}}); a.status != http.StatusTooManyRequests {
		t.Errorf("the password itself, after too many guesses: %d, want 429: else the limit would say nothing", a.status)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, next := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "/\nfoo", "evil"} {
		b := e.browser().stay()
		a := b.post("/login", url.Values{"password": {password}, "next": {next}})
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != "/" {
			t.Errorf("POST /login with next=%q: %d to %q, want 303 to /", next, a.status, got)
		}
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*env{"http": newEnv(t), "https": newTLSEnv(t)} {
		a := e.browser().stay().post("/login", url.Values{"password": {password}})
		cookie := a.header.Get("Set-Cookie")
		wanted := []string{"HttpOnly", "SameSite=Lax", "Path=/"}
		if name == "https" {
			wanted = append(wanted, "Secure", "__Host-leversync-operator=")
		}
		for _, w := range wanted {
			if !strings.Contains(cookie, w) {
				t.Errorf("over %s the cookie %q lacks %q", name, cookie, w)
			}
		}
		if hsts := a.header.Get("Strict-Transport-Security"); (hsts != "") != (name == "https") {
			t.Errorf("over %s Strict-Transport-Security = %q", name, hsts)
		}
		secret, _, _ := strings.Cut(cookie[strings.Index(cookie, "=")+1:], ";")
		if n := storetest.Value[int](e.db, `SELECT count(*) FROM operator_sessions WHERE position($1::bytea in secret_hash) > 0`, []byte(secret)); n != 0 {
			t.Error("the session's secret is in the database")
		}
	}
}

func TestEnsurePassword(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	made, err := dashboard.EnsurePassword(ctx, db.Store, "")
	if err != nil || len(made) < 24 {
		t.Fatalf("EnsurePassword at the first start = %q, %v; want a password of 24 characters and more", made, err)
	}
	if again, err := dashboard.EnsurePassword(ctx, db.Store, ""); err != nil || again != "" {
		t.Errorf("EnsurePassword at the second start = %q, %v; want none: it is shown once", again, err)
	}
	hash, err := db.Store.OperatorPassword(ctx)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, made) {
		t.Errorf("OperatorPassword = %q, %v; want an argon2id hash", hash, err)
	}
	if _, err := db.Store.OpenOperatorSession(ctx, hash, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := dashboard.EnsurePassword(ctx, db.Store, made); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Value[int](db, `SELECT count(*) FROM operator_sessions`); n != 1 {
		t.Errorf("the same password, given: %d sessions, want 1: nothing has changed", n)
	}
	if _, err := dashboard.EnsurePassword(ctx, db.Store, "another password"); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Value[int](db, `SELECT count(*) FROM operator_sessions`); n != 0 {
		t.Errorf("another password, given: %d sessions, want 0", n)
	}
	if _, err := db.Store.OpenOperatorSession(ctx, hash, "test"); err == nil {
		t.Error("a session was opened by a password that has been replaced")
	}
}
