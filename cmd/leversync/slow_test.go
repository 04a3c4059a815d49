package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

// hurried serves what serve does, with little patience, and returns its address.
func hurried(t *testing.T) string {
	t.Helper()
	c := newCLI(t)
	c.withRedis()
	p := c.process(t)
	sites, err := p.sites(t.Context())
	if err != nil || len(sites) != 1 {
		t.Fatalf("sites = %d, %v; want one", len(sites), err)
	}
	srv := p.server(sites[0].handler, patience{header: time.Second, request: 2 * time.Second, answer: 3 * time.Second, idle: time.Second})
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(sites[0].listener) })
	t.Cleanup(func() { _ = srv.Close(); served.Wait() })
	return sites[0].listener.Addr().String()
}

// process is one that serves what the environment says.
func (c *cli) process(t *testing.T) *process {
	t.Helper()
	cfg, err := config.Load(func(name string) string { return c.env[name] }, config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Serve)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := redis.ParseURL(c.env["REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	t.Cleanup(func() { _ = rdb.Close() })
	return newProcess(cfg, roles{web: true, addr: cfg.Addr}, c.db.Store, rdb, slog.New(slog.DiscardHandler), nil)
}

// drip sends begin, and then more, a byte at a time, until the server hangs up or ctx ends.
func drip(ctx context.Context, conn net.Conn, begin, more string) {
	_, err := io.WriteString(conn, begin)
	for i := 0; err == nil && ctx.Err() == nil; i++ {
		_, err = conn.Write([]byte{more[i%len(more)]})
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // as slow as the client is
		}
	}
}

// Clients that send a header or a body in drips, that take no answer, or that stay without asking, are hung up on, many at
// once, and others are answered meanwhile.
func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Parallel()
	addr := hurried(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	const form = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\npassword="
	const hook = "POST /webhooks/lever/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	var slow, good sync.WaitGroup
	var idled atomic.Int64
	over := make(chan struct{})
	for name, client := range map[string]func(net.Conn) error{
		"a header in drips": func(conn net.Conn) error {
			go drip(ctx, conn, "GET /docs HTTP/1.1\r\nHost: x\r\nX-Slow: ", "x")
			return refused(conn)
		},
		"a path in drips":            func(conn net.Conn) error { go drip(ctx, conn, "GET /docs?", "x"); return refused(conn) },
		"a form in drips":            func(conn net.Conn) error { go drip(ctx, conn, form, "x"); return refused(conn) },
		"chunks in drips, for none":  func(conn net.Conn) error { go drip(ctx, conn, hook, "1\r\nx\r\n"); return refused(conn) },
		"nothing at all":             refused,
		"nothing after one answer":   func(conn net.Conn) error { return idle(conn, &idled) },
		"a thousand answers untaken": func(conn net.Conn) error { return untaken(ctx, conn) },
	} {
		for range 16 {
			slow.Go(func() {
				conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(testTimeout))
				if err := client(conn); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	answered := 0
	good.Go(func() {
		client := &http.Client{Timeout: testTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
		for done := false; !done; answered++ {
			resp, err := client.Get("http://" + addr + "/healthz")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("GET /healthz beside slow clients: %v, %v; want 200", resp, err)
				return
			}
			_ = resp.Body.Close()
			select {
			case <-over:
				done = true
			default:
			}
		}
	})
	slow.Wait()
	close(over)
	good.Wait()
	if idled.Load() == 0 {
		t.Error("nobody was answered and then hung up on: nothing is shown")
	}
	t.Logf("%d requests were answered meanwhile", answered)
}

// refused reads until the server hangs up; an answer of success is an error.
func refused(conn net.Conn) error {
	b, err := io.ReadAll(conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return fmt.Errorf("it is not hung up on")
	}
	if strings.HasPrefix(string(b), "HTTP/1.1 2") || strings.HasPrefix(string(b), "HTTP/1.1 3") {
		return fmt.Errorf("answered %.60q; want a refusal, or nothing", b)
	}
	return nil
}

// idle asks once, and then not again, and counts itself if it was answered: on a busy machine it may come too late to be.
func idle(conn net.Conn, answered *atomic.Int64) error {
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		answered.Add(1)
	}
	return refused(conn)
}

// untaken asks a thousand times for a large page, and reads nothing until the server has hung up.
func untaken(ctx context.Context, conn net.Conn) error {
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	const ask = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
	hungUp := make(chan error, 1)
	go func() { // the server reads on for as long as it may answer
		for ctx.Err() == nil {
			if _, err := io.WriteString(conn, strings.Repeat(ask, 1000)); err != nil {
				hungUp <- nil
				return
			}
		}
		hungUp <- fmt.Errorf("it is not hung up on")
	}()
	return <-hungUp
}

// What takes longer than a client may take for its request, or for an answer, is done to its end and answered.
func TestWhatTakesLongIsAnswered(t *testing.T) {
	t.Parallel()
	const little = time.Second
	p := &process{log: slog.New(slog.DiscardHandler)}
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = p.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			t.Errorf("%s: taken for one whose client is gone", r.Method)
		case <-time.After(3 * little / 2): // as slow as Lever is
		}
		_, _ = io.WriteString(w, "done")
	}), patience{header: little, request: little, answer: little, idle: little})
	srv.Start()
	defer srv.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		wg.Go(func() {
			var body io.Reader
			if method == http.MethodPost {
				body = strings.NewReader("{}")
			}
			req, err := http.NewRequestWithContext(t.Context(), method, srv.URL, body)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Errorf("%s: %v; want an answer", method, err)
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "done" {
				t.Errorf("%s: %q, %v; want done", method, b, err)
			}
		})
	}
}
