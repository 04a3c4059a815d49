package api

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
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

// asked counts what a client sends to Redis.
type asked struct{ n atomic.Int64 }

func (a *asked) DialHook(next redis.DialHook) redis.DialHook { return next }
func (a *asked) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		a.n.Add(1)
		return next(ctx, cmd)
	}
}
func (a *asked) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Of a busy caller a process counts ahead: not every request asks Redis, one process lets through all that may be, two together
// never more, and little less where one of them has counted ahead and then is asked no more.
func TestRateLimitCountsAhead(t *testing.T) {
	t.Parallel()
	const limit = 2000 // all of it within a minute, on a machine with much else to do, too
	e := newEnv(t)
	through := func(l *limiter, caller string, clients, each int) int {
		var n atomic.Int64
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range each {
					if u := l.count(t.Context(), caller); !u.over {
						n.Add(1)
					} else if u.remaining != 0 {
						t.Errorf("refused with %d remaining", u.remaining)
					}
				}
			})
		}
		wg.Wait()
		return int(n.Load())
	}
	hook := &asked{}
	e.rdb.AddHook(hook)
	for _, clients := range []int{1, 16} {
		caller := fmt.Sprint("alone ", clients)
		before := hook.n.Load()
		if got := through(newLimiter(e.rdb, limit), caller, clients, limit/clients); got != limit/clients*clients {
			t.Errorf("%d clients of one process: %d let through; want all of %d", clients, got, limit/clients*clients)
		}
		if asks := hook.n.Load() - before; asks > limit/4 {
			t.Errorf("%d clients of one process: Redis was asked %d times for %d requests", clients, asks, limit)
		}
		l := newLimiter(e.rdb, limit)
		if all, more := through(l, caller+" beyond", clients, limit/clients+1), through(l, caller+" beyond", 1, 200); all != limit || more != 0 {
			t.Errorf("%d clients of one process: %d let through of more than the limit, and %d beyond; want all of %d", clients, all, more, limit)
		}
	}
	a, b := newLimiter(e.rdb, limit), newLimiter(e.rdb, limit)
	first := through(a, "both", 4, 50)
	all := first + through(b, "both", 4, limit/2)
	// Who is over the limit is told so by Redis at once, and not one after the other.
	before := hook.n.Load()
	if got := through(b, "both", 8, 10); got != 0 || hook.n.Load()-before > 160 { // new connections ask, too
		t.Errorf("%d let through beyond the limit, Redis asked %d times for 80 requests", got, hook.n.Load()-before)
	}
	if count, err := e.rdb.Get(t.Context(), "leversync:rate:{both}").Int(); err != nil || count > 200+2*limit+80+2*aheadMost {
		t.Errorf("%d requests were counted, %v, of %d: who is refused counts for one", count, err, 200+2*limit+80)
	}
	if first != 200 || all > limit || all < limit-limit/aheadShare {
		t.Errorf("two processes let %d, then %d through; want 200, then at most %d and at least a %dth less", first, all, limit, aheadShare)
	}
}

// Redis that goes in mid-window gives nobody another limit.
func TestRateLimitGoesOnWithoutRedis(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	now := time.Now()
	l := newLimiter(e.rdb, 4)
	l.now = func() time.Time { return now }
	first := l.count(t.Context(), "x")
	l.count(t.Context(), "x")
	l.count(t.Context(), "x")
	e.redis.Stop()
	for i, want := range []bool{false, true, true} {
		if u := l.count(t.Context(), "x"); u.over != want || u.reset.Sub(first.reset).Abs() > time.Second {
			t.Errorf("count %d, with Redis gone after 3 of 4 = %+v; want over %v, in the window to %v", i+4, u, want, first.reset)
		}
	}
	now = now.Add(rateWindow)
	if u := l.count(t.Context(), "x"); u.over || u.remaining != 3 {
		t.Errorf("count in the next window = %+v; want 3 remaining", u)
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

// However many callers come while Redis is away, a bounded number of each kind is told apart, and the rest of the kind share what
// one may ask: strangers take no room of who has a key.
func TestRateLimitOfManyWithoutRedis(t *testing.T) {
	t.Parallel()
	l := newLimiter(nil, 2)
	now := time.Now()
	l.now = func() time.Time { return now }
	l.count(t.Context(), "address:first")
	for _, kind := range []string{"address", "connector"} {
		over := 0
		for i := range 3 * maxLocal {
			if l.count(t.Context(), fmt.Sprint(kind, ":", i)).over {
				over++
			}
		}
		if n := len(l.local[kind]); n > maxLocal+1 || over < 2*maxLocal-2 || over > 2*maxLocal {
			t.Errorf("%s: %d callers are told apart, %d were refused; want at most %d, and all but two of those beyond", kind, n, over, maxLocal+1)
		}
	}
	if u := l.count(t.Context(), "address:first"); u.over {
		t.Error("who was there before is refused because of them")
	}
	for range 2 {
		if u := l.count(t.Context(), "key:new"); u.over {
			t.Error("a key is refused because of others than keys")
		}
	}
	now = now.Add(rateWindow)
	if u := l.count(t.Context(), "address:new"); u.over || len(l.local["address"]) > 2 {
		t.Errorf("in the next window %+v, %d remembered; want those of before forgotten", u, len(l.local["address"]))
	}
}
