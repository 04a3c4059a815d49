package task

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// QueueState is how a queue stands.
type QueueState struct {
	Name     string         `json:"name"`
	Tasks    map[string]int `json:"tasks"` // by state: pending, active, scheduled, retry, archived
	Paused   bool           `json:"paused"`
	Latency  time.Duration  `json:"latency_ns"` // how long the oldest pending task has waited
	Memory   int64          `json:"memory_bytes"`
	Failed   int            `json:"failed_today"`
	Finished int            `json:"processed_today"`
}

// State tells how the queues stand; one that no task was ever put into is left out.
func (q *Queue) State() ([]QueueState, error) {
	names, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("task: queues: %w", err)
	}
	slices.Sort(names)
	var out []QueueState
	for _, name := range names {
		info, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			return nil, fmt.Errorf("task: queue %s: %w", name, err)
		}
		out = append(out, QueueState{Name: name, Paused: info.Paused, Latency: info.Latency, Memory: info.MemoryUsage, Failed: info.Failed, Finished: info.Processed,
			Tasks: map[string]int{"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived}})
	}
	return out, nil
}

// Server is a process that takes tasks from the queues.
type Server struct {
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Concurrency int       `json:"concurrency"`
	Active      int       `json:"active"` // tasks at work
	Started     time.Time `json:"started_at"`
}

// Servers lists the workers that have reported within the last seconds.
func (q *Queue) Servers() ([]Server, error) {
	infos, err := q.inspector.Servers()
	if err != nil {
		return nil, fmt.Errorf("task: servers: %w", err)
	}
	out := make([]Server, len(infos))
	for i, s := range infos {
		out[i] = Server{Host: s.Host, PID: s.PID, Concurrency: s.Concurrency, Active: len(s.ActiveWorkers), Started: s.Started}
	}
	return out, nil
}

const (
	beatKey = "leversync:schedulers" // a sorted set: names, by when their beat ends
	beatFor = 15 * time.Second
)

// Beat tells that the scheduler of this name looks for work, for some seconds to come. It decides nothing: who asks is
// a person.
func (q *Queue) Beat(ctx context.Context, scheduler string) error {
	now := time.Now()
	_, err := q.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, beatKey, redis.Z{Score: float64(now.Add(beatFor).Unix()), Member: scheduler})
		p.ZRemRangeByScore(ctx, beatKey, "-inf", strconv.FormatInt(now.Unix(), 10))
		p.Expire(ctx, beatKey, 2*beatFor)
		return nil
	})
	if err != nil {
		return fmt.Errorf("task: beat: %w", err)
	}
	return nil
}

// Schedulers names those that Beat of late.
func (q *Queue) Schedulers(ctx context.Context) ([]string, error) {
	names, err := q.rdb.ZRangeByScore(ctx, beatKey, &redis.ZRangeBy{Min: strconv.FormatInt(time.Now().Unix(), 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, fmt.Errorf("task: schedulers: %w", err)
	}
	return names, nil
}
