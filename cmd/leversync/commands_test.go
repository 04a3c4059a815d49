package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/lever/levertest"
)

// asProgram makes the test's own binary run as leversync does: for shells that tests start.
const asProgram = "LEVERSYNC_TEST_AS_PROGRAM"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

// document reads one of the project's texts.
func document(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced is the first block of shell commands below a heading.
func fenced(t *testing.T, text, heading string) string {
	t.Helper()
	_, below, found := strings.Cut(text, heading+"\n")
	_, below, begun := strings.Cut(below, "```sh\n")
	block, _, ended := strings.Cut(below, "```\n")
	if !found || !begun || !ended {
		t.Fatalf("no commands below %s", heading)
	}
	return block
}

// found are the lines that stand for what a person would copy from one command into the next: an id, a token, a key.
const found = `
CONNECTOR_TOKEN=$(grep -oE 'lvc_[A-Za-z0-9_-]+' created.txt)
API=http://$(grep -oE 'listening addr=[0-9.:]+' serve.txt | cut -d= -f2)
first() { curl -sS -H "Authorization: Bearer $API_KEY" -H "X-Connector-Token: $CONNECTOR_TOKEN" "$API/api/ats/v1/$1" | tr -d ' \n' | grep -oE "$2" | head -n 1 | grep -oE '[0-9a-f-]{36}' | head -n 1; }
JOB=$(first jobs '"id":"[0-9a-f-]{36}"')
REMOTE_USER=$(first remote-users '\{"id":"[0-9a-f-]{36}"[^{}]*"disabled":false')
`

// The README's first account and its calls over HTTP, word for word in a shell: what differs is where Postgres, Redis and Lever are,
// what a person would copy, and that the binary is the test's.
func TestReadmeFirstAccount(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 33, Opportunities: 20, RatePerSecond: -1})
	block := replaced(t, fenced(t, document(t, "README.md"), "## Your first account, in five minutes"), map[string]string{
		"make build && export PATH=$PWD/bin:$PATH\n":        "export PATH=$PWD/bin:$PATH\n",
		"'postgres://leversync:…@localhost:5432/leversync'": "'" + c.env["DATABASE_URL"] + "'",
		"'redis://localhost:6379/0'":                        "'" + c.env["REDIS_URL"] + "'",
		"leversync serve & ":                                "leversync serve >serve.txt 2>&1 & trap \"kill $!; wait $!\" EXIT\n: ",
		"--lever-api-key-file key.txt\n":                    "--lever-api-key-file key.txt | tee created.txt\nCONNECTOR_ID=$(leversync connector list | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')\n",
		"sync CONNECTOR_ID":                                 "sync $CONNECTOR_ID",
	})
	over := replaced(t, fenced(t, document(t, "README.md"), "## Over HTTP"), map[string]string{
		"leversync apikey create --name my-app\n": "API_KEY=$(leversync apikey create --name my-app)\n" + found,
		`"job_id":"…"`:      `"job_id":"'$JOB'"`,
		`"remote_user":"…"`: `"remote_user":"'$REMOTE_USER'"`,
		"'http://127.0.0.1:8080/api/ats/v1/candidates?page_size=2'": `"$API/api/ats/v1/candidates?page_size=2"`,
		" http://127.0.0.1:8080/api/ats/v1/candidates\n":            " $API/api/ats/v1/candidates\n",
	})
	c.typed(block+over, "Acme", "synced", `"page_size":2`, `"first_name":"John"`)
}

// The tutorial's commands, word for word in a shell: what differs is where Postgres, Redis and Lever are, and that the account
// is linked by a command. TestDashboardInABrowser links one by the tutorial's clicks.
func TestTutorial(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 34, Opportunities: 20, RatePerSecond: -1})
	text := document(t, "deploy/docs/tutorial.md")
	started := replaced(t, fenced(t, text, "## 2. Start it"), map[string]string{
		"leversync fakelever >fakelever.txt & ": ": ",
		"leversync serve 2>serve.log & ":        "leversync serve 2>serve.txt &\n: ",
	})
	block := "export PATH=$PWD/bin:$PATH\n" + started + `
leversync connector create --org-name SpaceX --origin-id spacex-1 --lever-api-key-file key.txt
leversync sync $(leversync connector list --json | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}') --wait
` + fenced(t, text, "## 4. Look at what is there") + fenced(t, text, "## 5. Change it, and break it") + fenced(t, text, "## 6. Leave")
	block = strings.ReplaceAll(block, "http://127.0.0.1:8181", c.env["LEVER_AUTH_URL"])
	c.typed(block, "The dashboard is at http://127.0.0.1:", "The dashboard's password: ", "SpaceX", "synced", "lvs_")
	var pages strings.Builder
	for _, glob := range []string{"internal/dashboard/pages/*", "internal/connect/pages/*", "../../lever/levertest/authorize.go"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", glob, len(files), err)
		}
		for _, f := range files {
			pages.WriteString(document(t, filepath.Join("cmd/leversync", f)))
		}
	}
	labels := regexp.MustCompile(`\*\*([^*]+)\*\*`).FindAllStringSubmatch(text, -1)
	if len(labels) < 8 {
		t.Errorf("the tutorial names %d things to press: the search finds too few", len(labels))
	}
	for _, m := range labels {
		if !strings.Contains(pages.String(), ">"+m[1]+"<") {
			t.Errorf("the tutorial names %q, which no page has", m[1])
		}
	}
}

// replaced is a text with parts of it replaced, each of which it must hold once.
func replaced(t *testing.T, text string, parts map[string]string) string {
	t.Helper()
	for old, is := range parts {
		if strings.Count(text, old) != 1 {
			t.Fatalf("%q comes %d times, want once, in\n%s", old, strings.Count(text, old), text)
		}
		text = strings.Replace(text, old, is, 1)
	}
	return text
}

// typed runs commands in a shell, in a folder with bin/leversync and the simulated account's key in key.txt, and wants texts in
// what they print.
func (c *cli) typed(block string, want ...string) {
	c.t.Helper()
	program, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := exec.LookPath("psql"); err != nil {
		block = regexp.MustCompile(`(?m)^psql .*\n`).ReplaceAllString(block, "")
	}
	folder := c.t.TempDir()
	for name, text := range map[string]string{
		"key.txt":       "test-key\n",
		"bin/leversync": "#!/bin/sh\n" + asProgram + "=1 exec '" + program + "' \"$@\"\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(c.t.Context(), "bash", "-euo", "pipefail", "-c", block)
	cmd.Dir, cmd.WaitDelay = folder, 10*time.Second
	cmd.Env = append(os.Environ(), "DATABASE_URL="+c.env["DATABASE_URL"], "REDIS_URL="+c.env["REDIS_URL"], "LEVER_API_URL="+c.env["LEVER_API_URL"],
		"LEVERSYNC_ADDR=127.0.0.1:0", "LEVERSYNC_RATE_LIMIT=1000")
	out, err := cmd.CombinedOutput()
	if err != nil {
		served, _ := os.ReadFile(filepath.Join(folder, "serve.txt"))
		c.t.Fatalf("typed into a shell: %v\n%s\nserve said:\n%s", err, out, served)
	}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			c.t.Errorf("typed into a shell, it printed\n%s\nwant %s in it", out, w)
		}
	}
}

var (
	commandSpan = regexp.MustCompile("`leversync ([^`]+)`")
	commandLine = regexp.MustCompile(`(?m)^(?:.*exec api /|  )?leversync ([^#\n]+)`)
	shellBlock  = regexp.MustCompile("(?s)```sh\n(.*?)```")
	makeSpan    = regexp.MustCompile("(?m)(?:`|^)make ([a-z-]+)")
	makeTarget  = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// Each command that a text or a help names exists, with the flags that are named with it; each make target, too.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	root := (&app{getenv: os.Getenv}).root()
	root.InitDefaultHelpFlag()
	texts := map[string]string{"README.md": document(t, "README.md"), "deploy/systemd/leversync.env.example": document(t, "deploy/systemd/leversync.env.example")}
	docs, err := filepath.Glob("../../deploy/docs/*.md")
	if err != nil || len(docs) < 5 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, path := range docs {
		texts[filepath.Base(path)] = document(t, filepath.Join("deploy/docs", filepath.Base(path)))
	}
	eachCommand(root, func(c *cobra.Command) { texts["help of "+c.CommandPath()] = c.Long + "\n```sh\n" + c.Example + "\n```" })
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(document(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	named := 0
	for where, text := range texts {
		commands := commandSpan.FindAllStringSubmatch(text, -1)
		for _, block := range shellBlock.FindAllString(text, -1) {
			commands = append(commands, commandLine.FindAllStringSubmatch(block, -1)...)
		}
		for _, m := range commands {
			named++
			if missing := unknownIn(root, m[1]); missing != "" {
				t.Errorf("%s names `leversync %s`: there is no %s", where, strings.TrimSpace(m[1]), missing)
			}
		}
		for _, m := range makeSpan.FindAllStringSubmatch(text, -1) {
			if !targets[m[1]] {
				t.Errorf("%s names `make %s`, which the Makefile does not have", where, m[1])
			}
		}
	}
	if named < 100 {
		t.Errorf("%d commands are named in all texts: the search finds too few", named)
	}
}

func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, f)
	}
}

// unknownIn is the first part of a command line that does not exist; "" if all do. Alternatives stand as a|b, what may be left
// out in brackets.
func unknownIn(root *cobra.Command, line string) string {
	at := []*cobra.Command{root}
	for _, word := range strings.Fields(strings.NewReplacer(`\|`, "|", "[", " ", "]", " ", "`", " ").Replace(line)) {
		if word == "|" || word == "&&" || word == ">" || word == "2>" || word == ";" {
			return ""
		}
		if flag, isFlag := strings.CutPrefix(word, "--"); isFlag {
			name, _, _ := strings.Cut(strings.TrimRight(flag, ",.:"), "=")
			if at[0].Flags().Lookup(name) == nil && at[0].InheritedFlags().Lookup(name) == nil {
				return "flag --" + name + " of " + at[0].CommandPath()
			}
			continue
		}
		if !at[0].HasSubCommands() || strings.ToUpper(word) == word || word == "help" {
			continue
		}
		var next []*cobra.Command
		for name := range strings.SplitSeq(strings.TrimRight(word, ",.:"), "|") {
			found, _, err := at[0].Find([]string{name})
			if err != nil || found == at[0] {
				return "command " + name + " of " + at[0].CommandPath()
			}
			next = append(next, found)
		}
		at = next
	}
	return ""
}
