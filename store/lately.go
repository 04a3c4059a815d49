package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// RecognizedFor is how long what was learnt of callers and lists is gone by: a key that another process revoked still
// reads for as long.
const RecognizedFor = time.Second

// maxLately bounds what is remembered.
const maxLately = 10_000

// lately remembers what was learnt, for RecognizedFor. Safe for concurrent use.
type lately[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]*learnt[V]
}

type learnt[V any] struct {
	what  V
	until time.Time
	asked atomic.Bool // somebody asks anew
}

// get is what was learnt, while it is remembered. In the second half of that time one of those who ask is told that it is
// not, so that it is learnt anew before all who ask at the moment of its end would have to.
func (l *lately[K, V]) get(key K, now time.Time) (what V, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	k, ok := l.m[key]
	switch {
	case !ok || !now.Before(k.until):
		return what, false
	case k.until.Sub(now) < RecognizedFor/2 && !k.asked.Swap(true):
		return what, false
	}
	return k.what, true
}

// put remembers what was learnt by a question that began then.
func (l *lately[K, V]) put(key K, what V, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil || len(l.m) >= maxLately {
		l.m = map[K]*learnt[V]{}
	}
	l.m[key] = &learnt[V]{what: what, until: began.Add(RecognizedFor)}
}

func (l *lately[K, V]) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m = nil
}
