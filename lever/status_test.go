package lever

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": time.Second, "0": 0, "5": 5 * time.Second, " 5 ": 5 * time.Second, "1.5": 1500 * time.Millisecond, "-3": 0,
		"36000": 15 * time.Minute, "99999999999999999999999": 15 * time.Minute, "1e999": 15 * time.Minute, "-1e999": 0,
		"NaN": time.Second, "soon": time.Second, "5s": time.Second,
		now.Add(30 * time.Second).Format(http.TimeFormat): 30 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(10 * time.Hour).Format(http.TimeFormat):   15 * time.Minute,
	} {
		if got := parseRetryAfter(v, now); got != want {
			t.Errorf("parseRetryAfter(%q): got %v, want %v", v, got, want)
		}
	}
	h := http.Header{"Date": {now.Add(time.Hour).Format(http.TimeFormat)}}
	if got := parseRetryAfter(now.Add(time.Hour+9*time.Second).Format(http.TimeFormat), serverNow(h, now)); got != 9*time.Second {
		t.Errorf("a date by a clock an hour ahead: got %v, want 9s", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "5", "-1", "1e9", "Mon, 23 Nov 2026 12:00:00 GMT", "NaN", "0x1p-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if got := parseRetryAfter(v, time.Unix(1795435200, 0)); got < 0 || got > maxRetryAfter {
			t.Errorf("parseRetryAfter(%q): got %v, want between 0 and 15 min", v, got)
		}
		if got := scrub(v, 20); len(got) > 20 || strings.ContainsRune(got, 0) {
			t.Errorf("scrub(%q): got %q, want at most 20 bytes without controls", v, got)
		}
	})
}
