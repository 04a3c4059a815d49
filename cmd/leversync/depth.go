package main

import (
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// depthOf reads how many tasks each queue holds, by state. A queue that can't be read is an error beside the
// others: asynq fails on one task that has lost its body.
func depthOf(rdb redis.UniversalClient) (map[string]map[string]int, error) {
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	names, err := inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	depth := map[string]map[string]int{}
	var failed error
	for _, name := range names {
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("queue %s: %w", name, err))
			continue
		}
		depth[name] = map[string]int{"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived}
	}
	return depth, failed
}
