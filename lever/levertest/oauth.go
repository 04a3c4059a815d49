package levertest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// oauth holds grants, codes and tokens; credentials.mu guards it.
type oauth struct {
	clientID, clientSecret string
	life                   time.Duration
	seed                   uint64
	issued                 int // secrets made so far
	refreshes              int
	grants                 []*grant
	codes                  map[string]*authCode
	access                 map[string]accessToken
	refresh                map[string]*grant
}

// grant is one consent; it outlives its tokens.
type grant struct {
	credential *credential
	scope      string
}

type accessToken struct {
	grant   *grant
	expires time.Time
}

// authCode is an authorization code, good once and for a minute.
type authCode struct {
	redirectURI string
	challenge   string // PKCE, S256; "": none
	scope       string
	expires     time.Time
}

func (o *oauth) init(cfg Config) {
	o.clientID, o.clientSecret, o.life, o.seed = cfg.ClientID, cfg.ClientSecret, cfg.TokenLife, uint64(cfg.Seed)
	o.codes, o.access, o.refresh = map[string]*authCode{}, map[string]accessToken{}, map[string]*grant{}
}

// secret makes a new code or token.
func (o *oauth) secret() string {
	o.issued++
	r := newRNG(o.seed, kindToken, o.issued)
	return fmt.Sprintf("%016x%016x%016x", r.next(), r.next(), r.next())
}

// tokenAnswer is the answer of the token endpoint.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// tokensFor makes the next tokens of a grant. The refresh token before them, if any, is spent.
func (o *oauth) tokensFor(g *grant, now time.Time) tokenAnswer {
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	claims, _ := json.Marshal(map[string]any{"scope": g.scope, "exp": now.Add(o.life).Unix()})
	a := tokenAnswer{
		AccessToken: head + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + o.secret(),
		TokenType:   "Bearer", Scope: g.scope, ExpiresIn: int(o.life / time.Second),
	}
	o.access[a.AccessToken] = accessToken{g, now.Add(o.life)}
	if slices.Contains(strings.Fields(g.scope), "offline_access") {
		a.RefreshToken = o.secret()
		o.refresh[a.RefreshToken] = g
	}
	return a
}

// grantFor makes a grant of a scope; the caller holds the lock of a.
func (a *credentials) grantFor(scope string) *grant {
	scopes := strings.Fields(scope)
	if scopes == nil {
		scopes = []string{}
	}
	g := &grant{credential: a.newCredential(scopes), scope: scope}
	a.oauth.grants = append(a.oauth.grants, g)
	return g
}

// oauthError is an error of the token endpoint: Auth0's form, not Lever's.
type oauthError struct {
	status int
	code   string
	text   string
}

// exchange turns an authorization code into tokens.
func (a *credentials) exchange(code, redirectURI, verifier string, now time.Time) (tokenAnswer, *oauthError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.oauth.codes[code]
	delete(a.oauth.codes, code)
	invalid := &oauthError{403, "invalid_grant", "Invalid authorization code"}
	if c == nil || !now.Before(c.expires) || c.redirectURI != redirectURI {
		return tokenAnswer{}, invalid
	}
	if c.challenge != "" {
		sum := sha256.Sum256([]byte(verifier))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			return tokenAnswer{}, &oauthError{403, "invalid_grant", "Failed to verify code verifier"}
		}
	}
	return a.oauth.tokensFor(a.grantFor(c.scope), now), nil
}

// renew spends a refresh token: it stops working at once, and the answer holds the next one.
func (a *credentials) renew(token string, now time.Time) (tokenAnswer, *oauthError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.oauth.refreshes++
	g := a.oauth.refresh[token]
	if g == nil {
		return tokenAnswer{}, &oauthError{403, "invalid_grant", "Unknown or invalid refresh token."}
	}
	delete(a.oauth.refresh, token)
	return a.oauth.tokensFor(g, now), nil
}

// IssueToken makes a grant without the consent page, and its first tokens. scope is a list with blanks between; refresh is
// "" unless it holds offline_access.
func (s *Server) IssueToken(scope string) (access, refresh string) {
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	t := s.access.oauth.tokensFor(s.access.grantFor(scope), s.now())
	return t.AccessToken, t.RefreshToken
}

// RevokeGrants withdraws every OAuth grant: access tokens answer 401, refresh tokens invalid_grant.
func (s *Server) RevokeGrants() {
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	o := &s.access.oauth
	clear(o.access)
	clear(o.refresh)
	o.grants = nil
}

// ExpireAccessTokens ends the life of all access tokens; refresh tokens stay good.
func (s *Server) ExpireAccessTokens() {
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	clear(s.access.oauth.access)
}

// Refreshes is how many times a refresh was asked for, in vain or not.
func (s *Server) Refreshes() int {
	s.access.mu.RLock()
	defer s.access.mu.RUnlock()
	return s.access.oauth.refreshes
}
