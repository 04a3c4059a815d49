// Package task is the queue's vocabulary: task types, payloads, queues, and how a task gets into Redis.
// Beside worker it is the only package that knows asynq.
//
// A task is a wake-up, never the truth: Postgres knows what is due. Every task may run twice, even at
// once, and nobody may notice.
package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

// TypeSync brings one scope of a connector up to date, or all enabled ones.
const TypeSync = "lever:sync"

// The queues, fixed and weighted; never one per connector.
const (
	QueueSync     = "sync"     // what fell due, or was asked for
	QueueBackfill = "backfill" // continuations of first syncs
)

// Queues are all queues with their weights.
func Queues() map[string]int { return map[string]int{QueueSync: 3, QueueBackfill: 1} }

// Sync is the payload of TypeSync. By hand, a connector (and a scope) is all that it takes:
//
//	asynq task enqueue --queue sync -t lever:sync -l '{"connector_id":"…","scope":"candidates"}'
type Sync struct {
	ConnectorID uuid.UUID `json:"connector_id"`
	Scope       string    `json:"scope,omitempty"` // "": every enabled scope
	// DueAt is when it fell due: a traversal that began later has served it. Absent: when the task arrives.
	DueAt *time.Time `json:"due_at,omitempty"`
	// Hints asks for what Lever's webhooks have told of, and for nothing else; it goes with no scope.
	Hints bool `json:"hints,omitempty"`
}

// ParseSync reads a payload. Its errors say what a good one looks like.
func ParseSync(payload []byte) (Sync, error) {
	var p Sync
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, fmt.Errorf(`bad payload: %s: want {"connector_id":"<uuid>","scope":"candidates"}; without a scope, all enabled ones`, reason(err))
	}
	if p.ConnectorID == uuid.Nil {
		return p, fmt.Errorf(`bad payload: no connector_id: want {"connector_id":"<uuid>","scope":"candidates"}`)
	}
	if p.Hints && p.Scope != "" {
		return p, fmt.Errorf(`bad payload: hints go with no scope: want {"connector_id":"<uuid>","hints":true}`)
	}
	return p, nil
}

func reason(err error) string {
	return strings.TrimPrefix(err.Error(), "json: ")
}

// How a sync task runs: a slice takes less than a minute, so that the timeout only ends what hangs.
const (
	syncTimeout  = 5 * time.Minute
	syncMaxRetry = 25
)

// NewSync makes the task. It keeps no trace in Redis once it is done.
func NewSync(p Sync) (*asynq.Task, error) {
	if p.DueAt != nil {
		t := p.DueAt.UTC()
		p.DueAt = &t
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return asynq.NewTask(TypeSync, b, asynq.Timeout(syncTimeout), asynq.MaxRetry(syncMaxRetry)), nil
}

// SlotID is the id of a task that is enqueued by more than one process for the same reason: while one is
// waiting another is not added. It reads well in asynqmon, which cuts ids at their first dash.
func SlotID(connector uuid.UUID, scope string, slot int64) string {
	return fmt.Sprintf("%s:%s:%x", strings.ReplaceAll(scope, "-", "_"), strings.ReplaceAll(connector.String(), "-", ""), slot)
}
