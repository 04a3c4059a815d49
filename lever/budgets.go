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
	born   time.Time    // moments count from here: a clock that is put back stops nothing
	away   atomic.Int64 // until when Redis is not asked again, in nanoseconds since born; 0: it is asked

	mu sync.Mutex
	of map[string]*Budget
}

// NewBudgets makes budgets over rdb, which stays the caller's to close.
func NewBudgets(rdb redis.UniversalClient, o BudgetOptions) *Budgets {
	if o.Prefix == "" {
		o.Prefix = "leversync:budget:"
	}
	return &Budgets{rdb: rdb, prefix: o.Prefix, born: time.Now(), of: map[string]*Budget{}}
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

// Ratios is the share of its full rate that each budget grants, as last heard, by connector: from 0 to 1. Only
// budgets that were asked for in this process are known to it.
func (bs *Budgets) Ratios() map[string]float64 {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	out := make(map[string]float64, len(bs.of))
	for id, b := range bs.of {
		out[id] = b.ratio()
	}
	return out
}

// grant is an answer of the script.
type grant struct {
	slots   int           // granted; 0: refused
	wait    time.Duration // to the first slot, may be past; or until asking again helps
	between time.Duration // two slots
}

var errRedisAway = errors.New("lever: budget: redis is away")

// run asks Redis, unless it is known to be away. Any failure is errRedisAway.
func (bs *Budgets) run(key string, args ...any) (grant, error) {
	if until := bs.away.Load(); until != 0 {
		bs.probe(until)
		return grant{}, errRedisAway
	}
	n, err := bs.ask(func(ctx context.Context) ([]int64, error) {
		return budgetScript.Run(ctx, bs.rdb, []string{key}, args...).Int64Slice()
	})
	if err != nil || len(n) != 3 {
		bs.away.Store(int64(time.Since(bs.born) + budgetProbe))
		return grant{}, errRedisAway
	}
	return grant{slots: int(n[0]), wait: micros(n[1]), between: micros(n[2])}, nil
}

// ask does not rely on the client to heed its context while it dials or reads.
func (bs *Budgets) ask(question func(context.Context) ([]int64, error)) ([]int64, error) {
	type answer struct {
		n   []int64
		err error
	}
	answered := make(chan answer, 1)
	ctx, cancel := context.WithTimeout(context.Background(), budgetTimeout)
	go func() {
		defer cancel()
		n, err := question(ctx)
		answered <- answer{n, err}
	}()
	timer := time.NewTimer(budgetTimeout)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.n, a.err
	case <-timer.C:
		return nil, errRedisAway
	}
}

// probe finds out whether Redis is back, once until has come, and lets nobody wait for it.
func (bs *Budgets) probe(until int64) {
	now := int64(time.Since(bs.born))
	if now < until || !bs.away.CompareAndSwap(until, now+int64(budgetProbe)) {
		return
	}
	go func() {
		_, err := bs.ask(func(ctx context.Context) ([]int64, error) { return nil, bs.rdb.Ping(ctx).Err() })
		if err == nil {
			bs.away.Store(0)
		}
	}()
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func microText(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
