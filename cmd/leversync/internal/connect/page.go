package connect

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// page is what every template gets.
type page struct {
	App   string // who asks
	Title string
	Body  any
}

var pageNames = []string{"ask", "permissions", "done", "problem"}

func parsePages() (map[string]*template.Template, error) {
	funcs := template.FuncMap{"number": number, "day": day, "asset": asset}
	layout, err := template.New("layout.html").Funcs(funcs).ParseFS(pageFiles, "pages/layout.html")
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

// render answers with a page, whole or not at all.
func (h *Handler) render(w http.ResponseWriter, _ *http.Request, status int, name, title string, body any) error {
	var b bytes.Buffer
	if err := h.pages[name].Execute(&b, page{App: h.cfg.AppName, Title: title, Body: body}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone away: nothing to do
	return nil
}

// assets serves the style sheet and the script, which may be kept: their URLs change with what they hold.
func assets() http.Handler {
	sub, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	files := http.StripPrefix("/connect/assets/", http.FileServerFS(sub))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
}

// asset is the URL of a file of assets, with a hash of what it holds.
func asset(name string) (string, error) {
	b, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return "/connect/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

// number is 1234567 as 1,234,567.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && c != '-' && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// day is a moment for people, in UTC: the server does not know where the browser is.
func day(t *time.Time) string { return t.UTC().Format("2 January 2006, 15:04") + " UTC" }
