package dashboard

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// createView is the form that makes a connector.
type createView struct {
	OrgName, OriginID string
	Scopes            []scopeChoice
	Days              int // the link works
	Problems          map[string]string
}

// scopeChoice is a scope with a box to tick.
type scopeChoice struct {
	Value, Name string
	On          bool
	Sensitive   bool
}

func scopeChoices(on func(unified.Scope) bool) []scopeChoice {
	var out []scopeChoice
	for _, sc := range unified.Scopes {
		out = append(out, scopeChoice{Value: string(sc), Name: scopeNames[sc], On: on(sc), Sensitive: sc == unified.EEOCs})
	}
	return out
}

// linkDays are how many days a link may work.
var linkDays = []int{1, 7, 30}

const maxName = 200

func (h *Handler) createPage(w http.ResponseWriter, r *http.Request) error {
	defaults := unified.DefaultScopes()
	v := createView{Days: 7, Scopes: scopeChoices(func(sc unified.Scope) bool { return slices.Contains(defaults, sc) })}
	return h.render(w, r, http.StatusOK, "create", "Create a connector", v)
}

// linkView shows a magic link, this once.
type linkView struct {
	Connector store.Connector
	URL       string
	ExpiresAt time.Time
	Relink    bool
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	v, scopes := readCreate(r)
	if len(v.Problems) > 0 {
		return h.render(w, r, http.StatusUnprocessableEntity, "create", "Create a connector", v)
	}
	lt, err := h.store.CreateLinkToken(r.Context(), store.NewLink{OrgName: v.OrgName, OriginID: v.OriginID, Category: store.Category, Integration: store.Integration,
		Scopes: scopes, TTL: time.Duration(v.Days) * 24 * time.Hour})
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "connector created", "connector_id", lt.Connector.ID)
	return h.showLink(w, r, linkView{Connector: lt.Connector, URL: h.linkURL(lt.Token), ExpiresAt: lt.ExpiresAt})
}

func (h *Handler) linkURL(token string) string { return h.cfg.PublicURL + "/connect/" + token }

func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, v linkView) error {
	title := "Magic link for " + v.Connector.OrgName
	return h.render(w, r, http.StatusOK, "link", title, v)
}

// readCreate reads the form, and says of each field what is wrong with it.
func readCreate(r *http.Request) (createView, []unified.Scope) {
	v := createView{OrgName: strings.TrimSpace(r.PostForm.Get("org_name")), OriginID: strings.TrimSpace(r.PostForm.Get("origin_id")), Days: 7, Problems: map[string]string{}}
	check := func(field, value, empty string) {
		switch {
		case value == "":
			v.Problems[field] = empty
		case len(value) > maxName:
			v.Problems[field] = "It is too long: at most 200 characters."
		case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' }) || strings.ToValidUTF8(value, "") != value:
			v.Problems[field] = "It holds a character that can't be shown."
		}
	}
	check("org_name", v.OrgName, "Say whose Lever account it is.")
	check("origin_id", v.OriginID, "Give an id by which your own system knows the organisation.")
	scopes := scopesOf(r)
	if len(scopes) == 0 {
		v.Problems["scopes"] = "Choose at least one."
	}
	v.Scopes = scopeChoices(func(sc unified.Scope) bool { return slices.Contains(scopes, sc) })
	for _, d := range linkDays {
		if r.PostForm.Get("days") == number(int64(d)) {
			v.Days = d
		}
	}
	return v, scopes
}

// scopesOf are the scopes that were ticked.
func scopesOf(r *http.Request) []unified.Scope {
	var out []unified.Scope
	for _, name := range r.PostForm["scope"] {
		if sc, err := unified.ParseScope(name); err == nil && !slices.Contains(out, sc) {
			out = append(out, sc)
		}
	}
	return out
}
