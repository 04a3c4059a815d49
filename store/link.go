package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// What a link or a step of linking may not be used for any more. See also ErrNotFound.
var (
	ErrLinkUsed     = errors.New("store: the link was used already")
	ErrExpired      = errors.New("store: it has expired")
	ErrTooManyTries = errors.New("store: too many API keys were tried on this link")
)

const (
	// LinkFor is how long a link works where nothing is said.
	LinkFor = 7 * 24 * time.Hour
	// maxTries is how many API keys may be tried on one link: people mistype, but not that often.
	maxTries = 20
	// keepLinks is how long an expired link is told from one that never was.
	keepLinks = 30 * 24 * time.Hour
)

// Link is a magic link: whoever holds it may link the account of a connector, once.
type Link struct {
	Hash        []byte // SHA-256 of its token
	ConnectorID uuid.UUID
	ExpiresAt   time.Time
	UsedAt      *time.Time
	SessionID   *uuid.UUID // of the browser that used it, while that may still go on
	Expired     bool
}

// CreateLink makes a link for a connector, new or to be linked again, and returns the token that its URL holds,
// 256 random bits as 43 URL-safe characters. Only its hash is kept. ttl 0 is LinkFor. ErrNotFound: no such connector.
func (s *Store) CreateLink(ctx context.Context, connector uuid.UUID, ttl time.Duration) (token string, expires time.Time, err error) {
	if ttl <= 0 {
		ttl = LinkFor
	}
	token = newSecret()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := dropOldLinks(ctx, tx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `INSERT INTO links (hash, connector_id, expires_at) SELECT $1, id, now() + $3 FROM connectors WHERE id = $2 RETURNING expires_at`,
			hashSecret(token), connector, ttl).Scan(&expires)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("store: create link: %w", err)
	}
	return token, expires, nil
}

// dropOldLinks takes away what nobody can use any more. Links are rare: making one is a good moment.
func dropOldLinks(ctx context.Context, tx pgx.Tx) error {
	for _, sql := range []string{
		`DELETE FROM link_sessions WHERE expires_at < now()`,
		`DELETE FROM temporary_tokens WHERE expires_at < now()`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `DELETE FROM links WHERE expires_at < now() - $1::interval`, keepLinks)
	return err
}

const linkColumns = `l.hash, l.connector_id, l.expires_at, l.used_at, s.id AS session_id, l.expires_at <= now() AS expired
FROM links l LEFT JOIN link_sessions s ON s.link_hash = l.hash AND s.expires_at > now()`

// FindLink looks a link up by its token, and changes nothing. ErrLinkUsed and ErrExpired come with the link;
// ErrNotFound: there is none.
func (s *Store) FindLink(ctx context.Context, token string) (Link, error) {
	l, err := one[Link](ctx, s.pool, `SELECT `+linkColumns+` WHERE l.hash = $1`, hashSecret(token))
	switch {
	case err != nil:
		return l, err
	case l.UsedAt != nil:
		return l, ErrLinkUsed
	case l.Expired:
		return l, ErrExpired
	}
	return l, nil
}

// CountTry counts an API key that somebody is trying on a link, named by its hash. ErrTooManyTries: it is not to be tried.
func (s *Store) CountTry(ctx context.Context, link []byte) error {
	tag, err := s.pool.Exec(ctx, `UPDATE links SET tries = tries + 1 WHERE hash = $1 AND tries < $2`, link, maxTries)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrTooManyTries
	}
	return err
}

// useLink consumes a link, for one caller of however many ask at once. That it has ended is told by the clock, and not by
// when the transaction began: whoever waited for the connector finds a link that ended meanwhile.
func useLink(ctx context.Context, tx pgx.Tx, hash []byte) (connector uuid.UUID, err error) {
	if _, err := tx.Exec(ctx, `SELECT FROM connectors WHERE id = (SELECT connector_id FROM links WHERE hash = $1) FOR NO KEY UPDATE`, hash); err != nil {
		return connector, err
	}
	err = tx.QueryRow(ctx, `UPDATE links SET used_at = now() WHERE hash = $1 AND used_at IS NULL AND expires_at > clock_timestamp() RETURNING connector_id`, hash).Scan(&connector)
	if !errors.Is(err, pgx.ErrNoRows) {
		return connector, err
	}
	var used bool
	err = tx.QueryRow(ctx, `SELECT used_at IS NOT NULL FROM links WHERE hash = $1`, hash).Scan(&used)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return connector, ErrNotFound
	case err != nil:
		return connector, err
	case used:
		return connector, ErrLinkUsed
	}
	return connector, ErrExpired
}

// endOthers ends what else could link the connector: its links that nobody has used, and the sessions that have not linked.
// What ended before is left alone, as CreateLink takes it away without having locked the connector.
func endOthers(ctx context.Context, tx pgx.Tx, connector uuid.UUID) error {
	for _, sql := range []string{
		`UPDATE links SET expires_at = now() WHERE connector_id = $1 AND used_at IS NULL AND expires_at > now()`,
		`DELETE FROM link_sessions WHERE connector_id = $1 AND linked_at IS NULL AND expires_at > now()`,
	} {
		if _, err := tx.Exec(ctx, sql, connector); err != nil {
			return err
		}
	}
	return nil
}

// newSecret is 32 random bytes as 43 URL-safe characters.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(b)
}

// hashSecret is what is kept of a secret: it has 256 bits of its own, so a plain hash is enough.
func hashSecret(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
