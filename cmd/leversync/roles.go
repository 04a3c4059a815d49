package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/scheduler"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker"
)

// roles are what a process does.
type roles struct {
	worker, scheduler bool
	web               bool   // the API and the pages to connect accounts, on the HTTP server
	addr              string // of the HTTP server; "": none, but for that of the metrics if it is set
	migrate           bool   // instead of refusing to start on an old schema
}

func (r roles) String() string {
	var names []string
	if r.worker {
		names = append(names, "worker")
	}
	if r.scheduler {
		names = append(names, "scheduler")
	}
	if r.addr != "" {
		names = append(names, "http")
	}
	if r.web {
		names = append(names, "api")
	}
	return strings.Join(names, "+")
}

// runRoles opens what they need and runs them until the context ends, then waits for all of it.
func (a *app) runRoles(ctx context.Context, cfg config.Config, r roles) error {
	if r.addr != "" {
		if err := config.CheckAddr(r.addr); err != nil {
			return &usageError{fmt.Errorf("--addr: %w", err)}
		}
	}
	if r.web {
		if err := cfg.CheckReach(); err != nil {
			return err
		}
	}
	log := a.logger(cfg)
	traces, err := a.traces(ctx, log)
	if err != nil {
		return err
	}
	defer traces.close(log)
	s, err := a.roleStore(ctx, cfg, r.migrate)
	if err != nil {
		return err
	}
	defer s.Close()
	rdb, err := a.redis(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer rdb.Close()
	p := newProcess(cfg, r, s, rdb, log, traces.tracer())
	p.password = a.printPassword
	return p.run(ctx)
}

func (a *app) roleStore(ctx context.Context, cfg config.Config, migrate bool) (*store.Store, error) {
	if migrate {
		if _, err := a.migrate(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return a.store(ctx, cfg)
}

// process is what runs: the roles of one process, over one Postgres pool and one Redis client.
type process struct {
	cfg   config.Config
	roles roles
	store *store.Store
	redis *redis.Client
	log   *slog.Logger

	worker    *worker.Worker       // nil: not its role; started only where it is, since the API calls and writes through it too
	writer    *worker.Writer       // nil, like worker
	scheduler *scheduler.Scheduler // nil: not its role
	draining  atomic.Bool
	listening func(url string)           // told of the address, once; may be nil
	password  func(url, password string) // told of the dashboard, and of its password where the first start made one; may be nil

	syncMetrics *syncMetrics // nil, like worker
	httpMetrics *httpMetrics
}

func newProcess(cfg config.Config, r roles, s *store.Store, rdb *redis.Client, log *slog.Logger, tracer trace.Tracer) *process {
	p := &process{cfg: cfg, roles: r, store: s, redis: rdb, log: log, httpMetrics: newHTTPMetrics()}
	if r.worker || r.web {
		p.syncMetrics = newSyncMetrics(cfg.MetricsConnectors)
		p.worker = worker.New(worker.Config{
			Store: s, Redis: rdb, Log: log,
			LeverURL:  cfg.LeverAPIURL,
			OAuth:     oauthOf(cfg),
			RateLimit: cfg.RateLimit, Concurrency: cfg.Concurrency, FullInterval: cfg.FullInterval, SweepPeriod: cfg.SweepPeriod,
			Observer: p.syncMetrics, Tracer: tracer,
		})
		p.writer = worker.NewWriter(p.worker, worker.WriterConfig{})
	}
	if r.scheduler {
		p.scheduler = scheduler.New(scheduler.Config{Store: s, Redis: rdb, Log: log, Interval: cfg.SyncInterval, KeepCalls: cfg.KeepCalls, Keep: cfg.Keep})
	}
	return p
}

// run runs the roles until the context ends or one of them fails, and returns when all have ended.
func (p *process) run(ctx context.Context) error {
	sites, err := p.sites(ctx)
	if err != nil {
		return err
	}
	if err := p.ensureOperator(ctx); err != nil { // no request is answered yet
		return errors.Join(err, closeSites(sites))
	}
	if p.roles.worker {
		if err := p.worker.Start(); err != nil {
			return errors.Join(err, closeSites(sites))
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range sites {
		g.Go(func() error { return p.serveHTTP(ctx, s) })
	}
	if p.worker != nil {
		g.Go(func() error { return p.upkeep(ctx) })
	}
	if p.roles.worker {
		g.Go(func() error {
			<-ctx.Done()
			p.draining.Store(true)
			p.worker.Shutdown()
			return nil
		})
	}
	if p.scheduler != nil {
		g.Go(func() error { return p.scheduler.Run(ctx) })
	}
	p.log.InfoContext(ctx, "started", "roles", p.roles.String(), "version", readBuild().Version)
	debug.FreeOSMemory() // what starting took, and is garbage now: a password's hash alone takes 64 MB
	err = g.Wait()
	if p.worker != nil {
		p.worker.Shutdown() // no request is left whose calls are to be logged
	}
	p.log.InfoContext(ctx, "ended")
	return err
}
