package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisTimeout bounds how long a Redis may take to start or to stop.
const redisTimeout = 20 * time.Second

// Redis is a Redis server that belongs to one test, which may flush it, stop it and kill it. It keeps
// nothing over a restart. Its methods fail the test, so only the test's own goroutine may call them.
type Redis struct {
	URL  string // redis://127.0.0.1:port/0
	Addr string // 127.0.0.1:port, the same over restarts

	t       testing.TB
	program string
	dir     string
	cmd     *exec.Cmd     // nil while it is down
	exited  chan struct{} // closed when cmd has ended
}

// NewRedis starts a Redis of t's own on a free loopback port; it is killed when t ends.
func NewRedis(t testing.TB) *Redis {
	t.Helper()
	r := &Redis{t: t, program: redisProgram(t), dir: t.TempDir()}
	t.Cleanup(r.end)
	var err error
	for range 5 { // somebody else may take the port before Redis does
		if err = r.choosePort(); err == nil {
			err = r.run()
		}
		if err == nil {
			return r
		}
	}
	t.Fatalf("storetest: start Redis: %v", err)
	return nil
}

// RedisURL starts a Redis of t's own and returns its URL.
func RedisURL(t testing.TB) string {
	t.Helper()
	return NewRedis(t).URL
}

// Overhear listens to every command that is sent to it from now on, and returns what gives them all, and ends it.
func (r *Redis) Overhear() (commands func() string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Addr)
	if err == nil {
		_, err = io.WriteString(conn, "MONITOR\r\n")
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	in := bufio.NewReader(conn)
	if ok, err := in.ReadString('\n'); ok != "+OK\r\n" {
		r.t.Fatalf("storetest: MONITOR: %q, %v", ok, err)
	}
	var heard strings.Builder
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(&heard, in) }() // until it is closed
	return func() string { _ = conn.Close(); <-done; return heard.String() }
}

// Start starts it again, empty, on the same port.
func (r *Redis) Start() {
	r.t.Helper()
	if r.cmd != nil {
		r.t.Fatal("storetest: Redis.Start: it is running")
	}
	if err := r.run(); err != nil {
		r.t.Fatalf("storetest: start Redis again: %v", err)
	}
}

// Stop shuts it down in good order and waits for its end. Its data is gone.
func (r *Redis) Stop() {
	r.t.Helper()
	if err := r.signal(syscall.SIGTERM); err != nil {
		r.t.Fatalf("storetest: stop Redis: %v", err)
	}
}

// Kill ends it as a crash would (SIGKILL) and waits for its end.
func (r *Redis) Kill() {
	r.t.Helper()
	if err := r.signal(syscall.SIGKILL); err != nil {
		r.t.Fatalf("storetest: kill Redis: %v", err)
	}
}

func (r *Redis) end() {
	if r.cmd == nil {
		return
	}
	if err := r.signal(syscall.SIGKILL); err != nil {
		r.t.Errorf("storetest: kill Redis: %v", err)
	}
}

// redisProgram finds the program: the one that deploy/services.sh names, or else on the PATH.
func redisProgram(t testing.TB) string {
	t.Helper()
	if p := os.Getenv(redisServerEnv); p != "" {
		return p
	}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	missing(t, "no redis-server program")
	return ""
}

// choosePort takes a port that is free at this moment.
func (r *Redis) choosePort() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.Addr = l.Addr().String()
	r.URL = "redis://" + r.Addr + "/0"
	return l.Close()
}

// run starts the process and returns once it accepts connections.
func (r *Redis) run() error {
	_, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return err
	}
	cmd := exec.Command(r.program, "--port", port, "--bind", "127.0.0.1", "--dir", r.dir,
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no")
	dieWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, exited := make(chan struct{}), make(chan struct{})
	var last string // Redis's last words, readable once exited is closed
	go func() {
		defer close(exited)
		last = follow(out, ready)
		cmd.Wait() // the way it ended is its own affair: Kill makes it an error
	}()
	r.cmd, r.exited = cmd, exited
	select {
	case <-ready:
		return nil
	case <-exited:
		r.cmd = nil
		return fmt.Errorf("%s ended at once: %s", r.program, last)
	case <-time.After(redisTimeout):
		return errors.Join(fmt.Errorf("%s was not ready within %v", r.program, redisTimeout), r.signal(syscall.SIGKILL))
	}
}

// follow reads Redis's log to its end, closes ready when it says so, and returns the last line.
func follow(log io.Reader, ready chan<- struct{}) (last string) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		last = lines.Text()
		if ready != nil && strings.Contains(strings.ToLower(last), "ready to accept connections") {
			close(ready)
			ready = nil
		}
	}
	return last
}

// signal sends s and waits until the process has ended.
func (r *Redis) signal(s syscall.Signal) error {
	if r.cmd == nil {
		return errors.New("it is not running")
	}
	if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-r.exited:
		r.cmd = nil
		return nil
	case <-time.After(redisTimeout):
		return fmt.Errorf("still running %v after %v", redisTimeout, s)
	}
}
