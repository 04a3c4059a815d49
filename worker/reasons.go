package worker

import (
	"context"
	"slices"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// maxReasonPages is how many pages of archive reasons no account has: a list that was broken off behind so many comes to no end.
const maxReasonPages = 100

// runArchiveReasons reads the archive reasons. Those that mean hired are kept inside: they tell a hire from a
// rejection. The list is short, so they are gathered page by page and replaced at its end; one that was broken off is
// read anew, as what was gathered of it is gone.
func runArchiveReasons(ctx context.Context, s *slice) (store.Outcome, error) {
	m := s.mapper(nil)
	var hired []string
	c, err := s.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	if c.Page >= maxReasonPages {
		return store.Outcome{}, &lever.LoopError{Path: "/archive_reasons", Pages: c.Page}
	}
	s.state.Cursor = cursor{Restarts: c.Restarts}.encode()
	return wholeList[lever.ArchiveReason]{
		scope: unified.RejectReasons, pages: s.client().ArchiveReasons,
		record: func(it lever.Item[lever.ArchiveReason], _ int) (unified.Record, error) {
			return some(m.RejectReason(it.Value, it.Raw))
		},
		extra: func(_ context.Context, _ *store.Tx, page lever.Page[lever.ArchiveReason]) error {
			for _, it := range page.Items {
				if it.Err == nil && mapping.IsHired(it.Value) && !slices.Contains(hired, it.Value.ID) {
					hired = append(hired, it.Value.ID)
				}
			}
			return nil
		},
		end: func(ctx context.Context, tx *store.Tx) error {
			return tx.SetHiredReasons(ctx, hired)
		},
	}.run(ctx, s)
}
