package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Caller is who makes a request: a key, and the connector that its token names.
type Caller struct {
	KeyID     uuid.UUID
	KeyScopes []string
	Connector *Connector // nil: no token was given, or it is nobody's
}

// maxToken bounds what is looked up as a connector token.
const maxToken = 256

// Authorize finds whom a key and a connector token belong to, in one query. ErrNotFound: the key is unknown or
// revoked. A token that is "" or unknown leaves Connector nil. The key's last use is noted, once a minute.
func (s *Store) Authorize(ctx context.Context, key, token string) (Caller, error) {
	if !WellFormedKey(key) {
		return Caller{}, ErrNotFound
	}
	k := sha256.Sum256([]byte(key))
	f, err := s.caller(ctx, k[:], token)
	if err != nil {
		return Caller{}, err
	}
	if f.Stale {
		// Of many requests at once, one does it.
		_, err = s.pool.Exec(ctx, `UPDATE api_keys SET last_used_at = now() WHERE id = $1 AND coalesce(last_used_at < now() - interval '1 minute', true)`, f.KeyID)
	}
	return Caller{KeyID: f.KeyID, KeyScopes: f.KeyScopes, Connector: f.Connector}, err
}

// Recognize is Authorize from memory, where it has the answer and that is less than RecognizedFor old. What this
// process changes holds at once. The connector is as it was then.
func (s *Store) Recognize(ctx context.Context, key, token string) (Caller, error) {
	id := sha256.Sum256([]byte(key + "\n" + token))
	began := time.Now()
	if c, ok := s.callers.get(id, began); ok {
		return c, nil
	}
	c, err := s.Authorize(ctx, key, token)
	if err == nil && c.Connector != nil {
		s.callers.put(id, c, began)
	}
	return c, err
}

// knownKey is an API key as Authorize finds it.
type knownKey struct {
	KeyID     uuid.UUID
	KeyScopes []string
	Stale     bool       // its last use was noted some time ago
	Connector *Connector `db:"-"`
}

const knownKeyColumns = `k.id AS key_id, k.scopes AS key_scopes, coalesce(k.last_used_at < now() - interval '1 minute', true) AS stale`

// caller finds the key by its hash, and the token's connector in the same query where there is one.
func (s *Store) caller(ctx context.Context, key []byte, token string) (knownKey, error) {
	if token != "" && len(token) <= maxToken {
		type both struct {
			knownKey
			Connector
		}
		hash := sha256.Sum256([]byte(token))
		b, err := one[both](ctx, s.pool, `SELECT `+knownKeyColumns+`, `+prefixed("c", connectorColumns)+`
FROM api_keys k, connectors c WHERE k.hash = $1 AND k.revoked_at IS NULL AND c.token_hash = $2`, key, hash[:])
		if !errors.Is(err, ErrNotFound) {
			b.knownKey.Connector = &b.Connector
			return b.knownKey, err
		}
	}
	return one[knownKey](ctx, s.pool, `SELECT `+knownKeyColumns+` FROM api_keys k WHERE k.hash = $1 AND k.revoked_at IS NULL`, key)
}

// prefixed names the columns of a list by their table.
func prefixed(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}
