// Package scheduler decides what is due, and puts it into the queue.
//
// Any number of schedulers may run at once, with no leader: what is due is claimed row by row in Postgres
// (SKIP LOCKED), so that each claim is one scheduler's. Nothing is missed after a downtime: next_run_at is
// in Postgres, and a scope that fell due while nobody looked is due still. The reconciler puts back what
// the queue has lost: Redis may be flushed at any moment.
package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// Config is what a Scheduler needs. Store and Redis are needed; the zero value of the rest works.
type Config struct {
	Store *store.Store
	Redis redis.UniversalClient
	Log   *slog.Logger // nil: slog.Default()

	Interval  time.Duration // between two syncs of a connector that has no cadence of its own; 0: 1 h
	Tick      time.Duration // between two looks; 0: 1 s
	Grace     time.Duration // how late a wake-up may be before it counts as lost, beside what waits before it in the queue; 0: 5 s
	KeepCalls time.Duration // age at which the sync log is dropped; 0: 30 days
	Keep      store.Keep    // of the rest
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Interval == 0 {
		c.Interval = time.Hour
	}
	if c.Tick == 0 {
		c.Tick = time.Second
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.KeepCalls == 0 {
		c.KeepCalls = 30 * 24 * time.Hour
	}
	return c
}

// Scheduler claims what is due and enqueues it.
type Scheduler struct {
	cfg   Config
	queue *task.Queue
	name  string // tells it apart from others
	// Claimed and Reconciled count tasks since the start. LastTick is when it last looked, LastReconcile when it last
	// looked for lost work, both with success, in Unix seconds; 0: never.
	Claimed, Reconciled, LastTick, LastReconcile atomic.Int64
}

// New makes a scheduler; Run runs it.
func New(cfg Config) *Scheduler {
	cfg = cfg.withDefaults()
	host, _ := os.Hostname()
	return &Scheduler{cfg: cfg, queue: task.NewQueue(cfg.Redis), name: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8])}
}

// Run looks for due and lost work until the context ends. Postgres or Redis being away is logged once, and
// once more when it is over; it goes on.
func (s *Scheduler) Run(ctx context.Context) error {
	var aside sync.WaitGroup
	defer aside.Wait()
	aside.Go(func() { s.every(ctx, retainEvery, s.retain) })
	aside.Go(func() { s.every(ctx, maintainEvery, s.maintain) })
	t := time.NewTicker(s.cfg.Tick)
	defer t.Stop()
	var plan plan
	ailing := false
	for {
		err := s.tick(ctx, &plan, time.Now())
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !ailing:
			s.cfg.Log.WarnContext(ctx, "scheduler can't work, and tries on", "error", err)
			ailing = true
		case err == nil && ailing:
			s.cfg.Log.InfoContext(ctx, "scheduler works again")
			ailing = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

const (
	// retainEvery is the pause between two looks for what is kept no longer.
	retainEvery = 6 * time.Hour
	// maintainEvery is the pause between two looks at the sync log's partitions, and for removals that nobody has finished.
	maintainEvery = 10 * time.Minute
)

// every does what may take long now, and after each pause, beside the scheduling, which it must not hold up, until the context ends.
func (s *Scheduler) every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	t := time.NewTicker(pause)
	defer t.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// retain removes what is kept no longer.
func (s *Scheduler) retain(ctx context.Context) {
	got, err := s.cfg.Store.Retain(ctx, s.cfg.Keep)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.cfg.Log.WarnContext(ctx, "retention broken off: it goes on later", "error", err)
	case len(got.Removed)+len(got.Emptied) > 0:
		s.cfg.Log.InfoContext(ctx, "retention", "removed", got.Removed, "emptied", got.Emptied)
	}
}

// maintain sees to the sync log's partitions, forgets webhooks' deliveries, and finishes removals that who began them did not.
// What fails is tried again at the next look; none keeps the others from being tried, and what may take long comes last.
func (s *Scheduler) maintain(ctx context.Context) {
	report := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "maintenance broken off: it goes on later", "what", what, "error", err)
		}
	}
	report("the sync log's partitions", s.cfg.Store.MaintainCalls(ctx, s.cfg.KeepCalls))
	report("webhooks' deliveries", s.cfg.Store.PruneWebhooks(ctx))
	report("removals", s.cfg.Store.FinishRemovals(ctx, uuid.Nil))
}

// batch is how much one look claims at a time.
const batch = 500

func (s *Scheduler) tick(ctx context.Context, p *plan, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	search := p.next(now)
	if err := s.claim(ctx); err != nil {
		return err
	}
	if search {
		p.behind = min(s.queue.Behind(), mostBehind)
		if err := s.reconcile(ctx, p.behind); err != nil {
			return err
		}
		if err := s.queue.Beat(ctx, s.name); err != nil {
			return err
		}
		p.reconciled = now
		s.LastReconcile.Store(now.Unix())
	}
	if err := s.claimHinted(ctx, p.behind); err != nil {
		return err
	}
	s.LastTick.Store(now.Unix())
	return nil
}

// claim enqueues what is due: one task for each connector and scope. A claim whose task can't be enqueued
// is found by the reconciler.
func (s *Scheduler) claim(ctx context.Context) error {
	for {
		due, err := s.cfg.Store.ClaimDue(ctx, s.cfg.Interval, batch)
		if err != nil {
			return err
		}
		for _, d := range due {
			s.cfg.Store.Failpoint(store.PointClaimed, d.ConnectorID, d.Scope)
			if err := s.queue.Enqueue(ctx, task.Sync{ConnectorID: d.ConnectorID, Scope: d.Scope, DueAt: &d.DueAt},
				task.Options{ID: task.SlotID(d.ConnectorID, d.Scope, d.DueAt.UnixMilli())}); err != nil {
				return err
			}
			s.Claimed.Add(1)
			s.cfg.Store.Failpoint(store.PointEnqueued, d.ConnectorID, d.Scope)
		}
		if len(due) < batch {
			return nil
		}
	}
}

// claimHinted enqueues the hints of Lever's webhooks: one task for all that a connector has. Where it is lost, or can't be
// enqueued, they are claimed again.
func (s *Scheduler) claimHinted(ctx context.Context, behind time.Duration) error {
	ids, err := s.cfg.Store.ClaimHinted(ctx, s.cfg.Grace, behind, batch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.queue.Enqueue(ctx, task.Sync{ConnectorID: id, Hints: true}, task.Options{ID: task.SlotID(id, "hints", time.Now().UnixMilli())}); err != nil {
			return err
		}
	}
	return nil
}

// mostBehind is for how long a task is taken to wait for its turn, and not for lost, at most: a queue that nobody serves is no
// reason to leave what was lost of the other.
const mostBehind = 10 * time.Minute

// reconcile enqueues again what the queue has lost. Where more is to do than is done, tasks wait: those are not lost, and a second
// one of each a minute would make more of it. behind is how long what is in the queue waits.
func (s *Scheduler) reconcile(ctx context.Context, behind time.Duration) error {
	if err := s.queue.Republish(ctx); err != nil {
		return err
	}
	lost, err := s.cfg.Store.ClaimLost(ctx, s.cfg.Grace, behind, batch)
	if err != nil {
		return err
	}
	for _, l := range lost {
		if err := s.queue.Enqueue(ctx, task.Sync{ConnectorID: l.ConnectorID, Scope: l.Scope, DueAt: &l.DueAt},
			task.Options{ID: task.SlotID(l.ConnectorID, l.Scope, slot(l.DueAt, l.Fence, time.Now()))}); err != nil {
			return err
		}
		s.Reconciled.Add(1)
		s.cfg.Log.InfoContext(ctx, "reconciled", "connector_id", l.ConnectorID, "scope", l.Scope)
	}
	return nil
}
