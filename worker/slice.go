package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// slice is a bounded piece of a run: from taking the lease to giving it back.
type slice struct {
	w         *Worker
	conn      *conn
	connector store.Connector
	stream    *stream
	lease     store.Lease
	state     store.Stream // as the lease was taken
	enabled   map[unified.Scope]bool
	fresh     map[unified.Scope]bool // of those, the ones that were turned on since they were last read
	until     time.Time              // when to hand the rest on, unless nobody waits
	last      time.Time              // when to hand it on in any case
	rec       *recorder
	log       *slog.Logger
	writing   atomic.Int32 // transactions under way
}

// yield is what a run returns that can't go on now, or whose slice is over.
type yield struct {
	after  time.Duration
	reason string
}

func (y *yield) Error() string { return fmt.Sprintf("worker: to go on in %s: %s", y.after, y.reason) }

// over reports whether the slice should stop at the next page.
func (s *slice) over() bool {
	return s.w.draining() || time.Now().After(s.until) && !s.prolong()
}

// prolong begins another slice in place, where handing the rest on would serve nobody and leave the budget unused
// until its calls have come back and a successor has begun: while slots are free, the connector has leases to spare
// and it is as it was when the slice began, and no hints wait for the list's lease.
func (s *slice) prolong() bool {
	if int(s.w.active.Load()) >= s.w.cfg.Concurrency || !time.Now().Before(s.last) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := s.w.store.Connector(ctx, s.connector.ID)
	if err != nil || c.Status != "COMPLETE" || c.Paused {
		return false
	}
	if k, err := s.w.conn(ctx, c); err != nil || k != s.conn {
		return false
	}
	if held, err := s.w.store.LeasesHeld(ctx, c.ID); err != nil || held >= s.conn.leases() {
		return false
	}
	if s.stream.name == streamOpportunities && s.state.LastStartedAt != nil { // hints are looked at between slices
		if waiting, err := s.w.store.HintsWait(ctx, c.ID); err != nil || waiting {
			return false
		}
	}
	s.until = earlier(time.Now().Add(s.w.cfg.Slice), s.last)
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// client is Lever, for this connector.
func (s *slice) client() *lever.Client { return s.conn.client }

func (s *slice) mapper(hired map[string]bool) mapping.Mapper {
	return mapping.Mapper{Connector: s.connector.ID, Hired: hired}
}

// wants reports whether the scope is on.
func (s *slice) wants(sc unified.Scope) bool { return s.enabled[sc] }

// readScopes learns which scopes are on.
func (s *slice) readScopes(ctx context.Context) error {
	list, err := s.w.store.Scopes(ctx, s.connector.ID)
	s.enabled, s.fresh = map[unified.Scope]bool{}, map[unified.Scope]bool{}
	for _, st := range list {
		s.enabled[unified.Scope(st.Scope)], s.fresh[unified.Scope(st.Scope)] = st.Enabled, st.Enabled && st.Fresh
	}
	return err
}

// anew reports whether one of the stream's scopes was turned on since it was last read: then all of the list is read,
// and what did not change is written too.
func (s *slice) anew() bool {
	for _, sc := range s.stream.scopes {
		if s.fresh[sc] {
			return true
		}
	}
	return false
}

// aside leaves out the bytes of what is set aside where none of the scopes that they belong to is on: nobody asked for them.
func (s *slice) aside(r store.Rejected, of ...unified.Scope) store.Rejected {
	if !slices.ContainsFunc(of, s.wants) {
		r.Raw = []byte("{}")
	}
	return r
}

// scopes are the stream's scopes that are on: none, where only others need the stream.
func (s *slice) scopes() []string {
	out := []string{} // nil would be NULL
	for _, sc := range s.stream.scopes {
		if s.enabled[sc] {
			out = append(out, string(sc))
		}
	}
	return out
}

// commit runs fn in a transaction together with the calls given. Calls that could not be written with it
// stay with the recorder.
func (s *slice) commit(ctx context.Context, calls []store.Call, fn func(context.Context, *store.Tx) error) error {
	return s.commitOf(ctx, calls, func(ctx context.Context) (store.Counts, error) {
		return s.w.store.Commit(ctx, s.lease, s.entering(calls, fn))
	})
}

// commitOf does what belongs to a commit beside the transaction itself.
func (s *slice) commitOf(ctx context.Context, calls []store.Call, commit func(context.Context) (store.Counts, error)) error {
	start := time.Now()
	s.writing.Add(1)
	defer s.writing.Add(-1)
	counts, err := commit(ctx)
	if err != nil {
		s.rec.put(calls)
		if errors.Is(err, store.ErrFenced) {
			s.w.metrics.Fenced.Add(1)
		}
		return err
	}
	s.w.metrics.Records.Add(counts.Read)
	if d := counts.Result; d != nil {
		s.w.cfg.Observer.Committed(*d)
		if d.Run != nil {
			s.ended(ctx, *d.Run)
		}
	}
	s.log.DebugContext(ctx, "committed", "calls", counts.Calls, "records", counts.Read, "written", counts.Written, "elapsed", time.Since(start))
	return nil
}

// entering is fn as a transaction of this slice begins.
func (s *slice) entering(calls []store.Call, fn func(context.Context, *store.Tx) error) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		if s.state.LastStartedAt == nil {
			tx.First()
		}
		tx.Log(calls)
		return fn(ctx, tx)
	}
}

// ended says how a run ended: the one line that each run logs.
func (s *slice) ended(ctx context.Context, r store.Run) {
	level := slog.LevelInfo
	if r.State != "done" {
		level = slog.LevelWarn
	}
	var elapsed time.Duration
	if r.EndedAt != nil {
		elapsed = r.EndedAt.Sub(r.StartedAt)
	}
	s.log.Log(ctx, level, "run ended", "run_id", r.ID, "kind", r.Kind, "state", r.State, "scopes", r.Scopes, "elapsed", elapsed,
		"calls", r.Calls, "bound", r.Bound, "throttled", r.Throttled, "read", r.Read, "written", r.Written, "deleted", r.Deleted,
		"quarantined", r.Quarantined, "reason", r.Error)
}

// finish ends the run in one transaction with what fn adds.
func (s *slice) finish(ctx context.Context, o store.Outcome) error {
	return s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Finish(ctx, o)
	})
}

// heartbeat keeps the lease until stop is called, and ends the context with ErrFenced when it is lost.
func (s *slice) heartbeat(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	lease, held := s.w.store.LeaseFor(), s.lease // of s.lease the run comes to be known meanwhile
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(lease / 4)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-stopped:
				return
			case <-ctx.Done():
				return
			case <-t.C:
			}
			rctx, done := context.WithTimeout(ctx, lease/2)
			err := s.w.store.Renew(rctx, held)
			done()
			switch {
			case err == nil, s.writing.Load() > 0: // a transaction holds the row, and with it everybody off
				last = time.Now()
			case err == store.ErrFenced:
				s.w.metrics.Lost.Add(1)
				cancel(store.ErrFenced)
				return
			case time.Since(last) > lease: // Postgres is away: somebody else may hold it by now
				cancel(err)
				return
			}
		}
	})
	return ctx, func() {
		close(stopped)
		wg.Wait()
		cancel(nil)
	}
}

// cursor is where a traversal goes on: phase, page token and generation's findings, one value.
type cursor struct {
	Phase           string    `json:"phase"`
	Token           string    `json:"token,omitempty"`
	trail                     // of a list that is read by one cursor
	Page            int       `json:"page"`                      // pages committed
	Seen            int       `json:"seen,omitempty"`            // records met
	Windows         []window  `json:"windows,omitempty"`         // that the list is cut into; each has a token of its own
	Full            bool      `json:"full,omitempty"`            // it is a traversal of the whole list
	Since           time.Time `json:"since,omitzero"`            // of a delta list
	Unproven        bool      `json:"unproven,omitempty"`        // a record without an id was met: absence proves nothing
	Confidentiality string    `json:"confidentiality,omitempty"` // what the list was asked for
	Restarts        int       `json:"restarts,omitempty"`        // expired page tokens, and circles of them
	Suspects        []string  `json:"suspects,omitempty"`        // absent from the list, to be asked for by id
	DeletionsUntil  time.Time `json:"deletions_until,omitzero"`
	Note            string    `json:"note,omitempty"`  // for the scope's status, though all went well
	Ready           bool      `json:"ready,omitempty"` // the phase's own preparation is done
	Probe           int       `json:"probe,omitempty"` // child lists that were forbidden, and are tried again
}

func (c cursor) encode() json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain fields: it cannot
	}
	return b
}

// length is how many pages the list has, read by one cursor.
func (c cursor) length() int {
	if len(c.Windows) == 0 {
		return c.Page
	}
	return max(1, (c.Seen+99)/100)
}

// save stores the cursor alone.
func (c cursor) save(_ context.Context, tx *store.Tx) error {
	tx.SaveCursor(c.encode())
	return nil
}

func (s *slice) cursor() (cursor, error) {
	var c cursor
	if len(s.state.Cursor) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(s.state.Cursor, &c); err != nil {
		return c, fmt.Errorf("worker: cursor of %s: %w", s.stream.name, err)
	}
	return c, nil
}

// flags are what was learnt of the account on a stream.
type flags struct {
	// Confidential says whether Lever lets us ask for confidential records: "", "yes", "no".
	Confidential string `json:"confidential,omitempty"`
	// Kinds are the child lists that were on when the stream last ran: what is new is read for everything.
	Kinds int `json:"kinds,omitempty"`
	// Forbidden are the child lists that Lever refuses.
	Forbidden int `json:"forbidden,omitempty"`
	// Answers are the statuses that it refuses them with, by list; one that is not here is refused with 403.
	Answers map[int]int `json:"answers,omitempty"`
}

// forbid remembers that Lever refuses a child list. The flags that were handed on before stay as they are.
func (f *flags) forbid(list, status int) {
	answers := map[int]int{}
	maps.Copy(answers, f.Answers)
	answers[list] = status
	f.Forbidden, f.Answers = f.Forbidden|list, answers
}

// reason says why a child list is forbidden, and what helps.
func (f flags) reason(k childKind) string {
	status := cmp.Or(f.Answers[k.bit], http.StatusForbidden)
	each := fmt.Errorf("%d on each opportunity's %s", status, k.name)
	if status == http.StatusForbidden {
		return refusedReason(each)
	}
	return fmt.Sprintf("Lever refuses it (%v), and not for want of a permission. Some are asked for again once a day; --full asks for all", each)
}

func (s *slice) flags() flags {
	var f flags
	_ = json.Unmarshal(s.state.Flags, &f) // unreadable is unlearnt
	return f
}

func (f flags) encode() json.RawMessage {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // plain fields: it cannot
	}
	return b
}
