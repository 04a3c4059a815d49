package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Keyring holds the keys that seal credentials. The first seals; all open, so that keys can rotate.
type Keyring struct {
	keys []sealKey
}

type sealKey struct {
	id   string
	aead cipher.AEAD
	mac  []byte // derived: authenticates cursors, which are no secrets
}

// ParseKeyring reads base64 keys of 32 bytes each, separated by commas or spaces; the first is the
// current one. Errors name the position, never the key.
func ParseKeyring(s string) (*Keyring, error) {
	var k Keyring
	for i, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		b, err := base64.StdEncoding.DecodeString(f)
		if err != nil {
			return nil, fmt.Errorf("key %d is not base64: make one with `openssl rand -base64 32`", i+1)
		}
		if len(b) != 32 {
			return nil, fmt.Errorf("key %d has %d bytes, want 32: make one with `openssl rand -base64 32`", i+1, len(b))
		}
		if weak(b) {
			return nil, fmt.Errorf("key %d is made of too few different bytes to be random: make one with `openssl rand -base64 32`", i+1)
		}
		block, err := aes.NewCipher(b)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("leversync key id\x00"), b...))
		id := hex.EncodeToString(sum[:4])
		for j, other := range k.keys {
			if other.id == id {
				return nil, fmt.Errorf("key %d is key %d once more, so that nothing would rotate: take it out, or make one with `openssl rand -base64 32`", i+1, j+1)
			}
		}
		mac, err := hkdf.Key(sha256.New, b, nil, "leversync cursor", sha256.Size)
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, sealKey{id: id, aead: aead, mac: mac})
	}
	if len(k.keys) == 0 {
		return nil, errors.New("no key: make one with `openssl rand -base64 32`")
	}
	return &k, nil
}

// weak reports whether a key can't be random: of 32 random bytes, fewer than ten differ from each other about once in
// 10^30 times.
func weak(b []byte) bool {
	seen := map[byte]bool{}
	for _, c := range b {
		seen[c] = true
	}
	return len(seen) < 10
}

var errNoKeys = errors.New("store: no encryption key: set LEVERSYNC_ENCRYPTION_KEY (`openssl rand -base64 32`)")

// seal encrypts plain for one connector and purpose: moved to another row it does not open.
// The result is the key's id, a NUL, then nonce, ciphertext and tag.
func (k *Keyring) seal(connector, purpose string, plain []byte) ([]byte, error) {
	if k == nil || len(k.keys) == 0 {
		return nil, errNoKeys
	}
	key := k.keys[0]
	out := append([]byte(key.id), 0)
	return key.aead.Seal(out, nil, plain, aad(key.id, connector, purpose)), nil
}

func (k *Keyring) open(connector, purpose string, sealed []byte) ([]byte, error) {
	if k == nil || len(k.keys) == 0 {
		return nil, errNoKeys
	}
	id, body, ok := strings.Cut(string(sealed), "\x00")
	if !ok {
		return nil, errors.New("store: a sealed value is damaged")
	}
	for _, key := range k.keys {
		if key.id != id {
			continue
		}
		plain, err := key.aead.Open(nil, nil, []byte(body), aad(id, connector, purpose))
		if err != nil {
			return nil, errors.New("store: a sealed value does not open: it is damaged, or was moved from another connector")
		}
		return plain, nil
	}
	return nil, fmt.Errorf("store: a value is sealed with key %s, which LEVERSYNC_ENCRYPTION_KEY does not list: add the old key after the new one", id)
}

func aad(keyID, connector, purpose string) []byte {
	return []byte(keyID + "|" + connector + "|" + purpose)
}
