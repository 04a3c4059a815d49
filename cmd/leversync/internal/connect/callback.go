package connect

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// callback takes the browser back from Lever: the state first, which is good once, then the decision.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	state := q.Get("state")
	s, secret, err := h.returned(r, state)
	if err != nil {
		return err
	}
	again := func(p *problem) error { return p.with("Go back", sessionPath(s.ID)) }
	if code := q.Get("error"); code != "" {
		if code == "access_denied" {
			return again(problemRefused)
		}
		h.log.WarnContext(r.Context(), "authorization failed", "connector_id", s.ConnectorID, "code", errorCode(code))
		return again(problemLeverError)
	}
	if q.Get("code") == "" {
		return again(problemNoCode)
	}
	tok, err := h.cfg.OAuth.Exchange(r.Context(), q.Get("code"), verifier(secret, state))
	if err != nil {
		return h.exchangeProblem(r, s, err)
	}
	if tok.Refresh == "" {
		return again(problemNotOffline)
	}
	return h.granted(w, r, s, tok)
}

// returned is the session whose browser was sent away with the state, which is used up by this.
func (h *Handler) returned(r *http.Request, state string) (store.LinkSession, string, error) {
	if state == "" {
		return store.LinkSession{}, "", problemNoState
	}
	id, ok := stateSession(state)
	if !ok {
		return store.LinkSession{}, "", problemWrongState
	}
	s, secret, err := h.browser(r, id)
	if errors.Is(err, store.ErrNotFound) {
		return s, "", problemOtherBrowser
	}
	if err != nil {
		return s, "", err
	}
	err = h.store.EndAuthorization(r.Context(), s.ID, state)
	switch {
	case errors.Is(err, store.ErrStateUsed) && s.Linked():
		err = problemUsedState.with("See how far the copy is", donePath(s.ID))
	case errors.Is(err, store.ErrStateUsed):
		err = problemUsedState.with("Go back", sessionPath(s.ID))
	case errors.Is(err, store.ErrExpired):
		err = problemExpiredState.with("Go back", sessionPath(s.ID))
	case errors.Is(err, store.ErrWrongState):
		err = problemWrongState
	}
	return s, secret, err
}

// exchangeProblem is the page for a code that Lever did not turn into tokens.
func (h *Handler) exchangeProblem(r *http.Request, s store.LinkSession, err error) error {
	if r.Context().Err() != nil {
		return err
	}
	h.log.WarnContext(r.Context(), "authorization code not taken", "connector_id", s.ConnectorID, "error", err)
	p := problemLeverAway
	if refused, ok := errors.AsType[*lever.OAuthError](err); ok {
		if p = problemSetUp; refused.InvalidGrant() {
			p = problemBadCode
		}
	}
	return p.with("Go back", sessionPath(s.ID))
}

// granted links the account, or asks first where permissions are missing.
func (h *Handler) granted(w http.ResponseWriter, r *http.Request, s store.LinkSession, tok lever.Token) error {
	scopes, err := h.store.Scopes(r.Context(), s.ConnectorID)
	if err != nil {
		return err
	}
	texts := enabledTexts(scopes)
	cred := store.Credential{Kind: "oauth", Secret: string(tok.Access), Refresh: string(tok.Refresh), ExpiresAt: tok.ExpiresAt}
	if !h.cfg.ReadOnly {
		if m := missing(writes(texts), tok.Scope); len(m) > 0 {
			h.log.InfoContext(r.Context(), "write permissions not granted", "connector_id", s.ConnectorID, "permissions", strings.Join(m, " "))
		}
	}
	if len(missing(reads(texts), tok.Scope)) > 0 {
		return h.hold(w, r, s, cred, tok.Scope)
	}
	return h.complete(w, r, s, &cred)
}

// complete links the account and shows the first sync. cred nil: the held one.
func (h *Handler) complete(w http.ResponseWriter, r *http.Request, s store.LinkSession, cred *store.Credential) error {
	_, err := h.store.CompleteLink(r.Context(), s.ID, cred)
	switch {
	case errors.Is(err, store.ErrLinkUsed): // twice at once: it is linked
	case errors.Is(err, store.ErrNotFound):
		return problemOver
	case err != nil:
		return err
	default:
		h.log.InfoContext(r.Context(), "account linked", "connector_id", s.ConnectorID)
	}
	http.Redirect(w, r, donePath(s.ID), http.StatusSeeOther)
	return nil
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode is an OAuth error code, or "" for what does not look like one: it comes by way of the browser.
func errorCode(s string) string {
	if codePattern.MatchString(s) {
		return s
	}
	return ""
}
