package lever

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultAuthURL is where Lever's production accounts authorize.
const DefaultAuthURL = "https://auth.lever.co"

const (
	tokenTimeout  = 20 * time.Second
	maxTokenBody  = 1 << 20
	tokenTemplate = "/oauth/token"
)

// OAuthConfig is an app registered with Lever. Safe for concurrent use.
type OAuthConfig struct {
	AuthURL      string // default DefaultAuthURL; /authorize and /oauth/token are under it
	ClientID     string
	ClientSecret Secret
	APIBaseURL   string            // default DefaultBaseURL; the audience is this with a slash at its end
	RedirectURL  string            // exactly as registered
	Transport    http.RoundTripper // nil: as Config's
}

// Token is a pair of tokens. The access token lives an hour; a refresh changes both.
type Token struct {
	Access    Secret
	Refresh   Secret // "": without offline_access there is none
	ExpiresAt time.Time
	Scope     string // space separated, as granted
	Found     bool   // of TokenSource.Renew: somebody else had got it, at whatever time
}

// OAuthError is a refusal of the token endpoint, as RFC 6749 has it.
type OAuthError struct {
	Code   string // invalid_grant, invalid_client, …; "" where it is not told
	Status int
}

func (e *OAuthError) Error() string {
	return "lever: token endpoint refused with status " + strconv.Itoa(e.Status) + inParens(e.Code)
}

// InvalidGrant says that the code or the refresh token is used up, expired or revoked.
func (e *OAuthError) InvalidGrant() bool { return e.Code == "invalid_grant" }

// Is makes an invalid grant an ErrUnauthorized.
func (e *OAuthError) Is(target error) bool { return target == ErrUnauthorized && e.InvalidGrant() }

// AuthorizeURL is the page that asks the customer's administrator for a grant. codeChallenge is PKCE's,
// of the method S256; "" leaves it out. prompt is left out on purpose: it breaks some sign-ins.
func (c OAuthConfig) AuthorizeURL(state string, scopes []string, codeChallenge string) string {
	q := url.Values{
		"client_id":     {c.ClientID},
		"redirect_uri":  {c.RedirectURL},
		"response_type": {"code"},
		"state":         {state},
		"scope":         {strings.Join(scopes, " ")},
		"audience":      {c.audience()},
	}
	if codeChallenge != "" {
		q.Set("code_challenge", codeChallenge)
		q.Set("code_challenge_method", "S256")
	}
	return c.authURL() + "/authorize?" + q.Encode()
}

// Exchange turns the code of a granted authorization into tokens.
func (c OAuthConfig) Exchange(ctx context.Context, code, codeVerifier string) (Token, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURL}}
	if codeVerifier != "" {
		form.Set("code_verifier", codeVerifier)
	}
	return c.token(ctx, form)
}

// Refresh turns a refresh token into new tokens; the old refresh token must then be taken for used up.
// Errors: *OAuthError (InvalidGrant: the connector must be linked again), and those of any call.
func (c OAuthConfig) Refresh(ctx context.Context, refreshToken string) (Token, error) {
	t, err := c.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	if err == nil && t.Refresh == "" {
		t.Refresh = Secret(refreshToken) // not rotated
	}
	return t, err
}

func (c OAuthConfig) token(ctx context.Context, form url.Values) (Token, error) {
	form.Set("client_id", c.ClientID)
	form.Set("client_secret", string(c.ClientSecret))
	if err := checkBaseURL(c.authURL()); err != nil {
		return Token{}, fmt.Errorf("lever: OAuth URL: %w", err)
	}
	callCtx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(callCtx, http.MethodPost, c.authURL()+tokenTemplate, strings.NewReader(form.Encode()))
	if err != nil {
		return Token{}, fmt.Errorf("lever: %s: request: %w", tokenTemplate, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	sent := time.Now()
	resp, err := httpClient(c.Transport).Do(req)
	if err != nil {
		return Token{}, transportError(ctx, tokenTemplate, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenBody+1))
	if err != nil {
		return Token{}, transportError(ctx, tokenTemplate, err)
	}
	if len(body) > maxTokenBody {
		return Token{}, &BodyTooLargeError{Path: tokenTemplate, Limit: maxTokenBody}
	}
	if err := tokenStatus(resp, body); err != nil {
		return Token{}, err
	}
	return decodeToken(body, sent)
}

// tokenStatus is the error of an answer that is not 200. Here a 401 or 403 is about the app, not about
// the connector, unless it says invalid_grant.
func tokenStatus(resp *http.Response, body []byte) error {
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return nil
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s >= 500, s < 400:
		if err := statusError(tokenTemplate, resp, body, time.Now()); err != nil {
			return err
		}
		return &MalformedError{Path: tokenTemplate, Reason: "status " + strconv.Itoa(s)}
	}
	var e struct {
		Error Scalar `json:"error"`
	}
	_ = decodeJSON(bytes.TrimSpace(body), &e) // what is no JSON has no code
	return &OAuthError{Code: scrubCode(string(e.Error)), Status: resp.StatusCode}
}

func decodeToken(body []byte, sent time.Time) (Token, error) {
	var t struct {
		Access    string `json:"access_token"`
		Refresh   string `json:"refresh_token"`
		ExpiresIn Scalar `json:"expires_in"` // seconds
		Scope     string `json:"scope"`
	}
	if err := decodeJSON(body, &t); err != nil {
		return Token{}, &MalformedError{Path: tokenTemplate, Reason: "invalid JSON"}
	}
	if t.Access == "" {
		return Token{}, &MalformedError{Path: tokenTemplate, Reason: "no access token"}
	}
	seconds, err := strconv.ParseFloat(string(t.ExpiresIn), 64)
	if err != nil || !(seconds > 0 && seconds < 1e9) {
		seconds = time.Hour.Seconds()
	}
	return Token{
		Access:    Secret(t.Access),
		Refresh:   Secret(t.Refresh),
		ExpiresAt: sent.UTC().Add(time.Duration(seconds * float64(time.Second))).Truncate(time.Millisecond),
		Scope:     t.Scope,
	}, nil
}

func (c OAuthConfig) authURL() string {
	if c.AuthURL == "" {
		return DefaultAuthURL
	}
	return strings.TrimRight(c.AuthURL, "/")
}

func (c OAuthConfig) audience() string {
	base := c.APIBaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	return strings.TrimRight(base, "/") + "/"
}
