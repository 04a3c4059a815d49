package dashboard

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { x := now.Add(d); return &x }
	for _, c := range []struct{ call, got, want string }{
		{"ago(nil)", ago(nil, now), "–"},
		{"ago(now)", ago(at(0), now), "just now"},
		{"ago(in the future)", ago(at(time.Minute), now), "just now"},
		{"ago(90s)", ago(at(-90*time.Second), now), "1 min ago"},
		{"ago(3h)", ago(at(-3*time.Hour), now), "3 h ago"},
		{"ago(3 days)", ago(at(-72*time.Hour), now), "3 days ago"},
		{"until(past)", until(at(-time.Hour), now), "now"},
		{"until(2min)", until(at(2*time.Minute), now), "in 2 min"},
		{"until(nil)", until(nil, now), "–"},
		{"lag(nil)", lag(nil, now), "–"},
		{"lag(12s)", lag(at(-12*time.Second), now), "12 s"},
		{"lag(a clock that is ahead)", lag(at(time.Second), now), "0 s"},
		{"millis(0.4)", millis(0.4), "<1 ms"},
		{"millis(0)", millis(0), "0 ms"},
		{"waited(4090)", waited(4090), "4.1 s"},
		{"breaks", string(breaks("/a/:id<b")), "<wbr>/a<wbr>/:id&lt;b"},
		{"took(250ms)", took(now, at(250*time.Millisecond), now), "250 ms"},
		{"took(2.5s)", took(now, at(2500*time.Millisecond), now), "2.5 s"},
		{"took(65s, still running)", took(now.Add(-65*time.Second), nil, now), "1 min 05 s"},
		{"took(90min)", took(now, at(90*time.Minute), now), "1 h 30 min"},
		{"stamp", stamp(at(0)), "2 Jul 2026, 09:00:00 UTC"},
		{"number(-1234567)", number(-1234567), "-1,234,567"},
		{"number(999)", number(999), "999"},
		{"plural(1)", plural(1, "call"), "1 call"},
		{"size(2048)", size(2048), "2.0 KiB"},
		{"size(3<<20)", size(3 << 20), "3.0 MiB"},
		{"sentence", sentence("lever refuses it"), "Lever refuses it."},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.call, c.got, c.want)
		}
	}
}

func TestSpark(t *testing.T) {
	t.Parallel()
	s := newSpark([]int64{0, 10, 5})
	if want := "M4 24v-24.0h3v24.0zM8 24v-12.0h3v12.0z"; s.Path != want {
		t.Errorf("newSpark(0, 10, 5).Path = %q, want %q", s.Path, want)
	}
	if want := "15 calls in the last 24 hours, at most 10 an hour"; s.Label != want {
		t.Errorf("newSpark(0, 10, 5).Label = %q, want %q", s.Label, want)
	}
	if s := newSpark(nil); s.Path != "" || s.Label != "0 calls in the last 24 hours" {
		t.Errorf("newSpark(nil) = %+v, want no bars", s)
	}
}
