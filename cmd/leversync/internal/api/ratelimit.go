package api

import (
	"context"
	_ "embed"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	rateWindow = time.Minute
	rateProbe  = time.Second // how long a Redis that failed is not asked again
)

// rateTimeout is how long an answer of Redis may take: one that takes longer is none.
var rateTimeout = 250 * time.Millisecond

//go:embed ratelimit.lua
var rateSource string

var rateScript = redis.NewScript(rateSource)

// limiter counts requests, in windows of a minute that the first request opens: over all processes by Redis,
// and while that is away each process by itself. Of a busy caller a process counts some requests ahead, a share of what is
// left, so that not every one asks Redis. What one process counted ahead and did not use, others can't: with n of them a
// caller gets all of the limit but (n-1)/aheadShare of it at least, and never more. Safe for concurrent use.
type limiter struct {
	rdb   redis.UniversalClient
	limit int
	now   func() time.Time

	mu    sync.Mutex
	away  time.Time // Redis is not asked before
	held  map[string]ahead
	local map[string]map[string]window // by kind of caller, so that strangers' addresses take no room of those who have a key
	swept time.Time                    // held and local have been gone through
}

const (
	// maxLocal is of how many callers requests are counted ahead, and how many of each kind are told apart while Redis is away;
	// all others of that kind are counted as one then.
	maxLocal = 10_000
	// A process counts at most one of so many requests that are left ahead, and no more than so many.
	aheadShare, aheadMost = 64, 64
)

// ahead is what a process has counted of a caller's window in Redis.
type ahead struct {
	left   int           // requests that are counted, and have not come
	upTo   int           // how many of the caller's were counted when it asked last
	asking chan struct{} // closed once somebody who asks for more has an answer; nil: nobody does
	end    time.Time
}

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
	return &limiter{rdb: rdb, limit: limit, now: time.Now, held: map[string]ahead{}, local: map[string]map[string]window{}}
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
	n, end, size, answered := l.take(caller, now)
	if size == 0 {
		return n, end, n > 0
	}
	tctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rateTimeout)
	defer cancel()
	got, err := rateScript.Run(tctx, l.rdb, []string{"leversync:rate:{" + caller + "}"}, rateWindow.Milliseconds(), size).Int64Slice()
	l.mu.Lock()
	defer l.mu.Unlock()
	if answered != nil {
		close(answered)
		if h := l.held[caller]; h.asking == answered {
			h.asking = nil
			l.held[caller] = h
		}
	}
	if err != nil || len(got) != 2 {
		l.away = now.Add(rateProbe)
		return 0, end, false
	}
	n, end = int(got[0]), now.Add(time.Duration(got[1])*time.Millisecond)
	return l.hold(caller, size, n, end, now), end, true
}

// take takes a request from those that were counted ahead: it is the caller's nth. Where there is none, it says for how many to
// ask Redis, or 0 while that is away. While one asks for many, all others wait for the answer: until that one closes answered.
func (l *limiter) take(caller string, now time.Time) (n int, end time.Time, size int, answered chan struct{}) {
	for {
		l.mu.Lock()
		h, skip := l.held[caller], l.rdb == nil || now.Before(l.away)
		share := 1
		if now.Before(h.end) {
			share = min((l.limit-h.upTo)/aheadShare, aheadMost)
		} else {
			h.left = 0
		}
		switch {
		case h.left > 0:
			h.left--
			l.held[caller] = h
			l.mu.Unlock()
			return h.upTo - h.left, h.end, 0, nil
		case skip || share <= 1:
			l.mu.Unlock()
			if skip {
				return 0, end, 0, nil
			}
			return 0, end, 1, nil
		case h.asking == nil:
			h.asking = make(chan struct{})
			l.held[caller] = h
			l.mu.Unlock()
			return 0, end, share, h.asking
		}
		l.mu.Unlock()
		<-h.asking // for rateTimeout at most
	}
}

// hold keeps for later what of size requests, the last of which is the caller's nth, is within the limit and is not the one that
// asked, and returns which one that is. l.mu is held.
func (l *limiter) hold(caller string, size, n int, end, now time.Time) int {
	h, known := l.held[caller]
	if !now.Before(h.end) {
		h = ahead{asking: h.asking}
	}
	within := max(0, size-max(0, n-l.limit))
	h.left, h.upTo, h.end = h.left+max(0, within-1), max(h.upTo, min(n, l.limit)), end
	if l.forget(now); known || len(l.held) < maxLocal {
		l.held[caller] = h
	}
	if within == 0 {
		return n
	}
	return h.upTo - h.left
}

// forget forgets those whose window ended, once a window, when no more can be told apart. l.mu is held.
func (l *limiter) forget(now time.Time) {
	most := len(l.held)
	for _, known := range l.local {
		most = max(most, len(known))
	}
	if most < maxLocal || now.Sub(l.swept) < rateWindow {
		return
	}
	l.swept = now
	for _, known := range l.local {
		maps.DeleteFunc(known, func(_ string, w window) bool { return !now.Before(w.end) })
	}
	maps.DeleteFunc(l.held, func(_ string, h ahead) bool { return !now.Before(h.end) })
}

// alone counts a request of a caller, whose kind stands before its colon: address, key, connector.
func (l *limiter) alone(caller string, now time.Time) (int, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	kind, _, _ := strings.Cut(caller, ":")
	known := l.local[kind]
	if known == nil {
		known = map[string]window{}
		l.local[kind] = known
	}
	if _, there := known[caller]; !there && len(known) >= maxLocal {
		caller = "all others"
	}
	w := known[caller]
	if !now.Before(w.end) {
		w = window{end: now.Add(rateWindow)}
		if h := l.held[caller]; now.Before(h.end) { // it goes on in the window that Redis had opened
			w = window{n: h.upTo - h.left, end: h.end}
		}
	}
	w.n++
	known[caller] = w
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
