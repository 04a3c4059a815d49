package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/scheduler"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// env is an API over a database of its own, with a key and a connector.
type env struct {
	t     *testing.T
	db    *storetest.DB
	redis *storetest.Redis
	rdb   *redis.Client
	url   string // of the API
	lever string // base URL of the fake Lever; "" means none
	log   *slog.Logger

	key, token string
	conn       store.Connector
}

// newEnv starts an API. set, if any, changes its settings.
func newEnv(t *testing.T, set ...func(*Config)) *env {
	t.Helper()
	e := &env{t: t, db: storetest.New(t), redis: storetest.NewRedis(t)}
	opt, err := redis.ParseURL(e.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	e.rdb = redis.NewClient(opt)
	t.Cleanup(func() { _ = e.rdb.Close() })
	e.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("LEVERSYNC_TEST_LOG") != "" {
		e.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	e.key = e.newKey(nil)
	e.conn, e.token = e.newConnector()
	cfg := Config{Store: e.db.Store, Redis: e.rdb, Queue: task.NewQueue(e.rdb), Log: e.log, PublicURL: "https://sync.example.com", RateLimitPerMinute: 1_000_000,
		Clients: func(context.Context, uuid.UUID) (*lever.Client, error) {
			return lever.New(lever.Config{BaseURL: e.lever, Auth: lever.APIKey("test-key")})
		}}
	for _, f := range set {
		f(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

func (e *env) newKey(scopes []string) string {
	e.t.Helper()
	k, key, err := e.db.Store.CreateAPIKey(e.t.Context(), "test")
	if err == nil && scopes != nil {
		err = e.db.Store.SetAPIKeyScopes(e.t.Context(), k.ID, scopes)
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return key
}

func (e *env) newConnector() (store.Connector, string) {
	e.t.Helper()
	c, token, err := e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{
		OrgName: "Acme", OriginID: "acme-1", APIKey: "test-key", Scopes: unified.Scopes, RateLimit: 100000, SyncInterval: 24 * time.Hour})
	if err != nil {
		e.t.Fatalf("CreateConnector: %v", err)
	}
	return c, token
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// json decodes the body.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("status %d, body %q: %v", a.status, a.body, err)
	}
	return m
}

// items are those of a page.
func (a answer) items(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	list, _ := a.json(t)["items"].([]any)
	for _, i := range list {
		out = append(out, i.(map[string]any))
	}
	return out
}

// do makes a request; headers come in pairs.
func (e *env) do(method, path string, headers ...string) answer {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// get asks with the key and the connector's token.
func (e *env) get(path string) answer {
	e.t.Helper()
	return e.do(http.MethodGet, path, "Authorization", "Bearer "+e.key, "X-Connector-Token", e.token)
}

// ok asks and wants a 200.
func (e *env) ok(path string) answer {
	e.t.Helper()
	a := e.get(path)
	if a.status != http.StatusOK {
		e.t.Fatalf("GET %s = %d %s; want 200", path, a.status, bytes.TrimSpace(a.body))
	}
	return a
}

// all reads every page of a list.
func (e *env) all(path string) []map[string]any {
	e.t.Helper()
	var out []map[string]any
	next := path
	for {
		a := e.ok(next)
		out = append(out, a.items(e.t)...)
		cursor, _ := a.json(e.t)["cursor"].(string)
		if cursor == "" {
			return out
		}
		next = path + "&cursor=" + cursor
	}
}

// put writes records under a lease, as a worker does.
func (e *env) put(c store.Connector, recs ...unified.Record) {
	e.t.Helper()
	e.commit(c, func(ctx context.Context, tx *store.Tx) error {
		byScope := map[unified.Scope][]unified.Record{}
		for _, r := range recs {
			byScope[r.Scope()] = append(byScope[r.Scope()], r)
		}
		for _, sc := range unified.Scopes {
			if err := store.Upsert(ctx, tx, byScope[sc]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *env) commit(c store.Connector, fn func(context.Context, *store.Tx) error) {
	e.t.Helper()
	l, _, err := e.db.Store.Acquire(e.t.Context(), c.ID, "test", "tester", 100)
	if err != nil {
		e.t.Fatalf("Acquire: %v", err)
	}
	if l.RunID == uuid.Nil {
		if l, err = e.db.Store.Begin(e.t.Context(), l, "backfill", []string{"tags"}, nil, false); err != nil {
			e.t.Fatalf("Begin: %v", err)
		}
	}
	if _, err := e.db.Store.Commit(e.t.Context(), l, fn); err != nil {
		e.t.Fatalf("Commit: %v", err)
	}
	if err := e.db.Store.Release(e.t.Context(), l, 0); err != nil {
		e.t.Fatalf("Release: %v", err)
	}
}

func envelope(c store.Connector, sc unified.Scope, remote string) unified.Envelope {
	raw, _ := json.Marshal(map[string]string{"id": remote})
	return unified.Envelope{ID: unified.ID(c.ID, sc, remote), RemoteID: remote, Raw: raw}
}

func tag(c store.Connector, remote, name string) *unified.Tag {
	return &unified.Tag{Envelope: envelope(c, unified.Tags, remote), Name: &name}
}

// sync serves a fake Lever and syncs all of it.
func (e *env) sync(cfg levertest.Config) *levertest.Server {
	e.t.Helper()
	fake := levertest.New(cfg)
	e.t.Cleanup(fake.Close)
	url, stop, err := levertest.Serve("127.0.0.1:0", fake)
	if err != nil {
		e.t.Fatalf("Serve: %v", err)
	}
	e.t.Cleanup(stop)
	e.lever = url + "/v1"
	w := worker.New(worker.Config{Store: e.db.Store, Redis: e.rdb, LeverURL: e.lever, Log: e.log})
	if err := w.Start(); err != nil {
		e.t.Fatalf("Start: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := scheduler.New(scheduler.Config{Store: e.db.Store, Redis: e.rdb, Log: e.log, Tick: 100 * time.Millisecond, Grace: 2 * time.Second})
	go func() { defer close(done); _ = s.Run(ctx) }()
	e.await()
	cancel()
	<-done
	w.Shutdown()
	return fake
}

// until asks done every 20 ms, for as long as it says no; it gives up after a thousand times. What waits for the feed of
// changes needs it: transactions in other databases of the server hold the feed back, for as long as they last.
func (e *env) until(done func() bool) {
	e.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if done() {
			return
		}
		<-tick.C
	}
}

// await returns when every scope was synced.
func (e *env) await() {
	e.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		scopes, err := e.db.Store.Scopes(e.t.Context(), e.conn.ID)
		if err != nil {
			e.t.Fatal(err)
		}
		waiting := 0
		for _, s := range scopes {
			if s.RequestedAt != nil || s.State == "pending" || s.State == "syncing" {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		select {
		case <-e.t.Context().Done():
		case <-tick.C:
		}
	}
	e.t.Fatal("the sync did not end")
}
