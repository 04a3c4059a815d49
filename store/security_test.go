package store_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// What is not a key that was given out, whole and unchanged, is none.
func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	made, key, err := db.Store.CreateAPIKey(ctx, "key")
	if err != nil {
		t.Fatal(err)
	}
	revoked, old, err := db.Store.CreateAPIKey(ctx, "old")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Store.RevokeAPIKey(ctx, revoked.ID); err != nil {
		t.Fatal(err)
	}
	again, before, err := db.Store.CreateAPIKey(ctx, "again")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Store.RegenerateAPIKey(ctx, again.ID); err != nil {
		t.Fatal(err)
	}
	_, token, err := db.Store.CreateConnector(ctx, store.NewConnector{OrgName: "Acme", OriginID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	body, sum := key[len(store.APIKeyPrefix):len(key)-8], key[len(key)-8:]
	for name, k := range map[string]string{
		"nothing": "", "its prefix": store.APIKeyPrefix, "its body": body, "without its prefix": body + sum, "without its checksum": store.APIKeyPrefix + body,
		"cut off": key[:len(key)-1], "one more": key + "0", "twice": key + key, "of capitals": strings.ToUpper(key), "of small letters": strings.ToLower(key),
		"its prefix in capitals": "LVS_" + body + sum, "a token's prefix": store.ConnectorTokenPrefix + body + sum, "another's checksum": store.APIKeyPrefix + body + old[len(old)-8:],
		"a space before": " " + key, "a space behind": key + " ", "a line behind": key + "\n", "U+0000 behind": key + "\x00", "U+0000 within": key[:9] + "\x00" + key[10:],
		"a dot for a letter": key[:9] + "." + key[10:], "percent signs": "%6cvs_" + body + sum, "padded": store.APIKeyPrefix + body + "=" + sum, "a letter that looks alike": strings.Replace(key, "s", "\u0455", 1),
		"its id": made.ID.String(), "SQL": "lvs_' OR '1'='1", "a megabyte": strings.Repeat(key, 1<<20/len(key)), "a connector's token": token, "revoked": old, "replaced": before,
	} {
		if who, err := db.Store.Authorize(ctx, k, token); !errors.Is(err, store.ErrNotFound) || who.KeyID != uuid.Nil || who.Connector != nil {
			t.Errorf("Authorize with a key that is %s = %+v, %v; want ErrNotFound", name, who, err)
		}
	}
	if who, err := db.Store.Authorize(ctx, key, token); err != nil || who.KeyID != made.ID || who.Connector == nil {
		t.Errorf("Authorize with the key itself = %+v, %v; want it known", who, err)
	}
}

// A key that another process revoked reads on here for as long as is said, and no longer; what this process revokes
// stops at once.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	other := storeWith(t, db, "")
	ctx := t.Context()
	c := linked(t, db)
	token, err := db.Store.RegenerateConnectorToken(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	k, key, err := db.Store.CreateAPIKey(ctx, "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{db.Store, other} {
		if _, err := s.Recognize(ctx, key, token); err != nil {
			t.Fatalf("Recognize: %v", err)
		}
	}
	if err := other.RevokeAPIKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	if _, err := other.Recognize(ctx, key, token); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Recognize where it was revoked = %v; want ErrNotFound at once", err)
	}
	if _, err := db.Store.Authorize(ctx, key, token); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Authorize elsewhere = %v; want ErrNotFound at once", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		began := time.Now()
		_, err := db.Store.Recognize(ctx, key, token)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil || began.Sub(revoked) > store.RecognizedFor {
			t.Fatalf("Recognize elsewhere, %s after the key was revoked: %v; want ErrNotFound after at most %s", began.Sub(revoked), err, store.RecognizedFor)
		}
		<-tick.C
	}
}

// Of a thousand sealed credentials with a bit changed, none opens.
func TestNoFlippedBitOpens(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := storeWith(t, db, key(1))
	c, _, err := s.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", APIKey: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	good := sealed(db, c.ID)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	bits := r.Perm(8 * len(good))
	for n := range 1000 {
		bad := bytes.Clone(good)
		for i := range 1 + n/len(bits) { // each bit alone, then more of them
			bit := bits[(n+i*37)%len(bits)]
			bad[bit/8] ^= 1 << (bit % 8)
		}
		db.Exec("UPDATE credentials SET sealed = $2 WHERE connector_id = $1", c.ID, bad)
		if got, err := s.Credential(t.Context(), c.ID); err == nil || got.Secret != "" {
			t.Errorf("seed %d: flip %d of %x opens as %v, %v", seed, n, bad, got, err)
		}
	}
	db.Exec("UPDATE credentials SET sealed = $2 WHERE connector_id = $1", c.ID, good)
	if got, err := s.Credential(t.Context(), c.ID); err != nil || got.Secret != "s3cret" {
		t.Errorf("the credential as it was = %v, %v; want it open", got, err)
	}
}

// The reader sees nothing where no connector, or none by its name, is said; and no error tells it apart.
func TestWallWithoutAConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	populate(db, linked(t, db).ID, linked(t, db).ID)
	w, err := db.Store.Wall(t.Context())
	if err != nil || !w.Stands {
		t.Fatalf("Wall = %+v, %v; want one that stands", w, err)
	}
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for name, set := range map[string]string{
		"none was ever said":      `SELECT 1`,
		"it is empty":             `SELECT set_config('leversync.connector_id', '', true)`,
		"it was another's before": `SELECT set_config('leversync.connector_id', '', false)`,
	} {
		for table := range walled() {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var n int
			_, err = tx.Exec(t.Context(), `SET LOCAL ROLE `+pgx.Identifier{w.Reader}.Sanitize())
			if err == nil {
				_, err = tx.Exec(t.Context(), set)
			}
			if err == nil {
				column := map[bool]string{true: "id", false: "*"}[table == "connectors"]
				err = tx.QueryRow(t.Context(), `SELECT count(*) FROM (SELECT `+column+` FROM leversync.`+table+`) x`).Scan(&n)
			}
			if err != nil || n != 0 {
				t.Errorf("%s, where %s: %d rows, %v; want 0, nil", table, name, n, err)
			}
			_ = tx.Rollback(t.Context())
		}
	}
}
