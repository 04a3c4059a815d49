package lever

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The defaults of Config.
const (
	DefaultBaseURL   = "https://api.lever.co/v1"
	DefaultTimeout   = 30 * time.Second
	DefaultMaxBody   = 64 << 20
	DefaultUserAgent = "leversync (+https://github.com/leversync/leversync)"
)

// Config is what a Client is made of. Only Auth is needed.
type Config struct {
	BaseURL   string                      // default DefaultBaseURL; https, or http to this machine
	Auth      Authorizer                  // the connector's credential
	Transport http.RoundTripper           // nil: one tuned for Lever, shared by all clients
	Limiter   Limiter                     // nil: no limit
	Breaker   *Breaker                    // nil: none
	OnCall    func(context.Context, Call) // told of every call sent, with the context of the method; may be nil, must not block
	Timeout   time.Duration               // of a whole call, the body included, without the wait for the budget; 0: 30 s
	MaxBody   int64                       // bytes of a decoded body; 0: 64 MiB
	UserAgent string                      // default DefaultUserAgent
}

// Client calls Lever for one connector. It never retries a call, but for one after a 401 that a fresh
// token may cure. Safe for concurrent use.
//
// The errors of its methods are those of Classify. A call that breaker or limiter refuse is not sent.
type Client struct {
	base      *url.URL
	auth      Authorizer
	http      *http.Client
	limiter   Limiter
	breaker   *Breaker
	onCall    func(context.Context, Call)
	timeout   time.Duration
	maxBody   int64
	userAgent string
}

// New makes a client. It errs when the settings are bad; it calls nobody.
func New(cfg Config) (*Client, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = DefaultUserAgent
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Auth == nil {
		return nil, errors.New("lever: no credential")
	}
	if err := checkBaseURL(cfg.BaseURL); err != nil {
		return nil, fmt.Errorf("lever: API URL: %w", err)
	}
	base, err := url.Parse(strings.TrimRight(cfg.BaseURL, "/"))
	if err != nil {
		return nil, errors.New("lever: API URL: cannot be parsed")
	}
	return &Client{
		base:      base,
		auth:      cfg.Auth,
		http:      httpClient(cfg.Transport),
		limiter:   cfg.Limiter,
		breaker:   cfg.Breaker,
		onCall:    cfg.OnCall,
		timeout:   cfg.Timeout,
		maxBody:   cfg.MaxBody,
		userAgent: cfg.UserAgent,
	}, nil
}

// endpoint is a path of the API and the template that stands for it in logs and errors.
type endpoint struct {
	template string // /opportunities/:id/offers
	path     string // escaped, with a slash at its start
	err      error  // an id that cannot be one
}

// at fills ids into a template, in the place of its segments that start with a colon.
func at(template string, ids ...string) endpoint {
	var path strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if strings.HasPrefix(segment, ":") && len(ids) > 0 {
			if segment = ids[0]; segment == "" || segment == "." || segment == ".." {
				return endpoint{template: template, err: fmt.Errorf("lever: %s: empty or invalid id", template)}
			}
			segment, ids = url.PathEscape(segment), ids[1:]
		}
		path.WriteString("/" + segment)
	}
	return endpoint{template: template, path: path.String()}
}

// harmlessParams are the query parameters whose values may be logged: none of them names a person.
var harmlessParams = map[string]bool{
	"limit": true, "expand": true, "include": true, "archived": true, "snoozed": true, "confidentiality": true,
	"state": true, "distributionChannel": true, "includeDeactivated": true, "type": true, "posting_id": true,
	"stage_id": true, "created_at_start": true, "created_at_end": true, "updated_at_start": true,
	"updated_at_end": true, "deleted_at_start": true, "deleted_at_end": true, "status": true,
	"perform_as_posting_owner": true,
}

// redactQuery is q, encoded and sorted, with the values hidden that may be personal.
func redactQuery(q url.Values) string {
	var s strings.Builder
	for _, k := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[k] {
			if s.Len() > 0 {
				s.WriteByte('&')
			}
			s.WriteString(url.QueryEscape(k) + "=")
			if harmlessParams[k] {
				s.WriteString(url.QueryEscape(v))
			} else {
				s.WriteString(redacted)
			}
		}
	}
	return s.String()
}
