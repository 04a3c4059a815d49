package worker_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

// leverFaults are what Lever does wrong, by name.
var leverFaults = map[string][]levertest.Fault{
	"429 storm":             {{Kind: levertest.FaultStatus, Status: 429, Probability: 0.3}},
	"429, odd Retry-After":  {{Kind: levertest.FaultStatus, Status: 429, RetryAfter: "soon", Times: 2}, {Kind: levertest.FaultStatus, Status: 429, RetryAfter: "-7", Times: 2}},
	"5xx":                   {{Kind: levertest.FaultStatus, Status: 503, Probability: 0.1}, {Kind: levertest.FaultStatus, Status: 500, Times: 2}},
	"resets":                {{Kind: levertest.FaultReset, Probability: 0.1}},
	"HTML with 200":         {{Kind: levertest.FaultHTML, Probability: 0.05}},
	"truncated":             {{Kind: levertest.FaultTruncate, Probability: 0.05}, {Kind: levertest.FaultCutJSON, Probability: 0.05}},
	"slow":                  {{Kind: levertest.FaultLatency, Delay: 50 * time.Millisecond}},
	"dripping":              {{Kind: levertest.FaultDrip, Delay: 2 * time.Millisecond, Probability: 0.3}},
	"rows come twice":       {{Match: `^GET /(opportunities|users|postings|tags)$`, Kind: levertest.FaultDuplicate}},
	"page tokens expire":    {{Match: `^GET /opportunities$`, Kind: levertest.FaultExpiredToken, Times: 2}},
	"page tokens loop":      {{Match: `^GET /opportunities$`, Kind: levertest.FaultLoop, Times: 2}},
	"a spoilt record":       {{Match: `^GET /(opportunities|postings|users|tags|opportunities/[^/]+/(interviews|feedback|offers|files))$`, Kind: levertest.FaultPoison, Poison: levertest.PoisonWrongType, Times: 4}},
	"NUL and half a pair":   {{Match: `^GET /opportunities$`, Kind: levertest.FaultPoison, Poison: levertest.PoisonNUL, Times: 1}},
	"deletions are refused": {{Match: `deleted$`, Kind: levertest.FaultStatus, Status: 403}},
	"nothing":               nil,
}

// leverFault begins one at random, moves Lever's clock, and returns what ends both.
func (n *nemesis) leverFault() func() {
	n.t.Helper()
	name := pick(n, leverFaults)
	n.counts["Lever: "+name]++
	n.t.Logf("Lever: %s", name)
	for _, f := range leverFaults[name] {
		if _, err := n.lever.Inject(f); err != nil {
			n.t.Fatal(err)
		}
	}
	n.skew.Store(int64(n.rng.IntN(601)-300) * int64(time.Second))
	return n.calm
}

// serviceFaults are what goes wrong with the processes and the services, by name. Each returns what ends it.
var serviceFaults = map[string]func(*nemesis) func(){
	"process killed":                (*nemesis).killOne,
	"all processes killed":          (*nemesis).killAll,
	"process frozen until replaced": (*nemesis).freezeOne,
	"process ended":                 (*nemesis).endOne,
	"Redis flushed":                 (*nemesis).flushRedis,
	"Redis killed":                  (*nemesis).killRedis,
	"Redis paused":                  (*nemesis).pauseRedis,
	"Redis out of memory":           (*nemesis).fillRedis,
	"Postgres gone and back":        (*nemesis).cutPostgres,
	"connections terminated":        (*nemesis).terminate,
	"serialization failures":        func(n *nemesis) func() { return n.refuse("40001", 0.2) },
	"deadlocks":                     func(n *nemesis) func() { return n.refuse("40P01", 0.2) },
	"disk full":                     func(n *nemesis) func() { return n.refuse("53100", 1) },
	"read only":                     func(n *nemesis) func() { return n.refuse("25006", 1) },
	"network to Lever cut":          (*nemesis).cutLever,
	"asked for by hand as well":     (*nemesis).byHand,
}

func (n *nemesis) serviceFault() func() {
	n.t.Helper()
	name := pick(n, serviceFaults)
	n.counts[name]++
	n.t.Logf("services: %s", name)
	return serviceFaults[name](n)
}

// pick is a key of m at random; the least used first, so that a long run sees them all.
func pick[V any](n *nemesis, m map[string]V) string {
	best, least := "", 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		used := n.counts[name] + n.counts["Lever: "+name]
		if w := used*1000 + n.rng.IntN(1000); best == "" || w < least {
			best, least = name, w
		}
	}
	return best
}

func nothing() {}

func (n *nemesis) killOne() func() {
	if w := n.crew.awaitBusy(); w != nil {
		w.kill()
		n.crew.dismiss(w)
		n.crew.hire()
	}
	return nothing
}

func (n *nemesis) killAll() func() {
	n.crew.awaitBusy()
	many := len(n.crew.alive)
	for _, w := range n.crew.alive {
		w.kill()
		n.crew.dismiss(w)
	}
	for range many {
		n.crew.hire()
	}
	return nothing
}

// freezeOne stops a process that holds leases until others have them, or the runs have ended.
func (n *nemesis) freezeOne() func() {
	w := n.crew.awaitBusy()
	if w == nil {
		return nothing
	}
	holds := n.holds(w)
	w.signal(syscall.SIGSTOP)
	return func() {
		n.lever.ClearFaults() // who takes over must get through
		n.taken(holds, time.Minute)
		w.signal(syscall.SIGCONT)
	}
}

func (n *nemesis) endOne() func() {
	if w := n.crew.awaitBusy(); w != nil {
		w.term()
		n.crew.dismiss(w)
		n.crew.hire()
	}
	return nothing
}

func (n *nemesis) flushRedis() func() {
	n.crew.awaitBusy()
	if err := n.rdb.FlushAll(n.t.Context()).Err(); err != nil {
		n.t.Fatal(err)
	}
	return nothing
}

func (n *nemesis) killRedis() func() {
	n.crew.awaitBusy()
	n.redis.Kill()
	n.redis.Start()
	return nothing
}

func (n *nemesis) pauseRedis() func() {
	n.crew.awaitBusy()
	if err := n.rdb.Do(n.t.Context(), "CLIENT", "PAUSE", "2000", "ALL").Err(); err != nil {
		n.t.Fatal(err)
	}
	return nothing
}

// fillRedis makes Redis refuse every write for want of memory.
func (n *nemesis) fillRedis() func() {
	n.crew.awaitBusy()
	set := func(bytes string) {
		if err := n.rdb.ConfigSet(n.t.Context(), "maxmemory", bytes).Err(); err != nil {
			n.t.Fatal(err)
		}
	}
	set("1")
	n.until("no lease is held while Redis is full, or a second passed", time.Minute, n.after(time.Second))
	set("0")
	return nothing
}

// after is a condition that holds once d has passed, or all is done.
func (n *nemesis) after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) || n.done() }
}

// cutPostgres has every process lose Postgres, as in a restart after a crash: what is unlogged is gone, too.
func (n *nemesis) cutPostgres() func() {
	n.crew.awaitBusy()
	n.pgG.shut()
	n.terminate()
	n.db.Exec(`TRUNCATE sweep_pages`)
	n.until("Postgres was away for longer than a lease", time.Minute, n.after(brief+time.Second/2))
	n.pgG.open()
	return nothing
}

func (n *nemesis) terminate() func() {
	n.db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leversync'`)
	return nothing
}

// refuse has Postgres fail so many of the statements that a commit consists of, with an SQLSTATE, for a second.
func (n *nemesis) refuse(code string, share float64) func() {
	n.db.Exec(fmt.Sprintf(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF random() < %g THEN RAISE EXCEPTION 'refused' USING ERRCODE = '%s'; END IF;
    RETURN NULL; END $$`, share, code))
	n.db.Exec(`CREATE TRIGGER refuse BEFORE UPDATE ON runs FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
	n.until("Postgres has refused for a second", time.Minute, n.after(time.Second))
	n.db.Exec(`DROP TRIGGER refuse ON runs`)
	return nothing
}

func (n *nemesis) cutLever() func() {
	n.crew.awaitBusy()
	n.leverG.shut()
	n.until("Lever was out of reach for a second", time.Minute, n.after(time.Second))
	n.leverG.open()
	return nothing
}

func (n *nemesis) byHand() func() {
	for range 3 {
		if err := n.enqueue(); err != nil {
			n.t.Fatal(err)
		}
	}
	return nothing
}

// gateTo puts a gate before an address, and returns the URL that leads through it.
func gateTo(e *env, to string) (*gate, string) {
	e.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		e.t.Fatal(err)
	}
	g := openGate(e, u.Host)
	u.Host = g.addr
	return g, u.String()
}
