package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// WebhookPermission is what registering webhooks with Lever takes.
const WebhookPermission = "webhooks:write:admin"

// WebhookURL is where a connector's webhooks are to be sent.
func WebhookURL(publicURL, secret string) string {
	return strings.TrimRight(publicURL, "/") + WebhookPath + secret
}

// Register lets a connector take webhooks, and registers one for each event with Lever, in place of those that are registered
// to the connector's URL already. Where it is broken off, what it has registered counts, and it may be run again.
// *lever.ForbiddenError: the credential may not; the connector takes webhooks all the same, and they are to be
// registered by hand.
func Register(ctx context.Context, s *store.Store, c *lever.Client, connector uuid.UUID, publicURL string) error {
	if err := s.EnableWebhooks(ctx, connector); err != nil {
		return err
	}
	w, err := s.Webhooks(ctx, connector)
	if err != nil {
		return err
	}
	url := WebhookURL(publicURL, w.Secret)
	old, err := registered(ctx, c, w, url)
	if err != nil {
		return err
	}
	var tokens []store.NewWebhookToken
	var failed error
	for _, event := range lever.WebhookEvents {
		hook, err := c.CreateWebhook(ctx, event, url)
		if failed = err; err != nil {
			break
		}
		if hook.Configuration.SignatureToken == "" {
			failed = fmt.Errorf("connect: Lever gave no signature token for %s", event)
			break
		}
		tokens = append(tokens, store.NewWebhookToken{Event: event, RemoteID: hook.ID, Secret: string(hook.Configuration.SignatureToken)})
	}
	if len(tokens) > 0 { // what is registered signs from now on, whatever came after
		if err := s.AddWebhookTokens(context.WithoutCancel(ctx), connector, failed == nil, tokens...); err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed != nil {
		return failed
	}
	return withdraw(ctx, c, old)
}

// registered are the ids of the webhooks that Lever sends to a URL, and of those that we have registered to another: ours may
// have changed.
func registered(ctx context.Context, c *lever.Client, w store.Webhooks, url string) ([]string, error) {
	var ids []string
	for _, t := range w.Tokens {
		if t.RemoteID != "" {
			ids = append(ids, t.RemoteID)
		}
	}
	for page, err := range c.Webhooks(ctx) {
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			if it.Err == nil && it.Value.URL == url && !slices.Contains(ids, it.Value.ID) {
				ids = append(ids, it.Value.ID)
			}
		}
	}
	return ids, nil
}

// withdraw takes webhooks back; one that is gone is.
func withdraw(ctx context.Context, c *lever.Client, ids []string) error {
	for _, id := range ids {
		if err := c.DeleteWebhook(ctx, id); err != nil && lever.Classify(err) != lever.VerdictGone {
			return err
		}
	}
	return nil
}

// Unregister takes no more webhooks of a connector, and takes back what is registered with Lever. It takes none any more even
// where Lever does not answer, which its error then says; store.ErrNotFound: the connector takes none.
func Unregister(ctx context.Context, s *store.Store, client func(context.Context, uuid.UUID) (*lever.Client, error), connector uuid.UUID, publicURL string) error {
	w, err := s.Webhooks(ctx, connector)
	if err != nil {
		return err
	}
	if err := s.DisableWebhooks(ctx, connector); err != nil {
		return err
	}
	if !w.Registered() {
		return nil
	}
	c, err := client(ctx, connector)
	if err != nil {
		return fmt.Errorf("webhooks not taken back at Lever: %w", err)
	}
	ids, err := registered(ctx, c, w, WebhookURL(publicURL, w.Secret))
	if err == nil {
		err = withdraw(ctx, c, ids)
	}
	if err != nil {
		return fmt.Errorf("webhooks not taken back at Lever: %w", err)
	}
	return nil
}
