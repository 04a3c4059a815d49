package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args string
		want string // in the error
	}{
		{"frobnicate", `unknown command "frobnicate" for "leversync"`},
		{"stats", "did you mean status?"},
		{"connector nope", `unknown command "nope" for "leversync connector"`},
		{"apikey creat", "did you mean create?"},
		{"status --nope", "unknown flag: --nope"},
		{"sync", "needs the id of a connector"},
		{"sync acme", `"acme" is no connector id`},
		{"sync " + noConnector + " --scope people", `unknown scope "people": the scopes are applications,`},
		{"connector create --origin-id x --lever-api-key-file f", `required flag(s) "org-name" not set`},
		{"connector create --org-name A --origin-id x --link-ttl 1s", "--link-ttl 1s is too short"},
		{"connector create --org-name A --origin-id x --lever-api-key-file /nowhere", "no such file"},
		{"connector create --org-name A --origin-id x --lever-api-key-file - --scopes jobs,people", `--scopes: unknown scope "people"`},
		{"connector create --org-name A --origin-id x --lever-api-key-file -", "it is empty"},
		{"connector create --org-name A --origin-id x --lever-api-key-file - --rate-limit=-1", "--rate-limit -1"},
		{"connector scopes " + noConnector + " --enable tags --disable tags", "tags is both enabled and disabled"},
		{"calls --since yesterday", `--since "yesterday"`},
		{"calls --limit 0", "--limit"},
		{"calls --limit many", `--limit "many": give a whole number`},
		{"fakelever --latency fast", `--latency "fast": give a duration such as 30s or 2h`},
		{"why", `"leversync why" takes RECORD_ID, and 0 arguments were given: "leversync why --help" shows examples`},
		{"quarantine show x", `takes CONNECTOR_ID SCOPE KEY, and 1 argument was given`},
		{"apikey revoke x", `"x" is no id of a key`},
		{"apikey create --name=", "--name is empty"},
		{"status --quarantine", "--quarantine needs the id of a connector"},
		{"fakelever --opportunities 0", "--opportunities"},
		{"fakelever --rate=-1", "--rate"},
		{"demo --opportunities 1", "--opportunities"},
		{"serve --addr nowhere", `--addr: "nowhere" is not host:port`},
		{"serve --addr :0", `LEVERSYNC_PUBLIC_URL: is not set, and :0 is reached from beyond this machine`},
		{"api --addr 0.0.0.0:0", `LEVERSYNC_PUBLIC_URL: is not set, and 0.0.0.0:0 is reached`},
		{"version now", "unknown command"},
	}
	c := newCLI(t)
	c.withRedis()
	for _, tt := range tests {
		o := c.run(strings.Fields(tt.args)...)
		if o.code != exitUsage || !strings.Contains(o.err, tt.want) || o.out != "" {
			t.Errorf("leversync %s: exit %d, printed %q, said %q; want exit 2, nothing printed, and %q", tt.args, o.code, o.out, o.err, tt.want)
		}
	}
}

func TestConfigurationErrorsNameAll(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"serve":   {"DATABASE_URL: is not set", "REDIS_URL: is not set", "LEVERSYNC_ENCRYPTION_KEY: is not set"},
		"migrate": {"DATABASE_URL: is not set"},
		"sync x":  {"DATABASE_URL: is not set", "REDIS_URL: is not set"},
	} {
		o := execute(t.Context(), nil, "", strings.Fields(args)...)
		if o.code != exitUsage {
			t.Errorf("leversync %s without any environment: exit %d, want 2: %s", args, o.code, o.err)
		}
		for _, w := range want {
			if !strings.Contains(o.err, w) {
				t.Errorf("leversync %s without any environment said %q; want %q in it", args, o.err, w)
			}
		}
	}
	for _, args := range []string{"version", "help", "completion bash", "connector", "--help"} {
		if o := execute(t.Context(), nil, "", strings.Fields(args)...); o.code != exitOK || o.out == "" {
			t.Errorf("leversync %s without any environment: exit %d: %s", args, o.code, o.err)
		}
	}
}

// Every command says what it does, shows an example, and the root documents the exit codes.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := (&app{getenv: os.Getenv}).root()
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			check(sub)
		}
		if c.Short == "" || !strings.Contains(c.Example, "leversync") && !strings.Contains(c.Example, "make demo") {
			t.Errorf("%s: Short %q, Example %q; want both", c.CommandPath(), c.Short, c.Example)
		}
	}
	check(root)
	for _, want := range []string{"0  done", "1  failed", "2  wrong usage", "3  what was named", "4  a sync ended"} {
		if !strings.Contains(root.Long, want) {
			t.Errorf("the root's help lacks the exit code %q", want)
		}
	}
}

func TestCompletionOffersScopes(t *testing.T) {
	t.Parallel()
	o := execute(t.Context(), nil, "", "__complete", "sync", noConnector, "--scope", "")
	for _, want := range []string{"candidates\n", "job-interview-stages\n"} {
		if !strings.Contains(o.out, want) {
			t.Errorf("completion of --scope = %q; want %q in it", o.out, want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	o := execute(t.Context(), nil, "", "version", "--json")
	v := decode[map[string]any](t, o.out)
	for _, field := range []string{"version", "commit", "go", "platform"} {
		if _, ok := v[field]; !ok {
			t.Errorf("version --json = %s; want the field %s", o.out, field)
		}
	}
	if o := execute(t.Context(), nil, "", "version"); !strings.HasPrefix(o.out, "leversync "+v["version"].(string)) {
		t.Errorf("version = %q; want it to begin with the version", o.out)
	}
}

// A key comes from a file or from standard input, and no error repeats it.
func TestReadKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		content, want string // want "": it is refused
	}{
		{"abc123\n", "abc123"},
		{"  abc123 \r\n", "abc123"},
		{"abc 123", ""},
		{"abc\n123", ""},
		{"\n", ""},
		{"sécret", ""},
		{strings.Repeat("k", maxKey+1), ""},
	}
	for _, tt := range tests {
		a := &app{stdin: strings.NewReader(tt.content)}
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{"-", path} {
			got, err := a.readKey(from)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("readKey(%s with %.20q) = %.20q, %v; want %q", from, tt.content, got, err, tt.want)
			}
			if err != nil && strings.TrimSpace(tt.content) != "" && strings.Contains(err.Error(), strings.TrimSpace(tt.content)) {
				t.Errorf("readKey(%s): the error repeats the key: %v", from, err)
			}
		}
	}
}
