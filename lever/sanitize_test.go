package lever

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want string
		cleaned  int
	}{
		{`{"a":[1,-2.5e+3,true,false,null,{}],"b":[]}`, `{"a":[1,-2.5e+3,true,false,null,{}],"b":[]}`, 0},
		{` "é\u00e9\ud83d\ude00\n\/" `, ` "é\u00e9\ud83d\ude00\n\/" `, 0},
		{`0`, `0`, 0},
		{`1e400`, `1e400`, 0},
		{`123456789012345678901234567890`, `123456789012345678901234567890`, 0},
		{`{"a\u0000b":"\u0000"}`, `{"ab":""}`, 2},
		{"\"a\x00b\"", `"ab"`, 1},
		{"{\x00\"a\":1\x00}", `{"a":1}`, 2},
		{"\x00{}", `{}`, 1},
		{"[1,\x002]\x00", `[1,2]`, 2},
		{`"\ud800"`, `"\ufffd"`, 1},
		{`"\ud800\ud800\udc00"`, `"\ufffd\ud800\udc00"`, 1},
		{`"\udc00x"`, `"\ufffdx"`, 1},
		{`"\ud83d\u0000\ude00"`, `"\ufffd\ufffd"`, 3},
		{`"\\u0000"`, `"\\u0000"`, 0},
		{"\"\xff\xc3\xa9\xed\xa0\x80\"", "\"\uFFFDé\uFFFD\uFFFD\uFFFD\"", 4},
		{"\"\xc3\x00\xa9\"", "\"\uFFFD\uFFFD\"", 3},
		{"\"a\tb\nc\"", `"a\u0009b\u000ac"`, 2},
		{strings.Repeat("[", 512) + strings.Repeat("]", 512), strings.Repeat("[", 512) + strings.Repeat("]", 512), 0},
	} {
		clean, cleaned, err := Sanitize([]byte(tc.in))
		if string(clean) != tc.want || cleaned != tc.cleaned || err != nil {
			t.Errorf("Sanitize(%.60q): got %.60q, %d, %v; want %.60q, %d", tc.in, clean, cleaned, err, tc.want, tc.cleaned)
		}
	}
}

func TestSanitizeRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want error
	}{
		{`1e200000`, errRecordNumber},
		{`{"a":-1E-200000}`, errRecordNumber},
		{`1e99999999999999999999`, errRecordNumber},
		{strings.Repeat("9", maxNumber+1), errRecordNumber},
		{strings.Repeat("[", 514) + strings.Repeat("]", 514), errRecordDepth},
		{strings.Repeat(`{"a":`, 100_000), errRecordDepth},
		{`"` + strings.Repeat("x", maxRecord) + `"`, errRecordTooLarge},
		{``, errSyntax}, {`{`, errSyntax}, {`[1,]`, errSyntax}, {`{"a":}`, errSyntax}, {`{"a"1}`, errSyntax},
		{`{,}`, errSyntax}, {`{"a":1,}`, errSyntax}, {`[1 2]`, errSyntax}, {`[1}`, errSyntax}, {`01`, errSyntax},
		{`1.`, errSyntax}, {`.5`, errSyntax}, {`+1`, errSyntax}, {`1e`, errSyntax}, {`-`, errSyntax}, {`tru`, errSyntax},
		{`nul`, errSyntax}, {`"\x"`, errSyntax}, {`"\u12"`, errSyntax}, {`"`, errSyntax}, {`1 2`, errSyntax},
		{`NaN`, errSyntax}, {`"\`, errSyntax}, {`]`, errSyntax},
	} {
		if clean, _, err := Sanitize([]byte(tc.in)); err != tc.want || clean != nil {
			t.Errorf("Sanitize(%.40q): got %.40q, %v; want %v", tc.in, clean, err, tc.want)
		}
	}
}

func TestSanitizeLeavesWhatIsClean(t *testing.T) {
	body := fixture(t, "nango__opportunities_list_page01.json")
	clean, _, err := Sanitize(body)
	if err != nil || &clean[0] != &body[0] || len(clean) != len(body) {
		t.Fatalf("Sanitize of a recorded page: got %d bytes, %v, want the page itself", len(clean), err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _, _ = Sanitize(body) }); n > 0 {
		t.Errorf("Sanitize of a recorded page: got %v allocations, want none", n)
	}
}

// storable says what of jsonb's rules clean breaks, as far as Go can tell.
func storable(clean []byte) error {
	switch {
	case !json.Valid(clean):
		return fmt.Errorf("no valid JSON")
	case !utf8.Valid(clean), bytes.IndexByte(clean, 0) >= 0:
		return fmt.Errorf("no valid UTF-8, or a NUL")
	}
	dec := json.NewDecoder(bytes.NewReader(clean))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return nil // its end: it is valid
		}
		if s, ok := token.(string); ok && strings.ContainsRune(s, 0) {
			return fmt.Errorf("an escaped NUL")
		}
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{`{"a":"\u0000\ud800"}`, "\"\xff\x00\x01\"", `[1e5,{"a":[]},null]`, `"\ud83d\ude00"`, `-0.1E+5`} {
		f.Add([]byte(s))
	}
	for _, name := range recordings(f) {
		if b := fixture(f, name); len(b) < 3000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		clean, cleaned, err := Sanitize(raw)
		if !bytes.Equal(raw, before) {
			t.Errorf("Sanitize(%q): it changed its input to %q", before, raw)
		}
		if json.Valid(raw) && err == errSyntax {
			t.Errorf("Sanitize(%q): got %v for valid JSON", raw, err)
		}
		if err != nil {
			return
		}
		if err := storable(clean); err != nil {
			t.Errorf("Sanitize(%q): got %q, which is %v", raw, clean, err)
		}
		if again, n, err := Sanitize(clean); err != nil || n != 0 || !bytes.Equal(again, clean) {
			t.Errorf("Sanitize(%q) of what is clean: got %q, %d, %v", clean, again, n, err)
		}
		if (cleaned == 0) != bytes.Equal(raw, clean) {
			t.Errorf("Sanitize(%q): got %q with %d places cleaned", raw, clean, cleaned)
		}
	})
}

// recordings are the names of the recorded answers. A test is skipped without them; a fuzz target does with its own seeds.
func recordings(t testing.TB) []string {
	if _, fuzz := t.(*testing.F); !fuzz {
		fixture(t, "README.md") // skips without
	}
	dir := os.Getenv("LEVERSYNC_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

func TestSanitizeRecordings(t *testing.T) {
	t.Parallel()
	for _, name := range recordings(t) {
		if clean, cleaned, err := Sanitize(fixture(t, name)); err != nil || cleaned != 0 || storable(clean) != nil {
			t.Errorf("Sanitize(%s): got %d cleaned, %v, want it untouched", name, cleaned, err)
		}
	}
}
