package worker_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/scheduler"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// env is a whole leversync in one process: a fake Lever, Postgres, Redis, a scheduler, a worker.
type env struct {
	t     testing.TB
	lever *levertest.Server
	url   string
	db    *storetest.DB
	redis *storetest.Redis
	rdb   *redis.Client
	queue *task.Queue
	conn  store.Connector
	log   *slog.Logger
	dbURL string // where worker processes find Postgres; "": at db's own
	rdURL string // likewise Redis

	deliveries int // of webhooks, so far
}

// fast is a rate at which the budget never waits.
const fast = 100000

func newEnv(t testing.TB, cfg levertest.Config, rate float64, scopes ...unified.Scope) *env {
	t.Helper()
	return newEnvOn(t, storetest.New(t), cfg, rate, scopes...)
}

// newEnvOn is newEnv in a database that the test has.
func newEnvOn(t testing.TB, db *storetest.DB, cfg levertest.Config, rate float64, scopes ...unified.Scope) *env {
	t.Helper()
	e := bareEnvOn(t, db, cfg)
	if scopes == nil {
		scopes = unified.Scopes
	}
	var err error
	e.conn, _, err = e.db.Store.CreateConnector(t.Context(), store.NewConnector{
		OrgName: "Acme", OriginID: "acme-1", APIKey: "test-key", Scopes: scopes, RateLimit: rate, SyncInterval: 24 * time.Hour,
	})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	return e
}

func bareEnv(t testing.TB, cfg levertest.Config) *env {
	t.Helper()
	return bareEnvOn(t, storetest.New(t), cfg)
}

func bareEnvOn(t testing.TB, db *storetest.DB, cfg levertest.Config) *env {
	t.Helper()
	e := &env{t: t, db: db, lever: levertest.New(cfg)}
	t.Cleanup(e.lever.Close)
	url, stop, err := levertest.Serve("127.0.0.1:0", e.lever)
	if err != nil {
		t.Fatalf("Serve: %v", err)
	}
	t.Cleanup(stop)
	e.url = url + "/v1"
	e.ownRedis()
	e.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel(slog.LevelError)}))
	return e
}

// ownRedis gives the env a Redis that nobody else has.
func (e *env) ownRedis() {
	e.t.Helper()
	e.redis = storetest.NewRedis(e.t)
	opt, err := redis.ParseURL(e.redis.URL)
	if err != nil {
		e.t.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	e.t.Cleanup(func() { _ = rdb.Close() })
	e.rdb, e.queue = rdb, task.NewQueue(rdb)
}

// cutInto is the number of windows that LEVERSYNC_TEST_WINDOWS forces upon every traversal of the opportunities; 0: none.
func cutInto() int {
	n, _ := strconv.Atoi(os.Getenv("LEVERSYNC_TEST_WINDOWS"))
	return n
}

// logLevel is otherwise, or everything when LEVERSYNC_TEST_LOG is set.
func logLevel(otherwise slog.Level) slog.Level {
	if os.Getenv("LEVERSYNC_TEST_LOG") != "" {
		return slog.LevelDebug
	}
	return otherwise
}

// start runs a scheduler and a worker until the test ends.
func (e *env) start(cfg worker.Config) *worker.Worker {
	e.t.Helper()
	w := e.startWorker(cfg)
	e.startScheduler()
	return w
}

func (e *env) startWorker(cfg worker.Config) *worker.Worker {
	e.t.Helper()
	cfg.Store, cfg.Redis, cfg.LeverURL, cfg.Log, cfg.Windows = cmp.Or(cfg.Store, e.db.Store), e.rdb, e.url, e.log, cmp.Or(cfg.Windows, cutInto())
	w := worker.New(cfg)
	if err := w.Start(); err != nil {
		e.t.Fatalf("Start: %v", err)
	}
	e.t.Cleanup(w.Shutdown)
	return w
}

// startScheduler runs one until stop is called, or the test ends.
func (e *env) startScheduler() (stop func()) {
	_, stop = e.schedule(100*time.Millisecond, 2*time.Second)
	return stop
}

func (e *env) schedule(tick, grace time.Duration) (s *scheduler.Scheduler, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s = scheduler.New(scheduler.Config{Store: e.db.Store, Redis: e.rdb, Log: e.log, Tick: tick, Grace: grace})
	go func() { defer close(done); _ = s.Run(ctx) }()
	stop = func() { cancel(); <-done }
	e.t.Cleanup(stop)
	return s, stop
}

// sync asks for all scopes and waits until they are served.
func (e *env) sync(full bool) {
	e.t.Helper()
	e.wait(e.ask(full))
}

// ask asks for all scopes, and returns since when they are due.
func (e *env) ask(full bool) time.Time {
	e.t.Helper()
	ctx := e.t.Context()
	var on []unified.Scope
	enabled, err := e.db.Store.EnabledScopes(ctx, e.conn.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, sc := range unified.Scopes {
		if enabled[sc] {
			on = append(on, sc)
		}
	}
	if full {
		if err := e.db.Store.RequestFull(ctx, e.conn.ID, worker.StreamsOf(on), false); err != nil {
			e.t.Fatal(err)
		}
	}
	at, err := e.db.Store.Request(ctx, e.conn.ID, on, time.Time{})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, sc := range on {
		if err := e.queue.Enqueue(ctx, task.Sync{ConnectorID: e.conn.ID, Scope: string(sc), DueAt: &at}, task.Options{}); err != nil {
			e.t.Fatal(err)
		}
	}
	return at
}

// wait returns when every scope that is on was served, or has ended otherwise, since at.
func (e *env) wait(at time.Time) {
	e.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	if t, ok := e.t.(*testing.T); ok {
		if d, ok := t.Deadline(); ok && time.Until(d) > 20*time.Minute { // a large run, by hand
			deadline = d.Add(-time.Minute)
		}
	}
	for {
		scopes, err := e.db.Store.Scopes(e.t.Context(), e.conn.ID)
		if err != nil {
			e.t.Fatal(err)
		}
		waiting := slices.DeleteFunc(scopes, func(s store.ScopeStatus) bool {
			return !s.Enabled || s.RequestedAt == nil && s.State != "pending" && s.State != "syncing"
		})
		if len(waiting) == 0 {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("still waiting for %+v\n%s", waiting, strings.Join(e.stuck(), "\n"))
		}
		select {
		case <-e.t.Context().Done():
			e.t.Fatal("test over")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// calls are all calls that the fake Lever has counted.
func (e *env) calls() int { return e.lever.Calls() }

// check compares every scope that is on, field by field, with what the oracle expects.
func (e *env) check() {
	e.t.Helper()
	enabled, err := e.db.Store.EnabledScopes(e.t.Context(), e.conn.ID)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, sc := range unified.Scopes {
		if enabled[sc] {
			e.checkScope(sc)
		}
	}
}

func (e *env) checkScope(sc unified.Scope) {
	e.t.Helper()
	got := e.records(sc)
	n, bad := 0, 0
	for remote, want := range e.lever.ExpectedAt(string(sc), time.Now()) { // an interview's status goes by our clock, wherever Lever's is
		n++
		rec, ok := got[remote]
		if !ok {
			if bad++; bad <= 5 {
				e.t.Errorf("%s %q: not there", sc, remote)
			}
			continue
		}
		delete(got, remote)
		for field, w := range want {
			g, there := rec[field]
			w := e.plain(w)
			if !there && field != "file_url" || there && !reflect.DeepEqual(normal(g), w) {
				if bad++; bad <= 5 {
					e.t.Errorf("%s %q: %s = %s, want %s", sc, remote, field, text(normal(g)), text(w))
				}
			}
		}
	}
	for remote := range got {
		if bad++; bad <= 5 {
			e.t.Errorf("%s %q: there, but not in the account", sc, remote)
		}
	}
	if bad > 5 {
		e.t.Errorf("%s: %d differences in all, of %d records", sc, bad, n)
	}
}

// records are the rows of a scope's view by remote id.
func (e *env) records(sc unified.Scope) map[string]map[string]any {
	e.t.Helper()
	out := map[string]map[string]any{}
	for _, row := range storetest.Column[string](e.db, fmt.Sprintf(`SELECT to_jsonb(v) - 'raw' FROM (SELECT * FROM ats.%s WHERE connector_id = $1) v`, sc.Table()), e.conn.ID) {
		var m map[string]any
		if err := json.Unmarshal([]byte(row), &m); err != nil {
			e.t.Fatal(err)
		}
		delete(m, "raw")
		out[m["remote_id"].(string)] = m
	}
	return out
}

// plain turns what the oracle expects into what JSON gives.
func (e *env) plain(v any) any {
	switch x := v.(type) {
	case levertest.Rel:
		return unified.ID(e.conn.ID, unified.Scope(x.Scope), x.RemoteID).String()
	case []levertest.Rel:
		out := []any{}
		for _, r := range x {
			out = append(out, e.plain(r))
		}
		return ordered(out)
	case uuid.UUID:
		return x.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		e.t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		e.t.Fatal(err)
	}
	return normal(out)
}

// normal gives times one form, and lists of ids one order.
func normal(v any) any {
	switch x := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, x); err == nil {
			return t.UTC().Format(unified.TimeLayout)
		}
	case []any:
		return ordered(x)
	}
	return v
}

func ordered(list []any) any {
	out := []any{}
	ids := true
	for _, v := range list {
		s, ok := v.(string)
		if _, err := uuid.Parse(s); !ok || err != nil {
			ids = false
		}
		out = append(out, normal(v))
	}
	if ids {
		sort.Slice(out, func(i, j int) bool { return out[i].(string) < out[j].(string) })
	}
	return out
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
