package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// operatorIdle is how long an operator's session lasts without a use.
	operatorIdle = 8 * time.Hour
	// operatorFor is how long it lasts however much it is used.
	operatorFor = 7 * 24 * time.Hour
	// maxAgent bounds what is kept of a browser's name, in bytes.
	maxAgent = 200
)

// OperatorPassword is the hash of the operator's password. ErrNotFound: there is none yet.
func (s *Store) OperatorPassword(ctx context.Context) (hash string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT password_hash FROM operators`).Scan(&hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return hash, err
}

// FirstOperatorPassword sets the hash of the operator's password where there is none, and says whether it did:
// of processes that start at once, one does.
func (s *Store) FirstOperatorPassword(ctx context.Context, hash string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `INSERT INTO operators (password_hash) VALUES ($1) ON CONFLICT DO NOTHING`, hash)
	return err == nil && tag.RowsAffected() > 0, err
}

// SetOperatorPassword replaces the hash of the operator's password. Whoever is signed in by the old one no longer is.
func (s *Store) SetOperatorPassword(ctx context.Context, hash string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO operators (password_hash) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET password_hash = excluded.password_hash, changed_at = now()`, hash); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM operator_sessions`)
		return err
	})
}

// OperatorSession is a browser that is signed in to the dashboard. Only that browser knows its secret.
type OperatorSession struct {
	ID        uuid.UUID
	Agent     string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}

const operatorColumns = `id, agent, created_at, seen_at, expires_at`

// OpenOperatorSession signs a browser in, and returns its secret: 256 random bits as 43 URL-safe characters. hash is
// the password's that it gave: ErrNotFound, where that has been replaced meanwhile.
func (s *Store) OpenOperatorSession(ctx context.Context, hash, agent string) (string, error) {
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	secret := newSecret()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM operator_sessions WHERE expires_at < now() OR seen_at < now() - $1::interval`, operatorIdle); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `INSERT INTO operator_sessions (id, secret_hash, agent, expires_at)
SELECT $1, $2, $3, now() + $4 FROM (SELECT FROM operators WHERE password_hash = $5 FOR SHARE) o`, uuid.New(), hashSecret(secret), printableOnly(agent), operatorFor, hash)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		return err
	})
	return secret, err
}

// printableOnly is a browser's name without what Postgres or a terminal would stumble over.
func printableOnly(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] >= ' ' && s[i] <= '~' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// OperatorSession finds the session of a secret; ErrNotFound, once it was ended, was idle for 8 hours, or is 7 days
// old. use says that a person did something: what a page asks by itself keeps no session alive.
func (s *Store) OperatorSession(ctx context.Context, secret string, use bool) (OperatorSession, error) {
	o, err := one[OperatorSession](ctx, s.pool, `SELECT `+operatorColumns+` FROM operator_sessions
WHERE secret_hash = $1 AND expires_at > now() AND seen_at > now() - $2::interval`, hashSecret(secret), operatorIdle)
	if err != nil || !use {
		return o, err
	}
	// Once a minute is often enough.
	_, err = s.pool.Exec(ctx, `UPDATE operator_sessions SET seen_at = now() WHERE id = $1 AND seen_at < now() - interval '1 minute'`, o.ID)
	return o, err
}

// OperatorSessions lists those that are signed in, the last used first.
func (s *Store) OperatorSessions(ctx context.Context) ([]OperatorSession, error) {
	return many[OperatorSession](ctx, s.pool, `SELECT `+operatorColumns+` FROM operator_sessions
WHERE expires_at > now() AND seen_at > now() - $1::interval ORDER BY seen_at DESC, id`, operatorIdle)
}

// CloseOperatorSession signs one browser out. One that is signed out already is no error.
func (s *Store) CloseOperatorSession(ctx context.Context, id uuid.UUID) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM operator_sessions WHERE id = $1`, id)
	return err
}

// CloseOperatorSessions signs everybody out.
func (s *Store) CloseOperatorSessions(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM operator_sessions`)
	return err
}
