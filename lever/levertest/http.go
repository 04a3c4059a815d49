package levertest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ServeHTTP serves the API under /v1, OAuth under /authorize and /oauth/token, the controls under /_control.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.mux.ServeHTTP(w, r)
		return
	}
	_, pattern := s.mux.Handler(r)
	c := &call{server: s, ResponseWriter: w, template: templateOf(pattern), at: s.now()}
	defer s.counters.add(c)
	s.serveCall(c, r)
}

// serveCall answers a call to the API: credential, bucket, delay, faults, permission, and the endpoint.
func (s *Server) serveCall(c *call, r *http.Request) {
	who, ok := s.access.identify(r, c.at)
	if !ok {
		s.fail(c, &apiError{http.StatusUnauthorized, "UnauthorizedError", "The credential is not valid"})
		return
	}
	if wait, ok := who.take(c.at); !ok {
		c.throttled = true
		if s.cfg.RetryAfter {
			c.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		}
		s.fail(c, &apiError{http.StatusTooManyRequests, "TooManyRequestsError", "Too many requests"})
		return
	}
	if !pause(r.Context(), time.Duration(s.latency.Load())) {
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), credentialKey{}, who))
	s.faults.wrap(s, c, r, func(w http.ResponseWriter) {
		if !who.may(r.Method, c.template) {
			s.fail(w, forbidden("The credential has no permission for this endpoint"))
			return
		}
		if c.template == "" {
			s.fail(w, notFound("The path"))
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// SetLatency changes the delay of every API call.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// call is a call to the API in the making.
type call struct {
	http.ResponseWriter
	server    *Server
	template  string // /opportunities/:id/offers
	at        time.Time
	status    int
	throttled bool
}

func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

var templates sync.Map // pattern → template

// templateOf turns a pattern of the mux into a template: "GET /v1/a/{id}" → "/a/:id".
func templateOf(pattern string) string {
	if t, ok := templates.Load(pattern); ok {
		return t.(string)
	}
	_, path, _ := strings.Cut(pattern, "/v1")
	t := strings.NewReplacer("{", ":", "}", "").Replace(path)
	templates.Store(pattern, t)
	return t
}

// answer writes v as JSON.
func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	b, err := marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.answerBytes(w, status, b)
}

func (s *Server) answerBytes(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// answerOne writes the envelope of a single object.
func (s *Server) answerOne(w http.ResponseWriter, status int, v any) {
	s.answer(w, status, map[string]any{"data": v})
}

// fail writes an error as Lever does.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, "InternalServerError", err.Error()}
	}
	s.answer(w, e.status, map[string]string{"code": e.code, "message": e.message})
}
