package connect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// ask is the first page: what is asked for, and of whom. It is behind a link or, once that was used, behind a session.
type ask struct {
	Connector store.Connector
	Texts     []scopeText
	AllowPath string // "": there is no OAuth app
	KeyPath   string
	KeyError  string     // what was wrong with the key given before
	ExpiresAt *time.Time // of the link
	Relink    bool
	ReadOnly  bool
	Asked     []string // permissions, as Lever names them

	link []byte // hash
}

// askFor gathers what the page shows of a connector.
func (h *Handler) askFor(ctx context.Context, connector uuid.UUID, allow, key string) (ask, error) {
	a := ask{AllowPath: allow, KeyPath: key, ReadOnly: h.cfg.ReadOnly}
	if h.cfg.OAuth.ClientID == "" {
		a.AllowPath = ""
	}
	var err error
	if a.Connector, err = h.store.Connector(ctx, connector); err != nil {
		return a, err
	}
	scopes, err := h.store.Scopes(ctx, connector)
	if err != nil {
		return a, err
	}
	a.Texts = enabledTexts(scopes)
	a.Asked = h.permissions(a.Texts)
	if hooked, err := h.store.TakesWebhooks(ctx, connector); err != nil {
		return a, err
	} else if hooked {
		a.Asked = append(a.Asked, WebhookPermission)
	}
	a.Relink = a.Connector.CompletedAt != nil
	return a, nil
}

// linkAsk is the page behind the link of the path; its errors are pages.
func (h *Handler) linkAsk(r *http.Request) (ask, error) {
	token := r.PathValue("token")
	if !secretPattern.MatchString(token) {
		return ask{}, problemUnknownLink
	}
	l, err := h.store.FindLink(r.Context(), token)
	if err != nil {
		return ask{}, h.linkProblem(r, l, err)
	}
	a, err := h.askFor(r.Context(), l.ConnectorID, "/connect/"+token, "/connect/"+token+"/key")
	a.ExpiresAt, a.link = &l.ExpiresAt, l.Hash
	return a, err
}

// linkProblem says why a link does not work. The browser that used it is shown its way on.
func (h *Handler) linkProblem(r *http.Request, l store.Link, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problemUnknownLink
	case errors.Is(err, store.ErrExpired):
		return problemExpiredLink
	case !errors.Is(err, store.ErrLinkUsed):
		return err
	}
	if l.SessionID == nil {
		return problemUsedLink
	}
	s, _, err := h.browser(r, *l.SessionID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problemUsedLink
	case err != nil:
		return err
	case s.Linked():
		return problemLinkedHere.with("See how far the copy is", donePath(s.ID))
	}
	return problemUsedHere.with("Go on where you were", sessionPath(s.ID))
}

// sessionAsk is the page again, for the browser that used the link; its errors are pages.
func (h *Handler) sessionAsk(r *http.Request) (ask, store.LinkSession, string, error) {
	s, secret, err := h.session(r)
	if err != nil {
		return ask{}, s, "", err
	}
	if s.Linked() {
		return ask{}, s, "", problemLinked.with("See how far the copy is", donePath(s.ID))
	}
	path := sessionPath(s.ID)
	a, err := h.askFor(r.Context(), s.ConnectorID, path+"/allow", path+"/key")
	a.link = s.LinkHash
	return a, s, secret, err
}

func sessionPath(id uuid.UUID) string     { return "/connect/session/" + id.String() }
func permissionsPath(id uuid.UUID) string { return "/connect/permissions/" + id.String() }
func donePath(id uuid.UUID) string        { return "/connect/done/" + id.String() }

func (h *Handler) linkPage(w http.ResponseWriter, r *http.Request) error {
	a, err := h.linkAsk(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "ask", a.title(), a)
}

func (h *Handler) sessionPage(w http.ResponseWriter, r *http.Request) error {
	a, _, _, err := h.sessionAsk(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "ask", a.title(), a)
}

func (a ask) title() string {
	if a.Relink {
		return "Reconnect Lever"
	}
	return "Connect Lever"
}

// linkAllow consumes the link and sends the browser to Lever.
func (h *Handler) linkAllow(w http.ResponseWriter, r *http.Request) error {
	a, err := h.linkAsk(r)
	if err != nil {
		return err
	}
	if a.AllowPath == "" {
		return problemNoOAuth
	}
	s, secret, err := h.store.UseLink(r.Context(), r.PathValue("token"))
	if err != nil { // somebody was faster
		return h.linkProblem(r, store.Link{}, err)
	}
	h.setCookie(w, s.ID, secret)
	h.log.InfoContext(r.Context(), "link used", "connector_id", s.ConnectorID)
	return h.authorize(w, r, a, s.ID, secret)
}

func (h *Handler) sessionAllow(w http.ResponseWriter, r *http.Request) error {
	a, s, secret, err := h.sessionAsk(r)
	if err != nil {
		return err
	}
	if a.AllowPath == "" {
		return problemNoOAuth
	}
	return h.authorize(w, r, a, s.ID, secret)
}

// authorize sends the browser to Lever.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request, a ask, session uuid.UUID, secret string) error {
	state := newState(session)
	switch err := h.store.BeginAuthorization(r.Context(), session, state); {
	case errors.Is(err, store.ErrLinkUsed):
		return problemOver
	case err != nil:
		return err
	}
	http.Redirect(w, r, h.cfg.OAuth.AuthorizeURL(state, a.Asked, challenge(verifier(secret, state))), http.StatusSeeOther)
	return nil
}
