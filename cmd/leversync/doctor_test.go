package main

import (
	"maps"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/lever/levertest"
)

// report is what doctor --json prints.
type report struct {
	Findings []finding
	Counts   map[string]int
}

// find is what a check found.
func (r report) find(t *testing.T, group, name string) finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Group == group && f.Check == name {
			return f
		}
	}
	t.Fatalf("the doctor has no check %s/%s", group, name)
	return finding{}
}

func (c *cli) doctor(args ...string) (report, outcome) {
	c.t.Helper()
	o := c.run(append([]string{"doctor", "--json"}, args...)...)
	r := decode[report](c.t, o.out)
	for _, f := range r.Findings {
		if f.Detail == "" || (f.Fix != "") != (f.Result == checkWarn || f.Result == checkFail) {
			c.t.Errorf("finding %+v; want a detail, and a fix where something is wrong", f)
		}
	}
	return r, o
}

func TestDoctorOfAHealthyInstallation(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 3, Opportunities: 20, RatePerSecond: -1})
	id := c.create()
	serve := c.start("serve")
	c.env["LEVERSYNC_PUBLIC_URL"] = "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	c.must("sync", id, "--wait", "--json")
	c.must("apikey", "create", "--name", "app")
	r, o := c.doctor("--connector", id)
	// The Postgres of tests runs without fsync; the URL is not https.
	expected := map[string]bool{"durability": true, "public URL": true}
	for _, f := range r.Findings {
		if f.Result != checkOK && !(f.Result == checkWarn && expected[f.Check]) {
			t.Errorf("%s/%s: %s: %s (%s); want ok", f.Group, f.Check, f.Result, f.Detail, f.Fix)
		}
	}
	if len(r.Findings) < 20 || o.code != 1 || !strings.Contains(o.err, "to look at") {
		t.Errorf("doctor: %d checks, exit %d, said %q; want 20 at least, 1, and how many to look at", len(r.Findings), o.code, o.err)
	}
	if f := r.find(t, "Lever", "permissions"); !strings.Contains(f.Detail, "11 lists") {
		t.Errorf("doctor --connector: permissions: %+v; want 11 lists asked for", f)
	}
	plain := c.run("doctor")
	if plain.code != 1 || !strings.Contains(plain.out, "→ put TLS before it") || strings.Contains(plain.out, "\x1b") {
		t.Errorf("doctor: exit %d, %s; want 1, fixes, and no colours where there is no terminal", plain.code, plain.out)
	}
}

// Each thing that is broken is told of by its check, and by the exit code.
func TestDoctorFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	rd := c.withRedis()
	fake := c.withLever(levertest.Config{Seed: 4, Opportunities: 5, RatePerSecond: -1})
	id := c.create()
	opt, err := redis.ParseURL(rd.URL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	defer rdb.Close()
	do := func(args ...any) {
		t.Helper()
		if err := rdb.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	sql := func(q string) func() { return func() { c.db.Exec(q, id) } }
	env := func(name, value string) func() { return func() { c.env[name] = value } }
	healthy := maps.Clone(c.env)
	tests := []struct {
		broken      func()
		group, name string
		result      string
		detail      string
	}{
		{func() {}, "work", "schedulers", checkFail, "none has looked"},
		{func() {}, "work", "workers", checkFail, "none takes tasks"},
		{func() {}, "keys", "API keys", checkWarn, "nobody can use the API"},
		{env("LEVERSYNC_RATE_LIMIT", "fast"), "configuration", "variables", checkFail, "LEVERSYNC_RATE_LIMIT"},
		{env("LEVERSYNC_ENCRYPTION_KEY", "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDI="), "keys", "all open", checkFail, "does not list"},
		{env("LEVERSYNC_ENCRYPTION_KEY", "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDI=,"+testKey), "keys", "older keys", checkWarn, "2 values"},
		{func() { c.env["LEVERSYNC_PUBLIC_URL"], c.env["LEVERSYNC_ADDR"] = "", ":8080" }, "web", "public URL", checkFail, "do not start"},
		{env("LEVERSYNC_PUBLIC_URL", "https://127.0.0.1:1"), "web", "it answers", checkFail, "does not answer"},
		{sql(`INSERT INTO webhooks (connector_id, path_hash, path_sealed) VALUES ($1, '', '')`), "web", "webhooks", checkWarn, "https alone"},
		{env("LEVER_API_URL", "http://127.0.0.1:1/v1"), "Lever", "reachable", checkFail, "can't be reached"},
		{env("LEVERSYNC_DB_CONNS", "1000"), "Postgres", "connections", checkFail, "1000"},
		{func() { do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") }, "Redis", "eviction", checkFail, "allkeys-lru"},
		{func() { do("SADD", "asynq:queues", "sync"); do("SET", "asynq:{sync}:paused", "1") }, "work", "queues", checkFail, "is paused"},
		{sql(`UPDATE connector_scopes SET next_run_at = now() - interval '2 minutes' WHERE connector_id = $1`), "work", "schedulers", checkFail, "14 scopes fell due"},
		{sql(`UPDATE connector_scopes SET requested_at = now() - interval '1 hour' WHERE connector_id = $1 AND scope = 'tags'`), "work", "waiting", checkWarn, "1 scope queued"},
		{sql(`UPDATE connector_scopes SET state = 'failed' WHERE connector_id = $1 AND scope = 'tags'`), "work", "failed scopes", checkWarn, "1 scope failed"},
		{sql(`UPDATE connector_scopes SET state = 'forbidden', reason = '403' WHERE connector_id = $1 AND scope = 'offers'`), "Lever", "permissions", checkWarn, "offers"},
		{sql(`UPDATE connector_scopes SET synced_at = now() - interval '3 days' WHERE connector_id = $1 AND scope = 'jobs'`), "work", "freshness", checkFail, "1 scope not brought"},
		{sql(`UPDATE connector_scopes SET quarantined = 3, records = 1000 WHERE connector_id = $1 AND scope = 'jobs'`), "work", "quarantine", checkWarn, "3 records"},
		{sql(`INSERT INTO streams (connector_id, stream, run_id, lease_until) VALUES ($1, 'tags', gen_random_uuid(), now() - interval '5 minutes')`), "work", "leases", checkFail, "1 run held by nobody"},
		{sql(`INSERT INTO outbox (connector_id, key, kind, fingerprint, subject, state, sent_at) VALUES ($1, 'k', 'candidate', '', '{}', 'unknown', now() - interval '1 hour')`), "work", "writes", checkWarn, "1 write"},
		{sql(`INSERT INTO calls (id, connector_id, method, path, status, started_at, duration_ms) SELECT gen_random_uuid(), $1, 'GET', '/users', 503, now(), 1`), "Lever", "calls", checkWarn, "1 of 1 call"},
		{sql(`UPDATE connectors SET status = 'RELINK_NEEDED' WHERE id = $1`), "Lever", "credentials", checkFail, "1 account"},
		{func() {
			c.db.Exec(`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
		}, "Postgres", "migrations", checkFail, "1 migration pending"},
	}
	for _, tt := range tests {
		tt.broken()
		r, o := c.doctor()
		f := r.find(t, tt.group, tt.name)
		if f.Result != tt.result || !strings.Contains(f.Detail, tt.detail) {
			t.Errorf("%s/%s: %s: %s; want %s and %q", tt.group, tt.name, f.Result, f.Detail, tt.result, tt.detail)
		}
		if o.code != 2 { // there is no scheduler all along
			t.Errorf("%s/%s: exit %d, want 2", tt.group, tt.name, o.code)
		}
		if strings.Contains(o.out, testKey) || strings.Contains(o.out, "test-key") {
			t.Errorf("the doctor shows a secret: %s", o.out)
		}
		c.env = maps.Clone(healthy)
	}
	if _, err := fake.Inject(levertest.Fault{Match: `^GET /postings$`, Kind: levertest.FaultStatus, Status: 403}); err != nil {
		t.Fatal(err)
	}
	r, _ := c.doctor("--connector", id)
	if f := r.find(t, "Lever", "permissions"); f.Result != checkWarn || !strings.Contains(f.Detail, "postings") {
		t.Errorf("doctor --connector with postings refused: %+v; want a warning that names them", f)
	}
	if o := c.run("doctor", "--connector", noConnector); o.code != exitNotFound {
		t.Errorf("doctor --connector of none: exit %d, want %d", o.code, exitNotFound)
	}
}

// Services that take the call and never answer are told of, and keep nothing else from being checked.
func TestDoctorIsNotHeldUp(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel accepts; nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newCLI(t)
	c.withLever(levertest.Config{RatePerSecond: -1})
	c.env["DATABASE_URL"] = "postgres://u:hunter2-secret@" + l.Addr().String() + "/db?sslmode=disable"
	c.env["REDIS_URL"] = "redis://:hunter2-secret@" + l.Addr().String()
	r, o := c.doctor()
	for group, want := range map[string]string{"Postgres": checkFail, "Redis": checkFail, "Lever": checkOK} {
		if f := r.find(t, group, "reachable"); f.Result != want {
			t.Errorf("%s/reachable: %+v; want %s", group, f, want)
		}
	}
	if f := r.find(t, "Postgres", "version"); f.Result != checkSkip {
		t.Errorf("Postgres/version: %+v; want it skipped", f)
	}
	if text := c.run("doctor").out; strings.Count(text, "Postgres can't be asked") > 8 || !regexp.MustCompile(`skip  \d\d checks +Postgres can't be asked`).MatchString(text) {
		t.Errorf("doctor = %s; want what Postgres can't be asked told once a group", text)
	}
	if o.code != 2 || strings.Contains(o.out+o.err, "hunter2") {
		t.Errorf("exit %d, want 2, and no secret: %s%s", o.code, o.out, o.err)
	}
}
