package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Connector is one linked Lever account.
type Connector struct {
	ID                  uuid.UUID  `json:"id"`
	OrgName             string     `json:"org_name"`
	OriginID            string     `json:"origin_id"`
	Status              string     `json:"status"` // INCOMPLETE, COMPLETE, RELINK_NEEDED
	StatusReason        string     `json:"status_reason"`
	Paused              bool       `json:"paused"`
	SyncIntervalSeconds *int       `json:"sync_interval_seconds"` // nil: the installation's default
	RateLimit           *float64   `json:"rate_limit"`            // calls a second; nil: the installation's default
	CreatedAt           time.Time  `json:"created_at"`
	CompletedAt         *time.Time `json:"completed_at"`
	RelinkNeededAt      *time.Time `json:"relink_needed_at"`
}

const connectorColumns = `id, org_name, origin_id, status, status_reason, paused, sync_interval_seconds, rate_limit, created_at, completed_at, relink_needed_at`

// NewConnector is what a connector is made of.
type NewConnector struct {
	OrgName      string
	OriginID     string
	Scopes       []unified.Scope // enabled; nil: unified.DefaultScopes
	APIKey       string          // "": it is linked later
	SyncInterval time.Duration   // 0: the installation's default
	RateLimit    float64         // 0: the installation's default
}

// CreateConnector makes a connector and returns it with its token, which is kept sealed and hashed. With an
// API key it is COMPLETE at once, and all its scopes are due now.
func (s *Store) CreateConnector(ctx context.Context, n NewConnector) (Connector, string, error) {
	id := uuid.New()
	token := newCredential(ConnectorTokenPrefix, tokenBytes)
	sealed, err := s.keys.seal(id.String(), "connector token", []byte(token))
	if err != nil {
		return Connector{}, "", err
	}
	scopes := n.Scopes
	if scopes == nil {
		scopes = unified.DefaultScopes()
	}
	var c Connector
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		c, err = one[Connector](ctx, tx, `INSERT INTO connectors (id, org_name, origin_id, token_hash, token_sealed, sync_interval_seconds, rate_limit)
VALUES ($1, $2, $3, $4, $5, nullif($6::integer, 0), nullif($7::float8, 0)) RETURNING `+connectorColumns,
			id, n.OrgName, n.OriginID, hashSecret(token), sealed, int(n.SyncInterval.Seconds()), n.RateLimit)
		if err != nil {
			return err
		}
		enabled := map[unified.Scope]bool{}
		for _, sc := range scopes {
			enabled[sc] = true
		}
		for _, sc := range unified.Scopes {
			if _, err := tx.Exec(ctx, `INSERT INTO connector_scopes (connector_id, scope, enabled) VALUES ($1, $2, $3)`, id, string(sc), enabled[sc]); err != nil {
				return err
			}
		}
		if n.APIKey == "" {
			return nil
		}
		c, err = s.link(ctx, tx, id, Credential{Kind: "api_key", Secret: n.APIKey})
		return err
	})
	if err != nil {
		return Connector{}, "", fmt.Errorf("store: create connector: %w", err)
	}
	return c, token, nil
}

// RegenerateConnectorToken gives a connector another token, and returns it: the old one stops at once. ErrNotFound:
// there is no such connector.
func (s *Store) RegenerateConnectorToken(ctx context.Context, id uuid.UUID) (string, error) {
	defer s.callers.forget()
	token := newCredential(ConnectorTokenPrefix, tokenBytes)
	sealed, err := s.keys.seal(id.String(), "connector token", []byte(token))
	if err != nil {
		return "", err
	}
	return token, s.mustTouch(ctx, `UPDATE connectors SET token_hash = $2, token_sealed = $3 WHERE id = $1`, id, hashSecret(token), sealed)
}

// Connector returns one connector, or ErrNotFound.
func (s *Store) Connector(ctx context.Context, id uuid.UUID) (Connector, error) {
	return one[Connector](ctx, s.pool, `SELECT `+connectorColumns+` FROM connectors WHERE id = $1`, id)
}

// Connectors lists all, oldest first.
func (s *Store) Connectors(ctx context.Context) ([]Connector, error) {
	return many[Connector](ctx, s.pool, `SELECT `+connectorColumns+` FROM connectors ORDER BY created_at, id`)
}

// SetPaused stops a connector's syncs, or lets them go on.
func (s *Store) SetPaused(ctx context.Context, id uuid.UUID, paused bool) error {
	return s.mustTouch(ctx, `UPDATE connectors SET paused = $2 WHERE id = $1`, id, paused)
}

// SetCadence sets how often a connector syncs and how fast; nil is the installation's default.
func (s *Store) SetCadence(ctx context.Context, id uuid.UUID, interval *time.Duration, rateLimit *float64) error {
	var seconds *int
	if interval != nil {
		n := int(interval.Seconds())
		seconds = &n
	}
	return s.mustTouch(ctx, `UPDATE connectors SET sync_interval_seconds = $2, rate_limit = $3 WHERE id = $1`, id, seconds, rateLimit)
}

// NeedRelink marks a connector as refused by Lever: nothing is tried again until it is linked anew.
// It only does so while the credential is the one of the time given; zero: whichever it is.
func (s *Store) NeedRelink(ctx context.Context, id uuid.UUID, reason string, of time.Time) (bool, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE connectors c SET status = 'RELINK_NEEDED', status_reason = $2, relink_needed_at = now()
WHERE id = $1 AND status = 'COMPLETE' AND ($3::timestamptz IS NULL OR EXISTS (SELECT FROM credentials k WHERE k.connector_id = c.id AND k.refreshed_at <= $3))`, id, reason, nilTime(of))
	return err == nil && tag.RowsAffected() > 0, err
}

// recordTables are all tables keyed by connector that no foreign key empties.
func recordTables() []string {
	names := []string{"parents", "sweep_pages", "calls", unified.Activities.Table()}
	for _, sc := range unified.Scopes {
		names = append(names, sc.Table())
	}
	return names
}

// DeleteConnector removes a connector and everything of it: records, runs, call log, credential.
func (s *Store) DeleteConnector(ctx context.Context, id uuid.UUID) error {
	defer s.callers.forget()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil { // a million rows take their time
			return err
		}
		// Pages that are being written hold their stream's row and go on to need the connector's: they are let finish, and
		// none begins after.
		if _, err := tx.Exec(ctx, `SELECT FROM streams WHERE connector_id = $1 ORDER BY stream FOR UPDATE`, id); err != nil {
			return err
		}
		// Its row goes first: a run under way loses its stream, and with it its fence.
		tag, err := tx.Exec(ctx, `DELETE FROM connectors WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		for _, name := range recordTables() {
			if _, err := tx.Exec(ctx, `DELETE FROM `+name+` WHERE connector_id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) mustTouch(ctx context.Context, sql string, args ...any) error {
	tag, err := s.pool.Exec(ctx, sql, args...)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return err
}
