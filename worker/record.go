package worker

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// recorder gathers the calls that were made, until they are written with what they brought.
type recorder struct {
	connector uuid.UUID
	run       uuid.UUID
	stream    string
	attempt   int

	mu    sync.Mutex
	calls []store.Call
}

type recorderKey struct{}

func recorderOf(ctx context.Context) *recorder {
	r, _ := ctx.Value(recorderKey{}).(*recorder)
	return r
}

func withRecorder(ctx context.Context, r *recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

type scopeKey struct{}

// withScope says which scope the calls made with the context serve.
func withScope(ctx context.Context, sc unified.Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, sc)
}

func scopeOf(ctx context.Context) unified.Scope {
	sc, _ := ctx.Value(scopeKey{}).(unified.Scope)
	return sc
}

type attemptKey struct{}

func withAttempt(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, attemptKey{}, n)
}

func (r *recorder) add(ctx context.Context, c lever.Call) {
	row := logged(ctx, r.connector, r.attempt, c)
	if row.Stream = r.stream; r.run != uuid.Nil {
		run := r.run
		row.RunID = &run
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, row)
}

// logged is a call as a row of the sync log, of no run, and of the attempt given unless the context has one.
func logged(ctx context.Context, connector uuid.UUID, attempt int, c lever.Call) store.Call {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		attempt = n
	}
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New()
	}
	return store.Call{
		ID: id, ConnectorID: connector, Scope: string(scopeOf(ctx)),
		Method: c.Method, Path: c.PathTemplate, Query: c.Query, Status: c.Status, Attempt: attempt,
		StartedAt: c.StartedAt, DurationMS: float64(c.Duration.Microseconds()) / 1000, WaitMS: float64(c.Wait.Microseconds()) / 1000,
		Bytes: c.Bytes, Records: c.Records, Error: c.Err,
	}
}

// fork is an empty recorder of the same run, for calls that are to be kept apart.
func (r *recorder) fork() *recorder {
	return &recorder{connector: r.connector, run: r.run, stream: r.stream, attempt: r.attempt}
}

// take returns the calls gathered, which are then the caller's to write.
func (r *recorder) take() []store.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// put gives calls back that could not be written.
func (r *recorder) put(calls []store.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(calls, r.calls...)
}
