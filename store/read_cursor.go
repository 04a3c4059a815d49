package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// ErrCursor means that a cursor was not made by us, or for another list.
var ErrCursor = errors.New("store: not a cursor of this list")

// Position is where a page ended: the place of its last record in its list's order.
type Position struct {
	At time.Time // to the microsecond
	ID uuid.UUID
}

const (
	positionSize = 8 + 16
	feedSize     = 8 + 1 + 16
	macSize      = 16
)

// Cursor makes a position opaque, and good for one list alone. list names it: the connector, the scope.
func (s *Store) Cursor(list string, p Position) string {
	b := make([]byte, positionSize, positionSize+macSize)
	binary.BigEndian.PutUint64(b, uint64(p.At.UnixMicro()))
	copy(b[8:], p.ID[:])
	return base64.RawURLEncoding.EncodeToString(append(b, s.keys.mac(0, list, b)...))
}

// Position reads a cursor of a list, or returns ErrCursor. Cursors that an older key signed are good as long
// as the key is in the ring.
func (s *Store) Position(list, cursor string) (Position, error) {
	b, err := s.keys.verify(list, cursor, positionSize)
	if err != nil {
		return Position{}, err
	}
	return Position{At: time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(), ID: uuid.UUID(b[8:])}, nil
}

func (k *Keyring) len() int {
	if k == nil {
		return 0
	}
	return len(k.keys)
}

// mac authenticates a cursor by the i-th key. A ring without keys checks against accidents alone.
func (k *Keyring) mac(i int, list string, b []byte) []byte {
	var key []byte
	if i < k.len() {
		key = k.keys[i].mac
	}
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(appendHashed(nil, list))
	_, _ = h.Write(b)
	return h.Sum(nil)[:macSize]
}

// FeedCursor makes a place in a feed opaque, as Cursor does a position.
func (s *Store) FeedCursor(list string, p FeedPosition) string {
	b := make([]byte, feedSize, feedSize+8+macSize)
	binary.BigEndian.PutUint64(b, p.Version)
	b[8] = byte(p.Scope)
	copy(b[9:], p.ID[:])
	if !p.CaughtUp.IsZero() {
		b = binary.BigEndian.AppendUint64(b, uint64(p.CaughtUp.Unix()))
	}
	return base64.RawURLEncoding.EncodeToString(append(b, s.keys.mac(0, list, b)...))
}

// FeedPosition reads a FeedCursor of a list, or returns ErrCursor.
func (s *Store) FeedPosition(list, cursor string) (FeedPosition, error) {
	b, err := s.keys.verify(list, cursor, feedSize+8)
	if err != nil {
		b, err = s.keys.verify(list, cursor, feedSize) // as earlier releases made them
	}
	if err != nil || int(b[8]) >= len(unified.Scopes) {
		return FeedPosition{}, ErrCursor
	}
	p := FeedPosition{Version: binary.BigEndian.Uint64(b), Scope: int(b[8]), ID: uuid.UUID(b[9:feedSize])}
	if len(b) > feedSize {
		p.CaughtUp = time.Unix(int64(binary.BigEndian.Uint64(b[feedSize:])), 0).UTC()
	}
	return p, nil
}

// verify is a cursor's content, of size bytes, once its mac was found good.
func (k *Keyring) verify(list, cursor string, size int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != size+macSize || len(cursor) != base64.RawURLEncoding.EncodedLen(len(b)) { // line breaks are passed over
		return nil, ErrCursor
	}
	b, sum := b[:size], b[size:]
	for i := range max(1, k.len()) {
		if hmac.Equal(sum, k.mac(i, list, b)) {
			return b, nil
		}
	}
	return nil, ErrCursor
}
