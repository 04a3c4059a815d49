package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// hintsAtOnce is how many hints are looked at one by one in any case; more only while that takes no more calls than
	// the list has pages. Past it a sync of the list is cheaper, and they are left to one.
	hintsAtOnce = 20
	// hintTries is how often a look is tried that Lever answers with nonsense. The next sync sees to it all the same.
	hintTries = 3
	// hintBackoff is how long hints wait at most after a failure: there may be others that Lever does not fail on.
	hintBackoff = 10 * time.Second
	// firstListPause is how long hints wait between two looks whether the first traversal of the list is through.
	firstListPause = 15 * time.Second
)

// hints looks again at what Lever's webhooks have told of, and then reads the lists that hang on it and may have changed with
// it. What it cannot do now stays in Postgres, and another task is made for it.
func (w *Worker) hints(ctx context.Context, c store.Connector) error {
	if c.Status != "COMPLETE" || c.Paused || w.draining() {
		return nil
	}
	waiting, err := w.store.HintsWait(ctx, c.ID)
	if err != nil {
		return err
	}
	var wait time.Duration
	if waiting {
		if wait, err = w.beside(ctx, c, streams[streamOpportunities], (*slice).look); err != nil {
			return hintsLater(err)
		}
	}
	if wait == 0 {
		if wait, err = w.readHinted(ctx, c); err != nil {
			return hintsLater(err)
		}
	}
	return w.store.RestHints(ctx, c.ID, wait)
}

// hintsLater are the errors for which the hints of a connector are left to another task, which the scheduler makes soon.
func hintsLater(err error) error {
	if errors.Is(err, store.ErrHeld) || errors.Is(err, store.ErrCapped) || errors.Is(err, store.ErrFenced) {
		return nil
	}
	return err
}

// readHinted reads the lists that looks have put down.
func (w *Worker) readHinted(ctx context.Context, c store.Connector) (time.Duration, error) {
	left, err := w.store.HintedLeft(ctx, c.ID, kindsOf(childKinds, everyScope))
	if err != nil || left.Ready == 0 && left.Later == 0 {
		return 0, err
	}
	wait, err := w.beside(ctx, c, streams[streamChildren], func(s *slice, ctx context.Context) error {
		r := &childRun{slice: s, of: unified.Applications, kinds: childKinds, hinted: true}
		r.prepare()
		return r.read(ctx)
	})
	return min(wait, hintBackoff), err // what was put off for longer waits by itself
}

// everyScope is the set of all scopes.
var everyScope = func() map[unified.Scope]bool {
	m := map[unified.Scope]bool{}
	for _, sc := range unified.Scopes {
		m[sc] = true
	}
	return m
}()

// beside takes the lease of a stream for something beside the stream's own run, which goes on afterwards, if one is under way. It
// returns how long to wait before going on; 0: no time.
func (w *Worker) beside(ctx context.Context, c store.Connector, st *stream, do func(*slice, context.Context) error) (wait time.Duration, err error) {
	state, err := w.store.Stream(ctx, c.ID, st.name)
	if err != nil {
		return 0, err
	}
	err = w.hold(ctx, c, st, 1, func(ctx context.Context, s *slice) (time.Duration, error) {
		var err error
		wait, err = s.beside(ctx, do)
		return state.WakeAfter(), err
	})
	return wait, err
}

// between looks at hints in the pauses of a stream's own run: a long list leaves little else.
func (s *slice) between(ctx context.Context, err error) {
	var y *yield
	if s.stream.name != streamOpportunities || err != nil && !errors.As(err, &y) || s.w.draining() {
		return
	}
	if waiting, err := s.w.store.HintsWait(ctx, s.connector.ID); err != nil || !waiting {
		return
	}
	if err := s.flush(ctx); err != nil {
		return
	}
	wait, err := s.beside(ctx, (*slice).look)
	if err == nil {
		err = s.w.store.RestHints(ctx, s.connector.ID, wait)
	}
	if err != nil {
		s.log.WarnContext(ctx, "hints left", "error", err) // a task of their own sees to them
	}
}

// beside does something as a run of its own, under the lease, and says how long to wait before going on.
func (s *slice) beside(ctx context.Context, do func(*slice, context.Context) error) (time.Duration, error) {
	own := s.lease
	defer func() { s.lease, s.rec.run = own, own.RunID }()
	var err error
	if s.lease, err = s.w.store.BeginBeside(ctx, own); err != nil {
		return 0, err
	}
	s.rec.run = s.lease.RunID
	tctx, end := s.traced(withRecorder(lever.WithLane(ctx, lever.LaneWebhook), s.rec))
	err = do(s, tctx)
	end(err)
	bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	wait, state, err := s.judge(bg, err)
	if errors.Is(err, store.ErrFenced) {
		return 0, err
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	ferr := s.commit(bg, s.rec.take(), func(ctx context.Context, tx *store.Tx) error { return tx.FinishBeside(ctx, state, reason) })
	if store.Away(err) {
		return 0, err
	}
	return wait, ferr
}

// judge decides what follows from the error that ended a look: how long to wait, and how its run ended. The error that is
// left is the reason.
func (s *slice) judge(ctx context.Context, err error) (wait time.Duration, state string, _ error) {
	var y *yield
	switch {
	case err == nil:
		return 0, "done", nil
	case errors.As(err, &y):
		return y.after, "done", nil
	case errors.Is(err, store.ErrFenced) || store.Away(err):
		return 0, "canceled", err
	}
	switch lever.Classify(err) {
	case lever.VerdictCanceled:
		return 0, "canceled", err
	case lever.VerdictThrottled:
		return max(lever.RetryAfter(err), 200*time.Millisecond), "canceled", err
	case lever.VerdictRelink:
		if _, rerr := s.w.needRelink(ctx, s.connector.ID, s.conn, err); rerr != nil {
			return 0, "failed", errors.Join(err, rerr)
		}
	}
	s.log.WarnContext(ctx, "look put off", "error", err)
	var failed *lookError
	if errors.As(err, &failed) {
		return min(backoff(failed.tries), hintBackoff), "failed", err
	}
	return hintBackoff, "failed", err
}

// lookError is a look that failed for the tries'th time.
type lookError struct {
	tries int
	err   error
}

func (e *lookError) Error() string { return e.err.Error() }
func (e *lookError) Unwrap() error { return e.err }

// look looks at the hints that wait.
func (s *slice) look(ctx context.Context) error {
	state, err := s.w.store.Stream(ctx, s.connector.ID, s.stream.name)
	if err != nil {
		return err
	}
	if state.LastStartedAt == nil {
		return &yield{after: firstListPause, reason: "the list was not read yet"}
	}
	l := &look{opportunities: &opportunities{slice: s}}
	if l.hired, err = s.w.store.HiredReasons(ctx, s.connector.ID); err != nil {
		return err
	}
	const all = 100000
	hints, err := s.w.store.Hints(ctx, s.connector.ID, all)
	if err != nil {
		return err
	}
	// What a traversal that began later has met needs no look of its own.
	late := slices.IndexFunc(hints, func(h store.Hint) bool { return !h.ReceivedAt.Before(*state.LastStartedAt) })
	if late < 0 || !l.needed() {
		late = len(hints)
	}
	if err := l.settle(ctx, hints[:late]); err != nil {
		return err
	}
	if hints = hints[late:]; len(hints) > max(hintsAtOnce, state.LastFullPages) {
		return l.leave(ctx, hints)
	}
	var failed *lookError // of one that Lever fails on, which keeps the others from nothing
	for batch := range slices.Chunk(hints, min(max(s.conn.width(), 4), hintsAtOnce)) {
		if s.over() {
			return &yield{reason: "slice over"}
		}
		err := l.at(ctx, batch)
		if first := failed == nil; err != nil && !(errors.As(err, &failed) && first) {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	return nil
}
