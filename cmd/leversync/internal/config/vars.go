package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Var is one environment variable.
type Var struct {
	Name    string
	Default string // "": none
	Doc     string // one line, for people
	Hint    string // what to set it to
	Secret  bool   // it can come as Name_FILE too

	need     Need // the parts that read it
	required Need // of those, the ones that can't do without
	set      func(*Config, string) error
	show     func(*Config) string
}

// Vars are all variables, in the order in which they are documented.
func Vars() []Var { return append([]Var(nil), vars...) }

const (
	durationHint = "set a duration such as 90s, 30m or 24h"
	keepHint     = "set a duration such as 720h, or 0"
)

var vars = []Var{
	{Name: "DATABASE_URL", Secret: true, need: Database, required: Database,
		Doc:  "Postgres 14 or newer",
		Hint: "set it to postgres://user:password@host:5432/database",
		set:  setDatabase, show: func(c *Config) string { return string(c.DatabaseURL) }},
	{Name: "REDIS_URL", Secret: true, need: Redis, required: Redis,
		Doc:  "Redis 6.2 or newer, for the queue and the rate budget: `redis://`, `rediss://` or `host:port`",
		Hint: "set it to redis://user:password@host:6379/0, rediss://… for TLS, or host:port",
		set:  setRedis, show: func(c *Config) string { return string(c.RedisURL) }},
	{Name: "LEVERSYNC_ENCRYPTION_KEY", Secret: true, need: Keys, required: Keys,
		Doc:  "seals credentials: base64 of 32 bytes; in a list the first seals and all open, so that keys rotate",
		Hint: "make one with `openssl rand -base64 32`, and keep it: what it has sealed can't be opened without it",
		set:  setKeyring, show: func(c *Config) string {
			if c.Keyring == nil {
				return ""
			}
			return redacted
		}},
	{Name: "LEVER_API_URL", Default: "https://api.lever.co/v1", need: Lever,
		Doc:  "Lever's API; its sandbox is `https://api.sandbox.lever.co/v1`",
		Hint: "set an https URL such as https://api.lever.co/v1 (http for this machine alone)",
		set:  setUpstream(func(c *Config) *string { return &c.LeverAPIURL }), show: func(c *Config) string { return c.LeverAPIURL }},
	{Name: "LEVER_AUTH_URL", Default: "https://auth.lever.co", need: Lever,
		Doc:  "Lever's OAuth server: `/authorize` and `/oauth/token` are under it",
		Hint: "set an https URL such as https://auth.lever.co (http for this machine alone)",
		set:  setUpstream(func(c *Config) *string { return &c.LeverAuthURL }), show: func(c *Config) string { return c.LeverAuthURL }},
	{Name: "LEVER_CLIENT_ID", need: Lever,
		Doc: "your OAuth app at Lever; not needed for connectors linked by API key",
		set: setString(func(c *Config) *string { return &c.LeverClientID }), show: func(c *Config) string { return c.LeverClientID }},
	{Name: "LEVER_CLIENT_SECRET", Secret: true, need: Lever,
		Doc: "its secret",
		set: func(c *Config, s string) error { c.LeverClientSecret = Secret(s); return nil }, show: func(c *Config) string { return string(c.LeverClientSecret) }},
	{Name: "LEVERSYNC_ADDR", Default: "127.0.0.1:8080", need: Serve,
		Doc:  "where `serve` and `api` listen",
		Hint: "set host:port, such as 127.0.0.1:8080 or :8080",
		set:  setAddr(func(c *Config) *string { return &c.Addr }), show: func(c *Config) string { return c.Addr }},
	{Name: "LEVERSYNC_PUBLIC_URL", need: Serve,
		Doc:  "the URL by which others reach it; by default that of `LEVERSYNC_ADDR`, which must be this machine's alone then",
		Hint: "set an absolute URL such as https://sync.example.com",
		set:  setPublic, show: func(c *Config) string { return c.PublicURL }},
	{Name: "LEVERSYNC_ALLOW_HTTP", Default: "false", need: Serve,
		Doc:  "lets it be reached by http beyond this machine: keys, tokens and candidates then travel in the clear",
		Hint: "set true or false",
		set:  setBool(func(c *Config) *bool { return &c.AllowHTTP }), show: func(c *Config) string { return strconv.FormatBool(c.AllowHTTP) }},
	{Name: "LEVERSYNC_TRUSTED_PROXIES", need: Serve,
		Doc:  "addresses of your proxies, such as `10.0.0.0/8,127.0.0.1`: the limits by address then go by their `X-Forwarded-For`",
		Hint: "set addresses or networks, such as 10.0.0.0/8,127.0.0.1",
		set:  setProxies, show: func(c *Config) string { return c.TrustedProxies.String() }},
	{Name: "LEVERSYNC_OPERATOR_PASSWORD", Secret: true, need: Serve,
		Doc:  "opens the dashboard; without one, the first start makes and prints one",
		Hint: "set at least 12 characters, such as `openssl rand -base64 18` makes",
		set:  setPassword, show: func(c *Config) string { return string(c.OperatorPassword) }},
	{Name: "LEVERSYNC_SYNC_INTERVAL", Default: "1h", need: Schedule,
		Doc: "time between two syncs of a connector that has none of its own", Hint: durationHint,
		set: setDuration(minInterval, func(c *Config) *duration { return &c.SyncInterval }), show: func(c *Config) string { return c.SyncInterval.String() }},
	{Name: "LEVERSYNC_RATE_LIMIT", Default: "10", need: Work,
		Doc:  "calls to Lever a second per connector; Lever allows 10 per credential, other tools included",
		Hint: "set a number above 0, such as 10",
		set:  setRate, show: func(c *Config) string { return strconv.FormatFloat(c.RateLimit, 'g', -1, 64) }},
	{Name: "LEVERSYNC_FULL_INTERVAL", Default: "24h", need: Work,
		Doc: "how old the last traversal of a whole list may get: deletions are found by it", Hint: durationHint,
		set: setDuration(minInterval, func(c *Config) *duration { return &c.FullInterval }), show: func(c *Config) string { return c.FullInterval.String() }},
	{Name: "LEVERSYNC_SWEEP_PERIOD", Default: "168h", need: Work,
		Doc: "within which every opportunity's children are read again, a slice per sync", Hint: durationHint,
		set: setDuration(minInterval, func(c *Config) *duration { return &c.SweepPeriod }), show: func(c *Config) string { return c.SweepPeriod.String() }},
	{Name: "LEVERSYNC_KEEP_CALLS", Default: "720h", need: Schedule,
		Doc: "how long the log of calls is kept", Hint: durationHint,
		set: setDuration(minKeep, func(c *Config) *duration { return &c.KeepCalls }), show: func(c *Config) string { return c.KeepCalls.String() }},
	{Name: "LEVERSYNC_KEEP_RUNS", Default: "2160h", need: Schedule,
		Doc: "how long runs are kept; each scope's last one stays. 0: for ever", Hint: keepHint,
		set: setKeep(minKeep, func(c *Config) *duration { return &c.Keep.Runs }), show: func(c *Config) string { return c.Keep.Runs.String() }},
	{Name: "LEVERSYNC_KEEP_RAW", Default: "0", need: Schedule,
		Doc: "how long Lever's own bodies (`raw`) are kept after a record's last change, and rows in quarantine. 0: for ever", Hint: keepHint,
		set: setKeep(minKeep, func(c *Config) *duration { return &c.Keep.Raw }), show: func(c *Config) string { return c.Keep.Raw.String() }},
	{Name: "LEVERSYNC_KEEP_DELETED", Default: "0", need: Schedule | Serve,
		Doc: "how long records stay, marked as deleted, once they are gone; readers of the feed must come as often. 0: for ever", Hint: keepHint,
		set: setKeep(24*time.Hour, func(c *Config) *duration { return &c.Keep.Deleted }), show: func(c *Config) string { return c.Keep.Deleted.String() }},
	{Name: "LEVERSYNC_DAILY_CANDIDATES", Default: "1000", need: Serve,
		Doc:  "candidates that may be written to one connector within 24 hours; 0: as many as one likes",
		Hint: "set a whole number from 0 to 1000000",
		set:  setInt(0, 1_000_000, func(c *Config) *int { return &c.DailyCandidates }), show: func(c *Config) string { return strconv.Itoa(c.DailyCandidates) }},
	{Name: "LEVERSYNC_CONCURRENCY", Default: "64", need: Work,
		Doc:  "tasks that a worker runs at a time; they are cheap, connections to Postgres are not",
		Hint: "set a whole number from 1 to 10000",
		set:  setInt(1, 10000, func(c *Config) *int { return &c.Concurrency }), show: func(c *Config) string { return strconv.Itoa(c.Concurrency) }},
	{Name: "LEVERSYNC_DB_CONNS", Default: "16", need: Database,
		Doc:  "connections to Postgres that a process may hold",
		Hint: "set a whole number from 1 to 1000, below the server's max_connections",
		set:  setInt(1, 1000, func(c *Config) *int { return &c.DBConns }), show: func(c *Config) string { return strconv.Itoa(c.DBConns) }},
	{Name: "LEVERSYNC_DB_READS", Default: "0", need: Serve,
		Doc:  "reads of the API that run at once, the others wait their turn; 0: twice the processors of this machine",
		Hint: "set a whole number from 0 to 1000: about twice the processors that Postgres has",
		set:  setInt(0, 1000, func(c *Config) *int { return &c.DBReads }), show: func(c *Config) string { return strconv.Itoa(c.DBReads) }},
	{Name: "LEVERSYNC_START_TIMEOUT", Default: "30s", need: Database | Redis,
		Doc: "how long Postgres and Redis may be away when a command starts", Hint: durationHint,
		set: setDuration(minWait, func(c *Config) *duration { return &c.StartTimeout }), show: func(c *Config) string { return c.StartTimeout.String() }},
	{Name: "LEVERSYNC_METRICS_ADDR", need: Serve | Work | Schedule,
		Doc:  "where `/metrics`, `/healthz` and `/readyz` are served apart; `/metrics` is then there alone",
		Hint: "set host:port, such as 127.0.0.1:9090 or :9090",
		set:  setAddr(func(c *Config) *string { return &c.MetricsAddr }), show: func(c *Config) string { return c.MetricsAddr }},
	{Name: "LEVERSYNC_METRICS_CONNECTORS", Default: "0", need: Serve | Work | Schedule,
		Doc:  "how many connectors the metrics show one by one, by id",
		Hint: "set a whole number from 0 to 1000",
		set:  setInt(0, 1000, func(c *Config) *int { return &c.MetricsConnectors }), show: func(c *Config) string { return strconv.Itoa(c.MetricsConnectors) }},
	{Name: "LEVERSYNC_LOG_LEVEL", Default: "info", need: logging,
		Doc:  "`debug`, `info`, `warn` or `error`",
		Hint: "set debug, info, warn or error",
		set:  setLevel, show: func(c *Config) string { return strings.ToLower(c.LogLevel.String()) }},
	{Name: "LEVERSYNC_LOG_FORMAT", Default: "text", need: logging,
		Doc:  "`text` or `json`",
		Hint: "set text or json",
		set: func(c *Config, s string) error {
			if s != "text" && s != "json" {
				return fmt.Errorf("%q is no format", s)
			}
			c.LogFormat = s
			return nil
		}, show: func(c *Config) string { return c.LogFormat }},
}

// Table is the variables as a table in Markdown, as the README has it.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | what it is |\n|---|---|---|\n")
	for _, v := range vars {
		name, def := "`"+v.Name+"`", "–"
		if v.Secret {
			name += " ¹"
		}
		if v.Default != "" {
			def = "`" + v.Default + "`"
		}
		if v.required != 0 {
			def = "needed"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, def, v.Doc)
	}
	return b.String()
}

// errShape says no more than that the value has the wrong shape: it may be a secret.
var errShape = errors.New("is not what it should be")
