package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// Webhooks is what the dashboard needs to let connectors take Lever's webhooks.
type Webhooks struct {
	// URL is where a connector's are to be sent, by the secret of its own.
	URL func(secret string) string
	// Register registers them with Lever, in place of those that are. Its error is for people.
	Register func(ctx context.Context, connector uuid.UUID) error
	// Unregister takes them back at Lever, and takes none any more.
	Unregister func(ctx context.Context, connector uuid.UUID) error
}

// maxToken is longer than any signature token.
const maxToken = 512

// hookView is how a connector takes webhooks.
type hookView struct {
	store.Webhooks
	On         bool
	URL        string
	Registered int64 // with Lever, by us
	ByHand     int64 // tokens that were given
}

// hooks reads how a connector takes webhooks; nil: the installation has no part of it.
func (h *Handler) hooks(ctx context.Context, connector uuid.UUID) (*hookView, error) {
	if h.cfg.Webhooks == nil {
		return nil, nil
	}
	w, err := h.store.Webhooks(ctx, connector)
	if errors.Is(err, store.ErrNotFound) {
		return &hookView{}, nil
	}
	v := hookView{Webhooks: w, On: true, URL: h.cfg.Webhooks.URL(w.Secret)}
	for _, t := range w.Tokens {
		if t.RemoteID == "" {
			v.ByHand++
		} else {
			v.Registered++
		}
	}
	return &v, err
}

// setHooks turns webhooks on, with Lever or by hand, and off, and takes signature tokens.
func (h *Handler) setHooks(w http.ResponseWriter, r *http.Request) error {
	v, err := h.settings(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	if v.Hooks == nil {
		return problemNoPage
	}
	if v.HookProblem, err = h.changeHooks(r.Context(), v.Subject.ID, r.PostForm.Get("do"), strings.TrimSpace(r.PostForm.Get("signature_token"))); err != nil {
		return err
	}
	if v.HookProblem == "" {
		return h.back(w, r, v.Subject.Path("settings"), "hooks")
	}
	if v.Hooks, err = h.hooks(r.Context(), v.Subject.ID); err != nil {
		return err
	}
	return h.render(w, r, http.StatusUnprocessableEntity, "settings", "Settings of "+v.Subject.OrgName, v)
}

// changeHooks does what was asked for, or says what is wrong with it.
func (h *Handler) changeHooks(ctx context.Context, connector uuid.UUID, do, token string) (problem string, err error) {
	switch do {
	case "register":
		if err := h.cfg.Webhooks.Register(ctx, connector); err != nil {
			h.log.WarnContext(ctx, "webhooks not registered", "connector_id", connector, "error", err)
			return err.Error(), nil
		}
	case "by-hand":
		err = h.store.EnableWebhooks(ctx, connector)
	case "off":
		if err := h.cfg.Webhooks.Unregister(ctx, connector); err != nil {
			h.log.WarnContext(ctx, "webhooks not taken back", "connector_id", connector, "error", err)
			return "None is taken any more. Lever did not take them back: remove what points here in its settings.", nil
		}
	case "token":
		if token == "" || len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "That is no signature token: it is one word of letters and digits.", nil
		}
		err = h.store.AddWebhookTokens(ctx, connector, false, store.NewWebhookToken{Secret: token})
		if errors.Is(err, store.ErrNotFound) {
			return "Turn webhooks on first.", nil
		}
	default:
		return "", problemBadForm
	}
	return "", err
}
