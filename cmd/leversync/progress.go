package main

import (
	"slices"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// snapshot is what Postgres says of a request at one moment.
type snapshot struct {
	at        time.Time
	connector store.Connector
	scopes    []store.ScopeStatus
	runs      []store.Run // newest first
	left      map[unified.Scope]int64
}

// request is what was asked for.
type request struct {
	scopes []unified.Scope
	due    time.Time // a traversal that began later serves it
}

// progress is how far a request is.
type progress struct {
	connector store.Connector
	rows      []row
	runs      []store.Run // begun since the request, oldest first
	elapsed   time.Duration
	calls     int64
	bound     int64
	rate      float64       // calls a second, lately
	left      int64         // child lists to be read
	eta       time.Duration // 0: not known yet
}

// row is how far one scope is.
type row struct {
	scope       unified.Scope
	state       string // waiting, syncing, ok, forbidden, failed
	settled     bool
	reason      string
	records     int64
	quarantined int64
	run         *store.Run // the latest since the request; shared by the scopes of one list
	done, total int64      // child lists; total 0: how many calls it takes is not known
}

// parentsOf says whose child lists a stream reads, by its name.
var parentsOf = map[string]unified.Scope{
	"opportunity-children": unified.Applications,
	"posting-questions":    unified.Jobs,
}

// settled reports whether a scope's share of a request is over.
func settled(s store.ScopeStatus, due time.Time) bool {
	if s.State == "ok" && s.SyncedAt != nil && !s.SyncedAt.Before(due) {
		return true
	}
	return s.RequestedAt == nil && (s.State == "ok" || s.State == "forbidden" || s.State == "failed")
}

// progressOf reads a snapshot. The meter remembers earlier ones.
func progressOf(s snapshot, r request, m *meter, begun time.Time) progress {
	p := progress{connector: s.connector, elapsed: s.at.Sub(begun)}
	listing := false
	running := map[string]bool{}
	for _, run := range slices.Backward(s.runs) {
		if run.StartedAt.Before(r.due) && run.State != "running" {
			continue
		}
		p.runs = append(p.runs, run)
		p.calls += run.Calls
		p.bound += run.Bound
		if run.State == "running" {
			parents, children := parentsOf[run.Stream]
			listing = listing || !children
			if children && !running[run.Stream] {
				running[run.Stream] = true
				p.left += s.left[parents]
			}
		}
	}
	for _, st := range s.scopes {
		if slices.Contains(r.scopes, unified.Scope(st.Scope)) {
			p.rows = append(p.rows, rowOf(st, p.runs, s.left, r.due))
		}
	}
	p.rate = m.rate(s.at, p.calls)
	if p.left > 0 && !listing && p.rate > 0 {
		p.eta = time.Duration(float64(p.left) / p.rate * float64(time.Second))
	}
	return p
}

func rowOf(st store.ScopeStatus, runs []store.Run, left map[unified.Scope]int64, due time.Time) row {
	w := row{scope: unified.Scope(st.Scope), state: st.State, settled: settled(st, due), reason: st.Reason, records: st.Records, quarantined: st.Quarantined}
	for i := range runs {
		if slices.Contains(runs[i].Scopes, st.Scope) {
			w.run = &runs[i]
		}
	}
	if w.settled {
		return w
	}
	w.state = "waiting"
	if w.run == nil || w.run.State != "running" {
		return w
	}
	w.state = "syncing"
	if st.State == "failed" {
		w.state = "retrying"
	}
	if parents, ok := parentsOf[w.run.Stream]; ok {
		w.done, w.total = w.run.Calls, w.run.Calls+left[parents]
	}
	return w
}

// over reports whether there is nothing more to wait for.
func (p progress) over() bool {
	return p.connector.Status != "COMPLETE" || p.connector.Paused ||
		!slices.ContainsFunc(p.rows, func(w row) bool { return !w.settled })
}

// settledRows counts them.
func (p progress) settledRows() (n int) {
	for _, w := range p.rows {
		if w.settled {
			n++
		}
	}
	return n
}

// records counts those of all rows.
func (p progress) records() (n int64) {
	for _, w := range p.rows {
		n += w.records
	}
	return n
}

// window is how far back the rate looks.
const window = 3 * time.Second

// meter measures the rate of calls over the last few seconds. The zero value is ready.
type meter struct{ samples []sample }

type sample struct {
	at    time.Time
	calls int64
}

// rate notes how many calls there were by now, and returns how many came a second lately.
func (m *meter) rate(at time.Time, calls int64) float64 {
	m.samples = append(m.samples, sample{at, calls})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= window {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	if span := at.Sub(first.at).Seconds(); span > 0 && calls >= first.calls {
		return float64(calls-first.calls) / span
	}
	return 0
}
