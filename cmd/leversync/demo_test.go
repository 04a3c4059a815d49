package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/leversync/leversync/store/storetest"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	o := c.run("demo", "--opportunities", "60", "--json")
	if o.code != exitOK {
		t.Fatalf("demo: exit %d: %s", o.code, o.err)
	}
	r := decode[demoReport](t, o.out)
	if len(r.First.Scopes) != 14 || len(r.Second.Scopes) != 14 || len(r.Changes) < 4 || len(r.Moved) < 3 || len(r.Questions) != 3 {
		t.Errorf("demo --json: %d and %d scopes, changes %q, moved %v, %d questions; want 14, 14, at least 4, at least 3 scopes, 3",
			len(r.First.Scopes), len(r.Second.Scopes), r.Changes, r.Moved, len(r.Questions))
	}
	if r.Second.Calls*2 > r.First.Calls {
		t.Errorf("demo: the second sync took %d calls, the first %d; want far fewer", r.Second.Calls, r.First.Calls)
	}
	for _, q := range r.Questions {
		if len(q.Answer.Rows) == 0 {
			t.Errorf("demo: %q has no answer", q.Question)
		}
	}
	if len(r.Calls) != 5 {
		t.Fatalf("demo made %d calls, want 5: three lists, the write, the candidate", len(r.Calls))
	}
	made, read := decode[writtenCandidate](t, string(r.Calls[3].Answer)), decode[writtenCandidate](t, string(r.Calls[4].Answer))
	if made.ID == "" || read.ID != made.ID || read.LastName != "Doe" || len(read.Applications) != 1 {
		t.Errorf("demo wrote %+v and read %+v; want John Doe with one application, the same", made, read)
	}
	for _, want := range []string{"1. The first sync", "at which this sync takes", "2. In Lever, meanwhile", "3. The second sync", "4. Questions", "5. Over HTTP", "can be read here at once", "Done in"} {
		if !strings.Contains(o.err, want) {
			t.Errorf("demo told %s; want %q in it", o.err, want)
		}
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM connectors"); n != 0 {
		t.Errorf("demo left %d connectors", n)
	}
}

// writtenCandidate is what of a candidate tells that the demo's was written.
type writtenCandidate struct {
	ID           string
	LastName     string `json:"last_name"`
	Applications []string
}

// pasted runs the demo's lines in a shell, as they are printed, and returns what the last one answers.
func pasted(t *testing.T, told string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		lacks(t, "no curl")
	}
	script := []string{"set -e"}
	for line := range strings.Lines(told) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "export API=") || strings.HasPrefix(line, "curl ") {
			script = append(script, line, "echo")
		}
	}
	if len(script) != 1+2*6 {
		t.Fatalf("demo printed %d lines for a shell, want 6: %s", (len(script)-1)/2, told)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Join(script, "\n")).CombinedOutput()
	if err != nil {
		t.Fatalf("the demo's lines in a shell: %v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func TestDemoKeptAndInterrupted(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	d := c.start("demo", "--opportunities", "50", "--keep")
	d.find(d.stdout, "It stays up until")
	url := d.find(d.stdout, `(http://\S+)/metrics`)
	if status, _ := get(t, url+"/readyz"); status != 200 {
		t.Errorf("demo --keep: GET /readyz: %d, want 200", status)
	}
	if c := decode[writtenCandidate](t, pasted(t, d.stdout.text())); c.LastName != "Doe" || len(c.Applications) != 1 {
		t.Errorf("the demo's lines, pasted, end in %+v; want John Doe with one application still", c)
	}
	if code := d.stop(); code != exitOK {
		t.Errorf("demo --keep, interrupted at its end: exit %d, want 0: %s", code, d.stderr.text())
	}

	d = c.start("demo", "--opportunities", "2000")
	d.find(d.stdout, "1. The first sync")
	if code := d.stop(); code != exitFailure || !strings.Contains(d.stderr.text(), "cleaned up") {
		t.Errorf("demo, interrupted half-way: exit %d: %s; want 1, and that it cleaned up", code, d.stderr.text())
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM connectors"); n != 0 {
		t.Errorf("an interrupted demo left %d connectors", n)
	}
	c.create()
	if o := c.run("demo"); o.code != exitFailure || !strings.Contains(o.err, "make demo") {
		t.Errorf("demo in a database that is in use: exit %d: %s; want it refused", o.code, o.err)
	}
}

// TestFirstActive passes over those who are disabled: the order of a list is not ours, and they may come first in it.
func TestFirstActive(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		`{"items":[{"id":"left","disabled":true},{"id":"here","disabled":false}]}`: "here",
		`{"items":[{"id":"a","disabled":null},{"id":"b"}]}`:                        "a",
		`{"items":[{"id":"left","disabled":true}]}`:                                "",
		`{"items":[]}`: "",
	} {
		if got, err := firstActive([]byte(page)); got != want || (err == nil) != (want != "") {
			t.Errorf("firstActive(%s) = %q, %v; want %q", page, got, err, want)
		}
	}
}
