package worker

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// The phases of a traversal.
const (
	phaseList      = "list"
	phaseInternal  = "internal"  // of postings: those published inside only
	phaseDeletions = "deletions" // the list of what was deleted
	phaseVerify    = "verify"    // suspects, by id
	phaseFinish    = "finish"
)

// wholeList is a list that is always read in full: small, and without a filter by time.
type wholeList[T interface{ RecordID() string }] struct {
	scope unified.Scope
	pages func(ctx context.Context, token string) iter.Seq2[lever.Page[T], error]
	// record maps an item; n is its place in the list. nil: it is not a record of the scope.
	record func(it lever.Item[T], n int) (unified.Record, error)
	// extra writes what else a page says; may be nil.
	extra func(ctx context.Context, tx *store.Tx, page lever.Page[T]) error
	// end runs in the run's last transaction; may be nil.
	end func(ctx context.Context, tx *store.Tx) error
}

func (l wholeList[T]) run(ctx context.Context, s *slice) (store.Outcome, error) {
	c, err := s.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	if c.Phase == "" {
		c.Phase, c.Full = phaseList, true
	}
	if c.Phase == phaseList {
		err := traverse(withScope(ctx, l.scope), s, &c, phaseFinish, l.pages(withScope(ctx, l.scope), c.Token), writer[T]{apply: func(ctx context.Context, tx *store.Tx, page lever.Page[T]) error {
			return l.apply(ctx, s, tx, page, c)
		}})
		if err != nil {
			return store.Outcome{}, err
		}
	}
	note := ""
	err = s.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		if l.end != nil {
			if err := l.end(ctx, tx); err != nil {
				return err
			}
		}
		var err error
		note, err = s.sweep(ctx, tx, c, l.scope, c.Page)
		return err
	})
	return store.Outcome{State: "done", Reason: note, Full: true, Pages: c.Page}, err
}

func (l wholeList[T]) apply(ctx context.Context, s *slice, tx *store.Tx, page lever.Page[T], c cursor) error {
	if c.Full {
		ids, _ := met(page)
		if err := tx.Met(ctx, c.Page, ids); err != nil {
			return err
		}
	}
	if l.extra != nil {
		if err := l.extra(ctx, tx, page); err != nil {
			return err
		}
	}
	if !s.wants(l.scope) {
		return nil
	}
	var recs []unified.Record
	for i, it := range page.Items {
		err := it.Err
		var rec unified.Record
		if err == nil {
			rec, err = l.record(it, c.Seen+i)
		}
		if err != nil {
			if err := tx.Quarantine(ctx, rejected(l.scope, "", it, err)); err != nil {
				return err
			}
			continue
		}
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	return store.Upsert(ctx, tx, recs)
}

// sweep marks as gone what a complete traversal did not meet, unless it proves nothing, or the brake holds.
// It returns a note for the scope's status.
func (s *slice) sweep(ctx context.Context, tx *store.Tx, c cursor, sc unified.Scope, pages int) (string, error) {
	if !c.Full || c.Unproven || s.state.Interrupted || !s.wants(sc) {
		return "", nil
	}
	p, err := tx.Absent(ctx, sc, false)
	if err != nil {
		return "", err
	}
	if p.Pages != pages { // Postgres crashed meanwhile
		return "", nil
	}
	if note := s.brake(sc, p); note != "" {
		return note, nil
	}
	if err := tx.Tombstone(ctx, sc, p.Absent); err != nil {
		return "", err
	}
	return "", tx.ReleaseAbsent(ctx, sc)
}

// brakeFloor is how many records a sweep may always delete.
const brakeFloor = 10

// brake says why a sweep may not delete, or "".
func (s *slice) brake(sc unified.Scope, p store.Proof) string {
	n := len(p.Absent)
	if n == 0 || s.state.AcceptDeletions {
		return ""
	}
	if n == p.Live || n > brakeFloor && float64(n) > s.w.cfg.DeleteBrake*float64(p.Live) {
		if n == p.Live && n <= 1 {
			return ""
		}
		return fmt.Sprintf("%d of %d %s are no longer in Lever's list; that many are not deleted unasked. If it is right: leversync sync %s --scope %s --full --accept-deletions",
			n, p.Live, sc, s.connector.ID, sc)
	}
	return ""
}

func runStages(ctx context.Context, s *slice) (store.Outcome, error) {
	m := s.mapper(nil)
	return wholeList[lever.Stage]{
		scope: unified.JobInterviewStages, pages: s.client().Stages,
		record: func(it lever.Item[lever.Stage], n int) (unified.Record, error) {
			return some(m.Stage(it.Value, n, it.Raw))
		},
	}.run(ctx, s)
}

func runUsers(ctx context.Context, s *slice) (store.Outcome, error) {
	m := s.mapper(nil)
	return wholeList[lever.User]{
		scope: unified.RemoteUsers, pages: s.client().Users,
		record: func(it lever.Item[lever.User], _ int) (unified.Record, error) { return some(m.User(it.Value, it.Raw)) },
	}.run(ctx, s)
}

func runTags(ctx context.Context, s *slice) (store.Outcome, error) {
	m := s.mapper(nil)
	return wholeList[lever.Tag]{
		scope: unified.Tags, pages: s.client().Tags,
		record: func(it lever.Item[lever.Tag], _ int) (unified.Record, error) { return some(m.Tag(it.Value, it.Raw)) },
	}.run(ctx, s)
}

// some turns a typed nil into a plain one.
func some[R interface {
	comparable
	unified.Record
}](r R, err error) (unified.Record, error) {
	var zero R
	if err != nil || r == zero {
		return nil, err
	}
	return r, nil
}

// eeoOverlap is how far an incremental read of survey answers goes back: an answer is given some time after
// the application that the window is about.
const eeoOverlap = 48 * time.Hour

func runEEO(ctx context.Context, s *slice) (store.Outcome, error) {
	c, err := s.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	if c.Phase == "" {
		c.Phase, c.Full = phaseList, s.fullDue()
		if !c.Full {
			c.Since = s.state.LastStartedAt.Add(-eeoOverlap)
		}
	}
	m := s.mapper(nil)
	l := wholeList[lever.EEOResponse]{scope: unified.EEOCs, record: func(it lever.Item[lever.EEOResponse], _ int) (unified.Record, error) {
		return some(m.EEOC(it.Value, it.Raw))
	}}
	if c.Phase == phaseList {
		ctx := withScope(ctx, unified.EEOCs)
		pages := s.client().EEOResponses(ctx, lever.EEOOptions{CreatedSince: c.Since, Token: c.Token})
		if err := traverse(ctx, s, &c, phaseFinish, pages, writer[lever.EEOResponse]{apply: func(ctx context.Context, tx *store.Tx, page lever.Page[lever.EEOResponse]) error {
			return l.apply(ctx, s, tx, page, c)
		}}); err != nil {
			return store.Outcome{}, err
		}
	}
	note := ""
	err = s.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		var err error
		note, err = s.sweep(ctx, tx, c, unified.EEOCs, c.Page)
		return err
	})
	return store.Outcome{State: "done", Reason: note, Full: s.whole(c), Pages: c.Page}, err
}

// whole reports whether the run counts as a traversal of the whole list. One that a worker died in proves no
// absence: after it the whole list is due still, or what was deleted meanwhile would stay until the next one. A first
// sync has nothing to prove.
func (s *slice) whole(c cursor) bool {
	return c.Full && (!s.state.Interrupted || s.state.LastStartedAt == nil)
}

// fullDue reports whether the whole list must be read: for the first time, when asked to, when a scope of it was turned
// on, and once in Config.FullInterval.
func (s *slice) fullDue() bool {
	st := s.state
	return st.LastFullAt == nil || st.FullRequested || s.anew() || st.Now.Sub(*st.LastFullAt) >= s.w.cfg.FullInterval
}
