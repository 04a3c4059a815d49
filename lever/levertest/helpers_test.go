package levertest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fake is a server that is called without a network.
type fake struct {
	*levertest.Server
	t     *testing.T
	clock *clock
	auth  string
}

// newLever is an account without rate limit whose clock stands still.
func newLever(t *testing.T, cfg levertest.Config) *fake {
	t.Helper()
	l := &fake{t: t, clock: newClock()}
	cfg.Now = l.clock.now
	if cfg.RatePerSecond == 0 {
		cfg.RatePerSecond = -1
	}
	l.Server = levertest.New(cfg)
	t.Cleanup(l.Close)
	return l
}

// answer is an answer, decoded.
type answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	Data    json.RawMessage `json:"data"`
	HasNext bool            `json:"hasNext"`
	Next    string          `json:"next"`
	Deduped bool            `json:"deduped"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
}

// call makes a request with the server's credential; body may be nil, a string, or a value to send as JSON.
func (l *fake) call(method, path string, body any) answer {
	l.t.Helper()
	var in io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			l.t.Fatal(err)
		}
		in = strings.NewReader(string(b))
	}
	r := httptest.NewRequest(method, "http://lever.test"+path, in)
	if l.auth != "" {
		r.Header.Set("Authorization", l.auth)
	} else {
		r.SetBasicAuth("test-key", "")
	}
	return l.send(r)
}

func (l *fake) send(r *http.Request) answer {
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	_ = json.Unmarshal(a.Body, &a)
	a.Status = w.Code
	return a
}

func (l *fake) get(path string) answer { return l.call("GET", "/v1"+path, nil) }

// rows are all records of a list, over all its pages.
func (l *fake) rows(path string) []map[string]any {
	l.t.Helper()
	var out []map[string]any
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for token := ""; ; {
		full := path
		if token != "" {
			full += sep + "offset=" + url.QueryEscape(token)
		}
		a := l.get(full)
		if a.Status != http.StatusOK {
			l.t.Fatalf("GET %s: status %d, want 200: %s", full, a.Status, a.Body)
		}
		var page []map[string]any
		if err := json.Unmarshal(a.Data, &page); err != nil {
			l.t.Fatalf("GET %s: %v", full, err)
		}
		out = append(out, page...)
		if a.HasNext != (a.Next != "") {
			l.t.Fatalf("GET %s: hasNext is %t with next %q", full, a.HasNext, a.Next)
		}
		if token = a.Next; token == "" {
			return out
		}
	}
}

// one is a single record.
func (l *fake) one(path string) map[string]any {
	l.t.Helper()
	a := l.get(path)
	if a.Status != http.StatusOK {
		l.t.Fatalf("GET %s: status %d, want 200: %s", path, a.Status, a.Body)
	}
	var v map[string]any
	if err := json.Unmarshal(a.Data, &v); err != nil {
		l.t.Fatal(err)
	}
	return v
}

// pick is an opportunity in a situation; the test ends without one.
func (l *fake) pick(in ...levertest.Situation) string {
	l.t.Helper()
	id, ok := l.Pick(in...)
	if !ok {
		l.t.Fatalf("Pick(%v) found none", in)
	}
	return id
}

// fixtures is the folder of recorded answers; the test is skipped without it.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LEVERSYNC_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recorded answers of Lever in %s: set LEVERSYNC_FIXTURES to their folder", dir)
	}
	return dir
}

func id(v map[string]any) string { return fmt.Sprint(v["id"]) }

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func newGet(path string) *http.Request {
	r := httptest.NewRequest("GET", "http://lever.test"+path, nil)
	r.SetBasicAuth("test-key", "")
	return r
}
