package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// page is what every template gets.
type page struct {
	Title   string
	Section string // of the navigation: connectors, keys, queues, sessions; "": none
	Signed  bool   // in
	Queues  bool   // there is a page of them
	Notice  string // what was just done
	Every   int    // seconds after which the page looks again; 0: it does not
	Still   string // where the page is that does not look again, or does
	Version string
	Now     time.Time
	Body    any
}

var pageNames = []string{"login", "sessions", "problem", "connectors", "create", "link", "connector", "use", "runs", "calls", "call",
	"quarantine", "rejected", "settings", "keys", "key", "queues"}

func parsePages() (map[string]*template.Template, error) {
	layout, err := template.New("layout.html").Funcs(funcs).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range pageNames {
		t, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if out[name], err = t.ParseFS(pageFiles, "pages/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// live says how soon a page looks again, in seconds. A page that does not is still.
type live interface{ every() int }

// render answers with a page, whole or not at all.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, name, title string, body any) error {
	p := page{Title: title, Section: sectionOf(r.URL.Path), Queues: h.cfg.Depth != nil, Notice: notices[r.URL.Query().Get("done")],
		Version: h.cfg.Version, Now: time.Now(), Body: body}
	_, p.Signed = sessionOf(r.Context())
	if l, ok := body.(live); ok && r.Method == http.MethodGet {
		p.Every, p.Still = l.every(), withQuery(r.URL, "updates", "off")
		if r.URL.Query().Get("updates") == "off" {
			p.Every, p.Still = 0, withQuery(r.URL, "updates", "")
		}
	}
	var b bytes.Buffer
	if err := h.pages[name].Execute(&b, p); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone away: nothing to do
	return nil
}

// withQuery is a URL of ours with a parameter set, or left out with "". What was just done is not said again.
func withQuery(u *url.URL, name, value string) string {
	q := u.Query()
	q.Del("done")
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	if len(q) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + q.Encode()
}

func sectionOf(path string) string {
	section, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if section == "" {
		section = "connectors"
	}
	return section
}

// notices are what a page says of what was just done. A redirect names one by its key: no text comes from a URL.
var notices = map[string]string{
	"paused":     "It is paused: no sync begins until it is resumed.",
	"resumed":    "It goes on: what fell due meanwhile starts now.",
	"asked":      "Asked for. It starts as soon as a worker is free.",
	"full":       "Asked for. Everything is read again; what is here stays until it is replaced.",
	"scopes":     "The scopes are as you chose. What was turned on syncs now.",
	"removed":    "The scopes are as you chose. What was stored of those that were turned off is removed within a minute.",
	"cadence":    "Saved. It holds from the next sync on.",
	"hooks":      "Saved.",
	"deleted":    "The connector and everything of it was deleted.",
	"revoked":    "The key is revoked: it opens nothing any more.",
	"signed-out": "That browser is signed out.",
	"retried":    "They are read from Lever again, by a sync that starts now. What can be stored then leaves the quarantine.",
	"stays":      "This version can't store them either: they stay. Try one by itself if it may have changed in Lever.",
	"token":      "The connector has a new token. The old one opens nothing any more.",
}

// back sends the browser to a page, which says what was done.
func (h *Handler) back(w http.ResponseWriter, r *http.Request, path, done string) error {
	http.Redirect(w, r, path+"?done="+url.QueryEscape(done), http.StatusSeeOther)
	return nil
}

// assetsPath is below a name that no section has.
const assetsPath = "/dashboard/assets/"

// assets serves the style sheet and the script, which may be kept: their URLs change with what they hold.
func (h *Handler) assets() pageFunc {
	sub, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	files := http.StripPrefix(assetsPath, http.FileServerFS(sub))
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := fs.Stat(sub, r.PathValue("file")); err != nil {
			return problemNoPage
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
		return nil
	}
}

// asset is the URL of a file of assets, with a hash of what it holds.
func asset(name string) (string, error) {
	b, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return assetsPath + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}
