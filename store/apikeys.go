package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/google/uuid"
)

// APIKey is a key to leversync's own API. The key itself is shown once; its hash is kept.
type APIKey struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

// APIKeyPrefix makes keys recognisable, to people and to secret scanners.
const APIKeyPrefix = "lvs_"

// CreateAPIKey makes a key: the prefix, 32 random bytes and a checksum of them, so that a mistyped key is
// known as such without asking Postgres.
func (s *Store) CreateAPIKey(ctx context.Context, name string) (APIKey, string, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	body := base64.RawURLEncoding.EncodeToString(b)
	key := APIKeyPrefix + body + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
	sum := sha256.Sum256([]byte(key))
	k, err := one[APIKey](ctx, s.pool, `INSERT INTO api_keys (id, name, hash) VALUES ($1, $2, $3) RETURNING id, name, created_at, last_used_at, revoked_at`,
		uuid.New(), name, sum[:])
	return k, key, err
}

// APIKeys lists all keys, oldest first.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	return many[APIKey](ctx, s.pool, `SELECT id, name, created_at, last_used_at, revoked_at FROM api_keys ORDER BY created_at, id`)
}

// RevokeAPIKey ends a key.
func (s *Store) RevokeAPIKey(ctx context.Context, id uuid.UUID) error {
	return s.mustTouch(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1`, id)
}
