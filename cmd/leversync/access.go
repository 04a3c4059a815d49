package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// accessLog logs a line for each request that next answers, but for those of supervisors and Prometheus: at debug one that read
// and succeeded, at info one that changed something or failed. It has the route and not the path, which can hold a token.
//
// The pages' requests get a name here, which what is logged of them carries too; the API gives its own.
func accessLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := area(r.URL.Path)
		if in == "operation" {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		if in != "api" {
			id := uuid.NewString()
			w.Header().Set("X-Request-Id", id)
			r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		}
		s := &statusWriter{ResponseWriter: w}
		defer func() {
			level := slog.LevelInfo
			if reads(r.Method) && s.code() < http.StatusBadRequest {
				level = slog.LevelDebug
			}
			log.LogAttrs(context.Background(), level, "request answered", slog.String("method", methodName(r.Method)), slog.String("route", route(r.Pattern)),
				slog.Int("status", s.code()), slog.Float64("duration_ms", float64(time.Since(start).Microseconds())/1000), slog.Int64("bytes", s.bytes),
				slog.String("request_id", w.Header().Get("X-Request-Id")))
		}()
		next.ServeHTTP(s, r)
	})
}

// reads reports whether a method changes nothing.
func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// methodName is a method as it is logged: a client may send any word.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}

// route is the path of a pattern of http.ServeMux: without the method, and with names for what is a value in the path.
func route(pattern string) string {
	if _, path, found := strings.Cut(pattern, " "); found {
		return path
	}
	return pattern
}

type requestIDKey struct{}

// namedRequests puts the request's name into what is logged of it.
type namedRequests struct{ slog.Handler }

// Handle adds the name of the context's request.
func (h namedRequests) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the names.
func (h namedRequests) WithAttrs(attrs []slog.Attr) slog.Handler {
	return namedRequests{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the names.
func (h namedRequests) WithGroup(name string) slog.Handler {
	return namedRequests{h.Handler.WithGroup(name)}
}
