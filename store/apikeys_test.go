package store_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	first, key, err := db.Store.CreateAPIKey(t.Context(), "reports")
	if err != nil {
		t.Fatalf("CreateAPIKey: %v", err)
	}
	second, other, err := db.Store.CreateAPIKey(t.Context(), "reports") // a name need not be unique
	if err != nil || key == other || first.ID == second.ID {
		t.Fatalf("CreateAPIKey once more = %+v, %v; want another key", second, err)
	}
	if !strings.HasPrefix(key, store.APIKeyPrefix) || len(key) < len(store.APIKeyPrefix)+43+8 {
		t.Errorf("a key of %d characters, with the prefix %t; want the prefix, 32 bytes and a checksum", len(key), strings.HasPrefix(key, store.APIKeyPrefix))
	}
	sum := sha256.Sum256([]byte(key))
	if !storetest.Value[bool](db, "SELECT hash = $2 FROM api_keys WHERE id = $1", first.ID, sum[:]) {
		t.Error("the key's hash is not what is stored")
	}
	if storetest.Value[bool](db, "SELECT bool_or(position($1 IN k::text) > 0) FROM api_keys k", key) {
		t.Error("the key itself is stored")
	}
	for range 2 { // twice is once
		if err := db.Store.RevokeAPIKey(t.Context(), first.ID); err != nil {
			t.Errorf("RevokeAPIKey: %v", err)
		}
	}
	list, err := db.Store.APIKeys(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != first.ID || list[0].RevokedAt == nil || list[1].RevokedAt != nil || list[0].Name != "reports" {
		t.Errorf("APIKeys = %+v, %v; want both, the oldest first, that one revoked", list, err)
	}
}

func TestAPIKeyScopes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	for _, c := range []struct{ give, want []string }{
		{nil, []string{"read", "write", "admin"}}, {[]string{"read"}, []string{"read"}}, {[]string{"write", "read", "write"}, []string{"read", "write"}},
	} {
		k, key, err := db.Store.CreateAPIKey(t.Context(), "key", c.give...)
		if err != nil {
			t.Fatalf("CreateAPIKey(%v): %v", c.give, err)
		}
		who, err := db.Store.Authorize(t.Context(), key, "")
		for _, got := range [][]string{k.Scopes, who.KeyScopes} {
			if err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.want))) {
				t.Errorf("CreateAPIKey(%v): scopes %v, %v; want %v", c.give, got, err, c.want)
			}
		}
	}
	if k, _, err := db.Store.CreateAPIKey(t.Context(), "key", "root"); err == nil {
		t.Errorf("CreateAPIKey(root) = %+v; want an error", k)
	}
}

// The length of a token is the contract's, and tokens are told from keys by their looks.
func TestConnectorTokens(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, token, err := db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "1"})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	second, err := db.Store.RegenerateConnectorToken(t.Context(), c.ID)
	if err != nil || second == token {
		t.Fatalf("RegenerateConnectorToken: the same token, %v; want another", err)
	}
	for _, tok := range []string{token, second} {
		if len(tok) != 64 || !strings.HasPrefix(tok, store.ConnectorTokenPrefix) || store.WellFormedKey(tok) {
			t.Errorf("a token of %d characters, with its prefix %t; want 64 and true", len(tok), strings.HasPrefix(tok, store.ConnectorTokenPrefix))
		}
		if storetest.Value[bool](db, "SELECT bool_or(position($1 IN c::text) > 0) FROM connectors c", tok) {
			t.Error("the token itself is stored")
		}
	}
	sum := sha256.Sum256([]byte(second))
	if !storetest.Value[bool](db, "SELECT token_hash = $2 FROM connectors WHERE id = $1", c.ID, sum[:]) {
		t.Error("what is stored is not the new token's hash")
	}
	if _, err := db.Store.RegenerateConnectorToken(t.Context(), uuid.New()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("RegenerateConnectorToken of no connector: %v; want %v", err, store.ErrNotFound)
	}
}
