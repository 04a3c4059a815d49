package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

const (
	asynqmonModule = "github.com/hibiken/asynqmon/cmd/asynqmon@v0.7.2"
	asynqmonEnv    = "LEVERSYNC_ASYNQMON" // names the program, where it is neither on the PATH nor to be built
	// asynqmonCell is how many characters of a payload asynqmon's tables show.
	asynqmonCell = 200
)

// monTask is a task as asynqmon's API shows it.
type monTask struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Payload string `json:"payload"`
	Error   string `json:"error_message"`
}

// shown is what asynqmon's tables show of the task's id: they cut it at its first dash.
func (m monTask) shown() string {
	prefix, _, _ := strings.Cut(m.ID, "-")
	return prefix
}

// TestAsynqmonShowsTasksThatReadWell points the real asynqmon at a Redis with tasks in each state.
func TestAsynqmonShowsTasksThatReadWell(t *testing.T) {
	t.Parallel()
	program := asynqmonProgram(t)
	e := newEnv(t, levertest.Config{Seed: 22, Opportunities: 5, RatePerSecond: -1}, fast, unified.Tags, unified.ScheduledInterviews)
	fillQueues(e)
	url := startAsynqmon(t, program, e.redis.URL)

	var queues struct {
		Queues []struct {
			Queue                        string
			Pending, Scheduled, Archived int
			Paused                       bool
		}
	}
	get(t, url+"/api/queues", &queues)
	counts := map[string]string{}
	for _, q := range queues.Queues {
		counts[q.Queue] = fmt.Sprintf("pending %t, scheduled %t, archived %t, paused %t", q.Pending >= 2, q.Scheduled == 1, q.Archived == 1, q.Paused)
	}
	for name, want := range map[string]string{
		task.QueueSync:     "pending true, scheduled true, archived true, paused true",
		task.QueueBackfill: "pending false, scheduled true, archived false, paused false",
	} {
		if counts[name] != want {
			t.Errorf("/api/queues: queue %s = %q, want %q", name, counts[name], want)
		}
	}

	byHand, slot := regexp.MustCompile(`^[0-9a-f]{8}$`), regexp.MustCompile(`^(tags|scheduled_interviews):[0-9a-f]{32}:[0-9a-f]+$`)
	checkTasks(e, url, task.QueueSync, "pending", byHand, slot)
	checkTasks(e, url, task.QueueSync, "scheduled", byHand)
	checkTasks(e, url, task.QueueBackfill, "scheduled", byHand)
	for _, a := range checkTasks(e, url, task.QueueSync, "archived", byHand) {
		if want := `unknown scope "people": the scopes are`; !strings.Contains(a.Error, want) {
			t.Errorf("archived task: error %q, want it to say %q", a.Error, want)
		}
	}

	var servers struct {
		Servers []struct {
			Queues map[string]int `json:"queue_priorities"`
		}
	}
	get(t, url+"/api/servers", &servers)
	if len(servers.Servers) != 1 || len(servers.Servers[0].Queues) != len(task.Queues()) {
		t.Errorf("/api/servers = %+v, want the one worker with the queues %v", servers.Servers, task.Queues())
	}
}

// fillQueues makes tasks of each kind, as the scheduler, the worker, the CLI and a mistaken hand make them.
func fillQueues(e *env) {
	e.t.Helper()
	e.startWorker(worker.Config{})
	id := e.conn.ID.String()
	enqueue := func(payload string, o ...asynq.Option) {
		e.t.Helper()
		client := asynq.NewClientFromRedisClient(e.rdb)
		if _, err := client.Enqueue(asynq.NewTask(task.TypeSync, []byte(payload)), append(o, asynq.Queue(task.QueueSync))...); err != nil {
			e.t.Fatal(err)
		}
	}
	inspector := asynq.NewInspectorFromRedisClient(e.rdb)
	enqueue(`{"connector_id":"` + id + `","scope":"people"}`)
	eventually(e.t, "the bad task is archived", func() bool {
		archived, err := inspector.ListArchivedTasks(task.QueueSync)
		return err == nil && len(archived) == 1
	})
	if err := inspector.PauseQueue(task.QueueSync); err != nil { // what is pending stays so
		e.t.Fatal(err)
	}
	enqueue(`{"connector_id":"` + id + `","scope":"tags"}`)
	enqueue(`{"connector_id":"`+id+`","scope":"tags"}`, asynq.ProcessIn(time.Hour))
	due := time.Now()
	if err := e.queue.Enqueue(e.t.Context(), task.Sync{ConnectorID: e.conn.ID, Scope: "scheduled-interviews", DueAt: &due}, task.Options{Queue: task.QueueBackfill, In: time.Hour}); err != nil {
		e.t.Fatal(err)
	}
	e.startScheduler()
	eventually(e.t, "the scheduler has enqueued both scopes", func() bool {
		pending, err := inspector.ListPendingTasks(task.QueueSync)
		return err == nil && len(pending) >= 3
	})
}

// checkTasks asks for the tasks of a queue in one state: there are some; each is a sync whose payload reads
// whole, what the tables show of its id fits one of shown, and each of shown is there.
func checkTasks(e *env, url, queue, state string, shown ...*regexp.Regexp) []monTask {
	e.t.Helper()
	path := "/api/queues/" + queue + "/" + state + "_tasks"
	var list struct{ Tasks []monTask }
	get(e.t, url+path, &list)
	seen := make([]bool, len(shown))
	for _, m := range list.Tasks {
		fits := false
		for i, re := range shown {
			if re.MatchString(m.shown()) {
				seen[i], fits = true, true
			}
		}
		if !fits {
			e.t.Errorf("%s: id %q is shown as %q, want it to fit one of %v", path, m.ID, m.shown(), shown)
		}
		if m.Type != task.TypeSync {
			e.t.Errorf("%s: task %s has type %q, want %q", path, m.ID, m.Type, task.TypeSync)
		}
		var p struct {
			ConnectorID string `json:"connector_id"`
			Scope       string `json:"scope"`
		}
		if err := json.Unmarshal([]byte(m.Payload), &p); err != nil || p.ConnectorID != e.conn.ID.String() || p.Scope == "" {
			e.t.Errorf("%s: task %s has payload %q (%v), want JSON with connector %s and a scope", path, m.ID, m.Payload, err, e.conn.ID)
		}
		if n := len([]rune(m.Payload)); n > asynqmonCell {
			e.t.Errorf("%s: task %s has a payload of %d characters, want at most the %d that are shown", path, m.ID, n, asynqmonCell)
		}
		var one monTask
		get(e.t, url+"/api/queues/"+queue+"/tasks/"+m.ID, &one) // the task's own page
		if one != m {
			e.t.Errorf("%s: task %s by itself is %+v, want %+v", path, m.ID, one, m)
		}
	}
	for i, re := range shown {
		if !seen[i] {
			e.t.Errorf("%s: no id shown fits %v, of %d tasks", path, re, len(list.Tasks))
		}
	}
	return list.Tasks
}

// asynqmonProgram finds asynqmon, or builds it. It skips the test where that can't be done: the version is
// pinned, so that a build that fails has its cause outside this module.
func asynqmonProgram(t testing.TB) string {
	t.Helper()
	if p := os.Getenv(asynqmonEnv); p != "" {
		return p
	}
	if p, err := exec.LookPath("asynqmon"); err == nil {
		return p
	}
	if testing.Short() {
		t.Skip("asynqmon is not built in short mode")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	build := exec.CommandContext(ctx, "go", "install", "-p", "1", asynqmonModule)
	build.Dir, build.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("asynqmon can't be built here, so its view of the queues is not tested (%s names the program): go install %s: %v\n%s", asynqmonEnv, asynqmonModule, err, out)
	}
	return filepath.Join(dir, "asynqmon")
}

// startAsynqmon runs it, read-only, until the test ends, and returns its URL.
func startAsynqmon(t testing.TB, program, redisURL string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--redis-url", redisURL, "--port", port, "--read-only")
	cmd.Env = bareEnviron(t)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }() // it is always killed
	t.Cleanup(func() { cancel(); <-exited })
	url := "http://127.0.0.1:" + port
	eventually(t, "asynqmon listens", func() bool {
		select {
		case <-exited:
			t.Fatalf("asynqmon ended: %s", out.String())
		default:
		}
		resp, err := http.Get(url + "/api/redis_info")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

// get reads a JSON answer into v.
func get(t testing.TB, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s (%v): %s, want 200", url, resp.Status, err, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatalf("GET %s: %v in %s", url, err, body)
	}
}
