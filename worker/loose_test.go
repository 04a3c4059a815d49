package worker

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leversync/leversync/store"
)

// TestLooseCalls: none is lost while Postgres is away and back, those beyond what is kept are counted, and what Postgres refuses
// holds up no other.
func TestLooseCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var fail error
	written, lost := 0, 0
	l := &loose{
		write: func(_ context.Context, calls []store.Call) error {
			mu.Lock()
			defer mu.Unlock()
			if fail == nil {
				written += len(calls)
			}
			return fail
		},
		lost: func(n int, _ error) {
			mu.Lock()
			defer mu.Unlock()
			lost += n
		},
	}
	set := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		fail = err
	}
	idle := func() {
		l.mu.Lock()
		done := l.done
		l.mu.Unlock()
		if done != nil {
			<-done
		}
	}
	check := func(when string, wantWritten, wantLost int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if written != wantWritten || lost != wantLost {
			t.Errorf("%s: %d are written, %d lost; want %d and %d", when, written, lost, wantWritten, wantLost)
		}
	}
	set(&pgconn.PgError{Code: "57P03"})
	for range maxLoose + 7 {
		l.add(store.Call{})
		idle()
	}
	check("Postgres is away", 0, 7)
	set(nil)
	l.flush()
	check("it is back", maxLoose, 7)
	set(errors.New("refused"))
	l.add(store.Call{})
	l.flush()
	check("one is refused", maxLoose, 8)
	set(nil)
	l.add(store.Call{})
	l.flush()
	check("and one is not", maxLoose+1, 8)
	set(&pgconn.PgError{Code: "57P03"})
	l.add(store.Call{})
	l.flush()
	check("Postgres is away at the end", maxLoose+1, 9)
}
