package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// shipped builds the binary as it is released.
func shipped(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "leversync")
	if out, err := exec.Command("make", "-C", "../..", "build", "BIN="+program).CombinedOutput(); err != nil {
		b.Fatalf("make build: %v\n%s", err, out)
	}
	return program
}

// launch starts serve and waits until it is ready. It returns the process, and how long that took.
func launch(b *testing.B, program string, c *cli) (*exec.Cmd, time.Duration) {
	b.Helper()
	cmd := exec.Command(program, "serve")
	stderr := newWatched()
	cmd.Stderr = stderr
	cmd.Env = os.Environ()
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill() })
	base, listening := "", regexp.MustCompile(`msg=listening addr=(\S+)`)
	for time.Since(began) < testTimeout {
		if m := listening.FindStringSubmatch(stderr.text()); m != nil {
			base = "http://" + m[1]
		}
		if base != "" {
			if resp, err := http.Get(base + "/readyz"); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return cmd, time.Since(began)
				}
			}
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatalf("serve is not ready: %s", stderr.text())
	return nil, 0
}

// end ends a process as a supervisor does.
func end(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatalf("serve ended with %v", err)
	}
}

// BenchmarkColdStart is how long serve takes from its start to its first answer that it can work. Goal: 1 s.
func BenchmarkColdStart(b *testing.B) {
	c := newCLI(b)
	c.withRedis()
	program := shipped(b)
	var all time.Duration
	for b.Loop() {
		cmd, took := launch(b, program, c)
		all += took
		end(b, cmd)
	}
	b.ReportMetric(0, "ns/op") // which has the end of the process in it
	b.ReportMetric(float64(all.Milliseconds())/float64(b.N), "ms/start")
}

// idleFor is how long a process is left alone before its memory is looked at.
const idleFor = 10 * time.Second

// BenchmarkIdleMemory is what serve has resident with no connector, 10 s after its first start. Goal: 40 MB.
func BenchmarkIdleMemory(b *testing.B) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("no /proc here to read memory from")
	}
	program := shipped(b)
	most := 0.0
	for b.Loop() {
		c := newCLI(b)
		c.withRedis()
		cmd, _ := launch(b, program, c)
		time.Sleep(idleFor)
		most = max(most, resident(b, cmd.Process.Pid))
		end(b, cmd)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(most, "MB-resident")
}

// resident is what a process has resident now, in MB of 2^20 bytes.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		b.Fatalf("no resident memory in /proc/%d/status", pid)
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}

// firstPaint is when the page showed something for the first time, in ms since it was asked for.
const firstPaint = `new Promise(done => new PerformanceObserver(list => {
	for (const e of list.getEntries()) if (e.name === 'first-contentful-paint') done(e.startTime)
}).observe({type: 'paint', buffered: true}))`

// BenchmarkFirstPaint is how long Chromium takes from asking for the list of 1,000 connectors to its first contentful paint,
// with an empty cache. Goal: 300 ms.
func BenchmarkFirstPaint(b *testing.B) {
	c := newCLI(b)
	c.withRedis()
	c.env["LEVERSYNC_OPERATOR_PASSWORD"] = "correct horse battery staple"
	c.db.Fleet(1000)
	api := c.start("api") // no worker: the connectors are for show
	base := "http://" + api.find(api.stderr, `msg=listening addr=(\S+)`)
	page := newChromium(b)
	page.signIn(base, c.env["LEVERSYNC_OPERATOR_PASSWORD"])
	page.do("leave the cache out", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
		return err
	}))
	var painted, answered []float64
	for b.Loop() {
		page.open(base + "/")
		painted = append(painted, evaluate[float64](page, firstPaint))
		answered = append(answered, evaluate[float64](page, "performance.getEntriesByType('navigation')[0].responseEnd"))
	}
	slices.Sort(painted)
	slices.Sort(answered)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(painted[len(painted)/2], "ms-painted-p50")
	b.ReportMetric(painted[len(painted)-1], "ms-painted-max")
	b.ReportMetric(answered[len(answered)/2], "ms-answered-p50")
}
