package levertest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// credential is an API key, or an OAuth grant, which keeps its bucket when its tokens change.
type credential struct {
	bucket
	scopes []string // of an OAuth grant; nil: all
	all    *credentials

	denyMu sync.RWMutex
	denied map[string]bool // resources
}

type credentialKey struct{}

// confidential tells whether the caller of ctx may read confidential records.
func confidential(ctx context.Context) bool {
	c, ok := ctx.Value(credentialKey{}).(*credential)
	return ok && c.all.confidential.Load() && (c.scopes == nil || slices.Contains(c.scopes, "confidential:access:admin"))
}

// may tells whether the credential is allowed to use an endpoint.
func (c *credential) may(method, template string) bool {
	resource := resourceOf(template)
	c.denyMu.RLock()
	defer c.denyMu.RUnlock()
	if c.denied[resource] || c.all.isDenied(resource) {
		return false
	}
	if c.scopes == nil {
		return true
	}
	if slices.Contains(c.scopes, resource+":write:admin") {
		return true
	}
	return method == http.MethodGet && slices.Contains(c.scopes, resource+":read:admin")
}

// resourceOf names what an endpoint gives access to, as OAuth scopes call it: /opportunities/:id/offers → offers.
func resourceOf(template string) string {
	parts := strings.Split(strings.TrimPrefix(template, "/"), "/")
	switch {
	case template == "/eeo/responses/pii":
		return "eeo_responses_pii"
	case parts[0] == "eeo":
		return "eeo_responses"
	case parts[0] == "contacts":
		return "contact"
	case parts[0] == "disposition_stages":
		return "stages"
	case parts[0] != "opportunities" || len(parts) < 3:
		return parts[0]
	}
	switch parts[2] {
	case "applications", "interviews", "panels", "feedback", "offers", "resumes", "files", "notes", "referrals":
		return parts[2]
	}
	return "opportunities"
}

// credentials are all credentials of the account.
type credentials struct {
	confidential atomic.Bool

	mu        sync.RWMutex
	perSecond float64
	burst     float64
	keys      map[string]*credential
	denied    map[string]bool // for all
	oauth     oauth
}

func (a *credentials) init(cfg Config) {
	a.perSecond, a.burst = cfg.RatePerSecond, float64(cfg.Burst)
	a.confidential.Store(cfg.Confidential)
	a.keys, a.denied = map[string]*credential{}, map[string]bool{}
	for _, k := range cfg.APIKeys {
		a.keys[k] = a.newCredential(nil)
	}
	a.oauth.init(cfg)
}

func (a *credentials) newCredential(scopes []string) *credential {
	return &credential{bucket: bucket{rate: a.perSecond, burst: a.burst}, scopes: scopes, all: a, denied: map[string]bool{}}
}

// identify finds the credential of a call: Basic with the key as user and no password, or a bearer token.
func (a *credentials) identify(r *http.Request, now time.Time) (*credential, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if key, password, ok := r.BasicAuth(); ok {
		c := a.keys[key]
		return c, c != nil && password == ""
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, false
	}
	t, ok := a.oauth.access[token]
	if !ok || !now.Before(t.expires) {
		return nil, false
	}
	return t.grant.credential, true
}

func (a *credentials) isDenied(resource string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.denied[resource]
}

func (a *credentials) rate() float64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.perSecond
}

// Deny takes resources (offers, feedback, eeo_responses_pii, …) away from an API key, or from all credentials when
// key is ""; their endpoints then answer 403.
func (s *Server) Deny(key string, resources ...string) { s.access.setDenied(key, resources, true) }

// Allow undoes Deny.
func (s *Server) Allow(key string, resources ...string) { s.access.setDenied(key, resources, false) }

func (a *credentials) setDenied(key string, resources []string, denied bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	set := a.denied
	if key != "" {
		c := a.keys[key]
		if c == nil {
			return
		}
		c.denyMu.Lock()
		defer c.denyMu.Unlock()
		set = c.denied
	}
	for _, r := range resources {
		if denied {
			set[r] = true
		} else {
			delete(set, r)
		}
	}
}

// RevokeKey makes an API key invalid; AddKey makes one valid.
func (s *Server) RevokeKey(key string) {
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	delete(s.access.keys, key)
}

// AddKey makes an API key valid.
func (s *Server) AddKey(key string) {
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	if s.access.keys[key] == nil {
		s.access.keys[key] = s.access.newCredential(nil)
	}
}

// SetRate changes the calls a second of every credential; below 0 is no limit.
func (s *Server) SetRate(perSecond float64) {
	a := &s.access
	a.mu.Lock()
	defer a.mu.Unlock()
	a.perSecond = perSecond
	for _, c := range a.keys {
		c.set(perSecond)
	}
	for _, g := range a.oauth.grants {
		g.credential.set(perSecond)
	}
}

// SetConfidential gives the confidential grant to all credentials, or takes it away.
func (s *Server) SetConfidential(granted bool) { s.access.confidential.Store(granted) }
