package lever

import (
	"context"
	"time"
)

// Limiter is the budget of one connector's calls.
type Limiter interface {
	// Wait returns when the call may be sent, and how long that took. Its error is a *BudgetError when
	// the wait would be long, or the context's.
	Wait(ctx context.Context, lane Lane) (time.Duration, error)
	// Throttled tells that Lever answered 429, and asked to come back after retryAfter.
	Throttled(retryAfter time.Duration)
	// Succeeded tells that Lever took a call.
	Succeeded()
}

type laneKey struct{}

// WithLane sets the lane of the calls made with the context; without it, it is LaneIncremental.
func WithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, lane)
}

func laneOf(ctx context.Context) Lane {
	if lane, ok := ctx.Value(laneKey{}).(Lane); ok {
		return lane
	}
	return LaneIncremental
}
