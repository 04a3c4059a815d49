package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// The demo's account, and the pace at which its Lever lets itself be read.
const (
	demoSize  = 2000
	demoRate  = 200
	demoBurst = 2 * demoRate
	demoKey   = "demo-key"
	demoSeed  = 7
)

// demoEncryptionKey seals the demo's one credential, the fake key above: base64 of a text that says so.
const demoEncryptionKey = "bm90IGEgc2VjcmV0OiB0aGUgZGVtbydzIG93biBrZXk="

func (a *app) demoCommand() *cobra.Command {
	var keep bool
	size := demoSize
	c := &cobra.Command{
		Use:   "demo",
		Short: "Sync a simulated account, change it, sync again, query it, and write to it",
		Long: `Sync a simulated Lever account into Postgres, change a few records, sync again, ask three questions in SQL, and
create a candidate over HTTP, with lines that can be copied.
It wants a Postgres and a Redis of its own: in a checkout, "make demo" starts them and runs this.`,
		Example: "  make demo\n  make demo KEEP=1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if size < 50 || size > 100_000 {
				return &usageError{errors.New("--opportunities: from 50 to 100000")}
			}
			return a.demo(cmd.Context(), size, keep)
		},
	}
	c.Flags().BoolVar(&keep, "keep", false, "stay up at the end, and say where everything is, until interrupted")
	c.Flags().IntVar(&size, "opportunities", size, "size of the simulated account")
	return c
}

// demo is one run of it.
type demo struct {
	app   *app
	out   io.Writer // where the story is told: standard error when standard output is for JSON
	cfg   config.Config
	store *store.Store
	redis *redis.Client
	lever *levertest.Server
	url   string // of the fake Lever
	http  string // of our own server

	password string // of the dashboard; "": it was set before
	conn     store.Connector
	token    string     // of the connector
	key      *uuid.UUID // of the API; nil: there is none yet
	begun    time.Time
	told     demoReport

	finished bool // the story is told: what is left is to wait for Ctrl-C
}

// demoReport is what demo --json prints.
type demoReport struct {
	ConnectorID uuid.UUID     `json:"connector_id"`
	First       result        `json:"first_sync"`
	Changes     []string      `json:"changes"`
	Second      result        `json:"second_sync"`
	Moved       []store.Moved `json:"moved"`
	Questions   []demoAnswer  `json:"questions"`
	Calls       []demoCall    `json:"calls"`
	Seconds     float64       `json:"seconds"`
}

type demoAnswer struct {
	Question string       `json:"question"`
	SQL      string       `json:"sql"`
	Answer   store.Answer `json:"answer"`
}

// demo opens what the demo needs, runs it, and leaves nothing behind.
func (a *app) demo(ctx context.Context, size int, keep bool) error {
	d := &demo{app: a, out: a.stdout, begun: time.Now()}
	if a.json {
		d.out = a.stderr
	}
	cfg, err := config.Load(d.environment, config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Schedule, config.Serve)
	if err != nil {
		return err
	}
	d.cfg = cfg
	d.lever = levertest.New(levertest.Config{Seed: demoSeed, Opportunities: size, RatePerSecond: demoRate, Burst: demoBurst, APIKeys: []string{demoKey}})
	defer d.lever.Close()
	url, stop, err := levertest.Serve("127.0.0.1:0", d.lever)
	if err != nil {
		return err
	}
	defer stop()
	d.url, d.cfg.LeverAPIURL, d.cfg.LeverAuthURL = url, url+"/v1", url
	if d.store, err = a.roleStore(ctx, d.cfg, true); err != nil {
		return err
	}
	defer d.store.Close()
	if d.redis, err = a.redis(ctx, d.cfg, nil); err != nil {
		return err
	}
	defer d.redis.Close()
	return d.run(ctx, size, keep)
}

// environment is the process's, but for the key, which the demo brings along, and a port that is free.
func (d *demo) environment(name string) string {
	switch name {
	case "LEVERSYNC_ENCRYPTION_KEY":
		return demoEncryptionKey
	case "LEVERSYNC_ENCRYPTION_KEY_FILE", "LEVER_CLIENT_ID", "LEVER_CLIENT_SECRET", "LEVER_CLIENT_SECRET_FILE", "LEVER_API_URL", "LEVER_AUTH_URL":
		return ""
	case "LEVERSYNC_ADDR":
		return "127.0.0.1:0"
	}
	return d.app.getenv(name)
}

// run makes the connector, starts all roles beside the story, and removes the connector at the end.
func (d *demo) run(ctx context.Context, size int, keep bool) error {
	if others, err := d.store.Connectors(ctx); err != nil {
		return err
	} else if len(others) > 0 {
		return fmt.Errorf("this database holds %s already, and the demo wants one of its own: `make demo` starts one", plural(int64(len(others)), "connector"))
	}
	d.say("A simulated Lever account of %s opportunities, on %s. All people in it are invented.", number(int64(size)), d.url)
	d.say("It allows %d calls a second, so that you need not wait: Lever itself allows 10, at which this sync takes %s.",
		demoRate, short(time.Duration(float64(size)*5.1/10*float64(time.Second)).Round(time.Minute)))
	c, token, err := d.store.CreateConnector(ctx, store.NewConnector{OrgName: "Demo Inc", OriginID: "demo-1", APIKey: demoKey, RateLimit: demoRate})
	if err != nil {
		return err
	}
	d.conn, d.token, d.told.ConnectorID = c, token, c.ID
	defer d.cleanUp(ctx)

	// Only errors are logged: the story is what is to be read.
	log := slog.New(slog.NewTextHandler(d.app.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	p := newProcess(d.cfg, roles{worker: true, scheduler: true, web: true, addr: d.cfg.Addr}, d.store, d.redis, log, nil)
	listening := make(chan string, 1)
	p.listening = func(url string) { listening <- url }
	p.password = func(_, password string) { d.password = password }
	pctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	sctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() {
		err := p.run(pctx)
		fail(err) // the story can't go on without it
		ended <- err
	}()
	defer func() { stop(); <-ended }()
	select {
	case d.http = <-listening:
		err = d.story(sctx, keep)
	case <-sctx.Done():
	}
	switch {
	case ctx.Err() != nil && d.finished:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted: everything was cleaned up")
	case sctx.Err() != nil: // a role failed, and the story with it
		return context.Cause(sctx)
	}
	return err
}

func (d *demo) cleanUp(ctx context.Context) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := d.store.DeleteConnector(end, d.conn.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		fmt.Fprintf(d.app.stderr, "leversync: the demo's connector %s is left: %v\n", d.conn.ID, err)
	}
	if d.key == nil {
		return
	}
	if err := d.store.RevokeAPIKey(end, *d.key); err != nil {
		fmt.Fprintf(d.app.stderr, "leversync: the demo's API key is left: %v\n", err)
	}
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(text string) {
	fmt.Fprintf(d.out, "\n%s\n", d.app.style(d.out).bold(text))
}

// story is the demo as it is seen.
func (d *demo) story(ctx context.Context, keep bool) error {
	for _, step := range []func(context.Context) error{d.firstSync, d.change, d.secondSync, d.questions, d.api} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.told.Seconds = time.Since(d.begun).Round(time.Millisecond).Seconds()
	if d.app.json {
		if err := d.app.printJSON(d.told); err != nil {
			return err
		}
	}
	if !keep {
		d.title(fmt.Sprintf("Done in %s. Everything that was started is stopped and removed now.", short(time.Since(d.begun))))
		d.say("make demo KEEP=1 leaves it up, for a look of your own.")
		return nil
	}
	d.finished = true
	d.where()
	<-ctx.Done()
	return ctx.Err()
}

func (d *demo) display() display {
	if d.app.json {
		return newLines(d.out, d.app.style(d.out))
	}
	return d.app.display()
}

func (d *demo) queue() *task.Queue { return task.NewQueue(d.redis) }

// where says how to look around.
func (d *demo) where() {
	db, rdb := d.cfg.DatabaseURL.Reveal(), d.cfg.RedisOptions.Addr
	d.title("It stays up until you press Ctrl-C.")
	d.say(`  export DATABASE_URL='%[1]s'
  export REDIS_URL='%[2]s'

  bin/leversync status %[3]s
  bin/leversync calls --follow
  bin/leversync sync %[3]s --wait
  psql "$DATABASE_URL" -c 'SELECT * FROM ats.sync_status'
  asynq --uri %[4]s task enqueue --queue sync -t lever:sync -l '{"connector_id":"%[3]s","scope":"candidates"}'
  asynqmon --redis-url redis://%[4]s --port 8081 --read-only

  %[5]s/ (the dashboard; password %[8]s)
  %[5]s/metrics
  %[6]s (the simulated Lever; key %[7]s)`, db, d.cfg.RedisURL.Reveal(), d.conn.ID, rdb, d.http, d.url, demoKey, cmp.Or(d.password, "as it was set before"))
}
