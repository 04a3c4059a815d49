package worker_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// maxResident is what serve may take of memory at its peak, in bytes.
const maxResident = 150 << 20

// maxBinary is what the shipped binary may weigh, asynqmon's pages in it, in bytes.
const maxBinary = 40e6

// TestServeStaysSmall: the shipped binary, as it is built for release, syncs an account from nothing. With
// LEVERSYNC_TEST_LARGE the account has 100,000 opportunities, and one of 10,000 is read with all children.
func TestServeStaysSmall(t *testing.T) {
	t.Parallel()
	lists := []unified.Scope{unified.Candidates, unified.Applications, unified.Jobs, unified.RemoteUsers, unified.Tags, unified.JobInterviewStages,
		unified.RejectReasons, unified.Departments, unified.Offices}
	program := buildServe(t)
	if !large() {
		measure(t, program, 5000, lists)
		return
	}
	measure(t, program, 100000, lists)
	measure(t, program, 10000, unified.DefaultScopes())
}

// measure syncs an account with serve, and reports its peak of resident memory.
func measure(t testing.TB, program string, n int, scopes []unified.Scope) {
	t.Helper()
	e := newEnv(t, levertest.Config{Seed: 60, Opportunities: n, RatePerSecond: -1, Confidential: true}, fast, scopes...)
	var log bytes.Buffer
	cmd := exec.Command(program, "serve")
	cmd.Stderr = &log
	cmd.Env = append(os.Environ(), "DATABASE_URL="+e.db.URL, "REDIS_URL="+e.redis.URL, "LEVER_API_URL="+e.url,
		"LEVERSYNC_ENCRYPTION_KEY="+storetest.EncryptionKey, "LEVERSYNC_ADDR=127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	took := e.until("serve has synced the account", 20*time.Minute, func() bool {
		select {
		case err := <-exited:
			t.Fatalf("serve ended before it had synced: %v: %s", err, log.String())
		default:
		}
		return e.done()
	})
	peak := peakOf(t, cmd.Process.Pid)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("serve ended with %v: %s", err, log.String())
		}
	case <-time.After(childTimeout):
		t.Errorf("serve still runs %s after SIGTERM", childTimeout)
	}
	records := storetest.Value[int](e.db, `SELECT count(*) FROM applications`)
	t.Logf("%d opportunities, %d scopes, %d calls in %s: at most %.1f MB resident", n, len(scopes), e.calls(), took.Round(time.Second), float64(peak)/(1<<20))
	if peak > maxResident {
		t.Errorf("%.1f MB resident at %d opportunities, want at most %d", float64(peak)/(1<<20), n, maxResident>>20)
	}
	if records != n {
		t.Errorf("%d applications, want %d", records, n)
	}
}

// builtIn is the folder of the binary, which TestMain removes; "": none was built.
var builtIn string

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "leversync-built-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	program := filepath.Join(dir, "leversync")
	if out, err := exec.Command("make", "-C", "..", "build", "BIN="+program).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

// buildServe builds the binary, once for all tests, without the race detector's tenfold memory.
func buildServe(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here to read the peak of memory from")
	}
	program, err := buildOnce()
	if err != nil {
		t.Fatalf("make build: %v", err)
	}
	built, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("the binary is %.1f MB large", float64(built.Size())/1e6); built.Size() > maxBinary {
		t.Errorf("the binary is %d bytes large, want at most %d", built.Size(), int64(maxBinary))
	}
	return program
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakOf is the most that a process has had resident, in bytes.
func peakOf(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := peakLine.FindSubmatch(status)
	if m == nil {
		t.Fatalf("no peak of memory in /proc/%d/status", pid)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
