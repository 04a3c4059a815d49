package worker

import (
	"context"
	"errors"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// maxSuspects is how many absent records one run asks for by id.
const maxSuspects = 1000

// verify asks for each opportunity that the scan did not meet: the list is no snapshot, so that absence
// alone condemns nobody.
func (o *opportunities) verify(ctx context.Context) error {
	if !o.cursor.Ready {
		if err := o.suspects(ctx); err != nil {
			return err
		}
	}
	return verifyEach(ctx, o.slice, &o.cursor, o.client().Opportunity, o.remove, o.write)
}

// verifyEach asks for the cursor's suspects one by one: what Lever does not know is removed, what it shows is
// written, and what it refuses (confidential by now: not for us, but there) or answers with nonsense stays, and keeps
// the others from nothing.
func verifyEach[T any](ctx context.Context, s *slice, c *cursor, get func(context.Context, string) (lever.Item[T], error),
	remove func(context.Context, *store.Tx, []string) error, write func(context.Context, *store.Tx, []lever.Item[T]) error) error {
	for len(c.Suspects) > 0 {
		if s.over() {
			return &yield{reason: "slice over"}
		}
		id := c.Suspects[0]
		it, err := get(ctx, id)
		verdict := lever.Classify(err)
		if err != nil && verdict != lever.VerdictGone && verdict != lever.VerdictForbidden {
			if !leavesOpen(err) {
				return err
			}
			s.log.WarnContext(ctx, "absent record left", "remote_id", id, "error", err)
		}
		to := *c
		to.Suspects = to.Suspects[1:]
		err = s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
			tx.Add(store.Counts{Bound: 1})
			var err error
			switch verdict {
			case lever.VerdictGone:
				err = remove(ctx, tx, []string{id})
			case lever.VerdictOK:
				err = write(ctx, tx, []lever.Item[T]{it})
			}
			if err != nil {
				return err
			}
			tx.SaveCursor(to.encode())
			return nil
		})
		if err != nil {
			return err
		}
		*c = to
	}
	return nil
}

// leavesOpen reports whether err is of the one record that was asked for, and does not tell whether it is there.
func leavesOpen(err error) bool {
	_, refused := errors.AsType[*lever.BadRequestError](err)
	return refused || lever.Classify(err) == lever.VerdictMalformed
}

// suspects compares what the scan met with what is stored.
func (o *opportunities) suspects(ctx context.Context) error {
	to := o.cursor
	to.Ready = true
	return o.settleSuspects(ctx, unified.Applications, &to, func() { o.cursor = to })
}

// settleSuspects puts the absent into the cursor, unless the sweep proves nothing or the brake holds.
func (s *slice) settleSuspects(ctx context.Context, sc unified.Scope, to *cursor, done func()) error {
	err := s.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		to.Suspects, to.Note = nil, ""
		if !to.Unproven && !s.state.Interrupted {
			p, err := tx.Absent(ctx, sc, true)
			if err != nil {
				return err
			}
			if p.Pages == to.Page {
				if to.Note = s.brake(sc, p); to.Note == "" {
					to.Suspects = p.Absent[:min(len(p.Absent), maxSuspects)]
				}
			}
		}
		tx.SaveCursor(to.encode())
		return nil
	})
	if err == nil {
		done()
	}
	return err
}
