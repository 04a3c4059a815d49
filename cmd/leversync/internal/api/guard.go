package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/leversync/leversync/store"
)

type contextKey int

const (
	connectorKey contextKey = iota
	requestIDKey
)

// connectorOf is the connector that the request's token names. Routes with Token have one.
func connectorOf(ctx context.Context) *store.Connector {
	c, _ := ctx.Value(connectorKey).(*store.Connector)
	return c
}

// guard lets a request through to a route's handler: its key, the key's scope, the connector's token, the rate.
// It runs before any parameter is looked at.
func (s *server) guard(r Route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		req, w := humago.Unwrap(hc)
		bucket, connector, refusal := s.admit(req, r)
		if limited := s.limit(w, req, bucket); limited != nil {
			refusal = limited
		}
		if refusal == nil {
			refusal = strange(req.URL.RawQuery, hc.Operation().Parameters)
		}
		if refusal != nil {
			writeRefusal(w, refusal)
			return
		}
		if connector != nil {
			hc = huma.WithValue(hc, connectorKey, connector)
		}
		next(hc)
	}
}

// unstorable is what a text is refused with that Postgres cannot hold, nor be asked for.
const unstorable = "Input holds U+0000, or is not UTF-8"

// maxParams bounds how many parameters are looked at, below the number from which on net/url sees none.
const maxParams = 5000

// strange refuses parameters that nothing stored can be equal to, and those that would be passed over in silence, so that
// more is answered than was asked for: net/url leaves out what it can't read, and of several with one name the first alone counts.
func strange(query string, known []*huma.Param) *refusal {
	if query == "" {
		return nil
	}
	if strings.Count(query, "&") >= maxParams {
		return &refusal{status: http.StatusUnprocessableEntity, items: []ValidationErrorItem{{Loc: []any{"query"}, Msg: "expected at most 5000 parameters", Type: "too_long"}}}
	}
	firsts := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, wrong := parameter(pair)
		first, again := firsts[name]
		switch {
		case wrong != "":
		case again && !repeatable(known, name):
			wrong = "Given more than once, where one value is looked at: send it once"
		case again && first == "" && value != "":
			wrong = "The first of its values is empty, so that none would be looked at: leave the empty one out"
		case !again:
			firsts[name] = value
		}
		if wrong != "" {
			return invalid("query", strings.ToValidUTF8(name, "\uFFFD"), "value_error", wrong, nil)
		}
	}
	return nil
}

// parameter reads one of a query, and says what is wrong with it. A name that can't be read stays as it was sent.
func parameter(pair string) (name, value, wrong string) {
	raw, rawValue, _ := strings.Cut(pair, "=")
	name, badName := url.QueryUnescape(raw)
	if badName != nil {
		name = raw
	}
	value, badValue := url.QueryUnescape(rawValue)
	switch {
	case strings.Contains(pair, ";"):
		wrong = "Holds a semicolon: send it as %3B, and part parameters by &"
	case badName != nil, badValue != nil:
		wrong = "Holds a % that begins no escape: send it as %25"
	case !utf8.ValidString(name + value), strings.ContainsRune(name+value, 0):
		wrong = unstorable
	}
	return name, value, wrong
}

// repeatable says whether a parameter may be given more than once.
func repeatable(known []*huma.Param, name string) bool {
	return slices.ContainsFunc(known, func(p *huma.Param) bool { return p.In == "query" && p.Name == name && p.Explode != nil && *p.Explode })
}

// admit says who asks, by the bucket that their rate is counted in, and why they may not.
func (s *server) admit(req *http.Request, r Route) (bucket string, c *store.Connector, no *refusal) {
	bucket = addressBucket(req)
	key, ok := bearer(req)
	if !ok {
		return bucket, nil, refuse(http.StatusUnauthorized, "Not authenticated: send an API key as Authorization: Bearer")
	}
	token := req.Header.Get("x-connector-token")
	authorize := s.cfg.Store.Authorize
	if r.Lately {
		authorize = s.cfg.Store.Recognize
	}
	caller, err := authorize(req.Context(), key, token)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return bucket, nil, refuse(http.StatusUnauthorized, "Invalid API key")
	case err != nil:
		s.cfg.Log.ErrorContext(req.Context(), "request not authorized", "error", err, "request_id", requestID(req.Context()))
		return bucket, nil, unavailable(err)
	}
	bucket = "key:" + caller.KeyID.String()
	if !slices.Contains(caller.KeyScopes, r.Scope) {
		return bucket, nil, refuse(http.StatusForbidden, "This API key lacks the scope "+r.Scope)
	}
	if !r.Token {
		return bucket, nil, nil
	}
	switch {
	case token == "":
		return bucket, nil, invalid("header", "x-connector-token", "missing", "required header parameter is missing", nil)
	case caller.Connector == nil:
		return bucket, nil, errToken
	}
	return "connector:" + caller.Connector.ID.String(), caller.Connector, nil
}

// bearer is the credential of the Authorization header.
func bearer(req *http.Request) (string, bool) {
	scheme, key, ok := strings.Cut(req.Header.Get("Authorization"), " ")
	key = strings.TrimSpace(key)
	return key, ok && strings.EqualFold(scheme, "Bearer") && key != ""
}

// addressBucket counts requests of which nobody knows whose they are: by IPv4 address, and by network of an IPv6 one,
// of which everybody has many.
func addressBucket(req *http.Request) string {
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		host = req.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "address:" + host
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return "address:" + addr.String()
	}
	return "address:" + netip.PrefixFrom(addr, 64).Masked().String()
}

// unavailable is a 503 while Postgres is away, else a 500.
func unavailable(err error) *refusal {
	if store.Away(err) {
		return refuse(http.StatusServiceUnavailable, "The database can't be reached: try again shortly")
	}
	return refuse(http.StatusInternalServerError, "Internal server error")
}

// writeRefusal answers outside of huma's handlers.
func writeRefusal(w http.ResponseWriter, e *refusal) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="leversync"`)
	}
	if e.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	b, err := e.MarshalJSON()
	if err != nil {
		b = []byte(`{"detail":"Internal server error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_, _ = w.Write(append(b, '\n')) // the client has gone away: nothing to do
}
