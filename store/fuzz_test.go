package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// fuzzKeys are two keys of 32 bytes, as LEVERSYNC_ENCRYPTION_KEY lists them.
const fuzzKeys = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=,YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="

// FuzzCursor reads any text as a cursor: one that is taken was made here, for this list, and by the current or an
// older key.
func FuzzCursor(f *testing.F) {
	keys, err := ParseKeyring(fuzzKeys)
	if err != nil {
		f.Fatal(err)
	}
	s, old := &Store{keys: keys}, &Store{keys: &Keyring{keys: keys.keys[1:]}}
	at := Position{At: time.UnixMicro(1795435200123456).UTC(), ID: uuid.MustParse("0f5cc5de-5d1f-4cd1-a7c3-000000000001")}
	feed := FeedPosition{Version: 5, Scope: 3, ID: at.ID}
	for _, c := range []string{"", "=", "AAAA", s.Cursor("l", at), old.Cursor("l", at), s.Cursor("m", at), s.FeedCursor("l", feed), s.FeedCursor("m", feed), s.FeedCursor("l", feed)[:27] + "\r" + s.FeedCursor("l", feed)[27:], s.FeedCursor("l", feed) + "\n"} {
		f.Add("l", c)
	}
	f.Fuzz(func(t *testing.T, list, cursor string) {
		if p, err := s.Position(list, cursor); err == nil && s.Cursor(list, p) != cursor && old.Cursor(list, p) != cursor {
			t.Errorf("Position(%q, %q) = %v: not what a cursor of ours holds", list, cursor, p)
		}
		p, err := s.FeedPosition(list, cursor)
		if err == nil && (p.Scope < 0 || p.Scope >= len(unified.Scopes) || s.FeedCursor(list, p) != cursor && old.FeedCursor(list, p) != cursor) {
			t.Errorf("FeedPosition(%q, %q) = %+v: not what a cursor of ours holds", list, cursor, p)
		}
		if got, err := s.Position(list, s.Cursor(list, at)); err != nil || got != at {
			t.Errorf("Position of list %q's own cursor = %v, %v; want %v", list, got, err, at)
		}
	})
}

// FuzzKeys reads any text as API key and as key ring: no panic, and no error that gives a key away.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{
		"", fuzzKeys, "lvs_", "lvs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2b2f2a9f", strings.Repeat("0f", 32), " ,\n", "bGV2ZXI=,hunter2!", "lvs_\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if WellFormedKey(s) && (len(s) != len(APIKeyPrefix)+51 || !strings.HasPrefix(s, APIKeyPrefix)) {
			t.Errorf("WellFormedKey(%q) = true", s)
		}
		ring, err := ParseKeyring(s)
		if err != nil {
			for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
				if len(part) >= 16 && strings.Contains(err.Error(), part) {
					t.Errorf("ParseKeyring(%q): its error holds the key: %v", s, err)
				}
			}
			return
		}
		sealed, err := ring.seal("c", "credential", []byte("secret"))
		if err != nil {
			t.Fatalf("seal with ParseKeyring(%q): %v", s, err)
		}
		if plain, err := ring.open("c", "credential", sealed); err != nil || string(plain) != "secret" {
			t.Errorf("open of what ParseKeyring(%q) sealed = %q, %v", s, plain, err)
		}
	})
}

// FuzzSealed opens any bytes as a sealed value, and a good one with any bytes changed.
func FuzzSealed(f *testing.F) {
	ring, err := ParseKeyring(fuzzKeys)
	if err != nil {
		f.Fatal(err)
	}
	good, err := ring.seal("c", "credential", []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("\x00"))
	f.Add([]byte("00000000\x00short"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := ring.open("c", "credential", sealed)
		if err == nil && string(plain) != "secret" {
			t.Errorf("open(%x) = %q: nothing of that was ever sealed", sealed, plain)
		}
		if err == nil {
			if _, err := ring.open("d", "credential", sealed); err == nil {
				t.Errorf("open(%x) for another connector succeeds", sealed)
			}
		}
	})
}
