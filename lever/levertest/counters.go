package levertest

import (
	"maps"
	"sync"
	"time"
)

// ringSize is how many calls' moments are kept.
const ringSize = 200_000

// counters count the calls to the API.
type counters struct {
	mu        sync.Mutex
	start     time.Time
	calls     int
	throttled int
	by        map[string]int
	status    map[int]int
	ring      []time.Duration // moments of calls since start, the oldest at head
	ok        []bool          // beside ring: the bucket let the call pass
	head      int
}

func (c *counters) add(v *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by, c.status = map[string]int{}, map[int]int{}
	}
	c.calls++
	c.by[v.template]++
	c.status[v.status]++
	if v.throttled {
		c.throttled++
	}
	at := v.at.Sub(c.start)
	if len(c.ring) < ringSize {
		c.ring, c.ok = append(c.ring, at), append(c.ok, !v.throttled)
		return
	}
	c.ring[c.head], c.ok[c.head] = at, !v.throttled
	c.head = (c.head + 1) % ringSize
}

// Calls is the number of calls to the API, the refused ones included.
func (s *Server) Calls() int {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return s.counters.calls
}

// CallsBy are the calls by path template, such as /opportunities/:id/offers; "" counts unknown paths.
func (s *Server) CallsBy() map[string]int {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return maps.Clone(s.counters.by)
}

// CallsByStatus are the calls by the status answered; 0 counts those cut off.
func (s *Server) CallsByStatus() map[int]int {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return maps.Clone(s.counters.status)
}

// Throttled is the number of calls that the rate limit refused with 429; faults do not count.
func (s *Server) Throttled() int {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	return s.counters.throttled
}

// ResetCounters sets all counters to zero.
func (s *Server) ResetCounters() {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	s.counters.calls, s.counters.throttled, s.counters.head = 0, 0, 0
	s.counters.by, s.counters.status = map[string]int{}, map[int]int{}
	s.counters.ring, s.counters.ok = nil, nil
}

// MaxInWindow is the greatest number of calls that arrived within any span of length d, of the last 200,000.
func (s *Server) MaxInWindow(d time.Duration) int {
	at, _ := s.counters.moments()
	most, first := 0, 0
	for last := range at {
		for at[last]-at[first] >= d {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// Utilisation is the share of the allowed rate that was used from one moment to another: 1 is all of it. Refused
// calls do not count, several credentials share the measure of one; 0 without a limit.
func (s *Server) Utilisation(from, to time.Time) float64 {
	rate := s.access.rate()
	if rate <= 0 || !to.After(from) {
		return 0
	}
	at, ok := s.counters.moments()
	lo, hi := from.Sub(s.counters.start), to.Sub(s.counters.start)
	n := 0
	for i, t := range at {
		if ok[i] && t >= lo && t < hi {
			n++
		}
	}
	return float64(n) / (rate * to.Sub(from).Seconds())
}

// moments are the kept calls' moments in the order of arrival, and whether the bucket let them pass.
func (c *counters) moments() ([]time.Duration, []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := append(append(make([]time.Duration, 0, len(c.ring)), c.ring[c.head:]...), c.ring[:c.head]...)
	ok := append(append(make([]bool, 0, len(c.ok)), c.ok[c.head:]...), c.ok[:c.head]...)
	sortTogether(at, ok)
	return at, ok
}

// sortTogether sorts moments, which come in nearly in order: a call is counted when it ends.
func sortTogether(at []time.Duration, ok []bool) {
	for i := 1; i < len(at); i++ {
		for j := i; j > 0 && at[j] < at[j-1]; j-- {
			at[j], at[j-1] = at[j-1], at[j]
			ok[j], ok[j-1] = ok[j-1], ok[j]
		}
	}
}
