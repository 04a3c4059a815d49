package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// keepDeliveries is how long a delivery's token is remembered. What is older than minutes is refused anyway.
	keepDeliveries = 24 * time.Hour
	// replacedFor is how long a signing token that was replaced still counts: what it has signed may be on its way.
	replacedFor = 10 * time.Minute
	// webhooksAnHour is how many deliveries of a connector are kept of an hour, and with them what they hint at; some more, because
	// they are counted every 5 s. A day's are some 24 MB.
	webhooksAnHour = 10_000
)

// ErrCrowded means that a connector got as many webhooks within an hour as are kept: this one was not.
var ErrCrowded = errors.New("store: the connector got as many webhooks within the hour as are kept")

// Webhooks says that a connector takes Lever's webhooks.
type Webhooks struct {
	ConnectorID uuid.UUID
	Secret      string // ends the path of the connector's own URL; not to be logged
	EnabledAt   time.Time
	ReceivedAt  *time.Time // the last genuine one, give or take 5 s
	Tokens      []WebhookToken
	Hints       int64 // not looked at yet
}

// Registered reports whether webhooks were registered with Lever by us.
func (w Webhooks) Registered() bool {
	return slices.ContainsFunc(w.Tokens, func(t WebhookToken) bool { return t.RemoteID != "" })
}

// TakesWebhooks reports whether a connector takes webhooks.
func (s *Store) TakesWebhooks(ctx context.Context, connector uuid.UUID) (on bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM webhooks WHERE connector_id = $1)`, connector).Scan(&on)
	return on, err
}

// RegisteredWebhooks is how many webhooks of a connector we have registered with Lever. It opens nothing that is sealed.
func (s *Store) RegisteredWebhooks(ctx context.Context, connector uuid.UUID) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM webhook_tokens WHERE connector_id = $1 AND remote_id <> '' AND expires_at IS NULL`, connector).Scan(&n)
	return n, err
}

// WebhookToken is what webhooks are signed with. Its secret stays inside: see Store.WebhookTarget.
type WebhookToken struct {
	ID        uuid.UUID
	Event     string // what the webhook tells of; "": it was given by hand
	RemoteID  string // Lever's id of the webhook; "": it was given by hand
	CreatedAt time.Time
}

// NewWebhookToken is a signing token to be kept.
type NewWebhookToken struct {
	Event, RemoteID string // "": given by hand
	Secret          string
}

// EnableWebhooks lets a connector take webhooks, under a path that nobody can guess, which stays what it is where there is
// one. ErrNotFound: there is no such connector.
func (s *Store) EnableWebhooks(ctx context.Context, connector uuid.UUID) error {
	secret := newSecret()
	sealed, err := s.keys.seal(connector.String(), "webhook path", []byte(secret))
	if err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO webhooks (connector_id, path_hash, path_sealed) SELECT id, $2, $3 FROM connectors WHERE id = $1
ON CONFLICT (connector_id) DO UPDATE SET connector_id = excluded.connector_id`, connector, hashSecret(secret), sealed)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return err
}

// DisableWebhooks takes no more webhooks of a connector, and forgets path, tokens and hints. What was hinted at is found by
// the next sync.
func (s *Store) DisableWebhooks(ctx context.Context, connector uuid.UUID) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, table := range []string{"webhooks", "webhook_tokens", "webhook_deliveries", "hints"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE connector_id = $1`, connector); err != nil {
				return err
			}
		}
		return nil
	})
}

// Webhooks is how a connector takes webhooks. ErrNotFound: it does not.
func (s *Store) Webhooks(ctx context.Context, connector uuid.UUID) (Webhooks, error) {
	type row struct {
		PathSealed []byte
		EnabledAt  time.Time
		ReceivedAt *time.Time
		Hints      int64
	}
	r, err := one[row](ctx, s.pool, `SELECT path_sealed, enabled_at, received_at, (SELECT count(*) FROM hints WHERE connector_id = $1) AS hints
FROM webhooks WHERE connector_id = $1`, connector)
	if err != nil {
		return Webhooks{}, err
	}
	secret, err := s.keys.open(connector.String(), "webhook path", r.PathSealed)
	if err != nil {
		return Webhooks{}, fmt.Errorf("connector %s: %w", connector, err)
	}
	w := Webhooks{ConnectorID: connector, Secret: string(secret), EnabledAt: r.EnabledAt, ReceivedAt: r.ReceivedAt, Hints: r.Hints}
	w.Tokens, err = many[WebhookToken](ctx, s.pool, `SELECT id, event, remote_id, created_at FROM webhook_tokens
WHERE connector_id = $1 AND expires_at IS NULL ORDER BY event, created_at`, connector)
	return w, err
}

// AddWebhookTokens keeps signing tokens of a connector. With replace, those that there are count for some minutes more: what
// they have signed is on its way. ErrNotFound: the connector takes no webhooks.
func (s *Store) AddWebhookTokens(ctx context.Context, connector uuid.UUID, replace bool, tokens ...NewWebhookToken) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `SELECT FROM webhooks WHERE connector_id = $1 FOR NO KEY UPDATE`, connector)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		if replace {
			if _, err := tx.Exec(ctx, `UPDATE webhook_tokens SET expires_at = now() + $2::interval WHERE connector_id = $1 AND expires_at IS NULL`,
				connector, replacedFor); err != nil {
				return err
			}
		}
		for _, t := range tokens {
			id := uuid.New()
			sealed, err := s.keys.seal(id.String(), "webhook token", []byte(t.Secret))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO webhook_tokens (id, connector_id, event, remote_id, sealed) VALUES ($1, $2, $3, $4, $5)`,
				id, connector, t.Event, t.RemoteID, sealed); err != nil {
				return err
			}
		}
		return nil
	})
}

// WebhookTarget is whom a webhook is for.
type WebhookTarget struct {
	Connector uuid.UUID
	Tokens    []string  // that may have signed it
	Now       time.Time // Postgres' clock
}

// WebhookTarget is whom a webhook at the path that ends in secret is for.
// ErrNotFound: nobody.
func (s *Store) WebhookTarget(ctx context.Context, secret string) (WebhookTarget, error) {
	type row struct {
		ConnectorID uuid.UUID
		ID          *uuid.UUID // NULL: it has no token
		Sealed      []byte
		Now         time.Time
	}
	rows, err := many[row](ctx, s.pool, `SELECT w.connector_id, t.id, t.sealed, now() AS now FROM webhooks w
LEFT JOIN webhook_tokens t ON t.connector_id = w.connector_id AND (t.expires_at IS NULL OR t.expires_at > now())
WHERE w.path_hash = $1`, hashSecret(secret))
	if err != nil {
		return WebhookTarget{}, err
	}
	if len(rows) == 0 {
		return WebhookTarget{}, ErrNotFound
	}
	out := WebhookTarget{Connector: rows[0].ConnectorID, Now: rows[0].Now}
	for _, r := range rows {
		if r.ID == nil {
			continue
		}
		token, err := s.keys.open(r.ID.String(), "webhook token", r.Sealed)
		if err != nil {
			return WebhookTarget{}, fmt.Errorf("connector %s: %w", r.ConnectorID, err)
		}
		out.Tokens = append(out.Tokens, string(token))
	}
	return out, nil
}

// TakeWebhook notes a genuine delivery, known by its token, and with it what it hints at: both or none. It reports whether
// this is the first time. ErrNotFound: the connector takes none any more; ErrCrowded: it was not kept.
func (s *Store) TakeWebhook(ctx context.Context, connector uuid.UUID, token string, h *Hint) (first bool, err error) {
	crowded := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Seldom: in a storm the row must be free for whoever claims it.
		if _, err := tx.Exec(ctx, `UPDATE webhooks SET received_at = now(),
    crowded = (SELECT count(*) >= $2 FROM webhook_deliveries WHERE connector_id = $1 AND received_at > now() - interval '1 hour')
WHERE connector_id = $1 AND coalesce(received_at, '-infinity') < now() - interval '5 seconds'`, connector, webhooksAnHour); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT crowded FROM webhooks WHERE connector_id = $1 FOR KEY SHARE`, connector).Scan(&crowded)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil || crowded {
			return err
		}
		tag, err := tx.Exec(ctx, `INSERT INTO webhook_deliveries (connector_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING`, connector, hashSecret(token))
		if first = tag.RowsAffected() > 0; err != nil || !first || h == nil {
			return err
		}
		return s.putHint(ctx, tx, connector, *h)
	})
	switch {
	case err == nil && crowded:
		err = ErrCrowded
	case err != nil && !errors.Is(err, ErrNotFound):
		err = fmt.Errorf("store: take webhook: %w", err)
	}
	return first, err
}

// WebhookStanding is how the webhooks of all connectors stand, in connectors.
type WebhookStanding struct {
	On       int64 // take them
	Unsigned int64 // have no token that they could be signed with
	Silent   int64 // have got none for long
}

// WebhookStanding tells how the webhooks stand; silent is how long without one is long.
func (s *Store) WebhookStanding(ctx context.Context, silent time.Duration) (WebhookStanding, error) {
	return one[WebhookStanding](ctx, s.pool, `SELECT count(*) AS on,
    count(*) FILTER (WHERE NOT EXISTS (SELECT FROM webhook_tokens t WHERE t.connector_id = w.connector_id)) AS unsigned,
    count(*) FILTER (WHERE coalesce(w.received_at, w.enabled_at) < now() - $1::interval) AS silent FROM webhooks w`, silent)
}

// PruneWebhooks forgets deliveries and signing tokens that are old enough.
func (s *Store) PruneWebhooks(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM webhook_deliveries WHERE received_at < now() - $1::interval`, keepDeliveries); err != nil {
		return fmt.Errorf("store: prune webhooks: %w", err)
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM webhook_tokens WHERE expires_at < now()`); err != nil {
		return fmt.Errorf("store: prune webhooks: %w", err)
	}
	return nil
}
