package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// storeWith opens a Store on a test's database with other keys; "" is none.
func storeWith(t *testing.T, db *storetest.DB, keys string) *store.Store {
	t.Helper()
	c := store.Config{URL: db.URL, MaxConns: 2}
	if keys != "" {
		k, err := store.ParseKeyring(keys)
		if err != nil {
			t.Fatalf("ParseKeyring: %v", err)
		}
		c.Keys = k
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

func sealed(db *storetest.DB, connector uuid.UUID) []byte {
	return storetest.Value[[]byte](db, "SELECT sealed FROM credentials WHERE connector_id = $1", connector)
}

func TestCredentialRoundTrip(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	want := store.Credential{Kind: "oauth", Secret: "access token", Refresh: "refresh token", ExpiresAt: time.Now().Add(time.Hour)}
	seen := map[string]bool{}
	for range 3 {
		if _, err := db.Store.Link(t.Context(), c.ID, want); err != nil {
			t.Fatalf("Link: %v", err)
		}
		got, err := db.Store.Credential(t.Context(), c.ID)
		if err != nil || got.Kind != want.Kind || got.Secret != want.Secret || got.Refresh != want.Refresh || got.ExpiresAt.Sub(want.ExpiresAt).Abs() > 10*time.Second {
			t.Errorf("Credential = %#v, %v; want what was linked", got, err)
		}
		b := sealed(db, c.ID)
		if bytes.Contains(b, []byte(want.Secret)) || bytes.Contains(b, []byte(want.Refresh)) || seen[string(b)] {
			t.Error("the sealed bytes hold the secret, or are those of an earlier sealing")
		}
		seen[string(b)] = true
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, want); strings.Contains(s, "token") {
			t.Errorf("a credential printed with %s: %s", format, s)
		}
	}
	if _, err := db.Store.Credential(t.Context(), uuid.New()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Credential of no connector = %v; want ErrNotFound", err)
	}
	if _, err := db.Store.Link(t.Context(), uuid.New(), want); err == nil {
		t.Error("Link of no connector = nil; want an error")
	}
}

func TestCredentialDoesNotOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		keys  string // of the Store that opens it; "": none
		spoil func(db *storetest.DB, own, other uuid.UUID)
		want  string
	}{
		{"moved from another connector", key(1), func(db *storetest.DB, own, other uuid.UUID) {
			db.Exec("UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE connector_id = $2) WHERE connector_id = $1", own, other)
		}, "moved from another connector"},
		{"changed in one bit", key(1), func(db *storetest.DB, own, _ uuid.UUID) {
			db.Exec("UPDATE credentials SET sealed = set_bit(sealed, 8 * (octet_length(sealed) - 5), 1 - get_bit(sealed, 8 * (octet_length(sealed) - 5))) WHERE connector_id = $1", own)
		}, "damaged"},
		{"cut off", key(1), func(db *storetest.DB, own, _ uuid.UUID) {
			db.Exec(`UPDATE credentials SET sealed = '\x616263' WHERE connector_id = $1`, own)
		}, "damaged"},
		{"empty", key(1), func(db *storetest.DB, own, _ uuid.UUID) {
			db.Exec(`UPDATE credentials SET sealed = '' WHERE connector_id = $1`, own)
		}, "damaged"},
		{"sealed as a connector's token", key(1), func(db *storetest.DB, own, _ uuid.UUID) {
			db.Exec(`UPDATE credentials SET sealed = (SELECT token_sealed FROM connectors WHERE id = $1) WHERE connector_id = $1`, own)
		}, "damaged"},
		{"another key", key(9), func(*storetest.DB, uuid.UUID, uuid.UUID) {}, "add the old key after the new one"},
		{"no key", "", func(*storetest.DB, uuid.UUID, uuid.UUID) {}, "set LEVERSYNC_ENCRYPTION_KEY"},
	}
	db := storetest.New(t)
	first := storeWith(t, db, key(1))
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var ids []uuid.UUID
			for range 2 {
				c, _, err := first.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", APIKey: "s3cret"})
				if err != nil {
					t.Fatalf("CreateConnector: %v", err)
				}
				ids = append(ids, c.ID)
			}
			tc.spoil(db, ids[0], ids[1])
			got, err := storeWith(t, db, tc.keys).Credential(t.Context(), ids[0])
			if err == nil || !strings.Contains(err.Error(), tc.want) || got.Secret != "" {
				t.Errorf("Credential = %v, %v; want an error with %q", got, err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), key(1)) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, _, err := storeWith(t, db, key(1)).CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", APIKey: "first"})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	both, after := storeWith(t, db, key(2)+","+key(1)), storeWith(t, db, key(2))
	if got, err := both.Credential(t.Context(), c.ID); err != nil || got.Secret != "first" {
		t.Errorf("Credential with the old key second = %v, %v; want it open", got, err)
	}
	if _, err := after.Credential(t.Context(), c.ID); err == nil {
		t.Error("Credential without the old key = nil; want an error: it is sealed with that still")
	}
	if _, err := both.Link(t.Context(), c.ID, store.Credential{Kind: "api_key", Secret: "second"}); err != nil {
		t.Fatalf("Link: %v", err)
	}
	if got, err := after.Credential(t.Context(), c.ID); err != nil || got.Secret != "second" {
		t.Errorf("Credential sealed after the rotation = %v, %v; want the new key alone to open it", got, err)
	}
}

func TestRenewCredentialOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	if _, err := db.Store.Link(t.Context(), c.ID, store.Credential{Kind: "oauth", Secret: "token 0", Refresh: "refresh 0"}); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		var renewed atomic.Int64
		refused, want := fmt.Sprint("token ", round), fmt.Sprint("token ", round+1)
		for i, err := range together(8, func(int) error {
			got, err := db.Store.RenewCredential(t.Context(), c.ID, refused, func(_ context.Context, cur store.Credential) (store.Credential, error) {
				renewed.Add(1)
				if cur.Secret != refused || cur.Refresh != fmt.Sprint("refresh ", round) {
					return cur, fmt.Errorf("renew got %s and %s", cur.Secret, cur.Refresh)
				}
				return store.Credential{Secret: want, Refresh: fmt.Sprint("refresh ", round+1)}, nil
			})
			if err == nil && (got.Secret != want || got.Kind != "oauth") {
				err = fmt.Errorf("got %s", got.Secret)
			}
			return err
		}) {
			if err != nil {
				t.Errorf("round %d: caller %d of 8: %v; want %s", round, i, err, want)
			}
		}
		if n := renewed.Load(); n != 1 {
			t.Errorf("round %d: renewed %d times by 8 callers; want 1", round, n)
		}
	}
}

func TestRenewCredentialThatFails(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	before := sealed(db, c.ID)
	if _, err := db.Store.RenewCredential(t.Context(), c.ID, "key", func(context.Context, store.Credential) (store.Credential, error) {
		return store.Credential{Secret: "half"}, errRolledBack
	}); !errors.Is(err, errRolledBack) || !bytes.Equal(sealed(db, c.ID), before) {
		t.Errorf("RenewCredential that fails = %v, sealed anew %t; want its error and nothing saved", err, !bytes.Equal(sealed(db, c.ID), before))
	}
	if _, err := db.Store.RenewCredential(t.Context(), uuid.New(), "", nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("RenewCredential of no connector = %v; want ErrNotFound", err)
	}
	// A provider that sends no new refresh token leaves the old one valid.
	got, err := db.Store.RenewCredential(t.Context(), c.ID, "", func(_ context.Context, cur store.Credential) (store.Credential, error) {
		return store.Credential{Secret: "new"}, nil
	})
	if err != nil || got.Secret != "new" || got.Kind != "api_key" {
		t.Errorf("RenewCredential ahead of time = %s %s, %v; want the new secret of the old kind", got.Kind, got.Secret, err)
	}
}

// TestRenewCredentialOutlivesItsCaller: who asked goes away once Lever has answered. The old refresh token is spent by then: the
// new pair is stored all the same. Who waits for another's renewal, and goes away, waits no longer.
func TestRenewCredentialOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	if _, err := db.Store.Link(t.Context(), c.ID, store.Credential{Kind: "oauth", Secret: "token 0", Refresh: "refresh 0"}); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	got, err := db.Store.RenewCredential(ctx, c.ID, "token 0", func(ctx context.Context, _ store.Credential) (store.Credential, error) {
		leave()
		waiting, leaveToo := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, leaveToo)
		if _, err := db.Store.RenewCredential(waiting, c.ID, "token 0", nil); waiting.Err() == nil || err == nil {
			t.Errorf("who waits for the row got %v before going away; want an error after it", err)
		}
		return store.Credential{Secret: "token 1", Refresh: "refresh 1", ExpiresAt: time.Now().Add(time.Hour)}, ctx.Err()
	})
	if err != nil || got.Secret != "token 1" || got.Refresh != "refresh 1" {
		t.Errorf("RenewCredential of a caller who went away = %s, %v; want the new pair", got.Secret, err)
	}
	if got, err := db.Store.Credential(t.Context(), c.ID); err != nil || got.Secret != "token 1" || got.Refresh != "refresh 1" {
		t.Errorf("stored is %s with %s, %v; want the new pair", got.Secret, got.Refresh, err)
	}
}
