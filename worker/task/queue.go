package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Queue puts tasks into Redis. Safe for concurrent use.
type Queue struct {
	rdb       redis.UniversalClient
	inspector *asynq.Inspector

	mu     sync.Mutex
	client *asynq.Client
}

// NewQueue makes a queue over a Redis connection, which stays the caller's to close.
func NewQueue(rdb redis.UniversalClient) *Queue {
	return &Queue{rdb: rdb, inspector: asynq.NewInspectorFromRedisClient(rdb), client: asynq.NewClientFromRedisClient(rdb)}
}

// Options say where and when a task runs. The zero value: queue sync, now, any id.
type Options struct {
	Queue string
	In    time.Duration
	// ID keeps a second task of the same id out while the first is waiting or running; "" never does.
	ID string
}

// Enqueue puts a sync task into the queue. A task that is there already, by its id, is no error. An archived
// one by that id is replaced: it would block the id for months.
func (q *Queue) Enqueue(ctx context.Context, p Sync, o Options) error {
	if o.Queue == "" {
		o.Queue = QueueSync
	}
	t, err := NewSync(p)
	if err != nil {
		return err
	}
	opts := []asynq.Option{asynq.Queue(o.Queue)}
	if o.In > 0 {
		opts = append(opts, asynq.ProcessIn(o.In))
	}
	if o.ID != "" {
		opts = append(opts, asynq.TaskID(o.ID))
	}
	_, err = q.get().EnqueueContext(ctx, t, opts...)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		info, ierr := q.inspector.GetTaskInfo(o.Queue, o.ID)
		if ierr != nil || info.State != asynq.TaskStateArchived {
			return nil
		}
		if ierr := q.inspector.DeleteTask(o.Queue, o.ID); ierr != nil {
			return nil
		}
		_, err = q.get().EnqueueContext(ctx, t, opts...)
	}
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("task: enqueue: %w", err)
	}
	return nil
}

func (q *Queue) get() *asynq.Client {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.client
}

// Republish makes the queues visible to the asynq CLI and to asynqmon again after Redis was flushed: a
// long-lived client remembers that it has published them, and does not do it twice.
func (q *Queue) Republish(_ context.Context) error {
	names, err := q.inspector.Queues()
	if err != nil {
		return fmt.Errorf("task: queues: %w", err)
	}
	for name := range Queues() {
		if !slices.Contains(names, name) {
			q.mu.Lock()
			q.client = asynq.NewClientFromRedisClient(q.rdb) // shares the connection: nothing to close
			q.mu.Unlock()
			return nil
		}
	}
	return nil
}

// Depth is how many tasks each queue holds, by state. A queue that can't be read is an error beside the
// others: asynq fails on one task that has lost its body.
func (q *Queue) Depth() (map[string]map[string]int, error) {
	names, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("task: queues: %w", err)
	}
	depth := map[string]map[string]int{}
	var failed error
	for _, name := range names {
		info, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("task: queue %s: %w", name, err))
			continue
		}
		depth[name] = map[string]int{"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived}
	}
	return depth, failed
}

// Behind is how long the oldest task that waits has waited, whatever its queue: what was put in after it waits for its turn. A
// queue that can't be read is passed over.
func (q *Queue) Behind() time.Duration {
	var most time.Duration
	for name := range Queues() {
		if info, err := q.inspector.GetQueueInfo(name); err == nil {
			most = max(most, info.Latency)
		}
	}
	return most
}
