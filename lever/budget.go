package lever

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultRate is what Lever allows a credential, in calls per second.
const DefaultRate = 10

// lanes is how many there are.
const lanes = int(LaneSweep) + 1

// horizons are how far ahead a slot may be reserved, by lane. A lower lane looks less far, so that those
// above find room soon although nobody takes a reservation back.
var horizons = [lanes]time.Duration{3 * time.Second, 1500 * time.Millisecond, time.Second, 500 * time.Millisecond, 250 * time.Millisecond}

// patience is how long a call waits in all before it is told to come back.
func patience(lane Lane) time.Duration {
	if lane == LaneWrite {
		return 3 * time.Second
	}
	return time.Second
}

// Budget is the Limiter of one connector.
//
// Callers queue in the process, by lane and then by arrival. While there are any, one goroutine reserves
// the next slot in Redis on their behalf, sleeps until it comes, and hands it to whoever is first by
// then: so a write overtakes all that wait here, and of other processes all but the few slots that are
// reserved already.
type Budget struct {
	budgets *Budgets
	key     string

	mu        sync.Mutex
	rate      float64 // full, per second
	alone     *rate.Limiter
	between   time.Duration // two slots, as last heard
	blocked   time.Time     // nothing goes before, by our own 429
	succeeded bool          // since Redis was last told
	queue     []*waiter     // by lane, then by arrival
	reserved  int           // slots that the next of the queue are sure of
	running   bool          // dispatch is
	arrived   chan struct{} // closed, and made anew, when the queue's first lane or its end changes
}

// waiter is a call that waits. done is given nil for a slot, or a *BudgetError.
type waiter struct {
	lane     Lane
	deadline time.Time
	done     chan error
}

func newBudget(bs *Budgets, key string) *Budget {
	return &Budget{budgets: bs, key: key, arrived: make(chan struct{})}
}

func (b *Budget) setRate(perSecond float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !(perSecond > 0) {
		perSecond = DefaultRate
	}
	if b.rate == perSecond {
		return
	}
	b.rate = perSecond
	b.between = time.Duration(float64(time.Second) / perSecond)
	b.alone = rate.NewLimiter(rate.Limit(perSecond/4), 1)
}

// ratio is the share of the full rate that is granted, as last heard.
func (b *Budget) ratio() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.between <= 0 {
		return 1
	}
	return min(1, 1/(b.rate*b.between.Seconds()))
}

// Wait returns when the call may be sent. It waits at most a second, a write three, beyond which it
// errs with a *BudgetError; a slot already reserved for the call is still waited for.
func (b *Budget) Wait(ctx context.Context, lane Lane) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	start := time.Now()
	w, err := b.enter(min(max(lane, 0), LaneSweep), start)
	if err != nil {
		return 0, err
	}
	timer := time.NewTimer(time.Until(w.deadline))
	defer timer.Stop()
	for {
		select {
		case err := <-w.done:
			return time.Since(start), err
		case <-ctx.Done():
			if !b.leave(w, false) { // the slot came at the same moment: take it, or it is lost
				return time.Since(start), <-w.done
			}
			return time.Since(start), ctx.Err()
		case <-timer.C:
			if b.leave(w, true) {
				return time.Since(start), &BudgetError{RetryAfter: b.comeBack()}
			}
			timer.Reset(50 * time.Millisecond)
		}
	}
}

// Throttled halves the rate, for all processes, and grants nothing until retryAfter is over.
func (b *Budget) Throttled(retryAfter time.Duration) {
	b.mu.Lock()
	if until := time.Now().Add(retryAfter); until.After(b.blocked) {
		b.blocked = until
	}
	b.mu.Unlock()
	// Without Redis the rate is a quarter already, and the block holds in this process.
	_, _ = b.budgets.run(b.key, "throttled", microText(retryAfter))
}

// Succeeded lets a halved rate grow again, by a twentieth of the full one per second. Redis hears of it
// with the next reservation.
func (b *Budget) Succeeded() {
	b.mu.Lock()
	b.succeeded = true
	b.mu.Unlock()
}

// enter queues a call, or refuses one that is sure to wait too long.
func (b *Budget) enter(lane Lane, now time.Time) (*waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := patience(lane)
	place := len(b.queue)
	for place > 0 && b.queue[place-1].lane > lane {
		place--
	}
	ahead := time.Duration(place-budgetBurst) * b.between
	ahead = max(ahead, b.blocked.Sub(now))
	if ahead > limit {
		return nil, &BudgetError{RetryAfter: jitter(ahead - limit + b.between)}
	}
	// Calls that came together must not all leave together, and leave a hole.
	w := &waiter{lane: lane, deadline: now.Add(limit - rand.N(limit/5)), done: make(chan error, 1)}
	b.queue = slices.Insert(b.queue, place, w)
	if place == 0 {
		b.wake()
	}
	if !b.running {
		b.running = true
		go b.dispatch()
	}
	return w, nil
}

// leave takes w out of the queue; false if it is not there any more, or, for one that is only late, if a
// slot is reserved for it.
func (b *Budget) leave(w *waiter, late bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queue, w)
	if i < 0 || late && i < b.reserved {
		return false
	}
	b.queue = slices.Delete(b.queue, i, i+1)
	if len(b.queue) == 0 {
		b.wake()
	}
	return true
}

// wake tells dispatch to look at the queue again. b.mu is held.
func (b *Budget) wake() {
	close(b.arrived)
	b.arrived = make(chan struct{})
}

// comeBack is when a call that waited in vain should ask again: spread over the time of the queue.
func (b *Budget) comeBack() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(b.between+rand.N(time.Duration(len(b.queue)+1)*b.between), maxRetryAfter)
}

func jitter(d time.Duration) time.Duration { return d + rand.N(d/4+1) }
