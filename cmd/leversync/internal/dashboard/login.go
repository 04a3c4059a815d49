package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// loginView is the page to sign in.
type loginView struct {
	Next  string
	Error string // "": none
	Left  bool   // just signed out
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) error {
	next := ownPath(r.URL.Query().Get("next"))
	if _, err := h.session(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return h.render(w, r, http.StatusOK, "login", "Sign in", loginView{Next: next, Left: r.URL.Query().Has("left")})
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	view := loginView{Next: ownPath(r.PostForm.Get("next"))}
	from := addressOf(r)
	if wait, ok := h.tries.allow(from, time.Now()); !ok {
		seconds := int(wait.Seconds()) + 1
		h.log.WarnContext(r.Context(), "sign-in refused: too many tries")
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		view.Error = fmt.Sprintf("That was wrong too often. Wait %s before you try again.", plural(int64(seconds), "second"))
		return h.render(w, r, http.StatusTooManyRequests, "login", "Sign in", view)
	}
	hash, err := h.store.OperatorPassword(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		return problemNoPassword
	} else if err != nil {
		return err
	}
	good, err := h.tries.check(r.Context(), hash, r.PostForm.Get("password"))
	if err != nil {
		return err
	}
	if !good {
		h.log.WarnContext(r.Context(), "sign-in refused: wrong password")
		view.Error = "That is not the password."
		return h.render(w, r, http.StatusForbidden, "login", "Sign in", view)
	}
	h.tries.succeeded(from)
	secret, err := h.store.OpenOperatorSession(r.Context(), hash, r.UserAgent())
	if errors.Is(err, store.ErrNotFound) {
		view.Error = "The password has just been changed."
		return h.render(w, r, http.StatusForbidden, "login", "Sign in", view)
	} else if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "signed in")
	h.setCookie(w, secret)
	http.Redirect(w, r, view.Next, http.StatusSeeOther)
	return nil
}

// check compares one password at a time, and none of who has gone away meanwhile.
func (t *tries) check(ctx context.Context, hash, password string) (bool, error) {
	select {
	case t.checking <- struct{}{}:
		defer func() { <-t.checking }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return checkPassword(hash, password)
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request) error {
	o, _ := sessionOf(r.Context())
	if err := h.store.CloseOperatorSession(r.Context(), o.ID); err != nil {
		return err
	}
	return h.leave(w, r)
}

func (h *Handler) logoutEverywhere(w http.ResponseWriter, r *http.Request) error {
	if err := h.store.CloseOperatorSessions(r.Context()); err != nil {
		return err
	}
	return h.leave(w, r)
}

func (h *Handler) leave(w http.ResponseWriter, r *http.Request) error {
	h.setCookie(w, "")
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, "/login?left", http.StatusSeeOther)
	return nil
}

// sessionsView lists who is signed in.
type sessionsView struct {
	Sessions []store.OperatorSession
	Current  uuid.UUID
}

func (h *Handler) sessionsPage(w http.ResponseWriter, r *http.Request) error {
	list, err := h.store.OperatorSessions(r.Context())
	if err != nil {
		return err
	}
	o, _ := sessionOf(r.Context())
	return h.render(w, r, http.StatusOK, "sessions", "Sessions", sessionsView{Sessions: list, Current: o.ID})
}

func (h *Handler) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return problemNoPage
	}
	if o, _ := sessionOf(r.Context()); o.ID == id {
		return h.logout(w, r)
	}
	if err := h.store.CloseOperatorSession(r.Context(), id); err != nil {
		return err
	}
	return h.back(w, r, "/sessions", "signed-out")
}
