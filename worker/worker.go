package worker

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// Config is what a Worker needs. Store and Redis are needed; the zero value of the rest works.
type Config struct {
	Store *store.Store
	Redis redis.UniversalClient
	Log   *slog.Logger // nil: slog.Default()

	LeverURL  string            // default lever.DefaultBaseURL
	OAuth     lever.OAuthConfig // for connectors linked by OAuth
	Transport http.RoundTripper // nil: lever's own

	Observer Observer     // told of calls, commits and tokens; nil: nobody
	Tracer   trace.Tracer // of runs and calls; nil: none, at no cost

	RateLimit    float64       // calls a second per connector; 0: 10
	Concurrency  int           // tasks at a time; 0: 64. They are goroutines: the pool of connections is the bound
	Slice        time.Duration // a task hands the rest on after this, unless nobody waits for its slot; 0: 45 s
	FullInterval time.Duration // how old the last full traversal of a list may be; 0: 24 h
	SweepPeriod  time.Duration // within which every opportunity's children are read again; 0: 7 days
	HintPause    time.Duration // after hints of webhooks were left to a sync, the next ones wait so long; 0: 1 min
	DeleteBrake  float64       // the share of a scope that one sweep may delete; 0: 0.2
	Windows      int           // that each whole list of opportunities is cut into; 0: as Lever's latency asks for
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.RateLimit == 0 {
		c.RateLimit = 10
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.Slice == 0 {
		c.Slice = 45 * time.Second
	}
	if c.FullInterval == 0 {
		c.FullInterval = 24 * time.Hour
	}
	if c.SweepPeriod == 0 {
		c.SweepPeriod = 7 * 24 * time.Hour
	}
	if c.HintPause == 0 {
		c.HintPause = time.Minute
	}
	if c.DeleteBrake == 0 {
		c.DeleteBrake = 0.2
	}
	return c
}

// Worker takes tasks from the queue and runs them. Any number of them, in any number of processes, share the
// work with no coordination but Postgres and Redis.
type Worker struct {
	cfg     Config
	store   *store.Store
	queue   *task.Queue
	budgets *lever.Budgets
	log     *slog.Logger
	owner   string
	server  *asynq.Server
	metrics Metrics
	active  atomic.Int32 // tasks being handled
	loose   loose        // calls of who uses a Client

	drain chan struct{} // closed: no new page, no new slice
	once  sync.Once

	mu    sync.Mutex
	conns map[uuid.UUID]*conn
}

// Metrics are counters since the start of the process.
type Metrics struct {
	Tasks, Pages, Records, Calls, Yields atomic.Int64
	Lost, Fenced                         atomic.Int64 // leases; commits and renewals that came too late
	Unlogged                             atomic.Int64 // calls that the sync log lacks
}

// Observer is told of what a worker does, for metrics. Its methods are called by many goroutines, and must not block.
type Observer interface {
	// Called tells of a call to Lever; scope is "" where it serves none.
	Called(connector uuid.UUID, scope unified.Scope, c lever.Call)
	// Committed tells of a transaction; its Run, if any, ended with it.
	Committed(d store.Result)
	// Renewed tells of an attempt to renew an OAuth token.
	Renewed(err error)
}

// nobody is the Observer of who wants none.
type nobody struct{}

func (nobody) Called(uuid.UUID, unified.Scope, lever.Call) {}
func (nobody) Committed(store.Result)                      {}
func (nobody) Renewed(error)                               {}

// New makes a worker; Start starts it.
func New(cfg Config) *Worker {
	cfg = cfg.withDefaults()
	host, _ := os.Hostname()
	w := &Worker{
		cfg: cfg, store: cfg.Store, queue: task.NewQueue(cfg.Redis), log: cfg.Log,
		budgets: lever.NewBudgets(cfg.Redis, lever.BudgetOptions{}),
		owner:   fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString()[:8]),
		drain:   make(chan struct{}),
		conns:   map[uuid.UUID]*conn{},
	}
	w.loose.write, w.loose.lost = w.store.Log, func(n int, err error) {
		w.metrics.Unlogged.Add(int64(n))
		w.log.Warn("calls not logged", "calls", n, "error", err)
	}
	return w
}

// Metrics returns the worker's counters.
func (w *Worker) Metrics() *Metrics { return &w.metrics }

// BudgetRatios is the share of its full rate that each connector's budget grants now, of those that this process
// has called for: from 0 to 1.
func (w *Worker) BudgetRatios() map[string]float64 { return w.budgets.Ratios() }

// Start begins to take tasks. It returns when the server runs, or why it can't.
func (w *Worker) Start() error {
	w.server = asynq.NewServerFromRedisClient(w.cfg.Redis, asynq.Config{
		Concurrency:              w.cfg.Concurrency,
		Queues:                   task.Queues(),
		TaskCheckInterval:        200 * time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          20 * time.Second,
		RetryDelayFunc:           retryDelay,
		Logger:                   asynqLog{w.log},
		LogLevel:                 asynq.WarnLevel,
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc(task.TypeSync, w.handle)
	if err := w.server.Start(mux); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// Shutdown takes no more tasks, lets those under way stop at their next page, and waits for them. What is left of the sync
// log is written: where a Client is used for longer than that, Shutdown is to be called once more after its last use.
func (w *Worker) Shutdown() {
	w.once.Do(func() { close(w.drain) })
	if w.server != nil {
		w.server.Shutdown()
	}
	w.loose.flush()
}

func (w *Worker) draining() bool {
	select {
	case <-w.drain:
		return true
	default:
		return false
	}
}

// retryDelay is for the failures that the handler returns: Postgres or Redis is away.
func retryDelay(n int, _ error, _ *asynq.Task) time.Duration {
	return jitter(min(time.Duration(n+1)*2*time.Second, 30*time.Second))
}

// asynqLog passes asynq's own warnings on. They never hold a payload.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq: " + fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Debug("asynq: " + fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq: " + fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Warn("asynq: " + fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error("asynq: " + fmt.Sprint(args...)) }

// skip makes an error that archives the task: trying again would change nothing.
func skip(format string, args ...any) error {
	return fmt.Errorf(format+" (%w)", append(args, asynq.SkipRetry)...)
}
