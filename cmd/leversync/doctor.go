package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// checkTimeout bounds each check, so that one service that hangs does not keep the others' results.
const checkTimeout = 6 * time.Second

// The results of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
	checkSkip = "skip" // what it needs is not there, of which another check tells
)

// finding is what a check found.
type finding struct {
	Check  string `json:"check"`
	Group  string `json:"group"`
	Result string `json:"result"` // ok, warn, fail, skip
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // of a warn or a fail
}

func ok(format string, args ...any) finding {
	return finding{Result: checkOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) finding {
	return finding{Result: checkWarn, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func fail(fix, format string, args ...any) finding {
	return finding{Result: checkFail, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) finding {
	return finding{Result: checkSkip, Detail: fmt.Sprintf(format, args...)}
}

// check is one question of the doctor's.
type check struct {
	group, name string
	ask         func(context.Context, *doctor) finding
}

// doctor has what the checks look at. What several need is asked for once.
type doctor struct {
	cfg       config.Config // of those parts that are right
	problems  []string      // of the others
	connector *store.Connector
	store     *store.Store  // nil: not configured
	redis     *redis.Client // nil: not configured
	queue     *task.Queue   // nil, like redis
	http      *http.Client
	server    func() (store.Server, error)
	upkeep    func() (store.Upkeep, error)
	pending   func() (int, error)
	workload  func() (store.Workload, error)
	info      func() (string, error) // of Redis
	queues    func() ([]task.QueueState, error)
}

func (a *app) doctorCommand() *cobra.Command {
	var connector string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that leversync needs, and say what to do about it",
		Long: `Check everything that leversync needs, and say what to do about it: the configuration, Postgres, Redis, clocks, keys,
the public URL, Lever, schedulers, workers, and how the syncs stand. Nothing is changed. With --connector, Lever is asked
which of its lists the account's credential may read: some ten calls.

Exit codes: 0 all is well, 1 something deserves a look, 2 something does not work.`,
		Example: `  leversync doctor
  leversync doctor --connector 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11
  leversync doctor --json | jq '.findings[] | select(.result != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := a.examine(cmd.Context(), connector)
			if err != nil {
				return err
			}
			return a.printFindings(findings)
		},
	}
	c.Flags().StringVar(&connector, "connector", "", "an account's id: ask Lever what its credential may read")
	return c
}

// examine runs all checks, side by side.
func (a *app) examine(ctx context.Context, connector string) ([]finding, error) {
	d := a.newDoctor(ctx)
	defer d.close()
	if connector != "" {
		if _, err := connectorID(connector); err != nil {
			return nil, err
		}
		if d.store == nil {
			return nil, errors.New("--connector needs DATABASE_URL")
		}
		c, err := a.connector(ctx, d.store, connector)
		if err != nil {
			return nil, err
		}
		d.connector = &c
	}
	out := make([]finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			f := c.ask(ctx, d)
			f.Check, f.Group = c.name, c.group
			out[i] = f
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// newDoctor opens what is configured; it waits for nothing.
func (a *app) newDoctor(ctx context.Context) *doctor {
	d := &doctor{http: &http.Client{Timeout: checkTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	d.loadConfig(a)
	if d.cfg.DatabaseURL != "" {
		s, err := store.Open(ctx, store.Config{URL: d.cfg.DatabaseURL.Reveal(), MaxConns: 4, Keys: d.cfg.Keyring, StatementTimeout: checkTimeout})
		if err == nil {
			d.store = s
		}
	}
	if d.cfg.RedisOptions != nil {
		redis.SetLogger(quiet{})
		opt := *d.cfg.RedisOptions
		opt.MaxRetries, opt.DialTimeout, opt.ReadTimeout = -1, checkTimeout/2, checkTimeout/2
		d.redis = redis.NewClient(&opt)
		d.queue = task.NewQueue(d.redis)
	}
	d.server = shared(ctx, func(ctx context.Context) (store.Server, error) { return d.store.Server(ctx) })
	d.upkeep = shared(ctx, func(ctx context.Context) (store.Upkeep, error) { return d.store.Upkeep(ctx) })
	d.pending = shared(ctx, func(ctx context.Context) (int, error) { return store.Pending(ctx, d.cfg.DatabaseURL.Reveal()) })
	d.workload = shared(ctx, func(ctx context.Context) (store.Workload, error) { return d.store.Workload(ctx, d.cfg.SyncInterval) })
	d.info = shared(ctx, func(ctx context.Context) (string, error) { return d.redis.Info(ctx, "everything").Result() })
	d.queues = shared(ctx, func(context.Context) ([]task.QueueState, error) { return d.queue.State() })
	return d
}

func (d *doctor) close() {
	if d.store != nil {
		d.store.Close()
	}
	if d.redis != nil {
		_ = d.redis.Close()
	}
	d.http.CloseIdleConnections()
}

// loadConfig reads part by part: what is wrong with one keeps no check of another from being made.
func (d *doctor) loadConfig(a *app) {
	for _, part := range []config.Need{config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Schedule, config.Serve} {
		c, err := a.load(part)
		var bad *config.Error
		if errors.As(err, &bad) {
			d.problems = append(d.problems, bad.Problems...)
			continue
		}
		switch part {
		case config.Database:
			d.cfg.DatabaseURL, d.cfg.DBConns = c.DatabaseURL, c.DBConns
		case config.Redis:
			d.cfg.RedisURL, d.cfg.RedisOptions = c.RedisURL, c.RedisOptions
		case config.Keys:
			d.cfg.Keyring = c.Keyring
		case config.Lever:
			d.cfg.LeverAPIURL, d.cfg.LeverAuthURL, d.cfg.LeverClientID, d.cfg.LeverClientSecret = c.LeverAPIURL, c.LeverAuthURL, c.LeverClientID, c.LeverClientSecret
		case config.Work:
			d.cfg.RateLimit, d.cfg.Concurrency = c.RateLimit, c.Concurrency
		case config.Schedule:
			d.cfg.SyncInterval = c.SyncInterval
		case config.Serve:
			d.cfg.Addr, d.cfg.PublicURL, d.cfg.AllowHTTP = c.Addr, c.PublicURL, c.AllowHTTP
		}
	}
}

// shared asks once, whoever asks first, and gives all the same answer.
func shared[T any](ctx context.Context, ask func(context.Context) (T, error)) func() (T, error) {
	return sync.OnceValues(func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		return ask(ctx)
	})
}

// printFindings prints them, and returns what they come to.
func (a *app) printFindings(findings []finding) error {
	n := map[string]int{}
	for _, f := range findings {
		n[f.Result]++
	}
	if a.json {
		if err := a.printJSON(map[string]any{"findings": findings, "counts": n}); err != nil {
			return err
		}
	} else {
		writeFindings(a.stdout, a.style(a.stdout), findings)
		fmt.Fprintf(a.stdout, "\n%s: %d ok, %d to look at, %d not working, %d not made\n", plural(int64(len(findings)), "check"), n[checkOK], n[checkWarn], n[checkFail], n[checkSkip])
	}
	switch {
	case n[checkFail] > 0:
		return &findingsError{text: fmt.Sprintf("%s failed", plural(int64(n[checkFail]), "check")), code: 2}
	case n[checkWarn] > 0:
		return &findingsError{text: fmt.Sprintf("%s to look at", plural(int64(n[checkWarn]), "thing")), code: 1}
	}
	return nil
}

func writeFindings(w io.Writer, st style, findings []finding) {
	group := ""
	for len(findings) > 0 {
		f, n := findings[0], alike(findings)
		findings = findings[n:]
		if n > 1 {
			f.Check = plural(int64(n), "check")
		}
		if f.Group != group {
			if group != "" {
				fmt.Fprintln(w)
			}
			group = f.Group
			fmt.Fprintln(w, st.bold(group))
		}
		fmt.Fprintf(w, "  %s  %-20s %s\n", st.state(fmt.Sprintf("%-4s", f.Result)), f.Check, strings.ReplaceAll(printable(f.Detail), "\n", " "))
		if f.Fix != "" {
			fmt.Fprintf(w, "        %-20s %s\n", "", st.dim("→ "+f.Fix))
		}
	}
}

// alike is how many findings from the first on are to be told in one line: checks of a group that were not made for the same
// reason, which would bury what failed.
func alike(findings []finding) int {
	first, n := findings[0], 1
	for first.Result == checkSkip && n < len(findings) && findings[n].Result == checkSkip && findings[n].Group == first.Group && findings[n].Detail == first.Detail {
		n++
	}
	return n
}

// discard is a log for what the doctor borrows from the roles.
var discard = slog.New(slog.DiscardHandler)
