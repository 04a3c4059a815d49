package store_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
)

// key is a key whose bytes count up from b.
func key(b byte) string {
	k := make([]byte, 32)
	for i := range k {
		k[i] = b + byte(i)
	}
	return base64.StdEncoding.EncodeToString(k)
}

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	short := base64.StdEncoding.EncodeToString([]byte("thirty-one bytes, one too few.."))
	tests := []struct {
		name, in string
		want     string // of the error; "": none
	}{
		{"one key", key(1), ""},
		{"two by comma", key(1) + "," + key(2), ""},
		{"many by white space", " " + key(1) + "\n" + key(2) + "\r\n\t" + key(3) + ", " + key(4) + "\n", ""},
		{"nothing", "", "no key"},
		{"white space", " \n,", "no key"},
		{"not base64", "hunter2!", "key 1 is not base64"},
		{"second not base64", key(1) + ",hunter2!", "key 2 is not base64"},
		{"too short", short, "key 1 has 31 bytes, want 32"},
		{"too long", base64.StdEncoding.EncodeToString(make([]byte, 33)), "key 1 has 33 bytes, want 32"},
		{"all zero", base64.StdEncoding.EncodeToString(make([]byte, 32)), "key 1 is made of too few different bytes"},
		{"a word over and over", base64.StdEncoding.EncodeToString([]byte("changemechangemechangemechangeme")), "key 1 is made of too few different bytes"},
		{"weak, behind a good one", key(1) + "," + base64.StdEncoding.EncodeToString(make([]byte, 32)), "key 2 is made of too few different bytes"},
		{"old and new the same", key(1) + "," + key(1), "key 2 is key 1 once more"},
		{"the third as the second", key(1) + "," + key(2) + "," + key(2), "key 3 is key 2 once more"},
		{"hexadecimal", strings.Repeat("0f", 32), "key 1 has 48 bytes, want 32"},
	}
	for _, tc := range tests {
		k, err := store.ParseKeyring(tc.in)
		if tc.want == "" {
			if err != nil || k == nil {
				t.Errorf("ParseKeyring of %s = %v, %v; want a keyring", tc.name, k, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
			t.Errorf("ParseKeyring of %s = %v; want %q and what to do", tc.name, err, tc.want)
			continue
		}
		for _, f := range strings.Fields(strings.ReplaceAll(tc.in, ",", " ")) {
			if strings.Contains(err.Error(), f) {
				t.Errorf("ParseKeyring of %s: its error holds the key: %v", tc.name, err)
			}
		}
	}
}
