package store

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strings"
)

// Keys and tokens are recognisable, to people and to secret scanners: a prefix, random bytes in URL-safe base64,
// and a checksum of those, so that a mistyped one is known as such without asking Postgres.
const (
	APIKeyPrefix         = "lvs_"
	ConnectorTokenPrefix = "lvc_"

	apiKeyBytes = 32
	tokenBytes  = 39 // makes a token of 64 characters, which is what clients of the contract may count on
	checksumLen = 8
)

// newCredential is the prefix, n random bytes and their checksum.
func newCredential(prefix string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, by its documentation
	body := base64.RawURLEncoding.EncodeToString(b)
	return prefix + body + checksum(body)
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// wellFormed reports whether s looks like a credential of n random bytes: prefix, length and checksum.
func wellFormed(s, prefix string, n int) bool {
	body, ok := strings.CutPrefix(s, prefix)
	size := base64.RawURLEncoding.EncodedLen(n)
	return ok && len(body) == size+checksumLen && checksum(body[:size]) == body[size:]
}

// WellFormedKey reports whether s is an API key by its looks: prefix and checksum.
func WellFormedKey(s string) bool { return wellFormed(s, APIKeyPrefix, apiKeyBytes) }
