package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The scopes of API keys.
const (
	KeyRead  = "read"
	KeyWrite = "write"
	KeyAdmin = "admin"
)

// KeyScopes are all that a key may do.
var KeyScopes = []string{KeyRead, KeyWrite, KeyAdmin}

// APIKey is a key to leversync's own API. The key itself is shown once; its hash is kept.
type APIKey struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"` // read, write, admin
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // to the minute
	RevokedAt  *time.Time `json:"revoked_at"`
}

const apiKeyColumns = `id, name, scopes, created_at, last_used_at, revoked_at`

// CreateAPIKey makes a key that may do what scopes say; none means all. Only its hash is kept.
func (s *Store) CreateAPIKey(ctx context.Context, name string, scopes ...string) (APIKey, string, error) {
	if len(scopes) == 0 {
		scopes = KeyScopes
	}
	for _, sc := range scopes {
		if !slices.Contains(KeyScopes, sc) {
			return APIKey{}, "", fmt.Errorf("store: %q is no scope of an API key: read, write or admin", sc)
		}
	}
	key := newCredential(APIKeyPrefix, apiKeyBytes)
	k, err := one[APIKey](ctx, s.pool, `INSERT INTO api_keys (id, name, hash, scopes) VALUES ($1, $2, $3, $4) RETURNING `+apiKeyColumns,
		uuid.New(), name, hashSecret(key), slices.Compact(slices.Sorted(slices.Values(scopes))))
	return k, key, err
}

// APIKeys lists all keys, oldest first.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	return many[APIKey](ctx, s.pool, `SELECT `+apiKeyColumns+` FROM api_keys ORDER BY created_at, id`)
}

// RevokeAPIKey ends a key.
func (s *Store) RevokeAPIKey(ctx context.Context, id uuid.UUID) error {
	defer s.callers.forget()
	return s.mustTouch(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1`, id)
}

// RegenerateAPIKey gives a key another secret, and returns that: the old one stops at once. Name and scopes stay.
// ErrNotFound: there is no such key, or it is revoked.
func (s *Store) RegenerateAPIKey(ctx context.Context, id uuid.UUID) (APIKey, string, error) {
	defer s.callers.forget()
	key := newCredential(APIKeyPrefix, apiKeyBytes)
	k, err := one[APIKey](ctx, s.pool, `UPDATE api_keys SET hash = $2, last_used_at = NULL WHERE id = $1 AND revoked_at IS NULL RETURNING `+apiKeyColumns,
		id, hashSecret(key))
	if err != nil {
		return APIKey{}, "", err
	}
	return k, key, nil
}

// SetAPIKeyScopes sets what a key may do: read, write, admin.
func (s *Store) SetAPIKeyScopes(ctx context.Context, id uuid.UUID, scopes []string) error {
	defer s.callers.forget()
	return s.mustTouch(ctx, `UPDATE api_keys SET scopes = $2 WHERE id = $1`, id, scopes)
}
