package worker

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// conn is what a process keeps of a connector between tasks: its client, breaker, and how slow Lever is.
type conn struct {
	client *lever.Client
	tokens *tokens // nil: it has an API key
	rate   float64
	since  time.Time // of the API key that it was made for; OAuth's tokens are renewed: see refused

	mu      sync.Mutex
	latency float64 // seconds a call, smoothed
	calls   int     // that it was learnt from, up to ten
}

// conn returns the connector's, made anew when its API key or its rate changed, with the token that is stored, or a newer one.
func (w *Worker) conn(ctx context.Context, c store.Connector) (*conn, error) {
	cred, err := w.store.Credential(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	rate := w.cfg.RateLimit
	if c.RateLimit != nil {
		rate = *c.RateLimit
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.conns[c.ID]; k != nil && k.rate == rate {
		switch {
		case cred.Kind == "oauth" && k.tokens != nil:
			k.tokens.adopt(cred)
			return k, nil
		case k.since.Equal(cred.RefreshedAt):
			return k, nil
		}
	}
	k := &conn{rate: rate, since: cred.RefreshedAt, latency: 0.2}
	auth := lever.APIKey(cred.Secret)
	if cred.Kind == "oauth" {
		k.tokens = newTokens(w, c.ID)
		auth = lever.OAuth(k.tokens)
	}
	k.client, err = lever.New(lever.Config{
		BaseURL: w.cfg.LeverURL, Auth: auth, Transport: w.cfg.Transport,
		Limiter: w.budgets.For(c.ID.String(), rate),
		Breaker: lever.NewBreaker(c.ID.String(), func(from, to string) {
			w.log.Warn("breaker changed", "connector_id", c.ID, "from", from, "to", to)
		}),
		OnCall: func(ctx context.Context, call lever.Call) {
			k.observe(call)
			w.metrics.Calls.Add(1)
			w.cfg.Observer.Called(c.ID, scopeOf(ctx), call)
			w.traceCall(ctx, call)
			if r := recorderOf(ctx); r != nil {
				r.add(ctx, call)
			} else {
				w.loose.add(logged(ctx, c.ID, 1, call))
			}
		},
	})
	if err != nil {
		return nil, err
	}
	w.conns[c.ID] = k
	return k, nil
}

// refused is of when the credential is that Lever refused last, by Postgres' clock.
func (k *conn) refused() time.Time {
	if k.tokens != nil {
		return k.tokens.since()
	}
	return k.since
}

// observe learns from a call: the mean of the first ten, then a tenth of what is new. A process that takes over from
// another knows after one call how wide to go.
func (k *conn) observe(c lever.Call) {
	k.mu.Lock()
	k.calls = min(k.calls+1, 10)
	k.latency += (min(c.Duration.Seconds(), 10) - k.latency) / float64(k.calls)
	k.mu.Unlock()
}

// width is how many calls must be under way to use the whole budget: rate × latency, and one more.
func (k *conn) width() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return min(int(math.Ceil(k.rate*k.latency))+1, 32)
}

// leases is how many the connector may hold.
func (k *conn) leases() int { return max(k.width(), 2) }
