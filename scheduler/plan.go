package scheduler

import "time"

const (
	reconcileEvery = 2 * time.Second
	maintainEvery  = 10 * time.Minute
	// slotEvery is how long one id keeps a second task of the same reason out of the queue. A task can be
	// stuck in Redis without ever running again; its id must not keep its successors out for longer.
	slotEvery = time.Minute
)

// plan is what a scheduler remembers between two looks. The zero value has everything to do.
type plan struct {
	reconciled, maintained time.Time
}

// todo is what a look does beside claiming what is due.
type todo struct {
	reconcile, maintain bool
}

func (p plan) next(now time.Time) todo {
	return todo{
		reconcile: now.Sub(p.reconciled) >= reconcileEvery,
		maintain:  now.Sub(p.maintained) >= maintainEvery,
	}
}

// slot tells the tasks of one reason apart: those of the same due time and fence within slotEvery are one. The
// task of a holder that died keeps its id for a minute or more, but the fence has risen with that holder.
func slot(due time.Time, fence int64, now time.Time) int64 {
	return due.UnixMilli() ^ now.Truncate(slotEvery).UnixMilli()<<20 ^ fence<<52
}
