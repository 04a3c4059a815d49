package store

import (
	"context"
	"errors"
)

// aheadShare is the share of the connections that may be taken by what has begun ahead of its turn: one in four. What has
// its turn finds one among the others in any case, so that nobody waits for somebody who waits for him.
const aheadShare = 4

// Ahead is a transaction that has begun before its turn, while the one before it is still under way: of a first traversal,
// where what a page brings is written twice as fast by two connections. Nothing of it holds before Commit, which asks for
// the fence as Store.Commit does, and in the same order.
type Ahead struct {
	tx   *Tx
	done bool
}

// Ahead begins a transaction before its turn and runs fn in it, which may write what neither reads nor changes what the
// one before it writes. It returns nil where that can't be or is not worth it: then all is left to Commit, which says why.
// Exactly one of Commit and Drop ends it.
func (s *Store) Ahead(ctx context.Context, l Lease, fn func(context.Context, *Tx) error) *Ahead {
	select {
	case s.ahead <- struct{}{}:
	default:
		return nil
	}
	a := &Ahead{}
	ptx, err := s.pool.Begin(ctx)
	if err != nil {
		<-s.ahead
		return nil
	}
	a.tx = s.newTx(ptx, l, false)
	// Whom to leave out may change until its turn: where anybody was erased, nothing is written ahead.
	if err := a.tx.enter(ctx, ""); err != nil || a.tx.guard != nil || fn(ctx, a.tx) != nil {
		a.Drop(ctx)
		return nil
	}
	return a
}

// Drop ends it with nothing written.
func (a *Ahead) Drop(ctx context.Context) {
	if a == nil || a.done {
		return
	}
	a.done = true
	_ = a.tx.tx.Rollback(context.WithoutCancel(ctx))
	<-a.tx.store.ahead
}

// Commit runs rest in the transaction, now that it has its turn, and commits. Where that fails for a cause that has to do with
// its having begun early, or that another try may mend, it is dropped, and whole is run by Store.Commit.
func (a *Ahead) Commit(ctx context.Context, rest, whole func(context.Context, *Tx) error) (Counts, error) {
	t := a.tx
	aside := t.aside
	err := t.enter(ctx, fenceSQL+` NOWAIT`) // who holds the row may wait for what we have written: an erasure does
	if errors.Is(err, ErrFenced) {
		a.Drop(ctx)
		return Counts{}, err
	}
	// Or Postgres has ended the transaction, for one, which waited for longer than it lets it.
	holds := err == nil && t.guard == nil && t.aside == aside
	if holds {
		err = t.finish(ctx, rest)
	}
	a.Drop(ctx)
	switch {
	case !holds || retryable(err) || refusedValue(err):
		return t.store.Commit(ctx, t.lease, whole)
	case err != nil:
		return Counts{}, err
	}
	return t.counts, nil
}
