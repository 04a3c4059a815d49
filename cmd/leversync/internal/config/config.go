// Package config turns environment variables into a validated Config.
//
// The variables are one table (see Vars): from it come the loading, the README's table and the help. What a
// command does not need is neither read nor checked: migrate runs where no encryption key is set. All that is
// wrong is reported at once, and no report holds a value of a secret.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/store"
)

// Need is a part of the configuration that a command uses.
type Need uint

// The parts. The log's settings are always read.
const (
	Database Need = 1 << iota // Postgres
	Redis                     // the queue and the rate budget
	Keys                      // to seal and open credentials
	Lever                     // where Lever is, and our OAuth app
	Work                      // how the worker works
	Schedule                  // how often what is due
	Serve                     // the HTTP server
	logging
)

// Config is the configuration of one process. Fields of parts that were not asked for are zero.
type Config struct {
	DatabaseURL  Secret
	RedisURL     Secret
	RedisOptions *redis.Options // RedisURL, parsed
	Keyring      *store.Keyring // LEVERSYNC_ENCRYPTION_KEY, parsed

	LeverAPIURL       string
	LeverAuthURL      string
	LeverClientID     string
	LeverClientSecret Secret

	Addr      string // host:port
	PublicURL string // "": http://Addr, this machine where Addr names none
	AllowHTTP bool   // the API and the pages may be reached by http beyond this machine

	TrustedProxies Proxies // whose X-Forwarded-For is believed

	OperatorPassword Secret // "": made at the first start

	DailyCandidates int // written to one connector within 24 hours; 0: any number

	MetricsAddr       string // host:port; "": the metrics are at Addr
	MetricsConnectors int    // how many /metrics shows one by one

	SyncInterval time.Duration
	FullInterval time.Duration
	SweepPeriod  time.Duration
	KeepCalls    time.Duration
	Keep         store.Keep
	RateLimit    float64 // calls a second per connector
	Concurrency  int     // tasks at a time
	DBConns      int
	DBReads      int // 0: twice the processors
	StartTimeout time.Duration

	LogLevel  slog.Level
	LogFormat string // text, json
}

// String shows the configuration by the names of its variables, secrets hidden.
func (c Config) String() string {
	var b strings.Builder
	for _, v := range vars {
		value := v.show(&c)
		if v.Secret && value != "" {
			value = redacted
		}
		fmt.Fprintf(&b, "%s=%s\n", v.Name, value)
	}
	return b.String()
}

// GoString is String: %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// LogValue is String: no log shows a secret.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Error lists everything that is wrong with the environment.
type Error struct {
	Problems []string // each: a variable, what is wrong, what to do
}

// Error is all problems, one a line.
func (e *Error) Error() string {
	return fmt.Sprintf("the configuration has %s:\n  %s", count(len(e.Problems), "problem"), strings.Join(e.Problems, "\n  "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Load reads the variables of the parts needed. Its error is an *Error.
func Load(getenv func(string) string, needs ...Need) (Config, error) {
	need := logging
	for _, n := range needs {
		need |= n
	}
	var c Config
	var problems []string
	for _, v := range vars {
		if v.need&need == 0 {
			continue
		}
		value, err := v.value(getenv)
		if err == nil {
			err = v.take(&c, value, need)
		}
		if err != nil {
			problems = append(problems, v.Name+": "+err.Error())
		}
	}
	if (c.LeverClientID == "") != (c.LeverClientSecret == "") {
		problems = append(problems, "LEVER_CLIENT_ID, LEVER_CLIENT_SECRET: one is set without the other: set both, as Lever shows them for your OAuth app, or neither")
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) && !c.AllowHTTP {
		problems = append(problems, "LEVERSYNC_PUBLIC_URL: is http, and keys, tokens and candidates would travel in the clear: put TLS before it and set its https URL, or LEVERSYNC_ALLOW_HTTP=true for a trial")
	}
	if problems != nil {
		return Config{}, &Error{Problems: problems}
	}
	return c, nil
}

// CheckReach says why the API and the pages can't be served at Addr, as an *Error; nil: they can. It is asked once Addr is what
// is listened on, as a flag can name another than the environment.
func (c Config) CheckReach() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil || c.PublicURL != "" || c.AllowHTTP || loopback(host) {
		return nil
	}
	return &Error{Problems: []string{"LEVERSYNC_PUBLIC_URL: is not set, and " + c.Addr + " is reached from beyond this machine, where keys, tokens and candidates would travel in the clear: " +
		"put TLS before it and set its https URL, listen on 127.0.0.1, or set LEVERSYNC_ALLOW_HTTP=true for a trial"}}
}

// value is what the variable is set to, by itself or by its file.
func (v Var) value(getenv func(string) string) (string, error) {
	direct := strings.TrimSpace(getenv(v.Name))
	if !v.Secret {
		return direct, nil
	}
	path := getenv(v.Name + "_FILE")
	switch {
	case path == "":
		return direct, nil
	case direct != "":
		return "", fmt.Errorf("%s_FILE is set too: unset one of them", v.Name)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", fmt.Errorf("%s_FILE names %s, which can't be read: %w", v.Name, path, err)
	}
	value := strings.TrimSpace(string(b))
	if value == "" {
		return "", fmt.Errorf("%s_FILE names %s, which is empty", v.Name, path)
	}
	return value, nil
}

// take checks a value, or the default in its absence, and sets the field.
func (v Var) take(c *Config, value string, need Need) error {
	if value == "" {
		value = v.Default
	}
	if value == "" {
		if v.required&need != 0 {
			return errors.New("is not set: " + v.Hint)
		}
		return nil
	}
	if err := v.set(c, value); err != nil {
		return fmt.Errorf("%w: %s", err, v.Hint)
	}
	return nil
}
