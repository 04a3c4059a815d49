package lever

import (
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerConsecutive = 10               // transient failures in a row that open it: while one call in five fails, that does not come about by chance
	breakerSample      = 20               // calls of the window from which a share counts
	breakerWindow      = time.Minute      // the share is of this long
	breakerOpen        = 15 * time.Second // the first time; doubled each time the probe fails
	breakerOpenMax     = 5 * time.Minute
	breakerProbe       = time.Second // come back after that, while another call probes
)

// Breaker stops the calls of one connector while Lever fails: after 10 transient failures in a row, or
// when half of at least 20 calls in a minute failed. It stays open for 15 s, then lets one call probe;
// while probes fail it doubles the time, up to 5 min. Safe for concurrent use.
type Breaker struct {
	cb *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu        sync.Mutex
	opened    int       // times in a row
	openUntil time.Time // may be past
}

// NewBreaker makes a closed breaker. onChange, if not nil, is told of each change by the names
// closed, half-open and open; it must not block.
func NewBreaker(name string, onChange func(from, to string)) *Breaker {
	b := &Breaker{}
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		MaxRequests:  1,
		Interval:     breakerWindow,
		BucketPeriod: breakerWindow / 6,
		Timeout:      breakerOpen,
		ReadyToTrip:  readyToTrip,
		IsSuccessful: func(err error) bool { return Classify(err) != VerdictTransient },
		// What was not sent, or was given up by the caller, tells nothing of Lever: counted as a
		// success it would close a half-open breaker.
		IsExcluded: func(err error) bool { return errors.Is(err, errNotSent) || Classify(err) == VerdictCanceled },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.changed(to)
			if onChange != nil {
				onChange(from.String(), to.String())
			}
		},
	})
	return b
}

// errNotSent marks the outcome of a call that the breaker let through, but that was never sent.
var errNotSent = errors.New("lever: call not sent")

func readyToTrip(c gobreaker.Counts) bool {
	if c.ConsecutiveFailures >= breakerConsecutive {
		return true
	}
	answered := c.TotalSuccesses + c.TotalFailures
	return answered >= breakerSample && 2*c.TotalFailures >= answered
}

func (b *Breaker) changed(to gobreaker.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch to {
	case gobreaker.StateOpen:
		open := min(breakerOpen<<min(b.opened, 10), breakerOpenMax)
		b.opened++
		b.openUntil = time.Now().Add(open)
	case gobreaker.StateClosed:
		b.opened = 0
	}
}

// allow asks for a call. Without an error, done must be called once with the call's outcome.
func (b *Breaker) allow() (done func(error), err error) {
	if b == nil {
		return func(error) {}, nil
	}
	if left := b.left(); left > 0 {
		return nil, &BreakerOpenError{RetryAfter: left}
	}
	done, err = b.cb.Allow()
	if err != nil {
		return nil, &BreakerOpenError{RetryAfter: max(b.left(), breakerProbe)}
	}
	return done, nil
}

func (b *Breaker) left() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.openUntil)
}
