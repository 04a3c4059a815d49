package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
)

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (c *cli) checkMetrics(url string, serve *background) {
	c.t.Helper()
	status, body := get(c.t, url+"/metrics")
	for _, want := range []string{
		"leversync_build_info{", "leversync_tasks_total ", `leversync_lever_requests_total{code="200",scope="candidates"} `, `leversync_records_written_total{op="created",scope="candidates"} `, "leversync_scheduler_claimed_total ",
		`leversync_queue_tasks{queue="sync",state="pending"}`, "leversync_queue_up 1", `leversync_db_connections{state="idle"}`, "go_goroutines ", "go_gc_heap_live_bytes ", "process_start_time_seconds ",
	} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			c.t.Errorf("GET /metrics: %d without %q: %s", status, want, serve.stderr.text())
		}
	}
}

func TestServeWithServicesAway(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	redis := c.withRedis()
	c.withLever(levertest.Config{Opportunities: 1})
	c.env["LEVERSYNC_METRICS_ADDR"] = "127.0.0.1:0"
	serve := c.start("serve")
	url := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	apart := "http://" + serve.find(serve.stderr, `msg="listening for metrics" addr=(\S+)`)
	serve.find(serve.stderr, `msg=started roles=worker\+scheduler\+http\+api`)
	if status, body := get(t, url+"/readyz"); status != http.StatusOK || !strings.Contains(body, `"migrations":"ok"`) {
		t.Errorf("GET /readyz: %d %s; want 200", status, body)
	}
	redis.Stop()
	const bare = `{"checks":{"migrations":"ok","postgres":"ok","redis":"failed"},"status":"unavailable"}`
	for range 2 {
		if status, body := get(t, url+"/readyz"); status != http.StatusServiceUnavailable || strings.TrimSpace(body) != bare {
			t.Errorf("GET /readyz without Redis: %d %s; want 503 %s, and no cause for strangers", status, body, bare)
		}
	}
	if status, body := get(t, apart+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "connection refused") {
		t.Errorf("GET /readyz beside the metrics without Redis: %d %s; want 503 with the cause", status, body)
	}
	serve.find(serve.stderr, `msg="not ready" redis="[^"]*connection refused`)
	if n := strings.Count(serve.stderr.text(), `msg="not ready"`); n != 2 {
		t.Errorf("it said %d times that it is not ready, want once for each address", n)
	}
	if status, _ := get(t, url+"/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz without Redis: %d; want 200: a restart would not help", status)
	}
	if status, body := get(t, apart+"/metrics"); status != http.StatusOK || !strings.Contains(body, "leversync_queue_up 0") || !strings.Contains(body, "leversync_db_connections") {
		t.Errorf("GET /metrics without Redis: %d; want 200, leversync_queue_up 0, and the rest", status)
	}
	redis.Start()
	deadline := time.After(30 * time.Second)
	for ready := false; !ready; { // the pool of connections looks once a second
		status, body := get(t, url+"/readyz")
		ready = status == http.StatusOK
		select {
		case <-deadline:
			t.Fatalf("GET /readyz with Redis back: %d %s; want 200", status, body)
		case <-time.After(100 * time.Millisecond):
		}
	}
	serve.find(serve.stderr, `msg="ready again"`)
	if code := serve.stop(); code != exitOK {
		t.Errorf("serve, interrupted: exit %d, want 0: %s", code, serve.stderr.text())
	}
}

func TestAwayAtStart(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	redis := c.withRedis()
	redis.Stop()
	if o := c.run("scheduler"); o.code != exitFailure || !strings.Contains(o.err, "Redis can't be reached") || !strings.Contains(o.err, "check REDIS_URL") {
		t.Errorf("scheduler without Redis: exit %d: %s; want 1 and what to do", o.code, o.err)
	}

	// It is waited for, with one line.
	c.env["LEVERSYNC_START_TIMEOUT"] = "60s"
	serve := c.start("scheduler")
	serve.find(serve.stderr, `Redis can't be reached \(connect: connection refused\): trying for 1m0s`)
	redis.Start()
	serve.find(serve.stderr, "msg=started roles=scheduler")
	if n := strings.Count(serve.stderr.text(), "can't be reached"); n != 1 {
		t.Errorf("it said %d times that Redis is away, want once: %s", n, serve.stderr.text())
	}
	if code := serve.stop(); code != exitOK {
		t.Errorf("scheduler, interrupted: exit %d, want 0", code)
	}

	// An interrupt ends the waiting.
	redis.Stop()
	waiting := c.start("scheduler")
	waiting.find(waiting.stderr, "can't be reached")
	if code := waiting.stop(); code != exitFailure {
		t.Errorf("scheduler, interrupted while it waits: exit %d, want 1", code)
	}

	c.env["LEVERSYNC_START_TIMEOUT"] = "0s"
	good := c.env["DATABASE_URL"]
	c.env["DATABASE_URL"] = "postgres://u:hunter2@127.0.0.1:1/db"
	if o := c.run("status"); o.code != exitFailure || !strings.Contains(o.err, "Postgres can't be reached") || strings.Contains(o.err, "hunter2") {
		t.Errorf("status without Postgres: exit %d: %s; want 1, and no password", o.code, o.err)
	}
	c.env["LEVERSYNC_START_TIMEOUT"] = "60s"
	c.env["DATABASE_URL"] = strings.Replace(good, "test", "none", 1)
	if o := c.run("status"); o.code != exitFailure || !strings.Contains(o.err, "Postgres refuses us") {
		t.Errorf("status of a database that is not there: exit %d: %s; want 1 at once", o.code, o.err)
	}
}

func TestPendingMigrations(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	if out := c.must("migrate"); !strings.Contains(out, "up to date") {
		t.Errorf("migrate with nothing to do = %q", out)
	}
	c.db.Exec("DROP SCHEMA ats, leversync CASCADE")
	for _, args := range []string{"serve", "worker", "scheduler", "status"} {
		if o := c.run(args); o.code != exitFailure || !strings.Contains(o.err, "leversync migrate") {
			t.Errorf("%s on an empty database: exit %d: %s; want 1 and the command to run", args, o.code, o.err)
		}
	}
	v := decode[map[string][]int64](t, c.must("migrate", "--json"))
	if len(v["applied"]) == 0 {
		t.Errorf("migrate --json = %v; want the versions applied", v)
	}
	if v := decode[map[string][]int64](t, c.must("migrate", "--json")); v["applied"] == nil || len(v["applied"]) != 0 {
		t.Errorf("migrate --json again = %v; want an empty list", v)
	}
	c.db.Exec("DROP SCHEMA ats, leversync CASCADE")
	serve := c.start("serve", "--migrate")
	serve.find(serve.stderr, "msg=started")
	if storetest.Value[bool](c.db, "SELECT to_regclass('leversync.connectors') IS NULL") {
		t.Error("serve --migrate did not migrate")
	}
	serve.stop()
}

func TestRolesAlone(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.env["LEVERSYNC_LOG_FORMAT"] = "json"
	w := c.start("worker", "--addr", "127.0.0.1:0")
	url := "http://" + w.find(w.stderr, `"msg":"listening","addr":"([^"]+)"`)
	if _, body := get(t, url+"/metrics"); !strings.Contains(body, "leversync_tasks_total") || strings.Contains(body, "leversync_scheduler") {
		t.Error("a worker's metrics are not the worker's alone")
	}
	var taken struct{ Msg, Addr string }
	for line := range strings.Lines(w.stderr.text()) {
		if err := json.Unmarshal([]byte(line), &taken); err != nil {
			t.Errorf("LEVERSYNC_LOG_FORMAT=json logs %q: %v", line, err)
		}
	}
	addr := strings.TrimPrefix(url, "http://")
	if o := c.run("worker", "--addr", addr); o.code != exitFailure || !strings.Contains(o.err, "is it in use?") {
		t.Errorf("worker on an address in use: exit %d: %s; want 1", o.code, o.err)
	}
	if code := w.stop(); code != exitOK {
		t.Errorf("worker, interrupted: exit %d, want 0", code)
	}
}

func TestFakeLever(t *testing.T) {
	t.Parallel()
	c := &cli{t: t, env: nil}
	f := c.start("fakelever", "--addr", "127.0.0.1:0", "--opportunities", "30", "--seed", "3", "--rate", "0", "--api-key", "k", "--json")
	url := f.find(f.stdout, `"lever_api_url":"([^"]+)"`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/opportunities?limit=10", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("k", "")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct {
		Data    []json.RawMessage
		HasNext bool
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || len(page.Data) != 10 || !page.HasNext {
		t.Errorf("GET /opportunities?limit=10: %d records, hasNext %t, %v; want 10 and more", len(page.Data), page.HasNext, err)
	}
	if code := f.stop(); code != exitOK {
		t.Errorf("fakelever, interrupted: exit %d, want 0", code)
	}
	if o := c.run("fakelever", "--addr", "0.0.0.0:0"); o.code != exitFailure || !strings.Contains(o.err, "loopback") {
		t.Errorf("fakelever on all addresses: exit %d: %s; want it refused", o.code, o.err)
	}
}
