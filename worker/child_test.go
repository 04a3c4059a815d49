package worker_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/scheduler"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/worker"
)

const (
	childEnv      = "LEVERSYNC_TEST_CHILD" // the child's name: this process is to be a worker
	childLeaseEnv = "LEVERSYNC_TEST_LEASE"
	childPointEnv = "LEVERSYNC_TEST_FAILPOINT" // "point stream": where it ends as by a crash; the stream "*" is any
	childWholeEnv = "LEVERSYNC_TEST_WHOLE"     // set: it schedules, too, and looks so often
	childRoleEnv  = "LEVERSYNC_TEST_ROLE"      // what else than a worker it is to be: see childRoles
	heapEnv       = "LEVERSYNC_BENCH_HEAP"     // set: it tells of its live heap
	profileEnv    = "LEVERSYNC_BENCH_PROFILE"  // a folder: what a child spends its CPU on is written there, by its name
	childTimeout  = 60 * time.Second           // for starting and for ending; generous, for a busy machine
)

// runChild is a worker process: it says on standard output that it is ready, works until SIGTERM or until its
// standard input ends (whoever started it is gone), and leaves its counters as JSON.
func runChild() int {
	main := childMain
	if role := childRoles[os.Getenv(childRoleEnv)]; role != nil {
		main = role
	}
	if err := profiled(main); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// childRoles are what a child can be besides a worker.
var childRoles = map[string]func() error{"lever": leverMain, "plain": plainMain}

// profiled runs main, and writes down what it spends its CPU on if that is asked for.
func profiled(main func() error) error {
	dir := os.Getenv(profileEnv)
	if dir == "" {
		return main()
	}
	f, err := os.Create(filepath.Join(dir, os.Getenv(childEnv)+".pprof"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return main()
}

func childMain() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	lease, err := time.ParseDuration(os.Getenv(childLeaseEnv))
	if err != nil {
		return err
	}
	keys, err := store.ParseKeyring(os.Getenv("LEVERSYNC_ENCRYPTION_KEY"))
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{URL: os.Getenv("DATABASE_URL"), Keys: keys, LeaseFor: lease, Failpoint: doom(os.Getenv(childPointEnv))})
	if err != nil {
		return err
	}
	defer s.Close()
	opt, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	rdb := redis.NewClient(opt)
	defer rdb.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel(slog.LevelInfo)}))
	w := worker.New(worker.Config{Store: s, Redis: rdb, Log: log.With("child", os.Getenv(childEnv)), LeverURL: os.Getenv("LEVER_API_URL"),
		Windows: cutInto(), HintPause: 2 * time.Second})
	if err := w.Start(); err != nil {
		return err
	}
	var heap heapWatch
	if os.Getenv(heapEnv) != "" {
		heap.start()
	}
	var roles sync.WaitGroup
	if tick, err := time.ParseDuration(os.Getenv(childWholeEnv)); err == nil {
		roles.Go(func() {
			_ = scheduler.New(scheduler.Config{Store: s, Redis: rdb, Log: log, Tick: tick, Grace: 2 * time.Second}).Run(ctx)
		})
	}
	fmt.Println("ready")
	<-ctx.Done()
	roles.Wait()
	w.Shutdown()
	early, late := heap.stop()
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{"fenced": w.Metrics().Fenced.Load(), "calls": w.Metrics().Calls.Load(),
		"live_early": early, "live_late": late})
}

// doom ends this process at the point of spec as a crash would; nil where there is none.
func doom(spec string) func(string, uuid.UUID, string) {
	point, stream, there := strings.Cut(spec, " ")
	if !there {
		return nil
	}
	return func(at string, _ uuid.UUID, of string) {
		if at == point && (stream == "*" || of == stream) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // not one instruction more
		}
	}
}

// child is a worker in a process of its own.
type child struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{} // closed once it has ended

	mu      sync.Mutex
	peak    int64 // the most that it had resident, in bytes; known once term has ended it
	log     bytes.Buffer
	answers map[string]int64 // its counters, when it ended in good order
	killed  bool
}

// spawn starts a worker process and waits until it works. Its connections to Postgres bear its name, for the
// audit. It is killed when the test ends.
func (e *env) spawn(name string, lease time.Duration, env ...string) *child {
	e.t.Helper()
	return spawn(e.t, name, append(append(e.services(name), childLeaseEnv+"="+lease.String()), env...)...)
}

// services are the variables that tell a process of that name where everything is.
func (e *env) services(name string) []string {
	return []string{"DATABASE_URL=" + e.database() + "&" + url.QueryEscape(workerSetting) + "=" + name, "REDIS_URL=" + cmp.Or(e.rdURL, e.redis.URL), "LEVER_API_URL=" + e.url,
		"LEVERSYNC_ENCRYPTION_KEY=" + storetest.EncryptionKey}
}

// spawn starts this program once more, and waits until it says that it is ready. It is killed when the test ends.
func spawn(t testing.TB, name string, env ...string) *child {
	t.Helper()
	c := &child{t: t, name: name, exited: make(chan struct{})}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(program)
	c.cmd.Env = append(append(os.Environ(), childEnv+"="+name), env...)
	c.cmd.Stderr = c
	in, err1 := c.cmd.StdinPipe()
	out, err2 := c.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, c.cmd.Start()); err != nil {
		t.Fatalf("start a worker process: %v", err)
	}
	c.stdin = in
	ready := make(chan struct{})
	go c.follow(out, ready)
	t.Cleanup(c.end)
	select {
	case <-ready:
	case <-c.exited:
		t.Fatalf("worker process %s ended at once: %s", name, c.text())
	case <-time.After(childTimeout):
		t.Fatalf("worker process %s is not ready after %s: %s", name, childTimeout, c.text())
	}
	return c
}

// database is the URL at which worker processes find Postgres.
func (e *env) database() string {
	if e.dbURL != "" {
		return e.dbURL
	}
	return e.db.URL
}

// follow reads what the child says, to its end.
func (c *child) follow(out io.Reader, ready chan struct{}) {
	defer close(c.exited)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			close(ready)
			continue
		}
		c.mu.Lock()
		_ = json.Unmarshal(lines.Bytes(), &c.answers)
		c.mu.Unlock()
	}
	_ = c.cmd.Wait() // how it ended is its own affair: a kill makes it an error
}

// Write takes the child's log.
func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if os.Getenv("LEVERSYNC_TEST_LOG") != "" {
		_, _ = os.Stderr.Write(p)
	}
	return c.log.Write(p)
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Errorf("%v to worker process %s: %v", s, c.name, err)
	}
}

// kill ends it as a crash would.
func (c *child) kill() {
	c.t.Helper()
	c.killed = true
	c.signal(syscall.SIGKILL)
	<-c.exited
}

// term ends it in good order, and returns how long that took.
func (c *child) term() time.Duration {
	c.t.Helper()
	c.killed = true
	began := time.Now()
	if _, err := os.Stat("/proc/self/status"); err == nil {
		c.peak = peakOf(c.t, c.pid())
	}
	c.signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(childTimeout):
		c.t.Fatalf("worker process %s still runs %s after SIGTERM", c.name, childTimeout)
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("worker process %s: exit %d after SIGTERM, want 0: %s", c.name, code, c.text())
	}
	return time.Since(began)
}

func (c *child) end() {
	_ = c.cmd.Process.Kill()
	_ = c.stdin.Close()
	early := false
	select {
	case <-c.exited:
		early = !c.killed
	case <-time.After(childTimeout):
		c.t.Errorf("worker process %s can't be killed", c.name)
		return
	}
	if early && c.cmd.ProcessState.ExitCode() > 0 {
		c.t.Errorf("worker process %s ended by itself, with %d", c.name, c.cmd.ProcessState.ExitCode())
	}
	if c.t.Failed() {
		lines := strings.Split(c.text(), "\n")
		c.t.Logf("%s's last words:\n%s", c.name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// crew are the worker processes of a test, by pid.
type crew struct {
	e     *env
	lease time.Duration
	made  int
	alive map[int]*child
	env   []string // of those that are hired

	program string // the shipped binary: its `serve` is hired, with the lease of life; "": this program
}

// crew starts n worker processes.
func (e *env) crew(n int, lease time.Duration) *crew {
	e.t.Helper()
	c := &crew{e: e, lease: lease, alive: map[int]*child{}}
	for range n {
		c.hire()
	}
	return c
}

func (c *crew) hire() *child {
	c.e.t.Helper()
	c.made++
	name := fmt.Sprintf("w%d", c.made)
	var w *child
	if c.program != "" {
		w = c.e.serve(c.program, name)
	} else {
		w = c.e.spawn(name, c.lease, c.env...)
	}
	c.alive[w.pid()] = w
	return w
}

// busy is the worker that holds the lease of the stream that makes the calls; of several, the one with most
// leases. nil: nobody holds one now.
func (c *crew) busy() *child {
	c.e.t.Helper()
	for _, owner := range storetest.Column[string](c.e.db, `SELECT lease_owner FROM streams WHERE lease_until > now() AND run_id IS NOT NULL
GROUP BY lease_owner ORDER BY bool_or(stream = 'opportunity-children') DESC, count(*) DESC`) {
		if w := c.alive[pidOf(owner)]; w != nil {
			return w
		}
	}
	return nil
}

// awaitBusy waits until a worker of the crew holds a lease; nil: everything is done.
func (c *crew) awaitBusy() *child {
	c.e.t.Helper()
	var w *child
	c.e.until("a worker holds a lease", time.Minute, func() bool {
		w = c.busy()
		return w != nil || c.e.done()
	})
	return w
}

// dismiss takes w, which has ended, off the crew.
func (c *crew) dismiss(w *child) { delete(c.alive, w.pid()) }

// pidOf reads the process out of a lease's owner, host/pid/random.
func pidOf(owner string) int {
	parts := strings.Split(owner, "/")
	if len(parts) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(parts[len(parts)-2])
	return pid
}

// until polls for cond: what other processes do gives no signal to wait for.
func (e *env) until(what string, limit time.Duration, cond func() bool) time.Duration {
	e.t.Helper()
	return e.poll(what, limit, cond, func() string { return strings.Join(e.stuck(), "\n") })
}

// await is until, while Postgres may be away, so that nobody can say what is amiss.
func (e *env) await(what string, cond func() bool) {
	e.t.Helper()
	e.poll(what, time.Minute, cond, func() string { return "" })
}

func (e *env) poll(what string, limit time.Duration, cond func() bool, amiss func() string) time.Duration {
	e.t.Helper()
	began := time.Now()
	for !cond() {
		if time.Since(began) > limit {
			e.t.Fatalf("not so after %s: %s\n%s", limit, what, amiss())
		}
		select {
		case <-e.t.Context().Done():
			e.t.Fatal("test over")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return time.Since(began)
}

// stuck describes what may keep a test waiting: the runs under way, and what Postgres is doing.
func (e *env) stuck() []string {
	e.t.Helper()
	return storetest.Column[string](e.db, `SELECT format('%s: fence %s, lease of %s for %s more, wake in %s', stream, fence, lease_owner, lease_until - now(), wake_at - now())
FROM streams WHERE run_id IS NOT NULL UNION ALL
SELECT format('%s since %s, %s %s: %s', state, now() - state_change, wait_event_type, wait_event, left(query, 120)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND (state <> 'idle' OR wait_event_type = 'Lock')`)
}

// served waits until everything is done, and returns how long that took.
func (e *env) served(limit time.Duration) time.Duration {
	e.t.Helper()
	return e.until("every scope of every connector is served", limit, e.done)
}

// done reports whether nothing is asked for and nothing is under way, of any connector that is linked: what is asked of
// one that is not waits until it is linked again. It looks through the test's own connections: the Store's may be cut.
func (e *env) done() bool {
	e.t.Helper()
	return storetest.Value[int](e.db, `WITH linked AS (SELECT id FROM connectors WHERE status = 'COMPLETE')
SELECT (SELECT count(*) FROM connector_scopes WHERE connector_id IN (SELECT id FROM linked) AND enabled AND (requested_at IS NOT NULL OR state IN ('pending', 'syncing')))
  + (SELECT count(*) FROM streams WHERE connector_id IN (SELECT id FROM linked) AND run_id IS NOT NULL)`) == 0
}

// undisturbed is how many calls a first sync takes that nothing disturbs: each list once, each opportunity's
// five lists of children, each posting's questions.
func (e *env) undisturbed() int {
	n := e.lever.Len()
	return (n+99)/100 + 5*n + len(e.lever.Records("postings")) + 8
}

// refetched is how many calls Lever counted beyond those that brought something to commit. These must not be
// more than an undisturbed sync makes.
func (e *env) refetched() int {
	e.t.Helper()
	useful := storetest.Value[int](e.db, `SELECT sum(bound)::int FROM runs`)
	if most := e.undisturbed() * 102 / 100; useful > most {
		e.t.Errorf("%d calls brought something to commit, want at most the %d of an undisturbed sync: something was traversed twice", useful, most)
	}
	return e.calls() - useful
}

// random is a source of chance whose seed the test prints, and takes back from LEVERSYNC_TEST_SEED.
func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(number(t, "LEVERSYNC_TEST_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("LEVERSYNC_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// workerSetting is the setting of a connection that holds the name of the worker process.
const workerSetting = "leversync_test.worker"

// audit has Postgres write down who took each fence, and who committed under which.
func (e *env) audit() {
	for _, sql := range []string{
		`CREATE TABLE audit (at timestamptz DEFAULT clock_timestamp(), kind text, connector_id uuid, stream text, fence bigint, worker text)`,
		`CREATE FUNCTION audit_fence() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO leversync.audit (kind, connector_id, stream, fence, worker) VALUES ('took', NEW.connector_id, NEW.stream, NEW.fence, current_setting('` + workerSetting + `', true));
    RETURN NEW; END $$`,
		`CREATE TRIGGER audit_fence AFTER UPDATE OF fence ON streams FOR EACH ROW WHEN (OLD.fence <> NEW.fence) EXECUTE FUNCTION audit_fence()`,
		`CREATE FUNCTION audit_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO leversync.audit (kind, connector_id, stream, fence, worker)
    SELECT 'wrote', NEW.connector_id, NEW.stream, s.fence, current_setting('` + workerSetting + `', true) FROM leversync.streams s WHERE s.connector_id = NEW.connector_id AND s.stream = NEW.stream;
    RETURN NEW; END $$`,
		`CREATE TRIGGER audit_commit AFTER UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION audit_commit()`,
	} {
		e.db.Exec(sql)
	}
}

// checkAudit demands that every commit was made by the worker that had taken the fence in force.
func (e *env) checkAudit() {
	e.t.Helper()
	if n := storetest.Value[int](e.db, `SELECT count(*) FROM audit WHERE kind = 'wrote'`); n == 0 {
		e.t.Error("the audit saw no commit")
	}
	for _, line := range storetest.Column[string](e.db, `SELECT format('%s committed on %s under fence %s, which %s took', w.worker, w.stream, w.fence, t.worker)
FROM audit w JOIN audit t USING (connector_id, stream, fence) WHERE w.kind = 'wrote' AND t.kind = 'took' AND w.worker IS DISTINCT FROM t.worker LIMIT 5`) {
		e.t.Error(line)
	}
}
