package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/lever/levertest"
)

// Whatever is asked for, by whom ever, a browser is told to take the answer for what it is, and to put it into no frame.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Opportunities: 1})
	c.env["LEVERSYNC_OPERATOR_PASSWORD"], c.env["LEVERSYNC_METRICS_ADDR"] = "correct horse battery staple", "127.0.0.1:0"
	id := c.create()
	serve := c.start("serve")
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	apart := "http://" + serve.find(serve.stderr, `msg="listening for metrics" addr=(\S+)`)
	b := newBrowser(t)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	urls := []string{apart + "/metrics", apart + "/healthz", apart + "/readyz", apart + "/"}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/docs", "/docs/", "/docs/style.css", "/docs/lever.svg", "/openapi.json", "/openapi.yaml", "/api/ats/v1/candidates", "/api/", "/api",
		"/connect/x", "/connect/callback", "/connect/assets/connect.css", "/nowhere", "/queues/monitor/api/queues", "/queues/monitor/static/x.js", "/%2e%2e/etc/passwd", "/docs/../connectors"} {
		urls = append(urls, base+path)
	}
	for _, route := range dashboard.Routes() {
		_, path, _ := strings.Cut(route.Pattern, " ")
		urls = append(urls, base+strings.NewReplacer("{id}", id, "{scope}", "tags", "{at}", "1", "{call}", id, "{file}", "dashboard.css", "{$}", "").Replace(path))
	}
	n := 0
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			b.post(base+"/login", map[string][]string{"password": {c.env["LEVERSYNC_OPERATOR_PASSWORD"]}})
		}
		for _, u := range urls {
			resp, err := b.client.Get(u)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			n++
			if resp.StatusCode >= http.StatusInternalServerError {
				t.Errorf("GET %s, signed in %t: %d", u, signedIn, resp.StatusCode)
			}
			checkGuarded(t, fmt.Sprintf("GET %s, signed in %t (%d)", u, signedIn, resp.StatusCode), resp.Header)
		}
	}
	t.Logf("%d answers", n)
}

func checkGuarded(t *testing.T, call string, h http.Header) {
	t.Helper()
	csp := h.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("%s: Content-Security-Policy %q lacks %s", call, csp, part)
		}
	}
	scripts, _, _ := strings.Cut(csp[strings.Index(csp+"script-src", "script-src"):], ";")
	if strings.Contains(scripts, "unsafe") || strings.Contains(csp, "http:") || strings.Contains(csp, "*") && !strings.Contains(csp, "https://*.lever.co") {
		t.Errorf("%s: Content-Security-Policy %q lets scripts or sources in", call, csp)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") == "" {
		t.Errorf("%s: X-Content-Type-Options %q, X-Frame-Options %q, Referrer-Policy %q", call, h.Get("X-Content-Type-Options"), h.Get("X-Frame-Options"), h.Get("Referrer-Policy"))
	}
	if got := h.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("%s: Access-Control-Allow-Origin %q: other sites' scripts may read it", call, got)
	}
}

// Requests that are too large, or not HTTP, are refused, and the server goes on.
func TestOversizedRequests(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	serve := c.start("api")
	addr := serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	const key = "Authorization: Bearer lvs_x\r\n"
	large := strings.Repeat("x", 128<<10)
	for name, tt := range map[string]struct{ request, status string }{
		"a header of 128 KiB":         {"GET /docs HTTP/1.1\r\nHost: x\r\nX-Large: " + large + "\r\n\r\n", "431"},
		"headers of 128 KiB in all":   {"GET /docs HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: "+large[:1000]+"\r\n", 128) + "\r\n", "431"},
		"a path of 128 KiB":           {"GET /" + large + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"no host":                     {"GET /docs HTTP/1.1\r\n\r\n", "400"},
		"two lengths":                 {"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "400"},
		"a length and chunks, folded": {"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		"a form of 128 KiB":           {fmt.Sprintf("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\npassword=%s", len(large)+9, large), "400"},
		"a body before a key is seen": {fmt.Sprintf("POST /api/v1/api-keys HTTP/1.1\r\nHost: x\r\n"+key+"Content-Length: %d\r\n\r\n", 1<<30), "401"},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, tt.request) }() // it may be cut off while it writes
		line, err := bufio.NewReader(conn).ReadString('\n')
		if fields := strings.Fields(line); err != nil || len(fields) < 2 || fields[1] != tt.status {
			t.Errorf("%s: %q, %v; want %s", name, line, err, tt.status)
		}
		_ = conn.Close()
	}
	if status, _ := get(t, "http://"+addr+"/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz after all that: %d, want 200", status)
	}
}

// Each HTTP server in the program bounds how long a header and a body may take, and how large a header may be.
func TestServersHaveLimits(t *testing.T) {
	t.Parallel()
	n := 0
	eachGoFile(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			lit, ok := node.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if sel, ok := lit.Type.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Server" || fmt.Sprint(sel.X) != "http" {
				return true
			}
			n++
			set := map[string]bool{}
			for _, e := range lit.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					set[fmt.Sprint(kv.Key)] = true
				}
			}
			for _, field := range []string{"ReadHeaderTimeout", "ReadTimeout", "IdleTimeout", "MaxHeaderBytes"} {
				if !set[field] {
					t.Errorf("%s: an http.Server without %s", path, field)
				}
			}
			return true
		})
	})
	if n < 2 {
		t.Errorf("%d http.Servers were found; want serve's and fakelever's: this test looks for the wrong thing", n)
	}
}

// eachGoFile parses what is built, tests left out.
func eachGoFile(t *testing.T, see func(path string, file *ast.File)) {
	t.Helper()
	for _, dir := range []string{"cmd", "lever", "scheduler", "store", "worker"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				see(path, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Where no public URL is set, links lead to where it listens, and never to no host at all.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ public, addr, want string }{
		{"https://sync.example.com", ":8080", "https://sync.example.com"},
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"", ":8080", "http://127.0.0.1:8080"},
		{"", "0.0.0.0:8080", "http://127.0.0.1:8080"},
		{"", "[::]:8080", "http://127.0.0.1:8080"},
		{"", "[::1]:8080", "http://[::1]:8080"},
		{"", "10.0.0.1:8080", "http://10.0.0.1:8080"},
	} {
		if got := publicURL(config.Config{PublicURL: tt.public, Addr: tt.addr}); got != tt.want {
			t.Errorf("publicURL(%q, %q) = %s, want %s", tt.public, tt.addr, got, tt.want)
		}
	}
}
