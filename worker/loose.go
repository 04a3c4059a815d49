package worker

import (
	"context"
	"sync"
	"time"

	"github.com/leversync/leversync/store"
)

const (
	// maxLoose is how many loose calls may wait to be written.
	maxLoose = 1000
	// looseTime is how long writing some may take.
	looseTime = 10 * time.Second
)

// loose are calls that no sync and no write logs with what they brought: downloads, webhooks that are registered, checks. They
// are written beside, soon after they were made, in a goroutine that ends when none is left. Safe for concurrent use.
type loose struct {
	write func(context.Context, []store.Call) error
	lost  func(n int, err error) // told of calls that are not to be written; nil: there were too many

	mu    sync.Mutex
	calls []store.Call
	done  chan struct{} // closed when the goroutine under way ends; nil: there is none
}

// add takes a call to be written. It does not block.
func (l *loose) add(c store.Call) {
	l.mu.Lock()
	full := len(l.calls) >= maxLoose
	if !full {
		l.calls = append(l.calls, c)
		l.begin()
	}
	l.mu.Unlock()
	if full {
		l.lost(1, nil)
	}
}

// begin has what there is written, by a goroutine that may be under way already. The caller holds the lock.
func (l *loose) begin() {
	if l.done == nil && len(l.calls) > 0 {
		l.done = make(chan struct{})
		go l.run(l.done)
	}
}

func (l *loose) run(done chan struct{}) {
	defer close(done)
	for {
		l.mu.Lock()
		calls := l.calls
		if l.calls = nil; len(calls) == 0 {
			l.done = nil
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), looseTime)
		err := l.write(ctx, calls)
		cancel()
		if err == nil {
			continue
		}
		if !store.Away(err) && !store.Unable(err) {
			l.lost(len(calls), err)
			continue
		}
		l.mu.Lock() // the next call, or the end, has them written
		l.calls = append(calls, l.calls...)
		l.done = nil
		l.mu.Unlock()
		return
	}
}

// flush returns when nothing is left to write, or can be.
func (l *loose) flush() {
	for range 2 { // what is under way may have begun without the last
		l.mu.Lock()
		l.begin()
		done := l.done
		l.mu.Unlock()
		if done == nil {
			return
		}
		<-done
	}
	l.mu.Lock()
	n := len(l.calls)
	l.calls = nil
	l.mu.Unlock()
	if n > 0 {
		l.lost(n, context.DeadlineExceeded)
	}
}
