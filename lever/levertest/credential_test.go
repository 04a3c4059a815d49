package levertest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{RatePerSecond: 10, APIKeys: []string{"test-key", "other"}})
	passed := func(n int) int {
		ok := 0
		for range n {
			if l.get("/stages").Status == 200 {
				ok++
			}
		}
		return ok
	}
	if got := passed(50); got != 20 {
		t.Errorf("%d of 50 calls at once passed, want the burst of 20", got)
	}
	if a := l.get("/stages"); a.Status != 429 || a.Header.Get("Retry-After") != "" {
		t.Errorf("the next call answers %d with Retry-After %q, want 429 without", a.Status, a.Header.Get("Retry-After"))
	}
	if got := l.Throttled(); got != 31 {
		t.Errorf("Throttled() = %d, want 31", got)
	}
	start := l.clock.now()
	l.clock.add(time.Second)
	if got := passed(50); got != 10 {
		t.Errorf("%d of 50 calls a second later passed, want 10", got)
	}
	l.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("other:"))
	if got := passed(30); got != 20 {
		t.Errorf("%d of 30 calls with another key passed, want 20", got)
	}
	if got := l.MaxInWindow(time.Second); got != 80 {
		t.Errorf("MaxInWindow(1s) = %d, want 80", got)
	}
	if got := l.MaxInWindow(2 * time.Second); got != 131 {
		t.Errorf("MaxInWindow(2s) = %d, want 131", got)
	}
	if got := l.Utilisation(start, start.Add(time.Second)); got != 2 { // the burst
		t.Errorf("Utilisation of the first second is %v, want 2", got)
	}
	l.SetRate(-1)
	if got := passed(500); got != 500 {
		t.Errorf("%d of 500 calls without limit passed", got)
	}
}

func TestRetryAfterOnRequest(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{RatePerSecond: 1, Burst: 1, RetryAfter: true})
	l.get("/stages")
	if a := l.get("/stages"); a.Status != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("a throttled call answers %d with Retry-After %q, want 429 with one", a.Status, a.Header.Get("Retry-After"))
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 200})
	o := l.pick()
	l.Deny("test-key", "offers", "eeo_responses_pii")
	for path, want := range map[string]int{
		"/opportunities/" + o + "/offers": 403, "/eeo/responses/pii": 403, "/opportunities/" + o: 200, "/eeo/responses": 200,
		"/opportunities/" + o + "/files": 200,
	} {
		if a := l.get(path); a.Status != want {
			t.Errorf("GET %s = %d, want %d", path, a.Status, want)
		}
	}
	l.Allow("test-key", "offers")
	if a := l.get("/opportunities/" + o + "/offers"); a.Status != 200 {
		t.Errorf("offers answer %d after Allow, want 200", a.Status)
	}
	l.RevokeKey("test-key")
	if a := l.get("/stages"); a.Status != 401 || a.Code != "UnauthorizedError" {
		t.Errorf("a revoked key answers %d %q, want 401 UnauthorizedError", a.Status, a.Code)
	}
}

func TestConfidentialRecordsAreHidden(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 1, Opportunities: 300, Postings: 20})
	secret := l.pick(levertest.Confidential)
	if a := l.get("/opportunities/" + secret + "/interviews"); a.Status != 403 {
		t.Errorf("a child of a confidential opportunity answers %d, want 403", a.Status)
	}
	open := len(l.rows("/opportunities"))
	l.SetConfidential(true)
	if all := len(l.rows("/opportunities?confidentiality=all")); all <= open || len(l.rows("/opportunities")) != open {
		t.Errorf("%d opportunities with confidentiality=all, want more than the %d others", all, open)
	}
	if a := l.get("/opportunities/" + secret); a.Status != 200 {
		t.Errorf("a confidential opportunity answers %d with the grant, want 200", a.Status)
	}
}

// post sends a form to the authorization server.
func (l *fake) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://lever.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
}

func (l *fake) token(form url.Values) (int, tokens) {
	form.Set("client_id", "test-client")
	form.Set("client_secret", "test-secret")
	w := l.post("/oauth/token", form)
	var v tokens
	_ = json.Unmarshal(w.Body.Bytes(), &v)
	return w.Code, v
}

const verifier = "a-verifier-of-more-than-forty-three-characters-in-all"

func authForm() url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {"test-client"}, "redirect_uri": {"http://localhost/back?x=1"}, "response_type": {"code"}, "state": {"s 1"},
		"scope": {"offline_access opportunities:read:admin offers:write:admin"}, "audience": {"https://api.lever.co/v1/"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

// authorize accepts or denies on the consent page, and returns what the browser is sent back with.
func (l *fake) authorize(decision string) url.Values {
	l.t.Helper()
	form := authForm()
	page := l.call("GET", "/authorize?"+form.Encode(), nil)
	for _, want := range []string{">Accept</button>", ">Deny</button>", "opportunities:read:admin", `method="post"`} {
		if !strings.Contains(string(page.Body), want) {
			l.t.Errorf("the consent page lacks %s", want)
		}
	}
	form.Set("decision", decision)
	w := l.post("/authorize", form)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound || back.Query().Get("state") != "s 1" || back.Query().Get("x") != "1" {
		l.t.Fatalf("consent answers %d to %q, want 302 back with state", w.Code, back)
	}
	return back.Query()
}

func TestOAuth(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 50})
	if q := l.authorize("deny"); q.Get("error") != "access_denied" {
		t.Errorf("denied consent comes back with error %q, want access_denied", q.Get("error"))
	}
	exchange := url.Values{
		"grant_type": {"authorization_code"}, "code": {l.authorize("accept").Get("code")}, "redirect_uri": {"http://localhost/back?x=1"},
		"code_verifier": {verifier},
	}
	status, first := l.token(exchange)
	if status != 200 || first.Refresh == "" || first.Expires != 3600 {
		t.Fatalf("exchange = %d %+v, want tokens for 3600 seconds", status, first)
	}
	if status, v := l.token(exchange); status != 403 || v.Error != "invalid_grant" {
		t.Errorf("the code a second time = %d %q, want 403 invalid_grant", status, v.Error)
	}
	l.auth = "Bearer " + first.Access
	for path, want := range map[string]int{"/opportunities": 200, "/stages": 403, "/opportunities/" + l.pick() + "/offers": 200} {
		if a := l.get(path); a.Status != want {
			t.Errorf("GET %s with a token = %d, want %d", path, a.Status, want)
		}
	}
	l.clock.add(time.Hour)
	if a := l.get("/opportunities"); a.Status != 401 {
		t.Errorf("an expired token answers %d, want 401", a.Status)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}
	status, next := l.token(refresh)
	if status != 200 || next.Refresh == first.Refresh || next.Access == first.Access {
		t.Fatalf("refresh = %d, want a new pair", status)
	}
	if status, v := l.token(refresh); status != 403 || v.Error != "invalid_grant" {
		t.Errorf("the spent refresh token = %d %q, want 403 invalid_grant", status, v.Error)
	}
	l.auth = "Bearer " + next.Access
	if a := l.get("/opportunities"); a.Status != 200 {
		t.Errorf("the new token answers %d, want 200", a.Status)
	}
	l.RevokeGrants()
	if a := l.get("/opportunities"); a.Status != 401 {
		t.Errorf("a revoked token answers %d, want 401", a.Status)
	}
	if status, _ := l.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {next.Refresh}}); status != 403 {
		t.Errorf("a revoked refresh token = %d, want 403", status)
	}
	if got := l.Refreshes(); got != 3 {
		t.Errorf("Refreshes() = %d, want 3", got)
	}
}

func TestOAuthRefusals(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{})
	for name, value := range map[string]string{
		"audience": "https://api.lever.co/v1", "client_id": "other", "response_type": "token", "state": "", "scope": "",
		"redirect_uri": "javascript:alert(1)",
	} {
		form := authForm()
		form.Set(name, value)
		if a := l.call("GET", "/authorize?"+form.Encode(), nil); a.Status != 400 {
			t.Errorf("authorize with %s=%q = %d, want 400", name, value, a.Status)
		}
	}
	wrong := url.Values{
		"grant_type": {"authorization_code"}, "code": {l.authorize("accept").Get("code")}, "redirect_uri": {"http://localhost/back?x=1"},
		"code_verifier": {"wrong"},
	}
	if status, v := l.token(wrong); status != 403 || v.Error != "invalid_grant" {
		t.Errorf("exchange with a wrong verifier = %d %q, want 403 invalid_grant", status, v.Error)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"test-client"}, "client_secret": {"wrong"}}
	if w := l.post("/oauth/token", form); w.Code != 401 {
		t.Errorf("a wrong client secret = %d, want 401", w.Code)
	}
	access, refresh := l.IssueToken("opportunities:read:admin")
	if access == "" || refresh != "" {
		t.Errorf("IssueToken without offline_access gave refresh token %q, want none", refresh)
	}
}
