package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	testKey     = "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDE=" // as storetest's
	testTimeout = 2 * time.Minute
	noConnector = "0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11"
)

// cli runs commands against services of the test's own.
type cli struct {
	t   testing.TB
	db  *storetest.DB
	env map[string]string
}

// newCLI has a migrated, empty Postgres. withRedis and withLever add more.
func newCLI(t testing.TB) *cli {
	t.Helper()
	db := storetest.New(t)
	return &cli{t: t, db: db, env: map[string]string{
		"DATABASE_URL": db.URL, "LEVERSYNC_ENCRYPTION_KEY": testKey, "LEVERSYNC_START_TIMEOUT": "0s", "LEVERSYNC_DB_CONNS": "8",
		"LEVERSYNC_ADDR": "127.0.0.1:0", "LEVERSYNC_RATE_LIMIT": "100000",
	}}
}

func (c *cli) withRedis() *storetest.Redis {
	c.t.Helper()
	r := storetest.NewRedis(c.t)
	c.env["REDIS_URL"] = r.URL
	return r
}

func (c *cli) withLever(cfg levertest.Config) *levertest.Server {
	c.t.Helper()
	s := levertest.New(cfg)
	c.t.Cleanup(s.Close)
	url, stop, err := levertest.Serve("127.0.0.1:0", s)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(stop)
	c.env["LEVER_API_URL"], c.env["LEVER_AUTH_URL"] = url+"/v1", url
	return s
}

// outcome is what a command left.
type outcome struct {
	out, err string // standard output, and standard error with the error as main prints it
	code     int
}

// run runs a command with nothing on standard input.
func (c *cli) run(args ...string) outcome {
	c.t.Helper()
	return c.runWith("", args...)
}

func (c *cli) runWith(stdin string, args ...string) outcome {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), testTimeout)
	defer cancel()
	return execute(ctx, c.env, stdin, args...)
}

func execute(ctx context.Context, env map[string]string, stdin string, args ...string) outcome {
	var out, errOut bytes.Buffer
	err := run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(stdin), &out, &errOut)
	if err != nil {
		fmt.Fprintf(&errOut, "leversync: %v\n", err)
	}
	return outcome{out: out.String(), err: errOut.String(), code: exitCode(err)}
}

// must runs a command that has to succeed, and returns its output.
func (c *cli) must(args ...string) string {
	c.t.Helper()
	o := c.run(args...)
	if o.code != exitOK {
		c.t.Fatalf("leversync %s: exit %d, want 0: %s", strings.Join(args, " "), o.code, o.err)
	}
	return o.out
}

// create makes a connector with levertest's own key.
func (c *cli) create(args ...string) (id string) {
	c.t.Helper()
	args = append([]string{"connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--lever-api-key-file", "-", "--json"}, args...)
	o := c.runWith("test-key\n", args...)
	if o.code != exitOK {
		c.t.Fatalf("leversync %s: exit %d: %s", strings.Join(args, " "), o.code, o.err)
	}
	return decode[map[string]any](c.t, o.out)["connector_id"].(string)
}

// decode reads one JSON document, and nothing behind it.
func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("no JSON (%v): %s", err, text)
	}
	if _, err := dec.Token(); err != io.EOF {
		t.Fatalf("more than one JSON document: %s", text)
	}
	return v
}

// background is a command that runs beside the test.
type background struct {
	t      testing.TB
	stderr *watched
	stdout *watched
	cancel context.CancelFunc
	done   chan struct{}
	code   int
}

// start runs a command until the test ends, or stop is called.
func (c *cli) start(args ...string) *background {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{t: c.t, stderr: newWatched(), stdout: newWatched(), cancel: cancel, done: make(chan struct{})}
	env := maps.Clone(c.env)
	go func() {
		defer close(b.done)
		err := run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(""), b.stdout, b.stderr)
		if err != nil {
			fmt.Fprintf(b.stderr, "leversync: %v\n", err)
		}
		b.code = exitCode(err)
	}()
	c.t.Cleanup(func() { b.stop() })
	return b
}

// stop interrupts it, waits for its end, and returns its exit code.
func (b *background) stop() int {
	b.t.Helper()
	b.cancel()
	return b.wait()
}

func (b *background) wait() int {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(testTimeout):
		b.t.Fatalf("it did not end: %s", b.stderr.text())
	}
	return b.code
}

// find waits for a match of the expression in w, and returns its first group.
func (b *background) find(w *watched, expr string) string {
	b.t.Helper()
	re := regexp.MustCompile(expr)
	deadline := time.After(testTimeout)
	for {
		text, more := w.now()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-more:
		case <-b.done:
			if text := w.text(); re.MatchString(text) {
				continue
			}
			b.t.Fatalf("it ended (exit %d) without %q: %s%s", b.code, expr, b.stdout.text(), b.stderr.text())
		case <-deadline:
			b.t.Fatalf("%q did not come: %s", expr, w.text())
		}
	}
}

// watched is a buffer that says when there is more.
type watched struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed when there is
}

func newWatched() *watched { return &watched{more: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
	return w.buf.Write(p)
}

func (w *watched) now() (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String(), w.more
}

func (w *watched) text() string {
	text, _ := w.now()
	return text
}
