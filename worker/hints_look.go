package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

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
		var gone []string
		for _, s := range seen {
			tx.Add(store.Counts{Bound: int64(len(s.calls)), Read: int64(len(s.items))})
			items = append(items, s.items...)
			if s.gone {
				gone = append(gone, s.hint.RemoteID)
			}
		}
		if err := l.remove(ctx, tx, gone); err != nil {
			return err
		}
		if err := l.write(ctx, tx, items); err != nil {
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
		switch lever.Classify(s.err) {
		case lever.VerdictTransient:
			d.Failed = true
		case lever.VerdictMalformed, lever.VerdictBadToken:
			d.Failed = s.hint.Attempts+1 < hintTries
		case lever.VerdictOK:
			if len(s.ids) > 0 && s.hint.Kind == store.HintOpportunity {
				d.Lists = l.lists(s.hint)
				found = append(found, s.hint)
			}
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
