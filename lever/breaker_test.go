package lever

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// outcome makes one call through b and returns its refusal.
func outcome(b *Breaker, err error) error {
	done, refused := b.allow()
	if refused != nil {
		return refused
	}
	done(err)
	return nil
}

var failure = &ServerError{Status: 503}

func TestBreakerOpensAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var states []string
		b := NewBreaker("c", func(_, to string) { states = append(states, to) })
		for range 10 {
			if err := outcome(b, failure); err != nil {
				t.Fatalf("a closed breaker: got %v, want it to let calls through", err)
			}
		}
		for _, open := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
			err := outcome(b, nil)
			if !isA[*BreakerOpenError](err) || RetryAfter(err) != open || Classify(err) != VerdictThrottled {
				t.Fatalf("an open breaker: got %v (%v), want a BreakerOpenError of %v", err, Classify(err), open)
			}
			time.Sleep(open + time.Millisecond)
			done, err := b.allow()
			if err != nil {
				t.Fatalf("after %v: got %v, want a probe let through", open, err)
			}
			if err := outcome(b, nil); RetryAfter(err) <= 0 {
				t.Errorf("beside a probe: got %v, want to come back later", err)
			}
			done(failure)
		}
		time.Sleep(5*time.Minute + time.Millisecond)
		for _, nothing := range []error{errNotSent, context.Canceled} {
			if err := outcome(b, nothing); err != nil {
				t.Errorf("a probe that ends as %v: got %v, want the next one let through", nothing, err)
			}
		}
		if err := outcome(b, nil); err != nil || b.cb.State().String() != "closed" {
			t.Errorf("a good probe: got %v, %v, want closed", err, b.cb.State())
		}
		if want := []string{"open", "half-open"}; !slices.Equal(states[:2], want) || states[len(states)-1] != "closed" {
			t.Errorf("changes: got %v, want %v … closed", states, want)
		}
	})
}

func TestBreakerCountsOnlyTransientFailures(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, ErrUnauthorized, &ForbiddenError{}, &NotFoundError{}, &RateLimitError{}, &BadRequestError{Status: 400}, context.Canceled, &MalformedError{}, errNotSent} {
		b := NewBreaker("c", nil)
		for range 50 {
			if refused := outcome(b, err); refused != nil {
				t.Errorf("calls that end as %v: got %v, want it closed", err, refused)
				break
			}
		}
	}
	b := NewBreaker("c", nil)
	for i := range 20 { // every other one
		var err error
		if i%2 == 1 {
			err = &TransportError{Err: errors.New("reset")}
		}
		if refused := outcome(b, err); refused != nil {
			t.Fatalf("call %d of 20, half of them bad: got %v, want it closed until the last", i, refused)
		}
	}
	if refused := outcome(b, nil); refused == nil {
		t.Error("after 20 calls, half of them bad: got a call through, want it open")
	}
}

func TestBreakerStopsCalls(t *testing.T) {
	t.Parallel()
	g := &gate{}
	r := newRig(t, Config{Breaker: NewBreaker("c", nil), Limiter: g}, answer(http.StatusBadGateway, ""))
	for range 15 {
		_, _ = r.Offers(t.Context(), "o1")
	}
	if _, err := r.Offers(t.Context(), "o1"); !isA[*BreakerOpenError](err) || len(r.reported()) != 10 {
		t.Errorf("against a dead server: got %v after %d calls, want it open after 10", err, len(r.reported()))
	}
}
