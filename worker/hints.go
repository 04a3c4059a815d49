package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
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
		if _, rerr := s.w.store.NeedRelink(ctx, s.connector.ID, relinkReason(err), s.conn.since); rerr != nil {
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

// look is one look at hints.
type look struct{ *opportunities }

// needed reports whether anything is on that hints are about.
func (l *look) needed() bool {
	return l.wants(unified.Applications) || l.wants(unified.Candidates) || l.childKinds() != 0
}

// lists is the bit set of the lists that a hint says to read.
func (l *look) lists(h store.Hint) int {
	of := map[unified.Scope]bool{}
	for _, sc := range h.Scopes {
		of[sc] = l.enabled[sc]
	}
	return kindsOf(childKinds, of)
}

// settle ends hints whose opportunities a traversal has met since.
func (l *look) settle(ctx context.Context, hints []store.Hint) error {
	if len(hints) == 0 {
		return nil
	}
	sights := make([]sight, len(hints))
	for i, h := range hints {
		sights[i] = sight{hint: h}
		if h.Kind == store.HintOpportunity {
			sights[i].ids = []string{h.RemoteID}
		}
	}
	return l.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error { return l.done(ctx, tx, sights) })
}

// leave leaves hints to a sync that begins now: there are more of them than the list has pages. Their lists are put down
// for it, so that it reads them with all others, once.
func (l *look) leave(ctx context.Context, hints []store.Hint) error {
	if err := l.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		for lists, ids := range l.byLists(hints) {
			if _, err := tx.MarkNamed(ctx, unified.Applications, lists, int(lever.LaneIncremental), ids); err != nil {
				return err
			}
		}
		return tx.LeaveHints(ctx, hints)
	}); err != nil {
		return err
	}
	asked, err := l.w.store.Scopes(ctx, l.connector.ID)
	if err != nil {
		return err
	}
	var scopes []unified.Scope
	for _, sc := range slices.Concat(streams[streamOpportunities].scopes, streams[streamChildren].scopes) {
		newer := slices.ContainsFunc(asked, func(s store.ScopeStatus) bool { // a sync that begins after them was asked for already
			return s.Scope == string(sc) && s.RequestedAt != nil && s.RequestedAt.After(hints[len(hints)-1].ReceivedAt)
		})
		if l.wants(sc) && !newer {
			scopes = append(scopes, sc)
		}
	}
	l.log.InfoContext(ctx, "hints left to a sync", "hints", len(hints))
	if len(scopes) > 0 {
		if err := l.w.fanOut(ctx, l.connector, scopes, nil); err != nil {
			return err
		}
	}
	return &yield{after: l.w.cfg.HintPause, reason: "a sync sees to them"}
}

// byLists groups opportunities by the lists to be read of them.
func (l *look) byLists(hints []store.Hint) map[int][]string {
	out := map[int][]string{}
	for _, h := range hints {
		if lists := l.lists(h); lists != 0 && h.Kind == store.HintOpportunity {
			out[lists] = append(out[lists], h.RemoteID)
		}
	}
	return out
}

// sight is what a look at one hint has shown.
type sight struct {
	hint  store.Hint
	ids   []string // of the opportunities
	items []lever.Item[lever.Opportunity]
	gone  bool // Lever does not know it
	calls []store.Call
	err   error
}

// at looks at a batch of hints, people first: a list of somebody's opportunities saves the look at each.
func (l *look) at(ctx context.Context, hints []store.Hint) error {
	var sights []sight
	met := map[string]bool{}
	for _, kind := range []store.HintKind{store.HintContact, store.HintOpportunity} {
		var ask []store.Hint
		for _, h := range hints {
			switch {
			case h.Kind != kind:
			case met[h.RemoteID]:
				sights = append(sights, sight{hint: h, ids: []string{h.RemoteID}})
			default:
				ask = append(ask, h)
			}
		}
		for _, s := range l.ask(ctx, ask) {
			sights = append(sights, s)
			for _, id := range s.ids {
				met[id] = true
			}
		}
	}
	return l.keep(ctx, sights)
}

// ask asks Lever, side by side.
func (l *look) ask(ctx context.Context, hints []store.Hint) []sight {
	sights := make([]sight, len(hints))
	var wg sync.WaitGroup
	for i, h := range hints {
		wg.Go(func() {
			rec := l.rec.fork()
			s := sight{hint: h}
			sctx := withScope(withRecorder(ctx, rec), l.scope())
			if h.Kind == store.HintContact {
				l.person(sctx, &s, l.confidentiality())
			} else {
				l.one(sctx, &s)
			}
			s.calls = rec.take()
			sights[i] = s
		})
	}
	wg.Wait()
	return sights
}

func (l *look) one(ctx context.Context, s *sight) {
	var it lever.Item[lever.Opportunity]
	if it, s.err = l.client().Opportunity(ctx, s.hint.RemoteID); s.err == nil {
		s.ids, s.items = []string{s.hint.RemoteID}, []lever.Item[lever.Opportunity]{it}
	}
	s.gone = lever.Classify(s.err) == lever.VerdictGone
}

// person lists the opportunities of a contact. That one is missing proves nothing.
func (l *look) person(ctx context.Context, s *sight, confidentiality string) {
	opts := lever.OpportunityOptions{ContactID: s.hint.RemoteID, ExpandApplications: true, Confidentiality: confidentiality}
	for page, err := range l.client().Opportunities(ctx, opts) {
		if s.err = err; err != nil {
			break
		}
		ids, _ := met(page)
		s.ids, s.items = append(s.ids, ids...), append(s.items, page.Items...)
	}
	if lever.Classify(s.err) == lever.VerdictForbidden && confidentiality != "" {
		l.person(ctx, s, "")
	}
}

// keep writes what was seen, in one transaction. Its error is why the rest must wait.
func (l *look) keep(ctx context.Context, sights []sight) error {
	var stop error
	var calls []store.Call
	seen := sights[:0:0]
	for _, s := range sights {
		calls = append(calls, s.calls...)
		switch lever.Classify(s.err) {
		case lever.VerdictOK, lever.VerdictGone, lever.VerdictForbidden: // it is there, and not for us: it stays
			seen = append(seen, s)
		case lever.VerdictThrottled, lever.VerdictCanceled, lever.VerdictRelink:
			stop = s.err
		default:
			seen = append(seen, s)
			if stop == nil {
				stop = &lookError{tries: s.hint.Attempts + 1, err: s.err}
			}
		}
	}
	err := l.commit(ctx, calls, func(ctx context.Context, tx *store.Tx) error {
		var items []lever.Item[lever.Opportunity]
		var ids, gone []string
		for _, s := range seen {
			tx.Add(store.Counts{Bound: int64(len(s.calls)), Read: int64(len(s.items))})
			items, ids = append(items, s.items...), append(ids, s.ids...)
			if s.gone {
				gone = append(gone, s.hint.RemoteID)
			}
		}
		if err := l.remove(ctx, tx, gone); err != nil {
			return err
		}
		if err := l.write(ctx, tx, items, ids); err != nil {
			return err
		}
		return l.done(ctx, tx, seen)
	})
	if err != nil {
		return err
	}
	return stop
}

// done settles hints that were looked at, and puts down the lists that they say to read.
func (l *look) done(ctx context.Context, tx *store.Tx, sights []sight) error {
	var looked []store.Looked
	var found []store.Hint
	for _, s := range sights {
		d := store.Looked{Hint: s.hint}
		v := lever.Classify(s.err)
		switch {
		case v == lever.VerdictTransient, v == lever.VerdictMalformed && s.hint.Attempts+1 < hintTries:
			d.Failed = true
		case v == lever.VerdictOK && len(s.ids) > 0 && s.hint.Kind == store.HintOpportunity:
			d.Lists = l.lists(s.hint)
			found = append(found, s.hint)
		}
		looked = append(looked, d)
	}
	for lists, ids := range l.byLists(found) {
		if _, err := tx.MarkNamed(ctx, unified.Applications, lists, int(lever.LaneWebhook), ids); err != nil {
			return err
		}
	}
	return tx.Looked(ctx, looked)
}
