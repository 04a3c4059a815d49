package dashboard

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// subject is the connector that a page is about: its head and its tabs.
type subject struct {
	store.Board
	Tab string
}

// Path is a page below the connector's own.
func (s subject) Path(tab string) string {
	if tab == "" {
		return "/connectors/" + s.ID.String()
	}
	return "/connectors/" + s.ID.String() + "/" + tab
}

// tab is one of a connector's pages.
type tab struct{ Path, Name string }

// Tabs are the connector's pages.
func (s subject) Tabs() []tab {
	quarantine := "Quarantine"
	if s.Quarantined > 0 {
		quarantine += " (" + number(s.Quarantined) + ")"
	}
	return []tab{{"", "Scopes"}, {"runs", "Runs"}, {"calls", "Calls"}, {"quarantine", quarantine}, {"use", "Token"}, {"settings", "Settings"}}
}

// Runnable says whether syncs can begin.
func (s subject) Runnable() bool { return s.Status == "COMPLETE" && !s.Paused }

// Trouble is what keeps all of the connector from going on, and what to do; "": nothing does.
func (s subject) Trouble() string {
	switch s.Sync {
	case store.SyncNotLinked:
		return "Nobody has allowed the access yet. Send the magic link to whoever administers the Lever account; the settings make a new one."
	case store.SyncRelink:
		return orElse(s.StatusReason, "Lever refuses the credential") + " Nothing is tried until the account is linked again: Relink makes a new magic link for whoever administers it."
	case store.SyncPaused:
		return "It is paused. What is here stays as it is, and can be read; it goes on when it is resumed."
	case store.SyncOff:
		return "Every scope is turned off, so there is nothing to sync. The settings turn some on."
	}
	return ""
}

func (s subject) every() int {
	if s.Sync == store.SyncSyncing {
		return 2
	}
	return 10
}

// subject finds the connector of the path.
func (h *Handler) subject(r *http.Request, tab string) (subject, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return subject{}, problemNoPage
	}
	b, err := h.store.Board(r.Context(), id)
	return subject{Board: b, Tab: tab}, err
}

// connectorView is a connector's scopes.
type connectorView struct {
	Subject subject
	Rows    []scopeRow
	Runs    []store.Run // the latest
}

func (v connectorView) every() int { return v.Subject.every() }

// scopeRow is a scope in the table.
type scopeRow struct {
	store.ScopeStatus
	Standing standing
	Run      *store.Run // its last; nil: it has none
	Sync     bool       // it can be asked for
}

// Over reports whether its last run made more calls than it had reason to.
func (s scopeRow) Over() bool { return overBound(s.Run) }

// overBound leaves room for what the bound does not count: lists of deletions, and calls that had to be tried twice.
func overBound(r *store.Run) bool {
	return r != nil && r.State != "running" && r.Calls > r.Bound+r.Bound/10+5
}

func (h *Handler) connectorPage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "")
	if err != nil {
		return err
	}
	v := connectorView{Subject: c}
	scopes, err := h.store.Scopes(r.Context(), c.ID)
	if err != nil {
		return err
	}
	runs, err := h.store.LastRuns(r.Context(), c.ID)
	if err != nil {
		return err
	}
	for _, s := range scopes {
		row := scopeRow{ScopeStatus: s, Standing: standingOf(c.Connector, s), Sync: s.Enabled && c.Runnable()}
		if s.LastRunID != nil {
			if run, ok := runs[*s.LastRunID]; ok {
				row.Run = &run
			}
		}
		v.Rows = append(v.Rows, row)
	}
	if v.Runs, err = h.store.RunPage(r.Context(), c.ID, "", nil, 8); err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "connector", c.OrgName, v)
}

// useView is what it takes to read a connector over the API.
type useView struct {
	Subject subject
	Token   string
	URL     string // of the installation
}

func (h *Handler) usePage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "use")
	if err != nil {
		return err
	}
	token, err := h.store.ConnectorToken(r.Context(), c.ID)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "use", "Token of "+c.OrgName, useView{Subject: c, Token: token, URL: h.cfg.PublicURL})
}

// newToken gives the connector another token, which is on the page that follows.
func (h *Handler) newToken(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "use")
	if err != nil {
		return err
	}
	if _, err := h.store.RegenerateConnectorToken(r.Context(), c.ID); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "connector token made anew", "connector_id", c.ID)
	return h.back(w, r, c.Path("use"), "token")
}

// runsView is a page of runs.
type runsView struct {
	paged
	Runs   []store.Run
	Scope  string
	Scopes []choice
}

// paged is a page of a list that grows at its start: it is the first that is kept up to date.
type paged struct {
	Subject      subject
	Older, Newer string
	first        bool
}

func (p paged) every() int {
	if !p.first {
		return 0
	}
	return p.Subject.every()
}

// perPage is how many runs or calls a page shows.
const perPage = 50

func (h *Handler) runsPage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "runs")
	if err != nil {
		return err
	}
	v := runsView{paged: paged{Subject: c}}
	v.Scope, v.Scopes = scopeFilter(r)
	list := "runs of " + c.ID.String()
	after, err := h.position(r, list)
	if err != nil {
		return err
	}
	if v.first = after == nil; !v.first {
		v.Newer = withQuery(r.URL, "cursor", "")
	}
	if v.Runs, err = h.store.RunPage(r.Context(), c.ID, unified.Scope(v.Scope), after, perPage+1); err != nil {
		return err
	}
	if len(v.Runs) > perPage {
		v.Runs = v.Runs[:perPage]
		last := v.Runs[perPage-1]
		v.Older = withQuery(r.URL, "cursor", h.store.Cursor(list, store.Position{At: last.StartedAt, ID: last.ID}))
	}
	return h.render(w, r, http.StatusOK, "runs", "Runs of "+c.OrgName, v)
}

// position is where the page of a list begins; nil: at its start, also where the cursor is none of ours.
func (h *Handler) position(r *http.Request, list string) (*store.Position, error) {
	cursor := r.URL.Query().Get("cursor")
	if cursor == "" {
		return nil, nil
	}
	p, err := h.store.Position(list, cursor)
	if errors.Is(err, store.ErrCursor) {
		return nil, nil
	}
	return &p, err
}

// scopeFilter is the scope that a page is narrowed to, and those there are.
func scopeFilter(r *http.Request) (string, []choice) {
	asked := ""
	if sc, err := unified.ParseScope(r.URL.Query().Get("scope")); err == nil {
		asked = string(sc)
	}
	choices := []choice{{"", "All scopes", asked == ""}}
	for _, sc := range unified.Scopes {
		choices = append(choices, choice{string(sc), scopeNames[sc], asked == string(sc)})
	}
	return asked, choices
}

// sinceFilter is the time that a page is narrowed to, back from now; 0: all of it.
func sinceFilter(r *http.Request) (string, time.Duration, []choice) {
	asked, back := "", time.Duration(0)
	choices := []choice{{"", "Any time", true}}
	for _, s := range []struct {
		value, text string
		back        time.Duration
	}{{"1h", "The last hour", time.Hour}, {"24h", "The last 24 hours", 24 * time.Hour}, {"7d", "The last 7 days", 7 * 24 * time.Hour}} {
		chosen := r.URL.Query().Get("since") == s.value
		if chosen {
			asked, back, choices[0].Chosen = s.value, s.back, false
		}
		choices = append(choices, choice{s.value, s.text, chosen})
	}
	return asked, back, choices
}
