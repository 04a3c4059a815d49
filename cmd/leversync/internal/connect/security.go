package connect

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/leversync/leversync/lever"
)

// guard puts the headers of every answer on, an error's too.
func (h *Handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", h.csp)
		head.Set("X-Frame-Options", "DENY")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		head.Set("X-Robots-Tag", "noindex")
		if h.secure {
			head.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// policy is the Content-Security-Policy. Forms lead to us and, by a redirect, which browsers hold against form-action
// as well, to Lever: to its authorization host and, where that is one of Lever's own, to its sign-in hosts.
func policy(o lever.OAuthConfig) (string, error) {
	forms := "'self'"
	if o.ClientID != "" {
		u, err := url.Parse(o.AuthorizeURL("", nil, ""))
		if err != nil || u.Host == "" {
			return "", fmt.Errorf("connect: the OAuth URL is not an absolute URL")
		}
		forms += " " + u.Scheme + "://" + u.Host
		if u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".lever.co") {
			forms += " https://*.lever.co"
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action " + forms +
		"; frame-ancestors 'none'; base-uri 'none'", nil
}

// protection refuses POSTs that other sites make a browser send.
func (h *Handler) protection() (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	if err := p.AddTrustedOrigin(h.origin); err != nil { // a proxy may change the Host
		return nil, fmt.Errorf("connect: public URL: %w", err)
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, problemCrossOrigin) }))
	return p, nil
}
