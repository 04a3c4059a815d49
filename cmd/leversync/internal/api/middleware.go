package api

import (
	"context"
	"net/http"
	"runtime/debug"

	"github.com/google/uuid"
)

// requestID is the request's name in logs and in its answer's headers.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// maxRequestID bounds a name that the client gives.
const maxRequestID = 128

// outermost names each request, and keeps what panics to one request.
func (s *server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		id := req.Header.Get("X-Request-Id")
		if !printable(id) {
			id = uuid.NewString()
		}
		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		ctx := context.WithValue(req.Context(), requestIDKey, id)
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler || ctx.Err() != nil {
				panic(http.ErrAbortHandler) // the client has gone, or the answer is cut off on purpose
			}
			s.cfg.Log.ErrorContext(ctx, "request panicked", "panic", p, "request_id", id, "stack", string(debug.Stack()))
			writeRefusal(w, refuse(http.StatusInternalServerError, "Internal server error"))
		}()
		named := req.WithContext(ctx)
		defer func() { req.Pattern = named.Pattern }() // for who logs the request by its route
		next.ServeHTTP(w, named)
	})
}

func printable(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for _, r := range s {
		if r < '!' || r > '~' {
			return false
		}
	}
	return true
}
