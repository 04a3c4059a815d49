package lever

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestEachSendIsACall: the transport sends a GET again, by itself, when a kept connection turns out to be closed.
func TestEachSendIsACall(t *testing.T) {
	t.Parallel()
	var served, logged atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served.Add(1) == 3 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		_, _ = w.Write([]byte(`{"data":[],"hasNext":false}`))
	}))
	defer srv.Close()
	c, err := New(Config{BaseURL: srv.URL, Auth: APIKey("k"), Transport: NewTransport(), OnCall: func(context.Context, Call) { logged.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		for _, err := range c.Tags(t.Context(), "") {
			if err != nil {
				t.Errorf("Tags: %v, want no error", err)
			}
		}
	}
	if logged.Load() != served.Load() || served.Load() != 6 {
		t.Errorf("%d calls logged, %d served, want 6 of each", logged.Load(), served.Load())
	}
}
