package lever

import (
	"context"
	"iter"
	"net/http"
)

// Webhook is one that Lever has registered: for one event, to one URL. Source: Lever API v1, "Webhooks".
type Webhook struct {
	ID            string               `json:"id"`
	Event         string               `json:"event"`
	URL           string               `json:"url"`
	Configuration WebhookConfiguration `json:"configuration"`
}

// WebhookConfiguration holds what a webhook's deliveries are signed with.
type WebhookConfiguration struct {
	SignatureToken Secret `json:"signatureToken"` // the answer to CreateWebhook alone has it
}

// RecordID is the webhook's id.
func (w Webhook) RecordID() string { return w.ID }

// WebhookEvents are the events that Lever sends.
var WebhookEvents = []string{
	"applicationCreated", "candidateHired", "candidateStageChange", "candidateArchiveChange", "candidateDeleted",
	"interviewCreated", "interviewUpdated", "interviewDeleted", "contactCreated", "contactUpdated",
}

// Webhooks lists those that are registered, without their signature tokens. It needs webhooks:read:admin.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[Page[Webhook], error] {
	return list[Webhook](ctx, c, at("/webhooks"), nil, "")
}

// CreateWebhook registers a webhook, and returns it with its signature token. It needs webhooks:write:admin, and nothing comes
// before the event's group is switched on in Lever's settings. *OutcomeError: it may have been registered.
func (c *Client) CreateWebhook(ctx context.Context, event, url string) (Webhook, error) {
	body, err := jsonPayload(map[string]string{"event": event, "url": url})
	if err != nil {
		return Webhook{}, err
	}
	it, err := post[Webhook](ctx, c, request{endpoint: at("/webhooks"), write: body}, nil)
	return it.Value, err
}

// DeleteWebhook takes a webhook back. *NotFoundError: there is none.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	r := request{endpoint: at("/webhooks/:id", id), write: &payload{method: http.MethodDelete}, decode: func([]byte) (int, error) { return 0, nil }}
	_, err := c.do(ctx, r)
	return err
}
