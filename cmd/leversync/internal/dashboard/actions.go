package dashboard

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Refusals of actions: the page that a person acted on was an older one.
var (
	problemNotRunnable = &problem{status: http.StatusConflict, Title: "It can't sync now", Text: "The connector is paused, not linked yet, or must be linked again. Its page says which."}
	problemScopeOff    = &problem{status: http.StatusConflict, Title: "That scope is off", Text: "It was turned off. The connector's settings turn it on again."}
	problemAllOff      = &problem{status: http.StatusConflict, Title: "Every scope is off", Text: "There is nothing to sync. The connector's settings turn scopes on."}
)

// syncNow asks for all scopes that are on, or for the one that the form names.
func (h *Handler) syncNow(w http.ResponseWriter, r *http.Request) error {
	return h.askSync(w, r, false)
}

// resync asks for everything to be read again.
func (h *Handler) resync(w http.ResponseWriter, r *http.Request) error { return h.askSync(w, r, true) }

func (h *Handler) askSync(w http.ResponseWriter, r *http.Request, full bool) error {
	c, err := h.subject(r, "")
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	if !c.Runnable() {
		return problemNotRunnable
	}
	enabled, err := h.store.EnabledScopes(r.Context(), c.ID)
	if err != nil {
		return err
	}
	scopes := slices.DeleteFunc(slices.Clone(unified.Scopes), func(sc unified.Scope) bool { return !enabled[sc] })
	if name := r.PostForm.Get("scope"); name != "" {
		sc, err := unified.ParseScope(name)
		if err != nil {
			return problemBadForm
		}
		if !enabled[sc] {
			return problemScopeOff
		}
		scopes = []unified.Scope{sc}
	}
	if len(scopes) == 0 {
		return problemAllOff
	}
	if err := h.cfg.Sync(r.Context(), c.Connector, scopes, full); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "sync asked for", "connector_id", c.ID, "scopes", len(scopes), "full", full)
	done := "asked"
	if full {
		done = "full"
	}
	return h.back(w, r, c.Path(""), done)
}

func (h *Handler) pause(w http.ResponseWriter, r *http.Request) error {
	return h.setPaused(w, r, true, "paused")
}

func (h *Handler) resume(w http.ResponseWriter, r *http.Request) error {
	return h.setPaused(w, r, false, "resumed")
}

func (h *Handler) setPaused(w http.ResponseWriter, r *http.Request, paused bool, done string) error {
	c, err := h.subject(r, "")
	if err != nil {
		return err
	}
	if err := h.store.SetPaused(r.Context(), c.ID, paused); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "connector "+done, "connector_id", c.ID)
	return h.back(w, r, c.Path(""), done)
}

// relink makes a new magic link, for a connector that is not linked yet or must be linked again.
func (h *Handler) relink(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "settings")
	if err != nil {
		return err
	}
	token, expires, err := h.store.CreateLink(r.Context(), c.ID, store.LinkFor)
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "magic link made", "connector_id", c.ID)
	return h.showLink(w, r, linkView{Connector: c.Connector, URL: h.linkURL(token), ExpiresAt: expires, Relink: c.Status != "INCOMPLETE"})
}

// settingsView is what can be changed of a connector.
type settingsView struct {
	Subject     subject
	Scopes      []scopeChoice
	Interval    string // "": the installation's
	Rate        string // likewise
	Default     struct{ Interval, Rate string }
	Problem     string // with the pace
	Hooks       *hookView
	HookProblem string
	Unnamed     bool // the name that should confirm the deletion was another
}

func (h *Handler) settingsPage(w http.ResponseWriter, r *http.Request) error {
	v, err := h.settings(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, "settings", "Settings of "+v.Subject.OrgName, v)
}

func (h *Handler) settings(r *http.Request) (settingsView, error) {
	c, err := h.subject(r, "settings")
	if err != nil {
		return settingsView{}, err
	}
	on, err := h.store.EnabledScopes(r.Context(), c.ID)
	if err != nil {
		return settingsView{}, err
	}
	v := settingsView{Subject: c, Scopes: scopeChoices(func(sc unified.Scope) bool { return on[sc] })}
	if c.SyncIntervalSeconds != nil {
		v.Interval = strconv.Itoa((*c.SyncIntervalSeconds + 59) / 60)
	}
	if c.RateLimit != nil {
		v.Rate = strconv.FormatFloat(*c.RateLimit, 'g', -1, 64)
	}
	if d := h.cfg.SyncInterval; d > 0 {
		v.Default.Interval = strconv.Itoa(int(math.Ceil(d.Minutes())))
	}
	if h.cfg.RateLimit > 0 {
		v.Default.Rate = strconv.FormatFloat(h.cfg.RateLimit, 'g', -1, 64)
	}
	v.Hooks, err = h.hooks(r.Context(), c.ID)
	return v, err
}

// setScopes turns scopes on and off, as they are ticked, and removes what is stored of those that it turns off where that is
// asked for.
func (h *Handler) setScopes(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "settings")
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	on, err := h.store.EnabledScopes(r.Context(), c.ID)
	if err != nil {
		return err
	}
	ticked := scopesOf(r)
	change := store.ScopeChange{Enabled: map[unified.Scope]bool{}, Remove: r.PostForm.Get("remove") != ""}
	for _, sc := range unified.Scopes {
		// What was off before keeps what it has: this form turns nothing off there.
		if is := slices.Contains(ticked, sc); is != on[sc] {
			change.Enabled[sc] = is
		}
	}
	if err := h.store.ChangeScopes(r.Context(), c.ID, change); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "scopes changed", "connector_id", c.ID, "on", len(ticked), "remove", change.Remove)
	done := "scopes"
	if change.Remove {
		done = "removed"
	}
	return h.back(w, r, c.Path(""), done)
}

// maxMinutes is the longest time between two syncs: 30 days.
const maxMinutes = 30 * 24 * 60

// setCadence sets how often a connector syncs, in minutes, and how fast, in calls a second; empty is the installation's.
func (h *Handler) setCadence(w http.ResponseWriter, r *http.Request) error {
	v, err := h.settings(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	v.Interval, v.Rate = strings.TrimSpace(r.PostForm.Get("interval")), strings.TrimSpace(r.PostForm.Get("rate"))
	var interval *time.Duration
	var rate *float64
	if v.Interval != "" {
		n, err := strconv.Atoi(v.Interval)
		if err != nil || n < 1 || n > maxMinutes {
			v.Problem = "Minutes between two syncs: a whole number from 1 to 43,200."
		}
		d := time.Duration(n) * time.Minute
		interval = &d
	}
	if v.Rate != "" {
		f, err := strconv.ParseFloat(v.Rate, 64)
		if err != nil || !(f > 0) || f > 1000 {
			v.Problem = "Calls a second: a number above 0, such as 10."
		}
		rate = &f
	}
	if v.Problem != "" {
		return h.render(w, r, http.StatusUnprocessableEntity, "settings", "Settings of "+v.Subject.OrgName, v)
	}
	if err := h.store.SetCadence(r.Context(), v.Subject.ID, interval, rate); err != nil {
		return err
	}
	return h.back(w, r, v.Subject.Path("settings"), "cadence")
}

// remove deletes a connector once its name was typed.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request) error {
	v, err := h.settings(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	if strings.TrimSpace(r.PostForm.Get("name")) != strings.TrimSpace(v.Subject.OrgName) {
		v.Unnamed = true
		return h.render(w, r, http.StatusUnprocessableEntity, "settings", "Settings of "+v.Subject.OrgName, v)
	}
	if h.cfg.Webhooks != nil {
		if err := h.cfg.Webhooks.Unregister(r.Context(), v.Subject.ID); err != nil {
			h.log.WarnContext(r.Context(), "webhooks not taken back", "connector_id", v.Subject.ID, "error", err)
		}
	}
	if err := h.store.DeleteConnector(r.Context(), v.Subject.ID); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "connector deleted", "connector_id", v.Subject.ID)
	return h.back(w, r, "/", "deleted")
}
