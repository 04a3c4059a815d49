package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// keysView lists the keys to the API.
type keysView struct {
	Live, Revoked []store.APIKey
	Name          string
	Scopes        []string // ticked
	Problem       string
}

// Ticked says whether a scope of keys is chosen in the form.
func (v keysView) Ticked(scope string) bool { return slices.Contains(v.Scopes, scope) }

func (h *Handler) keysPage(w http.ResponseWriter, r *http.Request) error {
	return h.showKeys(w, r, http.StatusOK, keysView{Scopes: []string{store.KeyRead, store.KeyWrite}})
}

func (h *Handler) showKeys(w http.ResponseWriter, r *http.Request, status int, v keysView) error {
	keys, err := h.store.APIKeys(r.Context())
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.RevokedAt == nil {
			v.Live = append(v.Live, k)
		} else {
			v.Revoked = append(v.Revoked, k)
		}
	}
	return h.render(w, r, status, "keys", "API keys", v)
}

// keyView shows a key, this once.
type keyView struct {
	Key    store.APIKey
	Secret string
	Again  bool // it took the place of one that no longer opens anything
	URL    string
}

func (h *Handler) keyCreate(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	v := keysView{Name: strings.TrimSpace(r.PostForm.Get("name"))}
	for _, sc := range store.KeyScopes {
		if slices.Contains(r.PostForm["scope"], sc) {
			v.Scopes = append(v.Scopes, sc)
		}
	}
	switch {
	case v.Name == "":
		v.Problem = "Say what the key is for."
	case len(v.Name) > maxName || strings.ContainsFunc(v.Name, func(c rune) bool { return c < ' ' }) || strings.ToValidUTF8(v.Name, "") != v.Name:
		v.Problem = "The name is too long, or holds a character that can't be shown."
	case len(v.Scopes) == 0:
		v.Problem = "Choose at least one thing that the key may do."
	}
	if v.Problem != "" {
		return h.showKeys(w, r, http.StatusUnprocessableEntity, v)
	}
	k, secret, err := h.store.CreateAPIKey(r.Context(), v.Name, v.Scopes...)
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "API key made", "key_id", k.ID)
	return h.render(w, r, http.StatusOK, "key", "A new API key", keyView{Key: k, Secret: secret, URL: h.cfg.PublicURL})
}

func (h *Handler) keyRegenerate(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return problemNoPage
	}
	k, secret, err := h.store.RegenerateAPIKey(r.Context(), id)
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "API key made anew", "key_id", k.ID)
	return h.render(w, r, http.StatusOK, "key", "A new API key", keyView{Key: k, Secret: secret, Again: true, URL: h.cfg.PublicURL})
}

func (h *Handler) keyRevoke(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return problemNoPage
	}
	if err := h.store.RevokeAPIKey(r.Context(), id); err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "API key revoked", "key_id", id)
	return h.back(w, r, "/keys", "revoked")
}
