package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/leversync/leversync/store"
)

// serveHTTP serves until the context ends, then lets requests under way finish.
func (p *process) serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	p.log.InfoContext(ctx, "listening", "addr", l.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (p *process) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.Handle("GET /readyz", &readiness{process: p})
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry(), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	if !p.roles.web {
		return mux, nil
	}
	return mux, p.mountWeb(mux)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone away: nothing to do
}

// readiness says whether the process can work.
type readiness struct {
	process  *process
	migrated atomic.Bool // once nothing is pending, nothing becomes so
}

func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	p := h.process
	checks := map[string]string{}
	note := func(name string, err error) {
		if checks[name] = "ok"; err != nil {
			checks[name] = cause(err).Error()
		}
	}
	note("postgres", p.store.Ping(ctx))
	note("redis", p.redis.Ping(ctx).Err())
	note("migrations", h.pending(ctx))
	if p.draining.Load() {
		checks["process"] = "draining"
	}
	for _, c := range checks {
		if c != "ok" {
			answer(w, http.StatusServiceUnavailable, map[string]any{"status": "unavailable", "checks": checks})
			return
		}
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "checks": checks})
}

func (h *readiness) pending(ctx context.Context) error {
	if h.migrated.Load() {
		return nil
	}
	n, err := store.Pending(ctx, h.process.cfg.DatabaseURL.Reveal())
	switch {
	case err != nil:
		return err
	case n > 0:
		return errors.New("pending: run `leversync migrate`")
	}
	h.migrated.Store(true)
	return nil
}
