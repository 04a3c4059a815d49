package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A line a request: the route in place of the path, at the level that it deserves; supervisors are left out.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(namedRequests{slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /connect/{token}", func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "within")
		_, _ = w.Write([]byte("hello"))
	})
	mux.HandleFunc("POST /keys", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSeeOther) })
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	h := accessLog(log, mux)
	for _, c := range []struct {
		method, path, level, route string
		status, bytes              float64
	}{
		{"GET", "/connect/s3cret?code=s3cret", "DEBUG", "/connect/{token}", 200, 5},
		{"POST", "/keys", "INFO", "/keys", 303, 0},
		{"GET", "/s3cret", "INFO", "", 404, 19},
		{"S3CRET", "/keys", "INFO", "", 405, 19},
		{"GET", "/healthz", "", "", 200, 0},
	} {
		out.Reset()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if strings.Contains(strings.ToLower(out.String()), "s3cret") {
			t.Errorf("%s %s: logged %s: it holds what came from outside", c.method, c.path, out.String())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if c.level == "" {
			if out.Len() > 0 {
				t.Errorf("%s %s: logged %s, want nothing", c.method, c.path, out.String())
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
			t.Fatalf("%s %s: logged %s: %v", c.method, c.path, out.String(), err)
		}
		method := c.method
		if method == "S3CRET" {
			method = "other"
		}
		if got["msg"] != "request answered" || got["level"] != c.level || got["route"] != c.route || got["method"] != method || got["status"] != c.status || got["bytes"] != c.bytes {
			t.Errorf("%s %s: logged %v; want %s, route %q, status %v, %v bytes", c.method, c.path, got, c.level, c.route, c.status, c.bytes)
		}
		if id := w.Header().Get("X-Request-Id"); id == "" || strings.Count(out.String(), `"request_id":"`+id+`"`) != len(lines) {
			t.Errorf("%s %s: X-Request-Id %q; want it once in each of %s", c.method, c.path, id, out.String())
		}
	}
}
