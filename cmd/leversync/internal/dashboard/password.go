package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/leversync/leversync/store"
)

// The cost of argon2id: the first of OWASP's recommendations, which keeps a small machine small.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltSize    = 16
	keySize     = 32
)

// HashPassword is what is kept of a password: argon2id, as a PHC string.
func HashPassword(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails, by its documentation
	return encodeHash(salt, derive(password, salt, argonMemory, argonPasses, argonLanes))
}

func encodeHash(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func derive(password string, salt []byte, memory, passes uint32, lanes uint8) []byte {
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, keySize)
}

var errHash = errors.New("dashboard: the password's hash is damaged: set a new password")

// checkPassword reports whether a password is the one that a hash was made of.
func checkPassword(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errHash
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || memory > 1<<20 || passes > 64 || passes == 0 || lanes == 0 {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, errHash
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) != keySize {
		return false, errHash
	}
	return subtle.ConstantTimeCompare(key, derive(password, salt, memory, passes, lanes)) == 1, nil
}

// NewPassword is a password nobody can guess: 120 random bits in 4 groups of 6 characters, without those that are
// taken for another.
func NewPassword() string {
	const letters = "23456789abcdefghijkmnpqrstuvwxyz" // 32
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails, by its documentation
	var out strings.Builder
	for i, c := range b {
		if i > 0 && i%6 == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(letters[c%32])
	}
	return out.String()
}

// EnsurePassword makes sure that there is an operator's password. One that is given replaces another, and ends its
// sessions. Without one, the first start makes one and returns it, to be shown this once; later it returns "".
func EnsurePassword(ctx context.Context, s *store.Store, given string) (made string, err error) {
	hash, err := s.OperatorPassword(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if given != "" {
			_, err = s.FirstOperatorPassword(ctx, HashPassword(given))
			return "", err
		}
		made = NewPassword()
		if first, err := s.FirstOperatorPassword(ctx, HashPassword(made)); err != nil || !first {
			return "", err
		}
		return made, nil
	case err != nil || given == "":
		return "", err
	}
	if same, err := checkPassword(hash, given); err == nil && same {
		return "", nil
	}
	return "", s.SetOperatorPassword(ctx, HashPassword(given))
}
