package connect

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// cookieFor is how long a browser keeps its cookie: as long as it may watch the first sync.
const cookieFor = 24 * time.Hour

// cookieName is the cookie of one session: two accounts can be connected side by side. With the prefix a browser takes it
// from this host alone, and over https.
func (h *Handler) cookieName(session uuid.UUID) string {
	name := "leversync-link-" + hex.EncodeToString(session[:])
	if h.secure {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) setCookie(w http.ResponseWriter, session uuid.UUID, secret string) {
	// Lax, not Strict: Lever sends the browser back, and the cookie must come with it.
	http.SetCookie(w, &http.Cookie{
		Name: h.cookieName(session), Value: secret, Path: "/", MaxAge: int(cookieFor.Seconds()),
		Secure: h.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// browser is the session of the browser that asks, and the secret of its cookie. store.ErrNotFound: it is another's, or over.
func (h *Handler) browser(r *http.Request, id uuid.UUID) (store.LinkSession, string, error) {
	c, err := r.Cookie(h.cookieName(id))
	if err != nil || !secretPattern.MatchString(c.Value) {
		return store.LinkSession{}, "", store.ErrNotFound
	}
	l, err := h.store.LinkSession(r.Context(), id, c.Value)
	return l, c.Value, err
}

// session is browser by the {id} of the path; its errors are pages.
func (h *Handler) session(r *http.Request) (store.LinkSession, string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return store.LinkSession{}, "", problemNoPage
	}
	l, secret, err := h.browser(r, id)
	if errors.Is(err, store.ErrNotFound) {
		return l, "", problemOtherBrowser
	}
	return l, secret, err
}

// secretPattern is 256 bits as the store writes them.
var secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// newState makes the state of an authorization: which session it is of, and 256 random bits.
func newState(session uuid.UUID) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(session[:]) + "." + base64.RawURLEncoding.EncodeToString(b)
}

// stateSession reads which session a state claims to be of.
func stateSession(state string) (uuid.UUID, bool) {
	id, random, _ := strings.Cut(state, ".")
	if len(id) != 32 || !secretPattern.MatchString(random) {
		return uuid.Nil, false
	}
	b, err := hex.DecodeString(id)
	if err != nil {
		return uuid.Nil, false
	}
	return uuid.UUID(b), true
}

// verifier is PKCE's, of one authorization of one browser.
func verifier(secret, state string) string {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = m.Write([]byte("leversync pkce verifier\x00" + state)) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// challenge is what Lever is shown of a verifier, by the method S256.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
