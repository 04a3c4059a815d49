package lever

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a recorded answer; the test is skipped where there are none.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("LEVERSYNC_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no recorded answers beside the checkout; LEVERSYNC_FIXTURES names their folder")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatalf("fixture: %v", err)
	}
	return b
}

// privateRedis is a Redis of this test's own: it is stopped and started at will.
type privateRedis struct {
	addr string
	dir  string
	cmd  *exec.Cmd
}

// startRedis runs a redis-server on a free loopback port, to the end of the test.
func startRedis(t testing.TB) *privateRedis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server in PATH")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &privateRedis{addr: l.Addr().String(), dir: t.TempDir()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	t.Cleanup(r.stop)
	return r
}

func (r *privateRedis) start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", r.dir)
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("redis-server: %v", err)
	}
	c := redis.NewClient(&redis.Options{Addr: r.addr})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for c.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			t.Fatal("redis-server does not answer")
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func (r *privateRedis) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// testRedis is the Redis of LEVERSYNC_TEST_REDIS_URL, or a private one.
func testRedis(t testing.TB) *redis.Options {
	t.Helper()
	if url := os.Getenv("LEVERSYNC_TEST_REDIS_URL"); url != "" {
		o, err := redis.ParseURL(url)
		if err != nil {
			t.Fatalf("LEVERSYNC_TEST_REDIS_URL: %v", err)
		}
		return o
	}
	return &redis.Options{Addr: startRedis(t).addr}
}

// newBudgets is what one process has: its own client of Redis, closed at the test's end. Those of one test, and of no other run
// of it, share what they remember.
func newBudgets(t testing.TB, o *redis.Options) *Budgets {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLSConfig})
	t.Cleanup(func() { _ = c.Close() })
	return NewBudgets(c, BudgetOptions{Prefix: "test:" + filepath.Dir(t.TempDir()) + ":"})
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
