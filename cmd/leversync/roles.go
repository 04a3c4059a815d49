package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
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
	addr              string // of the HTTP server; "": none
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
	log := a.logger(cfg)
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
	p := newProcess(cfg, r, s, rdb, log)
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

	worker    *worker.Worker       // nil: not its role
	writer    *worker.Writer       // nil, like worker
	scheduler *scheduler.Scheduler // nil: not its role
	draining  atomic.Bool
	listening func(url string)      // told of the address, once; may be nil
	password  func(password string) // told of the operator's password, where the first start made one; may be nil
}

func newProcess(cfg config.Config, r roles, s *store.Store, rdb *redis.Client, log *slog.Logger) *process {
	p := &process{cfg: cfg, roles: r, store: s, redis: rdb, log: log}
	if r.worker {
		p.worker = worker.New(worker.Config{
			Store: s, Redis: rdb, Log: log,
			LeverURL:  cfg.LeverAPIURL,
			OAuth:     oauthOf(cfg),
			RateLimit: cfg.RateLimit, Concurrency: cfg.Concurrency, FullInterval: cfg.FullInterval, SweepPeriod: cfg.SweepPeriod,
		})
		p.writer = worker.NewWriter(p.worker, worker.WriterConfig{})
	}
	if r.scheduler {
		p.scheduler = scheduler.New(scheduler.Config{Store: s, Redis: rdb, Log: log, Interval: cfg.SyncInterval, KeepCalls: cfg.KeepCalls})
	}
	return p
}

// run runs the roles until the context ends or one of them fails, and returns when all have ended.
func (p *process) run(ctx context.Context) error {
	if err := p.ensureOperator(ctx); err != nil {
		return err
	}
	l, err := p.listen(ctx)
	if err != nil {
		return err
	}
	h, err := p.handler()
	if err != nil {
		return errors.Join(err, closeListener(l))
	}
	if p.worker != nil {
		if err := p.worker.Start(); err != nil {
			return errors.Join(err, closeListener(l))
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	if l != nil {
		g.Go(func() error { return p.serveHTTP(ctx, l, h) })
	}
	if p.worker != nil {
		g.Go(func() error { return p.upkeep(ctx) })
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
	err = g.Wait()
	p.log.InfoContext(ctx, "ended")
	return err
}

// listen takes the HTTP server's address; nil: it has none.
func (p *process) listen(ctx context.Context) (net.Listener, error) {
	if p.roles.addr == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.roles.addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: is it in use? LEVERSYNC_ADDR or --addr names another", p.roles.addr, cause(err))
	}
	if _, port, _ := net.SplitHostPort(p.roles.addr); port == "0" {
		p.cfg.Addr = l.Addr().String() // the system has chosen: links and redirects must name it
	}
	if p.listening != nil {
		p.listening("http://" + l.Addr().String())
	}
	return l, nil
}

func closeListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}
