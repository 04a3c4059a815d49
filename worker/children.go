package worker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// recently is how long after an interview its feedback is read on every run: edits move no clock.
	recently = 14 * 24 * time.Hour
	// maxAttempts is how often one list of a parent's children is tried before it is set aside.
	maxAttempts = 8
	// probes is how many refusals, without one success, make a list forbidden.
	probes = 3
	// batchSize is how many lists may be under way: asked for, read, or being written. A crash costs that many
	// calls again. groupSize and groupAge say when those that are read are written, while more are asked for.
	batchSize = 40
	groupSize = 20
	groupAge  = 400 * time.Millisecond
	// shortWait is the longest wait for the budget that is sat out within the slot.
	shortWait = 2 * time.Second
)

func runChildren(ctx context.Context, s *slice) (store.Outcome, error) {
	return (&childRun{slice: s, of: unified.Applications, kinds: childKinds}).run(ctx)
}

func runQuestions(ctx context.Context, s *slice) (store.Outcome, error) {
	return (&childRun{slice: s, of: unified.Jobs, kinds: questionKinds}).run(ctx)
}

// childRun reads the children of parents, as wide as the budget allows. The work is in Postgres; what is
// read is written in groups.
type childRun struct {
	*slice
	of      unified.Scope // applications or jobs
	kinds   []childKind
	enabled int // bit set of lists to read
	flags   flags
	forbade int            // lists that Postgres knows to be forbidden
	refused map[int]int    // by kind: refusals since the run's last success
	allowed map[int]bool   // by kind: Lever let us read one
	open    map[string]int // parents being read, and how many of their lists are not written yet
	hinted  bool           // only what webhooks have hinted at is read
}

func (r *childRun) prepare() {
	r.refused, r.allowed, r.open = map[int]int{}, map[int]bool{}, map[string]int{}
	r.flags = r.slice.flags()
	r.forbade = r.flags.Forbidden
	r.enabled = kindsOf(r.kinds, r.slice.enabled)
}

func (r *childRun) run(ctx context.Context) (store.Outcome, error) {
	r.prepare()
	c, err := r.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	if c.Phase == "" {
		if c, err = r.plan(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	if err := r.read(ctx); err != nil {
		return store.Outcome{}, err
	}
	if learnt := c.Probe & allowedBits(r.allowed); learnt != 0 {
		r.flags.Kinds &^= learnt // as if new: the next run reads them for everything
		if err := r.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error { return tx.SetFlags(ctx, r.flags.encode()) }); err != nil {
			return store.Outcome{}, err
		}
	}
	o := store.Outcome{State: "done", Full: c.Full, Swept: c.Ready, Forbidden: map[string]string{}}
	for _, k := range r.kinds {
		if r.flags.Forbidden&k.bit != 0 && r.enabled&k.bit != 0 {
			o.Forbidden[string(k.scope)] = r.flags.reason(k)
		}
	}
	return o, nil
}

// plan puts down what this run reads beside what the lists found changed: everything, when asked to; lists
// that are new; what is polled because nothing tells of its change; and the rolling sweep's slice.
func (r *childRun) plan(ctx context.Context) (cursor, error) {
	c := cursor{Phase: phaseList, Full: r.fullDue()}
	var probe int
	if c.Full { // permissions may have been given since: a few are tried
		probe, r.flags.Forbidden = r.flags.Forbidden, 0
		c.Probe = probe
	}
	fresh := r.enabled&^r.flags.Kinds | kindsOf(r.kinds, r.slice.fresh)
	if r.slice.fresh[unified.Attachments] { // an offer's documents are attachments, and come with its list
		fresh |= kindOffers & r.enabled
	}
	stages, err := r.w.store.OfferStages(ctx, r.connector.ID, lever.StageOffer)
	if err != nil {
		return c, err
	}
	total, err := r.w.store.CountParents(ctx, r.connector.ID, r.of)
	if err != nil {
		return c, err
	}
	slice := r.sweepSlice(total)
	c.Ready = slice > 0
	f := r.flags
	f.Kinds = r.enabled
	err = r.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		on := r.enabled &^ f.Forbidden
		if err := tx.DropWork(ctx, r.of, ^on&0xffff); err != nil {
			return err
		}
		switch {
		case r.state.FullRequested:
			if _, err := tx.MarkAll(ctx, r.of, on, int(lever.LaneBackfill)); err != nil {
				return err
			}
		default:
			if _, err := tx.MarkAll(ctx, r.of, fresh&on, int(lever.LaneBackfill)); err != nil {
				return err
			}
			if r.state.LastStartedAt == nil {
				break
			}
			if _, err := tx.MarkOldest(ctx, r.of, probe&on, int(lever.LaneIncremental), probes); err != nil {
				return err
			}
			if err := r.poll(ctx, tx, on, stages); err != nil {
				return err
			}
			if slice > 0 {
				n, err := tx.MarkOldest(ctx, r.of, on, int(lever.LaneSweep), slice)
				if err != nil {
					return err
				}
				tx.Add(store.Counts{Swept: n})
			}
		}
		if err := tx.SetFlags(ctx, f.encode()); err != nil {
			return err
		}
		tx.SaveCursor(c.encode())
		return nil
	})
	r.flags, r.forbade = f, f.Forbidden
	return c, err
}

func allowedBits(allowed map[int]bool) int {
	bits := 0
	for bit, ok := range allowed {
		if ok {
			bits |= bit
		}
	}
	return bits
}

// poll puts down what changes without moving any clock of the opportunity: offers of those in an offer
// stage, and feedback of those interviewed recently.
func (r *childRun) poll(ctx context.Context, tx *store.Tx, on int, stages []string) error {
	if r.of != unified.Applications {
		return nil
	}
	offers, err := tx.MarkStages(ctx, r.of, kindOffers&on, int(lever.LaneIncremental), stages)
	if err != nil {
		return err
	}
	feedback, err := tx.MarkInterviewed(ctx, r.of, kindFeedback&on, int(lever.LaneIncremental), r.state.Now.Add(-recently))
	tx.Add(store.Counts{Polled: offers + feedback})
	return err
}

// sweepSlice is how many parents the rolling sweep reads in this run, so that all are read within the period.
func (r *childRun) sweepSlice(total int64) int {
	if r.state.SweptAt == nil {
		return 0
	}
	since := r.state.Now.Sub(*r.state.SweptAt)
	return int(min(float64(total)*float64(since)/float64(r.w.cfg.SweepPeriod), float64(total)))
}

// job is one list to read.
type job struct {
	work  store.Work
	kind  childKind
	whole bool // all lists of the parent that are on are being read
}

// attempt counts from 1 since the list was last read.
func (j job) attempt() int { return j.work.PutOff[j.kind.bit].Attempts + 1 }

// result is a job done: a list read, or why it could not be.
type result struct {
	job
	got   children
	calls []store.Call
	err   error
	gone  bool // Lever does not know the parent either
}

// read works until nothing is left, the slice is over, or something stops it. Lists are fetched side by
// side; what is read is written in groups, one after the other, while more is fetched.
func (r *childRun) read(ctx context.Context) error {
	hired, err := r.w.store.HiredReasons(ctx, r.connector.ID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pipeline{childRun: r, mapper: r.mapper(hired), results: make(chan result), written: make(chan written)}
	defer func() { // leave no goroutine behind; what a reader brings now is read again
		cancel()
		p.settle()
	}()
	tick := time.NewTicker(groupAge / 4)
	defer tick.Stop()
	for {
		if err := p.feed(ctx); err != nil {
			return err
		}
		if p.flush(ctx) {
			continue
		}
		if p.idle() {
			if p.stop != nil {
				return p.stop
			}
			if p.empty {
				return r.rest(ctx)
			}
			continue
		}
		select {
		case res := <-p.results:
			p.flying--
			p.take(res)
		case <-p.held:
			p.held = nil
		case w := <-p.written:
			if err := p.wrote(w); err != nil {
				return err
			}
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// verdict turns a result's error into what becomes of it; its own error stops the run.
func (r *childRun) verdict(res result) error {
	bit := res.kind.bit
	switch v := lever.Classify(res.err); v {
	case lever.VerdictOK:
		r.allowed[bit], r.refused[bit] = true, 0
	case lever.VerdictGone:
	case lever.VerdictForbidden:
		r.refuse(bit, http.StatusForbidden)
	case lever.VerdictTransient, lever.VerdictMalformed, lever.VerdictBadToken: // the next attempt begins the list again
		r.log.Warn("child list put off", "kind", res.kind.name, "parent", res.work.RemoteID, "attempt", res.attempt(), "error", res.err)
	case lever.VerdictThrottled:
		return &yield{after: lever.RetryAfter(res.err), reason: res.err.Error()}
	default:
		bad, refused := errors.AsType[*lever.BadRequestError](res.err)
		if !refused {
			return res.err
		}
		r.log.Warn("child list refused", "kind", res.kind.name, "parent", res.work.RemoteID, "error", res.err)
		r.refuse(bit, bad.Status)
	}
	return nil
}

// refuse counts a refusal of a list: is it of one record, a confidential one for instance, or of them all?
func (r *childRun) refuse(list, status int) {
	if r.refused[list]++; !r.allowed[list] && r.refused[list] >= probes {
		r.flags.forbid(list, status)
	}
}

// rest decides what becomes of the run when nothing can be read now.
func (r *childRun) rest(ctx context.Context) error {
	on := r.enabled &^ r.flags.Forbidden
	var left store.Left
	var err error
	if r.hinted {
		left, err = r.w.store.HintedLeft(ctx, r.connector.ID, on)
	} else {
		left, err = r.w.store.WorkLeft(ctx, r.connector.ID, r.of, on)
	}
	if err != nil {
		return err
	}
	if left.Ready > 0 {
		return &yield{reason: "more was put down"}
	}
	if left.Later > 0 && left.NextIn != nil {
		return &yield{after: max(*left.NextIn, 200*time.Millisecond), reason: "some were put off"}
	}
	return nil
}
