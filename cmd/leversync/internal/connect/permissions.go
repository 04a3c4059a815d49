package connect

import (
	"net/http"

	"github.com/leversync/leversync/store"
)

// permissionsView names what was not granted, and what can't be read because of it.
type permissionsView struct {
	Connector    store.Connector
	Missing      []string // permissions, as Lever names them
	Lost         []scopeText
	All          bool // nothing is left to read
	ContinuePath string
	BackPath     string
}

// permissionsPage asks the owner of a credential that lacks permissions whether to go on without them.
func (h *Handler) permissionsPage(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.session(r)
	if err != nil {
		return err
	}
	if !s.Held {
		http.Redirect(w, r, next(s), http.StatusSeeOther)
		return nil
	}
	a, err := h.askFor(r.Context(), s.ConnectorID, "", "")
	if err != nil {
		return err
	}
	v := permissionsView{Connector: a.Connector, Missing: missing(reads(a.Texts), s.Granted), BackPath: sessionPath(s.ID), ContinuePath: permissionsPath(s.ID) + "/continue"}
	v.Lost = lost(a.Texts, v.Missing)
	v.All = len(v.Lost) == len(a.Texts)
	return h.render(w, r, http.StatusForbidden, "permissions", "Some permissions are missing", v)
}

// permissionsContinue links the account with the permissions that there are.
func (h *Handler) permissionsContinue(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.session(r)
	if err != nil {
		return err
	}
	if !s.Held {
		http.Redirect(w, r, next(s), http.StatusSeeOther)
		return nil
	}
	return h.complete(w, r, s, nil)
}

// next is where a session's browser belongs.
func next(s store.LinkSession) string {
	if s.Linked() {
		return donePath(s.ID)
	}
	return sessionPath(s.ID)
}
