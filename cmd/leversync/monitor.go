//go:build !noasynqmon

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
)

// sharedRedis lets asynqmon use the connection that there is. It must not be closed by asynqmon: its Close is never called.
type sharedRedis struct{ client redis.UniversalClient }

func (s sharedRedis) MakeRedisClient() any { return s.client }

// newMonitor is asynqmon below the dashboard's MonitorPath: it looks and changes nothing. It is made when it is first asked
// for: it is large, and most processes are never asked. The dashboard's own page of queues stays when it can't be made.
func newMonitor(client redis.UniversalClient, log *slog.Logger) http.Handler {
	tool := sync.OnceValues(func() (http.Handler, error) { return makeMonitor(client) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := tool()
		if err != nil {
			log.ErrorContext(r.Context(), "asynqmon", "error", err)
			http.Error(w, "asynqmon could not be shown: see the log.", http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// makeMonitor makes it. Its page asks another host for fonts, which are left out: it draws its icons itself, and any font will do for its text. Its
// policy allows the scripts in the page by their hashes, and styles, which it makes as it runs.
func makeMonitor(client redis.UniversalClient) (http.Handler, error) {
	tool := asynqmon.New(asynqmon.Options{RootPath: dashboard.MonitorPath, RedisConnOpt: sharedRedis{client}, ReadOnly: true})
	index := &recorded{header: http.Header{}}
	tool.ServeHTTP(index, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: dashboard.MonitorPath + "/"}, Header: http.Header{}})
	page := leftOut.ReplaceAll(index.body.Bytes(), nil)
	hashes := scriptHashes(page)
	if index.status != 0 && index.status != http.StatusOK || len(hashes) == 0 {
		return nil, fmt.Errorf("asynqmon: its page is not as it was: %d with %d scripts", index.status, len(hashes))
	}
	policy := "default-src 'none'; script-src 'self' " + strings.Join(hashes, " ") + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		below := strings.TrimPrefix(r.URL.Path, dashboard.MonitorPath)
		if r.Method != http.MethodGet || strings.HasPrefix(below, "/api/") || path.Ext(below) != "" {
			tool.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // the browser has gone away: nothing to do
	}), nil
}

// leftOut is what the page asks for in vain: fonts of other hosts, and a manifest, which browsers fetch without our cookie.
var leftOut = regexp.MustCompile(`<link[^>]*(?:href="https://|rel="manifest")[^>]*>`)

var scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// scriptHashes are the sources, as a policy names them, of the scripts that stand in a page.
func scriptHashes(page []byte) []string {
	var out []string
	for _, m := range scripts.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(m[1])
		out = append(out, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return out
}

// recorded keeps an answer.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(b []byte) (int, error) { return r.body.Write(b) }
