package lever

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	c := OAuthConfig{ClientID: "id", RedirectURL: "https://us.example/cb?x=1", APIBaseURL: "https://api.sandbox.lever.co/v1"}
	u, err := url.Parse(c.AuthorizeURL("s t", []string{"offline_access", "tags:read:admin"}, "chal"))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"client_id": {"id"}, "redirect_uri": {"https://us.example/cb?x=1"}, "response_type": {"code"}, "state": {"s t"},
		"scope": {"offline_access tags:read:admin"}, "audience": {"https://api.sandbox.lever.co/v1/"},
		"code_challenge": {"chal"}, "code_challenge_method": {"S256"},
	}
	if u.Host != "auth.lever.co" || u.Path != "/authorize" || u.Query().Encode() != want.Encode() {
		t.Errorf("got %s, want %s", u, want.Encode())
	}
	if plain := (OAuthConfig{}).AuthorizeURL("s", nil, ""); strings.Contains(plain, "prompt") || strings.Contains(plain, "challenge") || !strings.Contains(plain, url.QueryEscape("https://api.lever.co/v1/")) {
		t.Errorf("without PKCE: got %s, want no challenge, no prompt and production's audience", plain)
	}
}

// tokenServer serves the token endpoint, and gives the last form.
func tokenServer(t *testing.T, h http.HandlerFunc) (OAuthConfig, func() url.Values) {
	t.Helper()
	var mu sync.Mutex
	var form url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_ = req.ParseForm()
		form = req.PostForm
		if req.URL.Path != "/oauth/token" || req.Method != http.MethodPost {
			t.Errorf("got %s %s, want POST /oauth/token", req.Method, req.URL)
		}
		h(w, req)
	}))
	t.Cleanup(srv.Close)
	tr := NewTransport()
	t.Cleanup(tr.CloseIdleConnections)
	return OAuthConfig{AuthURL: srv.URL + "/", ClientID: "id", ClientSecret: "hush", RedirectURL: "https://us.example/cb", Transport: tr},
		func() url.Values { mu.Lock(); defer mu.Unlock(); return form }
}

func TestTokens(t *testing.T) {
	t.Parallel()
	c, form := tokenServer(t, answer(200, `{"access_token":"A1","refresh_token":"R1","token_type":"Bearer","scope":"x y","expires_in":3600}`))
	tok, err := c.Exchange(t.Context(), "code1", "verifier1")
	if left := time.Until(tok.ExpiresAt); err != nil || tok.Access != "A1" || tok.Refresh != "R1" || tok.Scope != "x y" || left < 59*time.Minute || left > time.Hour {
		t.Errorf("Exchange: got %v, %v expiring in %v, want the pair for an hour", err, tok.Access == "A1", left)
	}
	if want := "client_id=id&client_secret=hush&code=code1&code_verifier=verifier1&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fus.example%2Fcb"; form().Encode() != want {
		t.Errorf("Exchange sent %s, want %s", form().Encode(), want)
	}
	if _, err := c.Refresh(t.Context(), "R0"); err != nil || form().Encode() != "client_id=id&client_secret=hush&grant_type=refresh_token&refresh_token=R0" {
		t.Errorf("Refresh sent %s, got %v", form().Encode(), err)
	}
	c, _ = tokenServer(t, answer(200, `{"access_token":"A1","expires_in":"junk"}`))
	if tok, err := c.Refresh(t.Context(), "R0"); err != nil || tok.Refresh != "R0" || time.Until(tok.ExpiresAt) < 59*time.Minute {
		t.Errorf("Refresh without rotation: got %v, want the old refresh token and an hour", err)
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status  int
		body    string
		verdict Verdict
		code    string
	}{
		{400, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token for ada@example.com"}`, VerdictRelink, "invalid_grant"},
		{403, `{"error":"invalid_grant"}`, VerdictRelink, "invalid_grant"},
		{401, `{"error":"invalid_client"}`, VerdictFatal, "invalid_client"},
		{403, `<html>`, VerdictFatal, ""},
		{429, `{}`, VerdictThrottled, ""},
		{500, `oops`, VerdictTransient, ""},
		{200, `<html>`, VerdictMalformed, ""},
		{200, `{"refresh_token":"R1"}`, VerdictMalformed, ""},
		{204, ``, VerdictMalformed, ""},
		{302, ``, VerdictFatal, ""},
	} {
		c, _ := tokenServer(t, answer(tc.status, tc.body))
		_, err := c.Refresh(t.Context(), "R0-secret")
		var refused *OAuthError
		if errors.As(err, &refused); Classify(err) != tc.verdict || refused != nil && (refused.Code != tc.code || refused.InvalidGrant() != (tc.verdict == VerdictRelink)) {
			t.Errorf("%d %s: got %v (%v), want %v with code %q", tc.status, tc.body, err, Classify(err), tc.verdict, tc.code)
		}
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "@") {
			t.Errorf("%d %s: got error %v, want one without secrets", tc.status, tc.body, err)
		}
	}
}

// vault is a TokenSource of one token, with what a renewal does.
type vault struct {
	mu    sync.Mutex
	token Token
	renew func(rejected string) (Token, error)
	asked []string
}

func (v *vault) Token(context.Context) (Token, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.token, nil
}

func (v *vault) Renew(_ context.Context, rejected string) (Token, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, rejected)
	t, err := v.renew(rejected)
	if err == nil {
		v.token = t
	}
	return t, err
}

func TestOneRefreshPer401(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		renew   func(string) (Token, error)
		calls   int
		verdict Verdict
	}{
		{"a new token", func(string) (Token, error) { return Token{Access: "new"}, nil }, 2, VerdictOK},
		{"a token that is refused too", func(string) (Token, error) { return Token{Access: "bad"}, nil }, 2, VerdictRelink},
		{"a token found, and ended", func(r string) (Token, error) {
			if r == "old" {
				return Token{Access: "bad", Found: true}, nil
			}
			return Token{Access: "new"}, nil
		}, 3, VerdictOK},
		{"found tokens without end", func(r string) (Token, error) { return Token{Access: Secret(r + "x"), Found: true}, nil }, 1 + maxRenewals, VerdictRelink},
		{"the same token again", func(r string) (Token, error) { return Token{Access: Secret(r)}, nil }, 1, VerdictRelink},
		{"a revoked grant", func(string) (Token, error) { return Token{}, &OAuthError{Code: "invalid_grant", Status: 400} }, 1, VerdictRelink},
		{"a wrong app", func(string) (Token, error) { return Token{}, &OAuthError{Code: "invalid_client", Status: 401} }, 1, VerdictFatal},
		{"a token endpoint that is down", func(string) (Token, error) { return Token{}, &ServerError{Status: 503} }, 1, VerdictTransient},
		{"a database that is away", func(string) (Token, error) { return Token{}, fmt.Errorf("store: no connection") }, 1, VerdictTransient},
	} {
		v := &vault{token: Token{Access: "old"}, renew: tc.renew}
		r := newRig(t, Config{Auth: OAuth(v)}, func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Authorization") != "Bearer new" {
				answer(401, `{"code":"UnauthorizedError"}`)(w, req)
				return
			}
			answer(200, `{"data":[]}`)(w, req)
		})
		_, _, err := gather(r.Tags(t.Context(), ""))
		if Classify(err) != tc.verdict || len(r.reported()) != tc.calls || len(v.asked) != max(1, tc.calls-1) || v.asked[0] != "old" {
			t.Errorf("%s: got %v (%v) after %d calls, renewals of %q; want %v after %d, the first of old", tc.name, err, Classify(err), len(r.reported()), v.asked, tc.verdict, tc.calls)
		}
	}
	r := newRig(t, Config{}, answer(401, ""))
	if _, _, err := gather(r.Tags(t.Context(), "")); !errors.Is(err, ErrUnauthorized) || len(r.reported()) != 1 {
		t.Errorf("a wrong key: got %v after %d calls, want ErrUnauthorized after one", err, len(r.reported()))
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	c := OAuthConfig{ClientSecret: "hush"}
	tok := Token{Access: "hush", Refresh: "hush"}
	key := APIKey("hush")
	log.Info("x", "secret", Secret("hush"), "token", tok, "config", c.ClientSecret, "key", key)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %v %+v %#v %v %#v %+v", tok, tok, tok, c.ClientSecret, Secret("hush"), c, c, c, key, key, Config{Auth: key})
	if j, err := json.Marshal([]any{tok, key, &key}); err != nil {
		t.Error(err)
	} else {
		b.Write(j)
	}
	if strings.Contains(b.String(), "hush") || !strings.Contains(b.String(), redacted) {
		t.Errorf("got %s, want no secret shown", b.String())
	}
}
