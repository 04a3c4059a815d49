package worker_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/storetest"
)

// What Go lets through and jsonb refuses, and the other way round.
func hostile() map[string]string {
	return map[string]string{
		"escaped NUL":           `{"a":"x\u0000y","b\u0000":1}`,
		"bare NUL":              "{\"a\":\"x\x00y\"}",
		"half a surrogate":      `{"a":"\ud800","b":"\udc00\ud800"}`,
		"a surrogate pair":      `{"a":"\ud83d\ude00"}`,
		"torn by a NUL":         `{"a":"\ud83d\u0000\ude00"}`,
		"bad bytes":             "{\"a\":\"\xff\xfe\xc3\x28\"}",
		"an encoded surrogate":  "{\"a\":\"\xed\xa0\x80\"}",
		"overlong NUL":          "{\"a\":\"\xc0\x80\"}",
		"beyond Unicode":        "{\"a\":\"\xf4\x90\x80\x80\"}",
		"bare control":          "{\"a\":\"x\ny\x1f\"}",
		"1e400":                 `{"a":1e400}`,
		"1e131071":              `{"a":1e131071}`,
		"1e200000":              `{"a":1e200000}`,
		"1e-200000":             `{"a":1e-200000}`,
		"30 digits":             `{"a":123456789012345678901234567890}`,
		"20,000 digits":         `{"a":` + strings.Repeat("9", 20000) + `}`,
		"200,000 digits":        `{"a":` + strings.Repeat("9", 200000) + `}`,
		"20,000 after point":    `{"a":0.` + strings.Repeat("3", 20000) + `}`,
		"duplicate keys":        `{"a":1,"a":2,"A":3}`,
		"depth 500":             strings.Repeat(`[`, 500) + strings.Repeat(`]`, 500),
		"depth 10,000":          strings.Repeat(`[`, 10000) + strings.Repeat(`]`, 10000),
		"depth 100,000":         strings.Repeat(`{"a":`, 100000) + `1` + strings.Repeat(`}`, 100000),
		"8 MB of text":          `{"a":"` + strings.Repeat("x", 8_000_000) + `"}`,
		"9 MB of text":          `{"a":"` + strings.Repeat("x", 9_000_000) + `"}`,
		"byte order mark":       "\uFEFF{}",
		"two values":            `{} {}`,
		"HTML":                  `<!doctype html>`,
		"empty":                 ``,
		"truncated":             `{"a":"x`,
		"negative zero":         `-0`,
		"a long exponent":       `1e0000000000000000000000000000000005`,
		"an escaped solidus":    `"\/\u003c\u2028"`,
		"half an escape":        `"\u00"`,
		"a key of bad bytes":    "{\"\xff\":1}",
		"white space of others": "{\"a\":\u00a01}",
	}
}

// Whatever Lever sends: the sanitiser refuses it, or Postgres takes what it returns.
func TestSanitizedIsStorable(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec("CREATE TABLE bodies (body jsonb)")
	store := func(name string, raw []byte) {
		clean, _, err := lever.Sanitize(raw)
		if err != nil {
			return
		}
		t.Log(name)
		// The whole way: stored, read as text, and its texts taken out.
		db.Exec("WITH b AS (SELECT $1::jsonb AS body), ins AS (INSERT INTO bodies SELECT body FROM b RETURNING body) SELECT body::text, jsonb_path_query_array(body, '$.**')::text FROM ins", string(clean))
	}
	for name, raw := range hostile() {
		store(name, []byte(raw))
	}
	// And what comes of a body when a byte of it is another.
	rng := rand.New(rand.NewPCG(1, 2))
	body := []byte(`{"name":"Ada \u0000 \ud83d\ude00 é","n":[-1.5e3,0,12345678901234567890],"t":true,"o":{"k":null}}`)
	for range 2000 {
		b := []byte(string(body))
		for range 1 + rng.IntN(3) {
			b[rng.IntN(len(b))] = `0e"\u,:{}[] dD89`[rng.IntN(16)]
			if rng.IntN(3) == 0 {
				b[rng.IntN(len(b))] = byte(rng.IntN(256))
			}
		}
		store("a changed body", b)
	}
}
