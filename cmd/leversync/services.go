package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

// askAgain is the pause between two looks whether a service that was away is back.
const askAgain = 500 * time.Millisecond

// load reads the configuration of the parts named.
func (a *app) load(needs ...config.Need) (config.Config, error) {
	return config.Load(a.getenv, needs...)
}

// logger logs to standard error, so that standard output holds what was asked for.
func (a *app) logger(cfg config.Config) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" || a.json {
		return slog.New(namedRequests{slog.NewJSONHandler(a.stderr, opt)})
	}
	return slog.New(namedRequests{slog.NewTextHandler(a.stderr, opt)})
}

// store opens Postgres, waits for it to be there, and refuses one whose schema is older than the binary.
func (a *app) store(ctx context.Context, cfg config.Config) (*store.Store, error) {
	s, err := a.anyStore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := refusePending(ctx, cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// anyStore is store, whatever the schema.
func (a *app) anyStore(ctx context.Context, cfg config.Config) (*store.Store, error) {
	s, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL.Reveal(), MaxConns: int32(cfg.DBConns), MaxReads: cfg.DBReads, Keys: cfg.Keyring})
	if err != nil {
		return nil, err
	}
	if err := a.await(ctx, cfg.StartTimeout, "Postgres", "DATABASE_URL", s.Ping); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func refusePending(ctx context.Context, cfg config.Config) error {
	n, err := store.Pending(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the database lacks %s of this version: run `leversync migrate` first", plural(int64(n), "migration"))
	}
	return nil
}

// redis opens Redis, waits for it to be there, and refuses one that asynq can't work with.
func (a *app) redis(ctx context.Context, cfg config.Config, log *slog.Logger) (*redis.Client, error) {
	redis.SetLogger(quiet{}) // it logs what it returns as well
	rdb := redis.NewClient(cfg.RedisOptions)
	err := a.await(ctx, cfg.StartTimeout, "Redis", "REDIS_URL", func(ctx context.Context) error { return pingOnce(ctx, cfg.RedisOptions) })
	if err == nil {
		err = checkRedis(ctx, rdb, log)
	}
	if err != nil {
		_ = rdb.Close()
		return nil, err
	}
	return rdb, nil
}

// pingOnce asks without go-redis' own retries: some thirty dials take as long as a question may, and would then end in a deadline
// that says nothing of why Redis can't be reached.
func pingOnce(ctx context.Context, opt *redis.Options) error {
	once := *opt
	once.MaxRetries, once.DialerRetries = -1, 1
	rdb := redis.NewClient(&once)
	defer func() { _ = rdb.Close() }()
	return rdb.Ping(ctx).Err()
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// checkRedis refuses a server older than 6.2, on which asynq's scripts fail half-way, and warns of one that evicts.
func checkRedis(ctx context.Context, rdb *redis.Client, log *slog.Logger) error {
	info, err := rdb.Info(ctx).Result()
	if err != nil {
		return nil // some hosted ones have no INFO; they answered PING
	}
	var major, minor int
	if _, err := fmt.Sscanf(infoValue(info, "redis_version"), "%d.%d", &major, &minor); err == nil && (major < 6 || major == 6 && minor < 2) {
		return fmt.Errorf("version %d.%d of Redis is too old: it takes 6.2 or newer", major, minor)
	}
	if policy := infoValue(info, "maxmemory_policy"); policy != "" && policy != "noeviction" && log != nil {
		log.WarnContext(ctx, "Redis may evict tasks: set maxmemory-policy noeviction", "maxmemory_policy", policy)
	}
	return nil
}

func infoValue(info, key string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// await asks until the answer is yes, says once that it is waiting, and gives up after limit, or at once where
// waiting does not help.
func (a *app) await(ctx context.Context, limit time.Duration, name, variable string, ping func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	said := false
	for {
		pctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ping(pctx)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case refuses(name, err):
			return fmt.Errorf("%s refuses us (%w): check %s", name, cause(err), variable)
		case time.Now().After(deadline):
			return fmt.Errorf("%s can't be reached (%w): start it, or check %s", name, cause(err), variable)
		case !said:
			fmt.Fprintf(a.stderr, "leversync: %s can't be reached (%v): trying for %s\n", name, cause(err), limit)
			said = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// refuses reports whether the server is there and says no: a wrong password stays wrong.
func refuses(name string, err error) bool {
	if name == "Postgres" {
		return store.Refused(err)
	}
	text := err.Error()
	return strings.HasPrefix(text, "WRONGPASS") || strings.HasPrefix(text, "NOAUTH") || strings.HasPrefix(text, "NOPERM")
}

// cause is the error at the end of the chain: what is before it repeats host, user and database.
func cause(err error) error {
	for {
		var next error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if next == nil {
			return err
		}
		if _, ok := err.(*os.SyscallError); ok {
			return err
		}
		err = next
	}
}

// connectorID reads an argument that names a connector.
func connectorID(arg string) (uuid.UUID, error) {
	id, err := uuid.Parse(arg)
	if err != nil {
		return id, &usageError{fmt.Errorf("%q is no connector id: `leversync connector list` shows them", arg)}
	}
	return id, nil
}

// connector finds the one that an argument names.
func (a *app) connector(ctx context.Context, s *store.Store, arg string) (store.Connector, error) {
	id, err := connectorID(arg)
	if err != nil {
		return store.Connector{}, err
	}
	c, err := s.Connector(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return c, fmt.Errorf("%w: there is no connector %s: `leversync connector list` shows those there are", errNotFound, id)
	}
	return c, err
}

// errNotFound is store.ErrNotFound with a text for people.
var errNotFound error = notFound{}

type notFound struct{}

func (notFound) Error() string        { return "not found" }
func (notFound) Is(target error) bool { return target == store.ErrNotFound }
