package levertest

import (
	"sync"
	"time"
)

// bucket is a token bucket.
type bucket struct {
	mu    sync.Mutex
	rate  float64 // tokens a second; below 0: no limit
	burst float64
	left  float64
	last  time.Time
}

// take takes a token at a moment; where there is none it tells how long it takes to come.
func (b *bucket) take(now time.Time) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate < 0 {
		return 0, true
	}
	if b.last.IsZero() {
		b.left = b.burst
	} else if d := now.Sub(b.last); d > 0 {
		b.left = min(b.burst, b.left+d.Seconds()*b.rate)
	}
	if b.last.Before(now) {
		b.last = now
	}
	if b.left < 1 {
		return time.Duration((1 - b.left) / b.rate * float64(time.Second)), false
	}
	b.left--
	return 0, true
}

func (b *bucket) set(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = rate
}
