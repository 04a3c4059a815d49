package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/store"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	var e *env
	refusal, taken := error(nil), 0
	e = newEnv(t, func(c *dashboard.Config) {
		c.Webhooks = &dashboard.Webhooks{
			URL: func(secret string) string { return "https://sync.example.com/webhooks/lever/" + secret },
			Register: func(ctx context.Context, id uuid.UUID) error {
				if refusal != nil {
					return refusal
				}
				return errors.Join(e.db.Store.EnableWebhooks(ctx, id), e.db.Store.AddWebhookTokens(ctx, id, true, store.NewWebhookToken{Event: "candidateHired", RemoteID: "hook", Secret: "secret"}))
			},
			Unregister: func(ctx context.Context, id uuid.UUID) error {
				taken++
				return e.db.Store.DisableWebhooks(ctx, id)
			},
		}
	})
	b := e.signedIn()
	c := e.connector("Acme")
	settings, hooks := "/connectors/"+c.ID.String()+"/settings", "/connectors/"+c.ID.String()+"/webhooks"
	do := func(what string, more ...string) answer {
		form := url.Values{"do": {what}}
		if len(more) > 0 {
			form.Set("signature_token", more[0])
		}
		return b.post(hooks, form)
	}
	want(t, "settings", b.get(settings), http.StatusOK, "Turn on, and register with Lever")
	want(t, "a token before", do("token", "abc"), http.StatusUnprocessableEntity, "Turn webhooks on first.")
	refusal = errors.New("this credential may not register webhooks")
	want(t, "refused", do("register"), http.StatusUnprocessableEntity, "this credential may not register webhooks")
	refusal = nil
	want(t, "by hand", do("by-hand"), http.StatusOK, "https://sync.example.com/webhooks/lever/", "none, by us", "none yet")
	want(t, "a token that is none", do("token", "two words"), http.StatusUnprocessableEntity, "That is no signature token")
	a := do("token", "the-signature-token")
	want(t, "a token", a, http.StatusOK, "Saved.")
	if strings.Contains(a.body, "the-signature-token") || strings.Contains(e.logs.String(), "the-signature-token") {
		t.Error("the signature token is shown again, or in the log")
	}
	want(t, "registered", do("register"), http.StatusOK, "1 event", "Turn off")
	want(t, "nonsense", do("nonsense"), http.StatusBadRequest)
	want(t, "off", do("off"), http.StatusOK, "Turn on, and register with Lever")
	do("by-hand")
	if before := taken; b.post("/connectors/"+c.ID.String()+"/delete", url.Values{"name": {"Acme"}}).status != http.StatusOK || taken != before+1 {
		t.Errorf("webhooks were taken back %d times with the connector, want once", taken-before)
	}
	c = e.connector("Other")
	if got := newEnv(t).signedIn().post("/connectors/"+c.ID.String()+"/webhooks", url.Values{"do": {"off"}}); got.status != http.StatusNotFound {
		t.Errorf("webhooks of an installation that takes none: %d, want 404", got.status)
	}
}
