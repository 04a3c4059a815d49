package api

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *Config) { c.RateLimitPerMinute = 3 })
	var last answer
	for i, want := range []int{200, 200, 200, 429, 429} {
		last = e.get(ats + "tags")
		if last.status != want {
			t.Errorf("request %d = %d %s; want %d", i+1, last.status, last.body, want)
		}
		if got, want := last.header.Get("X-RateLimit-Remaining"), strconv.Itoa(max(0, 2-i)); got != want {
			t.Errorf("request %d: X-RateLimit-Remaining = %s; want %s", i+1, got, want)
		}
	}
	h := last.header
	after, _ := strconv.Atoi(h.Get("Retry-After"))
	reset, _ := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if after < 1 || after > 60 || h.Get("X-RateLimit-Limit") != "3" || time.Until(time.Unix(reset, 0)) > 61*time.Second || string(last.body) != `{"detail":"Rate limit exceeded"}`+"\n" {
		t.Errorf("a 429 = %v %s", h, last.body)
	}
	// Another token has its own.
	_, token := e.newConnector()
	if a := e.do("GET", ats+"tags", "Authorization", "Bearer "+e.key, "X-Connector-Token", token); a.status != 200 {
		t.Errorf("another connector's request = %d; want 200", a.status)
	}
}

func TestRateLimitOverProcesses(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	a, b := newLimiter(e.rdb, 4), newLimiter(e.rdb, 4)
	for i := range 6 {
		l := a
		if i%2 == 1 {
			l = b
		}
		if u := l.count(t.Context(), "x"); u.over != (i >= 4) || u.remaining != max(0, 3-i) {
			t.Errorf("count %d over two processes = %+v", i+1, u)
		}
	}
}

func TestRateLimitWithoutRedis(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer rdb.Close()
	now := time.Now()
	l := newLimiter(rdb, 2)
	l.now = func() time.Time { return now }
	for i, want := range []bool{false, false, true} {
		if u := l.count(t.Context(), "x"); u.over != want {
			t.Errorf("count %d without Redis = %+v; want over %v", i+1, u, want)
		}
	}
	now = now.Add(rateWindow)
	if u := l.count(t.Context(), "x"); u.over || u.remaining != 1 {
		t.Errorf("count in the next window = %+v; want 1 remaining", u)
	}
}

// However many callers come while Redis is away, a bounded number is told apart, and the rest share what one may ask.
func TestRateLimitOfManyWithoutRedis(t *testing.T) {
	t.Parallel()
	l := newLimiter(nil, 2)
	now := time.Now()
	l.now = func() time.Time { return now }
	l.count(t.Context(), "first")
	over := 0
	for i := range 3 * maxLocal {
		if l.count(t.Context(), fmt.Sprint("caller ", i)).over {
			over++
		}
	}
	if len(l.local) > maxLocal+1 || over < 2*maxLocal-2 {
		t.Errorf("%d callers are told apart, %d were refused; want at most %d, and all but two of those beyond", len(l.local), over, maxLocal+1)
	}
	if u := l.count(t.Context(), "first"); u.over {
		t.Error("who was there before is refused because of them")
	}
	now = now.Add(rateWindow)
	if u := l.count(t.Context(), "somebody new"); u.over || len(l.local) > 2 {
		t.Errorf("in the next window %+v, %d remembered; want those of before forgotten", u, len(l.local))
	}
}
