package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/leversync/leversync/store"
)

// pollHeader marks what a page asks for by itself: it keeps no session alive.
const pollHeader = "X-Leversync-Poll"

// cookieFor bounds how long a browser keeps its cookie, in seconds; the session ends sooner, by the store's rules.
const cookieFor = 7 * 24 * 60 * 60

// cookieName is the session's. With the prefix a browser takes it from this host alone, and over https.
func (h *Handler) cookieName() string {
	if h.secure {
		return "__Host-leversync-operator"
	}
	return "leversync-operator"
}

// setCookie gives a browser its secret, or takes it back with "".
func (h *Handler) setCookie(w http.ResponseWriter, secret string) {
	age := cookieFor
	if secret == "" {
		age = -1
	}
	// Lax, not Strict: a link to a page in a mail or an alert should open it.
	http.SetCookie(w, &http.Cookie{Name: h.cookieName(), Value: secret, Path: "/", MaxAge: age, Secure: h.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// secretPattern is 256 bits as the store writes them.
var secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

type sessionKey struct{}

// sessionOf is the session of a signed-in request.
func sessionOf(ctx context.Context) (store.OperatorSession, bool) {
	o, ok := ctx.Value(sessionKey{}).(store.OperatorSession)
	return o, ok
}

// session finds the session of a request. store.ErrNotFound: it has none.
func (h *Handler) session(r *http.Request) (store.OperatorSession, error) {
	c, err := r.Cookie(h.cookieName())
	if err != nil || !secretPattern.MatchString(c.Value) {
		return store.OperatorSession{}, store.ErrNotFound
	}
	return h.store.OperatorSession(r.Context(), c.Value, !polled(r))
}

// polled reports whether a page asks by itself, as far as can be told: all that the tool for the queues reads may be, and goes
// without our header.
func polled(r *http.Request) bool {
	return r.Header.Get(pollHeader) != "" || r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, MonitorPath+"/api/")
}

// signedIn lets only requests of a session through. Others are shown where to sign in, and come back after that.
func (h *Handler) signedIn(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, err := h.session(r)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return h.askToSignIn(w, r)
		case err != nil:
			return err
		}
		return next(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, o)))
	}
}

func (h *Handler) askToSignIn(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get(pollHeader) != "" {
		w.WriteHeader(http.StatusUnauthorized) // the script loads the page anew
		return nil
	}
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// ownPath is where to go after signing in: a path of ours, "/" for anything else.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
