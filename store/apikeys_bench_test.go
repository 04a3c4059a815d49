package store_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// BenchmarkWrongKeys is how long it takes to refuse a key, by what is wrong with it: one character of a key that works,
// all of it, or that it is revoked. It reports the median of each, and spread, the slowest ÷ the fastest of those that
// never worked. A key is found by its hash, so spread should be no more than noise, which is that of two keys of nobody.
// A revoked one has its row read, so it takes a little longer, which tells who holds it that it once was a key.
func BenchmarkWrongKeys(b *testing.B) {
	db := storetest.New(b)
	_, good, err := db.Store.CreateAPIKey(b.Context(), "right")
	if err != nil {
		b.Fatal(err)
	}
	gone, revoked, err := db.Store.CreateAPIKey(b.Context(), "revoked")
	if err == nil {
		err = db.Store.RevokeAPIKey(b.Context(), gone.ID)
	}
	if err != nil {
		b.Fatal(err)
	}
	secret := good[len(store.APIKeyPrefix) : len(good)-8] // what is after it is the checksum
	last := len(secret) - 1
	kinds := []struct{ what, key string }{
		{"first-character", resealed(other(secret[0]) + secret[1:])},
		{"middle-character", resealed(secret[:last/2] + other(secret[last/2]) + secret[last/2+1:])},
		{"last-character", resealed(secret[:last] + other(secret[last]))},
		{"nobody's", resealed(base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{7}, 32)))},
		{"nobody's-again", resealed(base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{9}, 32)))},
		{"revoked", revoked},
	}
	took := make([][]time.Duration, len(kinds))
	for b.Loop() {
		for i := range 1000 * len(kinds) {
			k := (i + i/len(kinds)) % len(kinds) // each comes after each
			began := time.Now()
			_, err := db.Store.Recognize(b.Context(), kinds[k].key, "")
			took[k] = append(took[k], time.Since(began))
			if !errors.Is(err, store.ErrNotFound) {
				b.Fatalf("a key that is wrong in %s: %v", kinds[k].what, err)
			}
		}
	}
	if _, err := db.Store.Recognize(b.Context(), good, ""); err != nil {
		b.Fatal(err) // all of them were compared with a key that works
	}
	var medians []float64
	for k, kind := range kinds {
		slices.Sort(took[k])
		medians = append(medians, float64(took[k][len(took[k])/2])/1e3)
		b.ReportMetric(medians[k], kind.what+"-us")
	}
	never := medians[:len(medians)-1]
	noise := never[len(never)-2:]
	b.ReportMetric(slices.Max(noise)/slices.Min(noise), "noise")
	b.ReportMetric(slices.Max(never)/slices.Min(never), "spread")
	b.ReportMetric(0, "ns/op")
}

// resealed is a key of another secret, whose checksum is right.
func resealed(secret string) string {
	return fmt.Sprintf("%s%s%08x", store.APIKeyPrefix, secret, crc32.ChecksumIEEE([]byte(secret)))
}

// other is another character than c that a secret may hold.
func other(c byte) string {
	if c == 'A' {
		return "E"
	}
	return "A"
}
