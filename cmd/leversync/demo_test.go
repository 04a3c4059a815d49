package main

import (
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
	for _, want := range []string{"1. The first sync", "at which this sync takes", "2. In Lever, meanwhile", "3. The second sync", "4. Questions", "Done in"} {
		if !strings.Contains(o.err, want) {
			t.Errorf("demo told %s; want %q in it", o.err, want)
		}
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM connectors"); n != 0 {
		t.Errorf("demo left %d connectors", n)
	}
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
