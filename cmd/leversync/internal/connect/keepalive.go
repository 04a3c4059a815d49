package connect

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

const (
	// idleAfter is when a token that nobody used is renewed: well within the 30 days that are promised, and the 90 after
	// which Lever lets it die.
	idleAfter = 20 * 24 * time.Hour
	idleBatch = 100
)

// KeepAlive renews the OAuth tokens that were not renewed for 20 days, those of paused connectors for instance, and returns
// how many. It is to be called about once an hour, in any number of processes. A connector whose grant is gone becomes
// RELINK_NEEDED; another failure is left to the next call, and logged. Its error is Postgres' or the context's.
func KeepAlive(ctx context.Context, s *store.Store, oauth lever.OAuthConfig, log *slog.Logger) (renewed int, err error) {
	idle, err := s.IdleOAuth(ctx, idleAfter, idleBatch)
	if err != nil {
		return 0, err
	}
	for _, i := range idle {
		cred, err := s.Credential(ctx, i.ConnectorID)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return renewed, err
		}
		if cred.RefreshedAt.After(i.RefreshedAt) {
			continue // somebody was faster
		}
		var refused *lever.OAuthError
		_, err = s.RenewCredential(ctx, i.ConnectorID, cred.Secret, func(ctx context.Context, cur store.Credential) (store.Credential, error) {
			tok, err := oauth.Refresh(ctx, cur.Refresh)
			return store.Credential{Secret: string(tok.Access), Refresh: string(tok.Refresh), ExpiresAt: tok.ExpiresAt}, err
		})
		switch {
		case err == nil:
			renewed++
		case ctx.Err() != nil:
			return renewed, ctx.Err()
		case errors.As(err, &refused) && refused.InvalidGrant():
			if _, err := s.NeedRelink(ctx, i.ConnectorID, "Lever no longer accepts the authorization: it was revoked, or has expired; link the account again", cred.RefreshedAt); err != nil {
				return renewed, err
			}
			log.WarnContext(ctx, "authorization is gone", "connector_id", i.ConnectorID)
		default:
			log.WarnContext(ctx, "an idle token could not be renewed", "connector_id", i.ConnectorID, "error", err)
		}
	}
	return renewed, nil
}
