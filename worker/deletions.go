package worker

import (
	"context"
	"iter"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// deletionWindow is the longest that Lever takes for the list of deletions.
const deletionWindow = 30 * 24 * time.Hour

// readDeletions removes what Lever's list of deletions has for the time since the last run, and returns how far
// it was read: zero where it is refused, or unknown to the account. Then the traversal of the whole list finds
// the same by absence.
func readDeletions(ctx context.Context, s *slice, pages func(context.Context, lever.DeletedOptions) iter.Seq2[lever.Page[lever.Deleted], error],
	remove func(context.Context, *store.Tx, []string) error) (time.Time, error) {
	until := s.state.Now
	for since := deletedSince(s.state); since.Before(until); since = since.Add(deletionWindow) {
		end := since.Add(deletionWindow)
		if end.After(until) {
			end = until
		}
		for page, err := range pages(ctx, lever.DeletedOptions{Since: since, Until: end}) {
			if v := lever.Classify(err); v == lever.VerdictForbidden || v == lever.VerdictGone {
				return time.Time{}, nil
			}
			if err != nil {
				return time.Time{}, err
			}
			ids, _ := met(page)
			if err := s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
				tx.Add(store.Counts{Bound: 1})
				return remove(ctx, tx, ids)
			}); err != nil {
				return time.Time{}, err
			}
		}
	}
	return until, nil
}

func deletedSince(st store.Stream) time.Time {
	since := st.LastStartedAt
	if st.DeletionsUntil != nil {
		since = st.DeletionsUntil
	}
	return since.Add(-overlap)
}
