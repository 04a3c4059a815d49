package lever

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	budgetBurst   = 2                      // calls that may follow each other at once
	budgetTimeout = 500 * time.Millisecond // an answer of Redis that takes longer is no answer
	budgetProbe   = time.Second            // at most that often a Redis that is away is asked
)

//go:embed budget.lua
var budgetSource string

var budgetScript = redis.NewScript(budgetSource)

// BudgetOptions are the settings of Budgets. The zero value works.
type BudgetOptions struct {
	Prefix string // of the keys; default "leversync:budget:"
}

// Budgets are the budgets of all connectors, shared through one Redis by all processes that name them
// alike. While Redis is away each process goes on by itself, at a quarter of the rate. Safe for
// concurrent use.
type Budgets struct {
	rdb    redis.UniversalClient
	prefix string
	away   atomic.Int64 // Unix nanoseconds until which Redis is not asked again

	mu sync.Mutex
	of map[string]*Budget
}

// NewBudgets makes budgets over rdb, which stays the caller's to close.
func NewBudgets(rdb redis.UniversalClient, o BudgetOptions) *Budgets {
	if o.Prefix == "" {
		o.Prefix = "leversync:budget:"
	}
	return &Budgets{rdb: rdb, prefix: o.Prefix, of: map[string]*Budget{}}
}

// For is the budget of a connector: one value for all that ask, its rate set to the latest perSecond;
// one that is not positive means DefaultRate.
func (bs *Budgets) For(connectorID string, perSecond float64) *Budget {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	b := bs.of[connectorID]
	if b == nil {
		b = newBudget(bs, bs.prefix+"{"+connectorID+"}")
		bs.of[connectorID] = b
	}
	b.setRate(perSecond)
	return b
}

// grant is an answer of the script.
type grant struct {
	slots   int           // granted; 0: refused
	wait    time.Duration // to the first slot, may be past; or until asking again helps
	between time.Duration // two slots
}

var errRedisAway = errors.New("lever: budget: redis is away")

// run asks Redis, unless it was away a moment ago. Any failure is errRedisAway.
func (bs *Budgets) run(key string, args ...any) (grant, error) {
	now := time.Now()
	until := bs.away.Load()
	if until != 0 && (now.UnixNano() < until || !bs.away.CompareAndSwap(until, now.Add(budgetProbe).UnixNano())) {
		return grant{}, errRedisAway
	}
	type answer struct {
		n   []int64
		err error
	}
	answered := make(chan answer, 1)
	// The client may be set not to heed a context while it reads, so that nobody waits on it here.
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), budgetTimeout)
		defer cancel()
		n, err := budgetScript.Run(ctx, bs.rdb, []string{key}, args...).Int64Slice()
		answered <- answer{n, err}
	}()
	timer := time.NewTimer(budgetTimeout)
	defer timer.Stop()
	var a answer
	select {
	case a = <-answered:
	case <-timer.C:
		a.err = errRedisAway
	}
	if a.err != nil || len(a.n) != 3 {
		bs.away.Store(time.Now().Add(budgetProbe).UnixNano())
		return grant{}, errRedisAway
	}
	bs.away.Store(0)
	return grant{slots: int(a.n[0]), wait: micros(a.n[1]), between: micros(a.n[2])}, nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func microText(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
