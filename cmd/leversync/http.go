package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/leversync/leversync/store"
)

// site is an address and what is served there.
type site struct {
	listener net.Listener
	handler  http.Handler
}

// sites takes the addresses of the process: that of its roles, and that of the metrics where they have their own.
func (p *process) sites(ctx context.Context) ([]site, error) {
	metrics := promhttp.HandlerFor(p.registry(), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	apart := p.cfg.MetricsAddr != ""
	var out []site
	if p.roles.addr != "" {
		l, err := p.listenSite(ctx)
		if err != nil {
			return nil, err
		}
		mux := p.operation(false)
		if apart {
			mux.Handle("/metrics", http.NotFoundHandler()) // and not the pages' own answer
		} else {
			mux.Handle("GET /metrics", metrics)
		}
		if p.roles.web {
			if err := p.mountWeb(mux); err != nil {
				return nil, errors.Join(err, l.Close())
			}
		}
		out = append(out, site{l, throughProxies(p.cfg.TrustedProxies, p.httpMetrics.count(accessLog(p.log, p.guarded(mux))))})
	}
	if apart {
		l, err := listen(ctx, p.cfg.MetricsAddr, "LEVERSYNC_METRICS_ADDR")
		if err != nil {
			return nil, errors.Join(err, closeSites(out))
		}
		mux := p.operation(true)
		mux.Handle("GET /metrics", metrics)
		p.log.InfoContext(ctx, "listening for metrics", "addr", l.Addr().String())
		out = append(out, site{l, p.guarded(mux)})
	}
	return out, nil
}

// listenSite takes the address of the roles.
func (p *process) listenSite(ctx context.Context) (net.Listener, error) {
	l, err := listen(ctx, p.roles.addr, "LEVERSYNC_ADDR or --addr")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if _, port, _ := net.SplitHostPort(p.roles.addr); port == "0" {
		p.cfg.Addr = addr // the system has chosen: links and redirects must name it
	}
	if p.listening != nil {
		p.listening("http://" + addr)
	}
	p.log.InfoContext(ctx, "listening", "addr", addr)
	return l, nil
}

// listen takes an address; variable is what names another.
func listen(ctx context.Context, addr, variable string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: is it in use? %s names another", addr, cause(err), variable)
	}
	return l, nil
}

func closeSites(sites []site) error {
	var failed error
	for _, s := range sites {
		failed = errors.Join(failed, s.listener.Close())
	}
	return failed
}

// operation serves what a supervisor asks; causes says whether it may be told why the process is not ready.
func (p *process) operation(causes bool) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.Handle("GET /readyz", &readiness{process: p, causes: causes})
	return mux
}

// guarded puts on every answer what keeps a browser from taking it for more than it is. The pages, which show something,
// loosen it for themselves.
func (p *process) guarded(next http.Handler) http.Handler {
	secure := strings.HasPrefix(publicURL(p.cfg), "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// patience is how long a client may take: for a header, for all of its request, to take an answer once that begins, and until
// its next request.
type patience struct{ header, request, answer, idle time.Duration }

// usual is the patience of a server. What takes longer by its nature, a file's body, moves its own deadlines.
var usual = patience{header: 5 * time.Second, request: 30 * time.Second, answer: 60 * time.Second, idle: 2 * time.Minute}

// server is the HTTP server of a site.
func (p *process) server(h http.Handler, with patience) *http.Server {
	return &http.Server{
		Handler:           begun(h, with.answer),
		ReadHeaderTimeout: with.header,
		ReadTimeout:       with.request,
		WriteTimeout:      with.answer, // of what is no answer of ours
		IdleTimeout:       with.idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

// begun counts the time to take an answer from when it begins. net/http counts it from the request's header on, so that what takes
// long to do, a file that is fetched and written, or a million rows that are deleted, would be done and then not told of.
func begun(next http.Handler, answer time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&answerWriter{ResponseWriter: w, answer: answer}, r)
	})
}

// answerWriter sets an answer's deadline when it begins.
type answerWriter struct {
	http.ResponseWriter
	answer time.Duration
	begun  bool
}

func (w *answerWriter) begin() {
	if !w.begun {
		w.begun = true
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.answer)) // not every server has one
	}
}

// WriteHeader begins the answer.
func (w *answerWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write begins it, where nothing else has.
func (w *answerWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find what is beneath.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serveHTTP serves until the context ends, then lets requests under way finish.
func (p *process) serveHTTP(ctx context.Context, s site) error {
	srv := p.server(s.handler, usual)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(s.listener) }()
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

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone away: nothing to do
}

// readiness says whether the process can work. What keeps it from that names addresses, users and databases: it goes to the
// log, once, and is shown where metrics have an address of their own.
type readiness struct {
	process  *process
	causes   bool
	migrated atomic.Bool // once nothing is pending, nothing becomes so
	said     atomic.Value
}

func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	p := h.process
	checks, causes := map[string]string{}, []any{}
	note := func(name string, err error) {
		switch {
		case err == nil:
			checks[name] = "ok"
		case h.causes:
			checks[name] = cause(err).Error()
		default:
			checks[name] = "failed"
		}
		if err != nil {
			causes = append(causes, name, cause(err).Error())
		}
	}
	note("postgres", p.store.Ping(ctx))
	note("redis", p.redis.Ping(ctx).Err())
	note("migrations", h.pending(ctx))
	if p.draining.Load() {
		checks["process"] = "draining"
	}
	if r.Context().Err() == nil { // who hangs up proves nothing
		h.say(ctx, causes)
	}
	for _, c := range checks {
		if c != "ok" {
			answer(w, http.StatusServiceUnavailable, map[string]any{"status": "unavailable", "checks": checks})
			return
		}
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "checks": checks})
}

// say logs what keeps the process from working when it begins, changes, and ends.
func (h *readiness) say(ctx context.Context, causes []any) {
	failed := make([]any, 0, len(causes)/2)
	for i := 0; i < len(causes); i += 2 {
		failed = append(failed, causes[i])
	}
	now := fmt.Sprint(failed...)
	was, _ := h.said.Swap(now).(string)
	switch {
	case now == was:
	case now == "":
		h.process.log.InfoContext(ctx, "ready again")
	default:
		h.process.log.WarnContext(ctx, "not ready", causes...)
	}
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
