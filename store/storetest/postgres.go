package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store"
)

// postgresTimeout bounds how long a Postgres may take to start or to stop: it may have to recover.
const postgresTimeout = time.Minute

// Stop is a way to stop a Postgres.
type Stop struct {
	Name   string
	signal syscall.Signal
}

// The ways to stop a Postgres: Fast ends all sessions and leaves its data in order; Immediate and Crash leave it to
// recover from its log, which takes with it what is unlogged.
var (
	Fast      = Stop{"fast", syscall.SIGINT}
	Immediate = Stop{"immediate", syscall.SIGQUIT}
	Crash     = Stop{"kill -9", syscall.SIGKILL}
)

// Postgres is a Postgres server that belongs to one test, which may stop it, kill it and fill its disk. A commit is in
// the hands of the operating system before it is confirmed, so that no way to stop it takes one back. Its methods fail
// the test, so only the test's own goroutine may call them.
type Postgres struct {
	URL  string // of a superuser
	Data string // its folder

	t      testing.TB
	bin    string
	addr   string
	runsAs *syscall.Credential // nil: as we do
	cmd    *exec.Cmd           // nil while it is down
	heir   *Postgres           // its standby; nil: it has none
	exited chan struct{}       // closed when cmd has ended, and all processes that it began
	dbs    []*DB

	mu  sync.Mutex
	log []string
}

// NewPostgres starts a Postgres of t's own on a free loopback port; it is killed when t ends. It keeps its log, the one
// that it recovers from, in a folder "wal" of logDir, or where that is "", with its data.
func NewPostgres(t testing.TB, logDir string) *Postgres {
	t.Helper()
	p := &Postgres{t: t, bin: postgresBin(t), runsAs: serverUser(t)}
	p.Data = filepath.Join(p.Folder(), "data")
	t.Cleanup(p.end)
	p.initialise(logDir)
	var err error
	for range 5 { // somebody else may take the port before Postgres does
		if err = p.choosePort(); err == nil {
			err = p.run()
		}
		if err == nil {
			return p
		}
	}
	t.Fatalf("storetest: start Postgres: %v", err)
	return nil
}

// Folder makes a folder that the server may use, and removes it when the test ends.
func (p *Postgres) Folder() string {
	p.t.Helper()
	dir, err := os.MkdirTemp("", "leversync-test-") // not t.TempDir: the server's user may not look into that
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.Lend(dir)
	return dir
}

// Lend makes a folder the server's own.
func (p *Postgres) Lend(dir string) {
	p.t.Helper()
	if p.runsAs == nil {
		return
	}
	if err := os.Chown(dir, int(p.runsAs.Uid), int(p.runsAs.Gid)); err != nil {
		p.t.Fatal(err)
	}
}

// postgresBin finds the folder of the programs: the one that deploy/services.sh names, or else on the PATH.
func postgresBin(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv(postgresBinEnv); dir != "" {
		return dir
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p)
	}
	missing(t, "no Postgres programs ("+postgresBinEnv+" is not set)")
	return ""
}

// serverUser is whom the server runs as: Postgres refuses to run as root. nil: as we do.
func serverUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	missing(t, "no user to run Postgres as")
	return nil
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = filepath.Dir(p.Data)
	dieWithParent(cmd)
	if p.runsAs != nil {
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Credential = p.runsAs
	}
	return cmd
}

const postgresSettings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 32MB
wal_recycle = off
min_wal_size = 2MB
max_wal_size = 64MB
fsync = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
`

func (p *Postgres) initialise(logDir string) {
	p.t.Helper()
	args := []string{"-D", p.Data, "-U", "leversync", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
		"--wal-segsize=1"} // small pieces of the log: a full disk is noticed soon
	if logDir != "" {
		p.Lend(logDir)
		args = append(args, "--waldir", filepath.Join(logDir, "wal"))
	}
	out, err := p.command("initdb", args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("storetest: initdb: %v\n%s", err, out)
	}
	f, err := os.OpenFile(filepath.Join(p.Data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(postgresSettings)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		p.t.Fatalf("storetest: configure Postgres: %v", err)
	}
}

// choosePort takes a port that is free at this moment.
func (p *Postgres) choosePort() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.addr = l.Addr().String()
	p.URL = "postgres://leversync@" + p.addr + "/postgres?sslmode=disable"
	return l.Close()
}

// Start starts it again, on the same port and the same data.
func (p *Postgres) Start() {
	p.t.Helper()
	if p.cmd != nil {
		p.t.Fatal("storetest: Postgres.Start: it is running")
	}
	if err := p.run(); err != nil {
		p.t.Fatalf("storetest: start Postgres again: %v", err)
	}
	p.reconnect()
}

// reconnect has the tests' own connections find out that the server is another.
func (p *Postgres) reconnect() {
	for _, db := range p.dbs {
		db.pool.Reset()
		for range MaxConns { // each connection that was cut is found so once
			_ = db.Store.Ping(p.t.Context())
		}
	}
}

// Stop stops it, and waits until all its processes have ended.
func (p *Postgres) Stop(how Stop) {
	p.t.Helper()
	if err := p.signal(how.signal); err != nil {
		p.t.Fatalf("storetest: stop Postgres (%s): %v", how.Name, err)
	}
}

// Said counts the lines of its log so far, over restarts, that hold a text.
func (p *Postgres) Said(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, line := range p.log {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Save stops it, keeps a copy of all that it holds, and starts it again.
func (p *Postgres) Save() {
	p.t.Helper()
	p.Stop(Fast)
	p.copy(p.Data, p.saved())
	p.Start()
}

// Restore ends it as a crash would, puts back what was saved, and starts it: of all that happened since it knows nothing.
func (p *Postgres) Restore() {
	p.t.Helper()
	p.Stop(Crash)
	p.copy(p.saved(), p.Data)
	p.Start()
}

func (p *Postgres) saved() string { return p.Data + "-saved" }

// copy makes to what from is.
func (p *Postgres) copy(from, to string) {
	p.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-Rp", from, to).CombinedOutput(); err != nil {
		p.t.Fatalf("storetest: copy the data of Postgres: %v: %s", err, out)
	}
}

// Follow makes a standby that receives what the server commits, as far as now, and no more: it falls behind from here on.
func (p *Postgres) Follow() {
	p.t.Helper()
	sb := &Postgres{t: p.t, bin: p.bin, runsAs: p.runsAs, Data: filepath.Join(p.Folder(), "data")}
	p.t.Cleanup(sb.end)
	p.Stop(Fast)
	p.copy(p.Data, sb.Data)
	p.Start()
	ctx, cancel := context.WithTimeout(p.t.Context(), setupTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(p.addr)
	if err == nil {
		err = errors.Join(sb.set("primary_conninfo = 'host="+host+" port="+port+" user=leversync'"),
			os.WriteFile(filepath.Join(sb.Data, "standby.signal"), nil, 0o644), sb.choosePort())
	}
	if err == nil {
		err = sb.run()
	}
	var at string
	err = errors.Join(err, scan(ctx, p.URL, "SELECT pg_current_wal_lsn()::text", &at))
	for there := false; err == nil && !there; { // the server gives no signal for it
		err = scan(ctx, sb.URL, "SELECT coalesce(pg_last_wal_replay_lsn() >= '"+at+"', false)", &there)
	}
	if err != nil {
		p.t.Fatalf("storetest: start a standby: %v", err)
	}
	sb.Stop(Fast)
	p.heir = sb
}

// Promote ends the server as a crash would. Its standby takes over at the same address: of all that it had not received it
// knows nothing.
func (p *Postgres) Promote() {
	p.t.Helper()
	if p.heir == nil {
		p.t.Fatal("storetest: Postgres.Promote: it has no standby")
	}
	p.Stop(Crash)
	p.Data, p.heir = p.heir.Data, nil
	err := p.set("primary_conninfo = ''") // whom it followed is dead, and it has that one's address now
	if err == nil {
		err = p.run()
	}
	if err == nil {
		err = execute(p.t.Context(), p.URL, "SELECT pg_promote()")
	}
	if err != nil {
		p.t.Fatalf("storetest: promote the standby: %v", err)
	}
	p.reconnect()
}

// set changes a setting, from the next start on.
func (p *Postgres) set(line string) error {
	f, err := os.OpenFile(filepath.Join(p.Data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// scan runs a query of one value on a connection of its own.
func scan(ctx context.Context, url, sql string, to any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return conn.QueryRow(ctx, sql).Scan(to)
}

func (p *Postgres) end() {
	if p.cmd == nil {
		return
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		p.t.Errorf("storetest: kill Postgres: %v", err)
	}
}

// run starts the server and returns once it accepts connections.
func (p *Postgres) run() error {
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	cmd := p.command("postgres", "-D", p.Data, "-p", port)
	log, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, exited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(exited)
		p.follow(log, ready) // to its end, when the last process that holds the pipe has ended
		_ = cmd.Wait()       // the way it ended is its own affair
	}()
	p.cmd, p.exited = cmd, exited
	select {
	case <-ready:
		return nil
	case <-exited:
		p.cmd = nil
		return fmt.Errorf("it ended at once:\n%s", strings.Join(p.log[max(0, len(p.log)-10):], "\n"))
	case <-time.After(postgresTimeout):
		return errors.Join(fmt.Errorf("not ready within %v", postgresTimeout), p.signal(syscall.SIGKILL))
	}
}

// readyLine is what a server says that can be asked; a standby can be read.
var readyLine = regexp.MustCompile(`database system is ready to accept (read-only )?connections`)

// follow keeps a log, to its end, and closes ready when it says so.
func (p *Postgres) follow(log io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if os.Getenv("LEVERSYNC_TEST_LOG") != "" {
			fmt.Fprintln(os.Stderr, "postgres:", lines.Text())
		}
		p.mu.Lock()
		p.log = append(p.log, lines.Text())
		p.mu.Unlock()
		if ready != nil && readyLine.MatchString(lines.Text()) {
			close(ready)
			ready = nil
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line too long
}

// signal sends s, and waits until all has ended.
func (p *Postgres) signal(s syscall.Signal) error {
	if p.cmd == nil {
		return errors.New("it is not running")
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		p.cmd = nil
		return nil
	case <-time.After(postgresTimeout):
		return fmt.Errorf("still running %v after %v", postgresTimeout, s)
	}
}

// New returns an empty, migrated database on this server: as the function New does.
func (p *Postgres) New() *DB {
	p.t.Helper()
	return p.NewIn("pg_default")
}

// NewIn is New in a tablespace.
func (p *Postgres) NewIn(tablespace string) *DB {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	name := databaseName("test")
	owner, err := createOwner(ctx, p.URL)
	if err == nil {
		err = execute(ctx, p.URL, "CREATE DATABASE "+quote(name)+" OWNER "+quote(owner.Username())+" TABLESPACE "+quote(tablespace))
	}
	if err != nil {
		p.t.Fatalf("storetest: %v", err)
	}
	db := &DB{t: p.t, URL: owned(p.URL, name, owner)}
	db.root = beside(p.URL, db.URL)
	if _, err := store.Migrate(ctx, db.URL); err != nil {
		p.t.Fatalf("storetest: migrate: %v", err)
	}
	db.Store = openStore(p.t, db.URL)
	db.pool = openPool(p.t, db.URL)
	p.dbs = append(p.dbs, db)
	return db
}

// Exec runs a statement as a superuser, in a database of this server; nil means the one called postgres.
func (p *Postgres) Exec(db *DB, sql string) {
	p.t.Helper()
	if err := p.Try(db, sql); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// Try is Exec that may fail.
func (p *Postgres) Try(db *DB, sql string) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	at := p.URL
	if db != nil {
		u, err := url.Parse(db.URL)
		if err != nil {
			p.t.Fatal(err)
		}
		u.User = url.User("leversync")
		at = u.String()
	}
	return execute(ctx, at, sql)
}
