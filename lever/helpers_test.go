package lever

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// rig is a client against a handler, and what it reported.
type rig struct {
	*Client
	url string

	mu    sync.Mutex
	calls []Call
}

// newRig serves h at /v1 and makes a client of it; cfg's BaseURL and Transport are set, Auth and OnCall
// where they are missing.
func newRig(t testing.TB, cfg Config, h http.HandlerFunc) *rig {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r := &rig{url: srv.URL}
	cfg.BaseURL = srv.URL + "/v1"
	tr := NewTransport()
	t.Cleanup(tr.CloseIdleConnections)
	cfg.Transport = tr
	if cfg.Auth == nil {
		cfg.Auth = APIKey("key-of-the-test")
	}
	if cfg.OnCall == nil {
		cfg.OnCall = func(_ context.Context, c Call) {
			r.mu.Lock()
			r.calls = append(r.calls, c)
			r.mu.Unlock()
		}
	}
	var err error
	if r.Client, err = New(cfg); err != nil {
		t.Fatalf("New: %v", err)
	}
	return r
}

func (r *rig) reported() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Call(nil), r.calls...)
}

// answer serves one body with one status.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// gather is all of a listing, up to its first error.
func gather[T any](seq func(func(Page[T], error) bool)) (items []Item[T], pages int, err error) {
	for p, e := range seq {
		if e != nil {
			return items, pages, e
		}
		pages++
		items = append(items, p.Items...)
	}
	return items, pages, nil
}

// mustItems is the items, with the test failed for any that has an error.
func mustItems[T any](t *testing.T, items []Item[T], err error) []Item[T] {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want records", err)
	}
	for i, it := range items {
		if it.Err != nil {
			t.Errorf("record %d: got error %v, want none", i, it.Err)
		}
	}
	return items
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
