package connect

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/leversync/leversync/store"
)

// refreshSeconds is how often the page of the first sync loads itself anew where no script does better.
const refreshSeconds = 10

// doneView is how far the first sync is.
type doneView struct {
	Connector store.Connector
	Rows      []doneRow
	Ready     int   // scopes whose copy is complete
	Records   int64 // of all scopes, so far
	Refused   int   // scopes that Lever does not let us read
	Failed    int
	Over      bool // nothing more will come of this sync
	Live      bool // the page is to follow what happens
	Paused    bool // following was switched off, by the person
	Seconds   int
	Path      string
	TokenPath string
}

// doneRow is how far one scope is.
type doneRow struct {
	Name    string
	State   string // ready, reading, waiting, refused, failed
	Records int64
}

// donePage shows the browser that linked the account how far the first sync is.
func (h *Handler) donePage(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.session(r)
	if err != nil {
		return err
	}
	if !s.Linked() {
		http.Redirect(w, r, next(s), http.StatusSeeOther)
		return nil
	}
	c, err := h.store.Connector(r.Context(), s.ConnectorID)
	if err != nil {
		return err
	}
	scopes, err := h.store.Scopes(r.Context(), s.ConnectorID)
	if err != nil {
		return err
	}
	v := progress(c, scopes, *s.LinkedAt)
	v.Paused = r.URL.Query().Get("updates") == "off"
	v.Live = !v.Paused && !v.Over
	v.Seconds, v.Path, v.TokenPath = refreshSeconds, donePath(s.ID), donePath(s.ID)+"/token"
	return h.render(w, r, http.StatusOK, "done", "Lever is connected", v)
}

// progress reads the states of a connector's scopes as what became of them since it was linked.
func progress(c store.Connector, scopes []store.ScopeStatus, linked time.Time) doneView {
	status := map[string]store.ScopeStatus{}
	for _, s := range scopes {
		status[s.Scope] = s
	}
	v := doneView{Connector: c}
	for _, t := range enabledTexts(scopes) {
		s := status[string(t.Scope)]
		row := doneRow{Name: t.Name, State: stateOf(s, linked), Records: s.Records}
		v.Records += row.Records
		switch row.State {
		case "ready":
			v.Ready++
		case "refused":
			v.Refused++
		case "failed":
			v.Failed++
		}
		v.Rows = append(v.Rows, row)
	}
	v.Over = v.Ready+v.Refused+v.Failed == len(v.Rows) || c.Status != "COMPLETE"
	return v
}

func stateOf(s store.ScopeStatus, linked time.Time) string {
	switch {
	case s.State == "forbidden":
		return "refused"
	case s.State == "failed":
		return "failed"
	case s.State == "ok" && s.SyncedAt != nil && !s.SyncedAt.Before(linked):
		return "ready"
	case s.State == "syncing":
		return "reading"
	}
	return "waiting"
}

// doneToken makes a temporary token for the window that opened this one. The answer is {"temporary_token": "…"}.
func (h *Handler) doneToken(w http.ResponseWriter, r *http.Request) error {
	s, _, err := h.session(r)
	if err != nil {
		return err
	}
	if !s.Linked() {
		return problemOtherBrowser
	}
	token, err := h.store.CreateTemporaryToken(r.Context(), s.ConnectorID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]string{"temporary_token": token})
}
