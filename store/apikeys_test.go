package store_test

import (
	"crypto/sha256"
	"strings"
	"testing"

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
