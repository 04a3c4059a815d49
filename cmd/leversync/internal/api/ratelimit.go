package api

import (
	"context"
	_ "embed"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	rateWindow  = time.Minute
	rateTimeout = 250 * time.Millisecond // an answer of Redis that takes longer is none
	rateProbe   = time.Second            // how long a Redis that failed is not asked again
)

//go:embed ratelimit.lua
var rateSource string

var rateScript = redis.NewScript(rateSource)

// limiter counts requests, in windows of a minute that the first request opens: over all processes by Redis,
// and while that is away each process by itself. Safe for concurrent use.
type limiter struct {
	rdb   redis.UniversalClient
	limit int
	now   func() time.Time

	mu    sync.Mutex
	away  time.Time // Redis is not asked before
	local map[string]window
	swept time.Time // local has been gone through
}

// maxLocal is how many callers are told apart while Redis is away; all others are counted as one.
const maxLocal = 10_000

type window struct {
	n   int
	end time.Time
}

// usage is how a caller stands after a request was counted.
type usage struct {
	limit, remaining int
	reset            time.Time
	over             bool
}

func newLimiter(rdb redis.UniversalClient, limit int) *limiter {
	return &limiter{rdb: rdb, limit: limit, now: time.Now, local: map[string]window{}}
}

// count counts one request of a caller.
func (l *limiter) count(ctx context.Context, caller string) usage {
	now := l.now()
	n, end, ok := l.shared(ctx, caller, now)
	if !ok {
		n, end = l.alone(caller, now)
	}
	return usage{limit: l.limit, remaining: max(0, l.limit-n), reset: end, over: n > l.limit}
}

func (l *limiter) shared(ctx context.Context, caller string, now time.Time) (n int, end time.Time, ok bool) {
	l.mu.Lock()
	skip := l.rdb == nil || now.Before(l.away)
	l.mu.Unlock()
	if skip {
		return 0, end, false
	}
	tctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rateTimeout)
	defer cancel()
	got, err := rateScript.Run(tctx, l.rdb, []string{"leversync:rate:{" + caller + "}"}, rateWindow.Milliseconds()).Int64Slice()
	if err != nil || len(got) != 2 {
		l.mu.Lock()
		l.away = now.Add(rateProbe)
		l.mu.Unlock()
		return 0, end, false
	}
	return int(got[0]), now.Add(time.Duration(got[1]) * time.Millisecond), true
}

func (l *limiter) alone(caller string, now time.Time) (int, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.local[caller]; !known && len(l.local) >= maxLocal {
		if now.Sub(l.swept) >= rateWindow {
			l.swept = now
			maps.DeleteFunc(l.local, func(_ string, w window) bool { return !now.Before(w.end) })
		}
		if len(l.local) >= maxLocal {
			caller = "all others"
		}
	}
	w := l.local[caller]
	if !now.Before(w.end) {
		w = window{end: now.Add(rateWindow)}
	}
	w.n++
	l.local[caller] = w
	return w.n, w.end
}

// limit counts a request, writes how its caller stands into the answer's headers, and refuses one too many.
func (s *server) limit(w http.ResponseWriter, req *http.Request, caller string) *refusal {
	u := s.limiter.count(req.Context(), caller)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(u.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(u.remaining))
	// Rounded up: a client that waits until then finds a new window.
	h.Set("X-RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(u.reset.UnixMilli())/1000)), 10))
	if !u.over {
		return nil
	}
	h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(u.reset.Sub(s.limiter.now()).Seconds())))))
	return refuse(http.StatusTooManyRequests, "Rate limit exceeded")
}
