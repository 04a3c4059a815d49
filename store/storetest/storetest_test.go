package storetest_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestNew(t *testing.T) {
	t.Parallel()
	var names []string
	t.Run("databases", func(t *testing.T) {
		a, b := storetest.New(t), storetest.New(t)
		for _, db := range []*storetest.DB{a, b} {
			if err := db.Store.Ping(t.Context()); err != nil {
				t.Errorf("Store.Ping: %v", err)
			}
			if n, err := store.Pending(t.Context(), db.URL); err != nil || n != 0 {
				t.Errorf("store.Pending = %d, %v; want 0, nil", n, err)
			}
			names = append(names, storetest.Value[string](db, "SELECT current_database()"))
		}
		a.Exec("CREATE TABLE only_here (n int)")
		if storetest.Value[bool](b, "SELECT to_regclass('only_here') IS NOT NULL") {
			t.Error("a table made in one test's database is there in another's")
		}
	})
	left := storetest.Column[string](storetest.New(t), "SELECT datname FROM pg_database WHERE datname = ANY($1)", names)
	if len(names) == 2 && len(left) != 0 {
		t.Errorf("databases left after their test: %q", left)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := storetest.NewRedis(t)
	if got := ask(t, r, "SET k v"); got != "+OK" {
		t.Errorf("SET = %q, want +OK", got)
	}
	for name, end := range map[string]func(){"Stop": r.Stop, "Kill": r.Kill} {
		addr := r.Addr
		end()
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("after %s something still listens", name)
		}
		r.Start()
		if r.Addr != addr {
			t.Errorf("after %s and Start: Addr = %s, want %s as before", name, r.Addr, addr)
		}
		if got := ask(t, r, "EXISTS k"); got != ":0" {
			t.Errorf("after %s and Start: EXISTS k = %q, want :0", name, got)
		}
	}
}

// ask sends one inline command and returns the first line of the answer.
func ask(t *testing.T, r *storetest.Redis, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s\r\n", command)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(line)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := storetest.NewPostgres(t, "")
	db := p.New()
	db.Exec("CREATE TABLE kept (n int)")
	db.Exec("CREATE UNLOGGED TABLE unlogged (n int)")
	for n, how := range []storetest.Stop{storetest.Fast, storetest.Immediate, storetest.Crash} {
		db.Exec("INSERT INTO kept VALUES (1)")
		db.Exec("INSERT INTO unlogged VALUES (1)")
		p.Stop(how)
		if err := db.Store.Ping(t.Context()); err == nil {
			t.Errorf("after %s something still answers", how.Name)
		}
		p.Start()
		if got := storetest.Value[int](db, "SELECT count(*) FROM kept"); got != n+1 {
			t.Errorf("after %s %d rows, want %d", how.Name, got, n+1)
		}
		if got := storetest.Value[int](db, "SELECT count(*) FROM unlogged"); (got == 1) != (how == storetest.Fast) {
			t.Errorf("after %s %d rows that are unlogged, want them after fast only", how.Name, got)
		}
	}
}

// A database whose clock is off is so for statements, functions, and what defaults have always been bound to, and no other is.
func TestSkew(t *testing.T) {
	t.Parallel()
	a, b := storetest.New(t), storetest.New(t)
	a.Skew(-time.Hour)
	a.Exec(`INSERT INTO operators (password_hash) VALUES ('')`)
	b.Exec(`INSERT INTO operators (password_hash) VALUES ('')`)
	for _, sql := range []string{"now()", "clock_timestamp()", "(SELECT changed_at FROM operators)"} {
		for db, want := range map[*storetest.DB]time.Duration{a: -time.Hour, b: 0} {
			if off := time.Until(storetest.Value[time.Time](db, "SELECT "+sql)) - want; off.Abs() > time.Minute {
				t.Errorf("%s is %s off, want %s", sql, off+want, want)
			}
		}
	}
}
