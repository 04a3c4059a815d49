package connect

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// CallbackPath is where Lever sends the browser back to, under the public URL: register it with the OAuth app.
const CallbackPath = "/connect/callback"

// Config is what the pages need. Store and PublicURL have no default.
type Config struct {
	Store     *store.Store
	Log       *slog.Logger      // nil: none
	PublicURL string            // by which browsers reach us: https://sync.example.com
	OAuth     lever.OAuthConfig // no ClientID: API keys are the only way. RedirectURL "": PublicURL + CallbackPath
	LeverURL  string            // of the API, to check keys with; "": lever.DefaultBaseURL
	Transport http.RoundTripper // to Lever; nil: lever's own
	AppName   string            // who asks, in the customer's eyes; "": leversync
	ReadOnly  bool              // ask for no permission to write
	OnWebhook func(string)      // told of each webhook's result, one of WebhookResults; nil: nobody
}

// Handler serves everything under /connect/. Safe for concurrent use.
type Handler struct {
	cfg    Config
	store  *store.Store
	log    *slog.Logger
	secure bool // served over https
	origin string
	csp    string
	pages  map[string]*template.Template
	http   http.Handler
}

// New makes the handler; mount it at /connect/. It errs on a bad URL.
func New(cfg Config) (*Handler, error) {
	if cfg.Store == nil {
		return nil, errors.New("connect: no store")
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		return nil, errors.New("connect: the public URL is not an absolute http or https URL")
	}
	if cfg.AppName == "" {
		cfg.AppName = "leversync"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OAuth.RedirectURL == "" {
		cfg.OAuth.RedirectURL = cfg.PublicURL + CallbackPath
	}
	if cfg.OAuth.Transport == nil {
		cfg.OAuth.Transport = cfg.Transport
	}
	h := &Handler{
		cfg: cfg, store: cfg.Store, log: cfg.Log,
		secure: public.Scheme == "https", origin: public.Scheme + "://" + public.Host,
	}
	if h.csp, err = policy(cfg.OAuth); err != nil {
		return nil, err
	}
	if h.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	protection, err := h.protection()
	if err != nil {
		return nil, err
	}
	h.http = h.guard(protection.Handler(h.routes()))
	return h, nil
}

// ServeHTTP serves the pages.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.http.ServeHTTP(w, r) }

func (h *Handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /connect/{token}":                    h.linkPage,
		"POST /connect/{token}":                   h.linkAllow,
		"POST /connect/{token}/key":               h.linkKey,
		"GET " + CallbackPath:                     h.callback,
		"GET /connect/session/{id}":               h.sessionPage,
		"POST /connect/session/{id}/allow":        h.sessionAllow,
		"POST /connect/session/{id}/key":          h.sessionKey,
		"GET /connect/permissions/{id}":           h.permissionsPage,
		"POST /connect/permissions/{id}/continue": h.permissionsContinue,
		"GET /connect/done/{id}":                  h.donePage,
		"POST /connect/done/{id}/token":           h.doneToken,
		"GET /connect/":                           func(http.ResponseWriter, *http.Request) error { return problemNoPage },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if err := serve(w, r); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	mux.Handle("GET /connect/assets/{file}", assets())
	return mux
}

// maxBody bounds a form, in bytes: the largest holds an API key.
const maxBody = 16 << 10
