package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// benchLarge asks the benchmarks for their long forms: a million opportunities, thousands of connectors, real time.
func benchLarge() bool { return os.Getenv("LEVERSYNC_BENCH_LARGE") != "" }

// listScopes are those that opportunities and their applications are read for, without their children.
var listScopes = []unified.Scope{unified.Candidates, unified.Applications}

const leverEnv = "LEVERSYNC_TEST_LEVER" // what a child's fake Lever is like: an account, in JSON

// account is what a fake Lever in a process of its own is like.
type account struct {
	Opportunities int
	Rate          float64 // calls a second; below 0: no limit
	Latency       time.Duration
	Keys          []string // nil: test-key
}

// leverMain is a fake Lever in a process of its own, so that its CPU is not taken for a worker's. It says on which
// port it listens, and serves until SIGTERM, or until whoever started it is gone.
func leverMain() error {
	var a account
	if err := json.Unmarshal([]byte(os.Getenv(leverEnv)), &a); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s := levertest.New(levertest.Config{Seed: 7, Opportunities: a.Opportunities, RatePerSecond: a.Rate, Latency: a.Latency, APIKeys: a.Keys,
		Confidential: true, Epoch: benchEpoch()})
	defer s.Close()
	addr, end, err := levertest.Serve("127.0.0.1:0", s)
	if err != nil {
		return err
	}
	defer end()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(addr, "http://"))
	if err != nil {
		return err
	}
	fmt.Printf("{\"port\": %s}\nready\n", port)
	<-ctx.Done()
	return nil
}

// benchEpoch is the last moment of a benchmark's account: nobody in it was interviewed lately, which would be polled.
func benchEpoch() time.Time { return time.Now().UTC().AddDate(0, -3, 0).Truncate(24 * time.Hour) }

// benchEnv is a leversync of processes: a fake Lever and the workers are children, and this process looks on. Its
// connector is one without a limit.
func benchEnv(b *testing.B, a account, scopes ...unified.Scope) *env {
	b.Helper()
	e := lookOn(b, a)
	c, _, err := e.db.Store.CreateConnector(b.Context(), store.NewConnector{
		OrgName: "Acme", OriginID: "acme-1", APIKey: "test-key", Scopes: scopes, RateLimit: fast, SyncInterval: 24 * time.Hour,
	})
	if err != nil {
		b.Fatalf("CreateConnector: %v", err)
	}
	e.conn = c
	return e
}

// lookOn is benchEnv without a connector.
func lookOn(b *testing.B, a account) *env {
	b.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		b.Skip("no /proc here to read CPU and memory from")
	}
	e := &env{t: b, db: storetest.New(b), redis: storetest.NewRedis(b)}
	e.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel(slog.LevelError)}))
	spec, err := json.Marshal(a)
	if err != nil {
		b.Fatal(err)
	}
	fake := spawn(b, "lever", childRoleEnv+"=lever", leverEnv+"="+string(spec))
	e.url = fmt.Sprintf("http://127.0.0.1:%d/v1", fake.answer("port"))
	opt, err := redis.ParseURL(e.redis.URL)
	if err != nil {
		b.Fatal(err)
	}
	e.rdb = redis.NewClient(opt)
	b.Cleanup(func() { _ = e.rdb.Close() })
	e.queue = task.NewQueue(e.rdb)
	return e
}

// answer is one of the numbers that a child has told.
func (c *child) answer(key string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers[key]
}

// clockTick is the unit of the times in /proc, on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// usage is what a process has used: its CPU, that of its children that have ended, and its parent.
type usage struct {
	cpu, ended time.Duration
	parent     int
}

// usageOf reads /proc; false where there is no such process any more.
func usageOf(pid int) (usage, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, false
	}
	// The name, in brackets, may hold blanks.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 15 {
		return usage{}, false
	}
	n := func(i int) time.Duration { v, _ := strconv.Atoi(f[i]); return time.Duration(v) }
	return usage{cpu: (n(11) + n(12)) * clockTick, ended: (n(13) + n(14)) * clockTick, parent: int(n(1))}, true
}

// cpu is what the child has used until now, or until its end.
func (c *child) cpu() time.Duration {
	select {
	case <-c.exited:
		return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
	default:
		u, _ := usageOf(c.pid())
		return u.cpu
	}
}

// postgresCPU is what Postgres has used so far, all its processes together.
func postgresCPU(b *testing.B, db *storetest.DB) time.Duration {
	b.Helper()
	u, ok := usageOf(storetest.Value[int](db, `SELECT pg_backend_pid()`))
	if !ok {
		return 0 // it runs elsewhere
	}
	main := u.parent
	u, _ = usageOf(main)
	sum := u.cpu + u.ended
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		b.Fatal(err)
	}
	for _, dir := range all {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if u, ok := usageOf(pid); ok && u.parent == main {
			sum += u.cpu
		}
	}
	return sum
}

// settleDown has Postgres do now what it would do at some moment of the measurement: vacuum, statistics, a checkpoint.
func settleDown(b *testing.B, db *storetest.DB) {
	b.Helper()
	db.Exec(`VACUUM ANALYZE`)
	administer(b, `CHECKPOINT`)
}

// undisturbed does something while Postgres begins no vacuum and no checkpoint of its own: both write to its log, as they
// fall due and not by what is done, and after a checkpoint each page that is touched once more is written whole.
func undisturbed(b *testing.B, do func()) {
	b.Helper()
	administer(b, `ALTER SYSTEM SET autovacuum = off`, `ALTER SYSTEM SET checkpoint_timeout = '1h'`, `SELECT pg_reload_conf()`)
	defer administer(b, `ALTER SYSTEM RESET autovacuum`, `ALTER SYSTEM RESET checkpoint_timeout`, `SELECT pg_reload_conf()`)
	do()
}

// administer runs statements as the server's administrator.
func administer(b *testing.B, statements ...string) {
	b.Helper()
	ctx := b.Context()
	conn, err := pgx.Connect(ctx, os.Getenv("LEVERSYNC_TEST_DATABASE_URL"))
	if err == nil {
		for _, sql := range statements {
			if _, err = conn.Exec(ctx, sql); err != nil {
				err = fmt.Errorf("%s: %w", sql, err)
				break
			}
		}
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		b.Fatal(err)
	}
}

// logPosition is how many bytes the server has written to its log.
func logPosition(db *storetest.DB) int64 {
	return storetest.Value[int64](db, `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
}

// a rate of n in d, a second.
func rateOf(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
