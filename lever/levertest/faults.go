package levertest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The faults there are.
const (
	FaultStatus       FaultKind = "status"        // answer Status; with RetryAfter when set
	FaultLatency      FaultKind = "latency"       // wait Delay first
	FaultDrip         FaultKind = "drip"          // send the body in 64 pieces, Delay apart
	FaultTruncate     FaultKind = "truncate"      // send half of the body under its full Content-Length, then hang up
	FaultCutJSON      FaultKind = "cut_json"      // send half of the body as if it were all
	FaultInvalidJSON  FaultKind = "invalid_json"  // send a body with a syntax error
	FaultHTML         FaultKind = "html"          // 200 with a page of HTML
	FaultReset        FaultKind = "reset"         // hang up without an answer
	FaultDuplicate    FaultKind = "duplicate"     // rows come twice: within the page, and the last of the page before
	FaultLoop         FaultKind = "loop"          // a page names itself as the next one
	FaultCircle       FaultKind = "circle"        // the page that many behind the first, see Pages, names the second as the next one
	FaultPoison       FaultKind = "poison"        // one record of a page is spoilt, see Poison
	FaultExpiredToken FaultKind = "expired_token" // page tokens are refused
)

// Poison is what a spoilt field holds.
type Poison string

// The poisons there are. A wrong type and a number beyond all bounds make a record useless, the others can be cleaned.
const (
	PoisonWrongType Poison = "wrong_type" // an object where a time is due
	PoisonNUL       Poison = "nul"        // U+0000 in a text
	PoisonSurrogate Poison = "surrogate"  // half of a surrogate pair
	PoisonNumber    Poison = "number"     // 1e200000
)

// Fault is a fault to inject. Calls are matched before the endpoint sees them, after credential and rate limit.
type Fault struct {
	Match       string        `json:"match"` // regexp on "GET /opportunities/:id/offers" or on "GET /opportunities/0f5c…/offers"; "" is every call
	Kind        FaultKind     `json:"kind"`
	Status      int           `json:"status"`      // of FaultStatus
	RetryAfter  string        `json:"retry_after"` // the header of FaultStatus as it is sent; "" sends none
	Delay       time.Duration `json:"delay_ns"`
	Probability float64       `json:"probability"` // above 0 to 1; 0 means 1
	Times       int           `json:"times"`       // how often; 0 means until it is removed
	Pages       int           `json:"pages"`       // of FaultCircle
	Poison      Poison        `json:"poison"`
	Record      string        `json:"record"` // id of the record to spoil; "" is the first of the page
	Field       string        `json:"field"`  // to spoil; "" means createdAt, or headline for texts
}

// faults are the faults that are on.
type faults struct {
	mu     sync.Mutex
	active []*activeFault
	last   int
	rows   map[string][]byte   // the last record of the last page, by template
	trails map[string][]string // the page tokens of a list that were met, from its beginning on, by template and window
}

type activeFault struct {
	Fault
	id      int
	match   *regexp.Regexp
	seen    int // calls matched
	applied int
}

// Inject switches a fault on and returns its number for [Server.Remove]. It fails when Match is no regexp.
func (s *Server) Inject(f Fault) (int, error) {
	re, err := regexp.Compile(f.Match)
	if err != nil {
		return 0, fmt.Errorf("levertest: fault: %w", err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.last++
	s.faults.active = append(s.faults.active, &activeFault{Fault: f, id: s.faults.last, match: re})
	return s.faults.last, nil
}

// Remove switches a fault off and returns how often it struck.
func (s *Server) Remove(id int) int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	for i, f := range s.faults.active {
		if f.id == id {
			s.faults.active = slices.Delete(s.faults.active, i, i+1)
			return f.applied
		}
	}
	return 0
}

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = nil
}

// strikes are the faults that a call suffers. Whether one with a probability strikes depends on the seed and on how many calls
// it has seen, not on the hour.
func (f *faults) strikes(seed uint64, names ...string) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Fault
	for _, a := range f.active {
		if !slices.ContainsFunc(names, a.match.MatchString) || a.Times > 0 && a.applied >= a.Times {
			continue
		}
		a.seen++
		r := newRNG(seed^uint64(a.id)<<32, kindFault, a.seen)
		if a.Probability > 0 && float64(r.next()>>11)/(1<<53) >= a.Probability {
			continue
		}
		a.applied++
		out = append(out, a.Fault)
	}
	return out
}

// wrap serves a call through next, with the faults that are on.
func (f *faults) wrap(s *Server, c *call, r *http.Request, next func(http.ResponseWriter)) {
	hit := f.strikes(s.gen.seed, r.Method+" "+c.template, r.Method+" "+r.URL.Path[len("/v1"):])
	var onBody []Fault
	for _, h := range hit {
		switch h.Kind {
		case FaultLatency:
			if !pause(r.Context(), h.Delay) {
				return
			}
		case FaultStatus:
			if h.RetryAfter != "" {
				c.Header().Set("Retry-After", h.RetryAfter)
			}
			s.fail(c, &apiError{h.Status, "InjectedError", "status " + strconv.Itoa(h.Status)})
			return
		case FaultReset:
			hangUp(c)
			return
		case FaultHTML:
			c.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = c.Write([]byte("<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"))
			return
		case FaultExpiredToken:
			if r.URL.Query().Has("offset") {
				s.fail(c, errOffset)
				return
			}
		default:
			onBody = append(onBody, h)
		}
	}
	if len(onBody) == 0 {
		next(c)
		return
	}
	held := &heldAnswer{header: c.Header(), status: http.StatusOK}
	next(held)
	f.spoil(c, r, held, onBody)
}

// heldAnswer keeps an answer back, so that it can be spoilt.
type heldAnswer struct {
	header http.Header
	status int
	body   []byte
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(b []byte) (int, error) { h.body = append(h.body, b...); return len(b), nil }

// hangUp cuts the connection off.
func hangUp(c *call) {
	conn, _, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}
