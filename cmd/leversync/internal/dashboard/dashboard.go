package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Config is what the pages need. Store, PublicURL and Sync have no default.
type Config struct {
	Store     *store.Store
	Log       *slog.Logger // nil: none
	PublicURL string       // by which browsers reach us: https://sync.example.com
	// Sync asks for scopes of a connector to be brought up to date now. With full everything is read again.
	Sync func(ctx context.Context, c store.Connector, scopes []unified.Scope, full bool) error
	// Retry tries records of the quarantine again, and returns how many are read from Lever again by the sync that it
	// starts. The others can't be stored by this version either, and stay; with anyway they are read again, too. nil: no such button.
	Retry func(ctx context.Context, c store.Connector, records []store.QuarantinedRecord, anyway bool) (int, error)
	// Webhooks lets connectors take webhooks; a connector that is deleted has them taken back. nil: none does.
	Webhooks *Webhooks
	// Depth counts the tasks of each queue by state; its error says which queues could not be read. nil: no such page.
	Depth func() (map[string]map[string]int, error)
	// Monitor serves a tool that looks into the queues, below MonitorPath. nil: none.
	Monitor      http.Handler
	SyncInterval time.Duration // of connectors that have none of their own; 0: not known
	RateLimit    float64       // likewise, calls a second
	Version      string
}

// Handler serves the pages. Safe for concurrent use.
type Handler struct {
	cfg    Config
	store  *store.Store
	log    *slog.Logger
	secure bool // served over https
	origin string
	pages  map[string]*template.Template
	tries  *tries
	http   http.Handler
}

// New makes the handler; mount it at /. It errs on a bad URL.
func New(cfg Config) (*Handler, error) {
	if cfg.Store == nil || cfg.Sync == nil {
		return nil, errors.New("dashboard: no store, or nothing to sync with")
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		return nil, errors.New("dashboard: the public URL is not an absolute http or https URL")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{
		cfg: cfg, store: cfg.Store, log: cfg.Log, tries: newTries(),
		secure: public.Scheme == "https", origin: public.Scheme + "://" + public.Host,
	}
	if h.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	protection, err := h.protection()
	if err != nil {
		return nil, err
	}
	h.http = h.guard(protection.Handler(h.mux()))
	return h, nil
}

// ServeHTTP serves the pages.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.http.ServeHTTP(w, r) }

// page answers one route. Its error is a page, too.
type pageFunc func(http.ResponseWriter, *http.Request) error

// Route is a path of the dashboard.
type Route struct {
	Pattern string // of http.ServeMux
	Open    bool   // it needs no session
	serve   func(*Handler) pageFunc
}

// maxBody bounds a form, in bytes.
const maxBody = 64 << 10

func (h *Handler) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, route := range Routes() {
		serve := route.serve(h)
		if !route.Open {
			serve = h.signedIn(serve)
		}
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if err := serve(w, r); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	return mux
}
