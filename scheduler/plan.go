package scheduler

import "time"

const (
	reconcileEvery = 2 * time.Second
	// slotEvery is how long one id keeps a second task of the same reason out of the queue. A task can be
	// stuck in Redis without ever running again; its id must not keep its successors out for longer.
	slotEvery = time.Minute
)

// plan is what a scheduler remembers between two looks. The zero value has everything to do.
type plan struct {
	reconciled time.Time
	behind     time.Duration // how long what was in the queue then had waited for its turn
}

// next says whether a look searches for lost work, beside claiming what is due.
func (p plan) next(now time.Time) bool { return now.Sub(p.reconciled) >= reconcileEvery }

// slot tells the tasks of one reason apart: those of the same due time and fence within slotEvery are one. The
// task of a holder that died keeps its id for a minute or more, but the fence has risen with that holder.
func slot(due time.Time, fence int64, now time.Time) int64 {
	return due.UnixMilli() ^ now.Truncate(slotEvery).UnixMilli()<<20 ^ fence<<52
}
