package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// The one integration there is, as the API names it.
const (
	Integration = "lever"
	Category    = "ATS"
)

// ErrNotOffered says that there is no such integration, or not in that category.
var ErrNotOffered = errors.New("store: not an integration that is offered")

// temporaryFor is how long a temporary token can be exchanged.
const temporaryFor = 15 * time.Minute

// NewLink is what a connector with a link is made of.
type NewLink struct {
	OrgName     string
	OriginID    string
	Email       string // of whoever is sent the link; "": not known
	Category    string // must be Category
	Integration string // must be Integration
	Scopes      []unified.Scope
	TTL         time.Duration // 0: LinkFor
}

// LinkToken is a new connector's magic link.
type LinkToken struct {
	Token     string // at the end of the link's URL: PublicURL + "/connect/" + Token
	ExpiresAt time.Time
	Connector Connector // INCOMPLETE
}

// CreateLinkToken makes a connector that is INCOMPLETE until somebody follows its link. Two links for the same
// customer make two connectors. ErrNotOffered: for category and integration.
func (s *Store) CreateLinkToken(ctx context.Context, n NewLink) (LinkToken, error) {
	if !strings.EqualFold(n.Category, Category) || !strings.EqualFold(n.Integration, Integration) {
		return LinkToken{}, ErrNotOffered
	}
	c, _, err := s.CreateConnector(ctx, NewConnector{OrgName: n.OrgName, OriginID: n.OriginID, Scopes: n.Scopes})
	if err != nil {
		return LinkToken{}, err
	}
	if n.Email != "" {
		if err := s.mustTouch(ctx, `UPDATE connectors SET end_user_email = $2 WHERE id = $1`, c.ID, n.Email); err != nil {
			return LinkToken{}, fmt.Errorf("store: create link token: %w", err)
		}
	}
	token, expires, err := s.CreateLink(ctx, c.ID, n.TTL)
	return LinkToken{Token: token, ExpiresAt: expires, Connector: c}, err
}

// CreateTemporaryToken makes a token that can be exchanged, once and within 15 minutes, for the connector's. It takes
// the place of one that was made before.
func (s *Store) CreateTemporaryToken(ctx context.Context, connector uuid.UUID) (string, error) {
	token := newSecret()
	_, err := s.pool.Exec(ctx, `INSERT INTO temporary_tokens (hash, connector_id, expires_at) VALUES ($1, $2, now() + $3)
ON CONFLICT (connector_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, hashSecret(token), connector, temporaryFor)
	if err != nil {
		return "", fmt.Errorf("store: create temporary token: %w", err)
	}
	return token, nil
}

// ExchangeTemporaryToken takes a temporary token and returns the connector's own. ErrNotFound: it is unknown, expired
// or was exchanged before.
func (s *Store) ExchangeTemporaryToken(ctx context.Context, token string) (connectorToken string, connector uuid.UUID, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var sealed []byte
		err := tx.QueryRow(ctx, `WITH t AS (DELETE FROM temporary_tokens WHERE hash = $1 RETURNING connector_id, expires_at)
SELECT c.id, c.token_sealed FROM t JOIN connectors c ON c.id = t.connector_id WHERE t.expires_at > now()`, hashSecret(token)).Scan(&connector, &sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		plain, err := s.keys.open(connector.String(), "connector token", sealed)
		connectorToken = string(plain)
		return err
	})
	if err != nil {
		return "", uuid.Nil, err
	}
	return connectorToken, connector, nil
}

// Idle is an OAuth credential that was not renewed for long.
type Idle struct {
	ConnectorID uuid.UUID
	RefreshedAt time.Time
}

// IdleOAuth lists up to limit connectors whose OAuth credential was last renewed longer ago than olderThan, the oldest
// first: Lever lets a refresh token die that is not used. Paused connectors are among them.
func (s *Store) IdleOAuth(ctx context.Context, olderThan time.Duration, limit int) ([]Idle, error) {
	return many[Idle](ctx, s.pool, `SELECT k.connector_id, k.refreshed_at FROM credentials k JOIN connectors c ON c.id = k.connector_id
WHERE k.kind = 'oauth' AND c.status = 'COMPLETE' AND k.refreshed_at < now() - $1::interval ORDER BY k.refreshed_at LIMIT $2`, olderThan, limit)
}
