package store

import (
	"context"
	"fmt"
)

// ContinueFeed sees to it that the feed of changes goes on where it was if the database was restored into another
// cluster, or to an earlier moment: see migration 0015. It reports whether it had to. It must be called before any
// record is written, and may be called by any number of processes at once.
func (s *Store) ContinueFeed(ctx context.Context) (raised bool, err error) {
	for try := 1; ; try++ {
		err = s.pool.QueryRow(ctx, `SELECT continue_feed()`).Scan(&raised)
		switch {
		case err == nil:
			return raised, nil
		case !retryable(err) || try == 6: // it may meet a writer that holds one table and wants another
			return false, fmt.Errorf("store: feed of changes: %w", err)
		}
	}
}
