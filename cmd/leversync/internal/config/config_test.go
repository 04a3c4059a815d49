package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

const (
	database = "postgres://leversync:hunter2@db.example.com:5432/leversync"
	redisURL = "rediss://default:hunter2@redis.example.com:6380/1"
	key      = "bGV2ZXJzeW5jIHRlc3RzIHNlYWwgd2l0aCB0aGlzIDE="
)

var all = []config.Need{config.Database, config.Redis, config.Keys, config.Lever, config.Work, config.Schedule, config.Serve}

// env makes a getenv of name=value texts over an environment that is good.
func env(changes ...string) func(string) string {
	m := map[string]string{"DATABASE_URL": database, "REDIS_URL": redisURL, "LEVERSYNC_ENCRYPTION_KEY": key}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		m[name] = value
	}
	return func(name string) string { return m[name] }
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(), all...)
	if err != nil {
		t.Fatalf("Load(only what is needed): %v", err)
	}
	for name, got := range map[string][2]any{
		"DatabaseURL":   {c.DatabaseURL.Reveal(), database},
		"RedisOptions":  {c.RedisOptions.Addr, "redis.example.com:6380"},
		"LeverAPIURL":   {c.LeverAPIURL, "https://api.lever.co/v1"},
		"LeverAuthURL":  {c.LeverAuthURL, "https://auth.lever.co"},
		"Addr":          {c.Addr, "127.0.0.1:8080"},
		"SyncInterval":  {c.SyncInterval, time.Hour},
		"FullInterval":  {c.FullInterval, 24 * time.Hour},
		"SweepPeriod":   {c.SweepPeriod, 7 * 24 * time.Hour},
		"KeepCalls":     {c.KeepCalls, 30 * 24 * time.Hour},
		"RateLimit":     {c.RateLimit, 10.0},
		"LogLevel":      {c.LogLevel, slog.LevelInfo},
		"LogFormat":     {c.LogFormat, "text"},
		"StartTimeout":  {c.StartTimeout, 30 * time.Second},
		"keyring there": {c.Keyring != nil, true},
	} {
		if got[0] != got[1] {
			t.Errorf("Load(only what is needed): %s = %v, want %v", name, got[0], got[1])
		}
	}
}

func TestLoadOneByOne(t *testing.T) {
	t.Parallel()
	tests := []struct {
		set  string
		want string // in the error; "": it is good
	}{
		{"DATABASE_URL=", "DATABASE_URL: is not set"},
		{"DATABASE_URL=   ", "DATABASE_URL: is not set"},
		{"DATABASE_URL=hunter2", "DATABASE_URL: is not what it should be"},
		{"DATABASE_URL=postgres://u:hunter2@h:port/db", "DATABASE_URL: is not what it should be"},
		{"DATABASE_URL=host=db user=leversync password=hunter2", ""},
		{"REDIS_URL=127.0.0.1:6379", ""},
		{"REDIS_URL=redis://127.0.0.1", ""},
		{"REDIS_URL=127.0.0.1", "REDIS_URL: is not what it should be"},
		{"REDIS_URL=http://u:hunter2@h:1", "REDIS_URL: is not what it should be"},
		{"REDIS_URL=redis://u:hunter2@h:%zz", "REDIS_URL: is not what it should be"},
		{"LEVERSYNC_ENCRYPTION_KEY=hunter2", "LEVERSYNC_ENCRYPTION_KEY: key 1"},
		{"LEVERSYNC_ENCRYPTION_KEY=" + key + ",aHVudGVyMg==", "LEVERSYNC_ENCRYPTION_KEY: key 2 has 7 bytes, want 32: make one"},
		{"LEVERSYNC_ENCRYPTION_KEY=" + key + " " + key, "LEVERSYNC_ENCRYPTION_KEY: key 2 is key 1 once more"},
		{"LEVERSYNC_ENCRYPTION_KEY=" + key + " c2Vjb25kIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGU=", ""},
		{"LEVERSYNC_ENCRYPTION_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "LEVERSYNC_ENCRYPTION_KEY: key 1 is made of too few different bytes"},
		{"LEVERSYNC_ENCRYPTION_KEY=Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU=", "LEVERSYNC_ENCRYPTION_KEY: key 1 is made of too few different bytes"},
		{"LEVER_API_URL=https://api.sandbox.lever.co/v1/", ""},
		{"LEVER_API_URL=http://127.0.0.1:8181/v1", ""},
		{"LEVER_API_URL=http://[::1]:8181/v1", ""},
		{"LEVER_API_URL=http://api.lever.co/v1", "LEVER_API_URL: is http"},
		{"LEVER_API_URL=api.lever.co", "LEVER_API_URL: is no absolute URL"},
		{"LEVER_AUTH_URL=https://u:hunter2@auth.lever.co", "LEVER_AUTH_URL: has a user"},
		{"LEVER_CLIENT_ID=app", "LEVER_CLIENT_ID, LEVER_CLIENT_SECRET: one is set without the other"},
		{"LEVERSYNC_ADDR=8080", "LEVERSYNC_ADDR: \"8080\" is not host:port"},
		{"LEVERSYNC_ADDR=:99999", "LEVERSYNC_ADDR:"},
		{"LEVERSYNC_ADDR=:8080", ""},
		{"LEVERSYNC_PUBLIC_URL=sync.example.com", "LEVERSYNC_PUBLIC_URL: is no absolute URL"},
		{"LEVERSYNC_PUBLIC_URL=https://sync.example.com/", ""},
		{"LEVERSYNC_PUBLIC_URL=http://127.0.0.1:8080", ""},
		{"LEVERSYNC_PUBLIC_URL=http://[::1]:8080", ""},
		{"LEVERSYNC_PUBLIC_URL=http://localhost:8080", ""},
		{"LEVERSYNC_PUBLIC_URL=http://sync.example.com", "LEVERSYNC_PUBLIC_URL: is http"},
		{"LEVERSYNC_PUBLIC_URL=http://localhost.example.com", "LEVERSYNC_PUBLIC_URL: is http"},
		{"LEVERSYNC_PUBLIC_URL=http://10.0.0.1", "LEVERSYNC_PUBLIC_URL: is http"},
		{"LEVERSYNC_ALLOW_HTTP=perhaps", "LEVERSYNC_ALLOW_HTTP: \"perhaps\" is neither true nor false"},
		{"LEVERSYNC_TRUSTED_PROXIES=10.0.0.0/8, 127.0.0.1 ::1 2001:db8::/32", ""},
		{"LEVERSYNC_TRUSTED_PROXIES=proxy.example.com", "LEVERSYNC_TRUSTED_PROXIES: \"proxy.example.com\" is neither an address nor a network"},
		{"LEVERSYNC_TRUSTED_PROXIES=10.0.0.0/33", "LEVERSYNC_TRUSTED_PROXIES: \"10.0.0.0/33\" is neither"},
		{"LEVERSYNC_TRUSTED_PROXIES=10.0.0.1,0.0.0.0/0", "LEVERSYNC_TRUSTED_PROXIES: \"0.0.0.0/0\" is everybody"},
		{"LEVERSYNC_TRUSTED_PROXIES=::/0", "LEVERSYNC_TRUSTED_PROXIES: \"::/0\" is everybody"},
		{"LEVERSYNC_TRUSTED_PROXIES=::ffff:10.0.0.0/104", "LEVERSYNC_TRUSTED_PROXIES: \"::ffff:10.0.0.0/104\" is"},
		{"LEVERSYNC_OPERATOR_PASSWORD=hunter2", "LEVERSYNC_OPERATOR_PASSWORD: is too short"},
		{"LEVERSYNC_OPERATOR_PASSWORD=changeme-changeme", "LEVERSYNC_OPERATOR_PASSWORD: is what everybody tries first"},
		{"LEVERSYNC_OPERATOR_PASSWORD=Password1234!", "LEVERSYNC_OPERATOR_PASSWORD: is what everybody tries first"},
		{"LEVERSYNC_OPERATOR_PASSWORD=leversync-admin-2026", "LEVERSYNC_OPERATOR_PASSWORD: is what everybody tries first"},
		{"LEVERSYNC_OPERATOR_PASSWORD=123456789012", "LEVERSYNC_OPERATOR_PASSWORD: is what everybody tries first"},
		{"LEVERSYNC_OPERATOR_PASSWORD=aaaaaaaaaaaaaaaa", "LEVERSYNC_OPERATOR_PASSWORD: is what everybody tries first"},
		{"LEVERSYNC_OPERATOR_PASSWORD=a password of my own", ""},
		{"LEVERSYNC_OPERATOR_PASSWORD=804215937261", ""},
		{"LEVERSYNC_SYNC_INTERVAL=60", "LEVERSYNC_SYNC_INTERVAL: \"60\" is no duration"},
		{"LEVERSYNC_SYNC_INTERVAL=10ms", "LEVERSYNC_SYNC_INTERVAL: 10ms is too short"},
		{"LEVERSYNC_SYNC_INTERVAL=-1h", "LEVERSYNC_SYNC_INTERVAL: -1h0m0s is too short"},
		{"LEVERSYNC_RATE_LIMIT=0", "LEVERSYNC_RATE_LIMIT: \"0\" is no number above 0"},
		{"LEVERSYNC_RATE_LIMIT=NaN", "LEVERSYNC_RATE_LIMIT:"},
		{"LEVERSYNC_RATE_LIMIT=Inf", "LEVERSYNC_RATE_LIMIT:"},
		{"LEVERSYNC_RATE_LIMIT=2.5", ""},
		{"LEVERSYNC_KEEP_RAW=0", ""},
		{"LEVERSYNC_KEEP_RAW=0s", ""},
		{"LEVERSYNC_KEEP_RAW=720h", ""},
		{"LEVERSYNC_KEEP_RAW=-1h", "LEVERSYNC_KEEP_RAW: -1h0m0s is too short"},
		{"LEVERSYNC_KEEP_RAW=30d", "LEVERSYNC_KEEP_RAW: \"30d\" is no duration"},
		{"LEVERSYNC_KEEP_DELETED=23h", "LEVERSYNC_KEEP_DELETED: 23h0m0s is too short"},
		{"LEVERSYNC_DAILY_CANDIDATES=-1", "LEVERSYNC_DAILY_CANDIDATES: \"-1\" is out of range"},
		{"LEVERSYNC_CONCURRENCY=0", "LEVERSYNC_CONCURRENCY: \"0\" is out of range"},
		{"LEVERSYNC_DB_CONNS=many", "LEVERSYNC_DB_CONNS: \"many\" is out of range"},
		{"LEVERSYNC_START_TIMEOUT=0s", ""},
		{"LEVERSYNC_LOG_LEVEL=loud", "LEVERSYNC_LOG_LEVEL: \"loud\" is no level"},
		{"LEVERSYNC_LOG_FORMAT=xml", "LEVERSYNC_LOG_FORMAT: \"xml\" is no format"},
		{"DATABASE_URL_FILE=/nowhere", "DATABASE_URL: DATABASE_URL_FILE is set too"},
	}
	for _, tt := range tests {
		_, err := config.Load(env(tt.set), all...)
		if tt.want == "" {
			if err != nil {
				t.Errorf("Load(%s): %v; want no error", tt.set, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Load(%s) = %v; want an error with %q", tt.set, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Load(%s): the error shows the password: %v", tt.set, err)
		}
	}
}

func TestLoadReportsAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Load(env("DATABASE_URL=", "REDIS_URL=hunter2", "LEVERSYNC_ENCRYPTION_KEY=hunter2", "LEVERSYNC_RATE_LIMIT=fast", "LEVERSYNC_LOG_FORMAT=xml"), all...)
	var ce *config.Error
	if !errors.As(err, &ce) || len(ce.Problems) != 5 {
		t.Fatalf("Load(5 mistakes) = %v; want a *config.Error with 5 problems", err)
	}
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "LEVERSYNC_ENCRYPTION_KEY", "LEVERSYNC_RATE_LIMIT", "LEVERSYNC_LOG_FORMAT"} {
		if !strings.Contains(err.Error(), "\n  "+name+": ") {
			t.Errorf("Load(5 mistakes) does not name %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Load(5 mistakes) shows a secret: %v", err)
	}
}

func TestLoadReadsNoMoreThanIsNeeded(t *testing.T) {
	t.Parallel()
	getenv := env("REDIS_URL=", "LEVERSYNC_ENCRYPTION_KEY=rubbish", "LEVERSYNC_RATE_LIMIT=fast", "LEVERSYNC_ADDR=nowhere", "LEVER_API_URL=x")
	if _, err := config.Load(getenv, config.Database); err != nil {
		t.Errorf("Load(Database) = %v; want what is wrong elsewhere to be left alone", err)
	}
	if _, err := config.Load(func(string) string { return "" }); err != nil {
		t.Errorf("Load(nothing) = %v", err)
	}
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	db, empty := file("db", database+"\n"), file("empty", "\n")
	c, err := config.Load(env("DATABASE_URL=", "DATABASE_URL_FILE="+db), config.Database)
	if err != nil || c.DatabaseURL.Reveal() != database {
		t.Errorf("Load(DATABASE_URL_FILE) = %q, %v; want the file's line", c.DatabaseURL.Reveal(), err)
	}
	for _, tt := range []struct{ path, want string }{
		{empty, "which is empty"},
		{filepath.Join(dir, "none"), "which can't be read: no such file"},
	} {
		_, err := config.Load(env("DATABASE_URL=", "DATABASE_URL_FILE="+tt.path), config.Database)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("Load(DATABASE_URL_FILE=%s) = %v; want an error with the path and %q", tt.path, err, tt.want)
		}
	}
	// What is no secret has no file.
	if c, err := config.Load(env("LEVERSYNC_RATE_LIMIT_FILE="+db), config.Work); err != nil || c.RateLimit != 10 {
		t.Errorf("Load(LEVERSYNC_RATE_LIMIT_FILE) = %v, %v; want it ignored", c.RateLimit, err)
	}
}

func TestPrintingHidesSecrets(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env("LEVER_CLIENT_ID=app", "LEVER_CLIENT_SECRET=hunter2-secret"), all...)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "config", c, "url", c.DatabaseURL)
	asJSON, err := json.Marshal(map[string]any{"url": c.DatabaseURL, "secret": c.LeverClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c), "String": c.String(),
		"%v of a field": fmt.Sprintf("%v %+v %#v %q", c.DatabaseURL, c.RedisURL, c.LeverClientSecret, c.LeverClientSecret),
		"slog":          log.String(), "json": string(asJSON),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, key) {
			t.Errorf("%s shows a secret: %s", name, text)
		}
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s does not say that something is hidden: %s", name, text)
		}
	}
	if s := c.String(); !strings.Contains(s, "LEVERSYNC_RATE_LIMIT=10\n") || !strings.Contains(s, "LEVER_CLIENT_ID=app\n") {
		t.Errorf("String() = %s; want what is no secret", s)
	}
}

// For a trial, it may be http.
func TestLoadAllowsHTTP(t *testing.T) {
	t.Parallel()
	if c, err := config.Load(env("LEVERSYNC_PUBLIC_URL=http://sync.example.com", "LEVERSYNC_ALLOW_HTTP=true"), all...); err != nil || c.PublicURL != "http://sync.example.com" {
		t.Errorf("Load(http public URL, allowed) = %q, %v; want it taken", c.PublicURL, err)
	}
}

// Without a public URL, only this machine is served, unless plain http is allowed.
func TestCheckReach(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		set  []string
		good bool
	}{
		{nil, true},
		{[]string{"LEVERSYNC_ADDR=localhost:8080"}, true},
		{[]string{"LEVERSYNC_ADDR=[::1]:8080"}, true},
		{[]string{"LEVERSYNC_ADDR=127.9.9.9:0"}, true},
		{[]string{"LEVERSYNC_ADDR=:8080"}, false},
		{[]string{"LEVERSYNC_ADDR=0.0.0.0:8080"}, false},
		{[]string{"LEVERSYNC_ADDR=[::]:8080"}, false},
		{[]string{"LEVERSYNC_ADDR=10.0.0.1:8080"}, false},
		{[]string{"LEVERSYNC_ADDR=sync.example.com:8080"}, false},
		{[]string{"LEVERSYNC_ADDR=:8080", "LEVERSYNC_PUBLIC_URL=https://sync.example.com"}, true},
		{[]string{"LEVERSYNC_ADDR=:8080", "LEVERSYNC_PUBLIC_URL=http://127.0.0.1:8080"}, true}, // as in a container whose port this machine alone has
		{[]string{"LEVERSYNC_ADDR=:8080", "LEVERSYNC_ALLOW_HTTP=true"}, true},
	} {
		c, err := config.Load(env(tt.set...), all...)
		if err != nil {
			t.Errorf("Load(%q): %v", tt.set, err)
			continue
		}
		if err := c.CheckReach(); (err == nil) != tt.good || err != nil && !strings.Contains(err.Error(), "LEVERSYNC_ALLOW_HTTP=true") {
			t.Errorf("CheckReach with %q = %v; want good: %t, and what to set", tt.set, err, tt.good)
		}
	}
}

// The README's table is made of the variables, word by word.
func TestReadmeHasTheTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), config.Table()) {
		t.Errorf("README.md lacks the table of variables as it is now; put this there:\n%s", config.Table())
	}
}
