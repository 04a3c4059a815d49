package worker_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
	"github.com/leversync/leversync/worker/task"
)

// asynqEnv names the asynq command line tool, where it isn't on the PATH as asynq.
const asynqEnv = "LEVERSYNC_ASYNQ"

// TestAskedByHandANewOpportunityArrives: the connector falls due once a day, so that what arrives is the
// enqueued task's doing. TestATaskByHandStartsASync counts the calls that such a task makes.
func TestAskedByHandANewOpportunityArrives(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testing.T) enqueuer{"asynq CLI": byCLI, "client without retries": once}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enqueue := way(t)
			e := newEnv(t, levertest.Config{Seed: 21, Opportunities: 30, RatePerSecond: -1}, fast)
			e.start(worker.Config{})
			e.wait(time.Now())
			for _, payload := range []string{
				fmt.Sprintf(`{"connector_id":"%s","scope":"candidates"}`, e.conn.ID),
				fmt.Sprintf(`{"connector_id":"%s"}`, e.conn.ID),
			} {
				before := len(e.records(unified.Candidates))
				if _, err := e.lever.AddOpportunity(); err != nil {
					t.Fatal(err)
				}
				enqueue(e, payload)
				eventually(t, "the new candidate arrived after "+payload, func() bool {
					return len(e.records(unified.Candidates)) > before
				})
				e.wait(time.Now())
			}
			e.check()
		})
	}
}

// enqueuer puts a sync task with the payload into the queue sync.
type enqueuer func(e *env, payload string)

// byCLI runs the command that the README shows; it skips the test where there is no asynq CLI.
func byCLI(t *testing.T) enqueuer {
	t.Helper()
	program := os.Getenv(asynqEnv)
	if program == "" {
		program = "asynq"
	}
	program, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("no asynq CLI (%v; %s names it): what it puts into Redis is tested all the same, by TestATaskByHandStartsASync", err, asynqEnv)
	}
	return func(e *env, payload string) {
		e.t.Helper()
		cmd := exec.CommandContext(e.t.Context(), program, "--uri", e.redis.Addr,
			"task", "enqueue", "--queue", "sync", "-t", "lever:sync", "-l", payload)
		cmd.Env = bareEnviron(e.t)
		if out, err := cmd.CombinedOutput(); err != nil {
			e.t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
}

// once enqueues tasks that their first failure would archive: the CLI's flag --retry defaults to 0.
func once(*testing.T) enqueuer {
	return func(e *env, payload string) {
		e.t.Helper()
		client := asynq.NewClientFromRedisClient(e.rdb)
		t := asynq.NewTask(task.TypeSync, []byte(payload))
		if _, err := client.Enqueue(t, asynq.Queue(task.QueueSync), asynq.MaxRetry(0)); err != nil {
			e.t.Fatal(err)
		}
	}
}

// bareEnviron is an environment for asynq's tools: both take settings from variables without a prefix (URI,
// PASSWORD, REDIS_URL, PORT), which win over flags, and the CLI takes some from a file in the home folder.
func bareEnviron(t testing.TB) []string {
	t.Helper()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
}

// eventually waits until what another process does has come about: there is no signal to wait for.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("test over before %s", what)
		case <-tick.C:
		}
	}
}
