// Command bench runs the project's benchmarks and prints one table of them: what, its figure, the limit measured in the
// same run, their ratio, and the goal. It is for `make bench` and `make bench-compare`, and no part of leversync.
//
// Each benchmark is an ordinary one of Go's, in the package of what it measures; steps says which are run, and rows what
// of them the table shows. Times say as much of the machine as of the code, so that the goals are ratios within one run.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: bench run [STEP…]        run all benchmarks, or those whose names hold a STEP, and print the table
       bench compare OLD NEW    print two results side by side

BENCH_OUT names the file for the results as JSON (.bench/TIME.json); LEVERSYNC_BENCH_LARGE asks for the long forms`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "run":
		now := time.Now().UTC()
		out := getenv("BENCH_OUT")
		if out == "" {
			out = filepath.Join(".bench", now.Format("2006-01-02T150405Z")+".json")
		}
		return measure(ctx, args[1:], now, out, stdout, stderr)
	case len(args) == 3 && args[0] == "compare":
		old, err := load(args[1])
		if err != nil {
			return err
		}
		recent, err := load(args[2])
		if err != nil {
			return err
		}
		return compare(stdout, old, recent)
	}
	return errors.New(usage)
}

// result is a run as it is kept.
type result struct {
	At      time.Time `json:"at"`
	Commit  string    `json:"commit"`
	Go      string    `json:"go"`
	CPUs    int       `json:"cpus"`
	Large   bool      `json:"large"`
	Seconds float64   `json:"seconds"`
	Metrics metrics   `json:"metrics"`
	Rows    []line    `json:"rows"`
	Failed  []string  `json:"failed,omitempty"` // benchmarks that did not run to their end
}

// measure runs the steps and writes what they came to.
func measure(ctx context.Context, only []string, now time.Time, out string, stdout, stderr io.Writer) error {
	r := result{At: now, Commit: commit(ctx), Go: runtime.Version(), CPUs: runtime.NumCPU(), Large: os.Getenv("LEVERSYNC_BENCH_LARGE") != "", Metrics: metrics{}}
	for _, s := range steps {
		if !s.chosen(only) {
			continue
		}
		began := time.Now()
		text, err := s.run(ctx, stderr)
		fmt.Fprintf(stderr, "bench: %s took %.0f s\n", s.bench, time.Since(began).Seconds())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.Failed = append(r.Failed, fmt.Sprintf("%s: %v", s.bench, err))
			_, _ = io.Copy(stderr, bytes.NewReader(text))
		}
		parse(r.Metrics, string(text))
	}
	r.Seconds = time.Since(now).Seconds()
	r.Rows = table(r.Metrics)
	printTable(stdout, r)
	if err := save(out, r); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%.0f s; as JSON in %s\n", r.Seconds, out)
	if len(r.Failed) > 0 {
		return fmt.Errorf("these failed:\n%s", strings.Join(r.Failed, "\n"))
	}
	return nil
}

// commit is what is measured; "" where that is not known.
func commit(ctx context.Context) string {
	b, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// run runs a step's benchmarks and returns what they printed.
func (s step) run(ctx context.Context, stderr io.Writer) ([]byte, error) {
	fmt.Fprintf(stderr, "bench: %s in %s\n", s.bench, s.pkg)
	cmd := exec.CommandContext(ctx, "go", "test", s.pkg, "-run", "^$", "-bench", "^"+s.bench+"$", "-benchtime", s.times, "-count", "1", "-timeout", "3h")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, stderr
	err := cmd.Run()
	return text.Bytes(), err
}

func save(path string, r result) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func load(path string) (result, error) {
	var r result
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
