package worker

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// recently is how long after an interview its feedback is read on every run: edits move no clock.
	recently = 14 * 24 * time.Hour
	// maxAttempts is how often the children of one parent are tried before they are set aside.
	maxAttempts = 8
	// probes is how many refusals, without one success, make a list forbidden.
	probes = 3
	// groupSize and groupAge bound what is read but not yet written: a crash costs that much again.
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
	refused map[int]int  // by kind: refusals since the run's last success
	allowed map[int]bool // by kind: Lever let us read one
	open    map[string]*openParent
}

// openParent is a parent that is being read.
type openParent struct {
	work  store.Work
	left  int  // lists not yet read
	whole bool // all lists that are on are being read
}

func (r *childRun) run(ctx context.Context) (store.Outcome, error) {
	r.refused, r.allowed, r.open = map[int]int{}, map[int]bool{}, map[string]*openParent{}
	r.flags = r.slice.flags()
	r.enabled = kindsOf(r.kinds, r.slice.enabled)
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
			o.Forbidden[string(k.scope)] = refusedReason(fmt.Errorf("403 on each opportunity's %s", k.name))
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
	fresh := r.enabled &^ r.flags.Kinds
	stages, err := r.w.store.OfferStages(ctx, r.connector.ID, lever.StageOffer)
	if err != nil {
		return c, err
	}
	total, err := r.w.store.CountParents(ctx, r.connector.ID, r.of)
	if err != nil {
		return c, err
	}
	slice := r.sweepSlice(total)
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
		return tx.SaveCursor(ctx, c.encode())
	})
	r.flags = f
	c.Ready = slice > 0
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

// result is one list of one parent, read or failed.
type result struct {
	parent string
	kind   childKind
	got    children
	err    error
	gone   bool // Lever does not know the parent either
}

// job is one list to read.
type job struct {
	work store.Work
	kind childKind
}

// read works until nothing is left, the slice is over, or something stops it.
func (r *childRun) read(ctx context.Context) error {
	hired, err := r.w.store.HiredReasons(ctx, r.connector.ID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	m := r.mapper(hired)
	results := make(chan result)
	flying := 0
	defer func() { // leave no reader behind; what it brings is read again
		cancel()
		for ; flying > 0; flying-- {
			<-results
		}
	}()
	var queue []job
	var group []result
	var stop error
	var oldest time.Time
	tick := time.NewTicker(groupAge / 4)
	defer tick.Stop()
	empty := false
	for {
		if stop == nil && r.over() {
			stop = &yield{reason: "slice over"}
		}
		if stop == nil && !empty && len(queue) < r.conn.width() {
			more, err := r.refill(ctx)
			if err != nil {
				return err
			}
			queue, empty = append(queue, more...), len(more) == 0
		}
		for stop == nil && len(queue) > 0 && flying < r.conn.width() && len(group) < 2*groupSize {
			j := queue[0]
			queue = queue[1:]
			if r.flags.Forbidden&j.kind.bit != 0 {
				r.drop(j)
				continue
			}
			flying++
			go func() { results <- r.fetch(ctx, m, j) }()
		}
		if len(group) >= groupSize || len(group) > 0 && (flying == 0 || time.Since(oldest) > groupAge) {
			if err := r.write(ctx, group); err != nil {
				return err
			}
			group, empty = group[:0:0], false
			continue
		}
		if flying == 0 && len(queue) == 0 || flying == 0 && stop != nil {
			if stop != nil {
				return stop
			}
			if empty {
				return r.rest(ctx)
			}
			continue
		}
		select {
		case res := <-results:
			flying--
			if err := r.verdict(&res); err != nil {
				var wait *yield
				if errors.As(err, &wait) && wait.after <= shortWait && stop == nil {
					queue = append([]job{{work: r.open[res.parent].work, kind: res.kind}}, queue...)
					if err := sleep(ctx, wait.after); err != nil {
						return err
					}
					continue
				}
				if stop == nil || !errors.As(err, &wait) {
					stop = err
				}
				continue
			}
			if len(group) == 0 {
				oldest = time.Now()
			}
			group = append(group, res)
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refill takes more parents from Postgres.
func (r *childRun) refill(ctx context.Context) ([]job, error) {
	on := r.enabled &^ r.flags.Forbidden
	if on == 0 {
		return nil, nil
	}
	except := make([]string, 0, len(r.open))
	for id := range r.open {
		except = append(except, id)
	}
	works, err := r.w.store.NextWork(ctx, r.connector.ID, r.of, on, except, 50)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, w := range works {
		r.open[w.RemoteID] = &openParent{work: w, left: bits.OnesCount(uint(w.Pending)), whole: w.Pending == on}
		for _, k := range r.kinds {
			if w.Pending&k.bit != 0 {
				jobs = append(jobs, job{work: w, kind: k})
			}
		}
	}
	return jobs, nil
}

// drop leaves a list out that turned out to be forbidden.
func (r *childRun) drop(j job) {
	if p := r.open[j.work.RemoteID]; p != nil {
		if p.left--; p.left == 0 {
			delete(r.open, j.work.RemoteID)
		}
	}
}

// fetch reads one list. Where Lever does not know it, it asks for the parent: is that gone too?
func (r *childRun) fetch(ctx context.Context, m mapper, j job) result {
	ctx = withScope(lever.WithLane(withAttempt(ctx, j.work.Attempts+1), lever.Lane(j.work.Lane)), j.kind.scope)
	res := result{parent: j.work.RemoteID, kind: j.kind}
	res.got, res.err = j.kind.read(ctx, r.client(), m, j.work)
	if lever.Classify(res.err) == lever.VerdictGone {
		var err error
		if r.of == unified.Applications {
			_, err = r.client().Opportunity(ctx, j.work.RemoteID)
		} else {
			_, err = r.client().Posting(ctx, j.work.RemoteID)
		}
		res.gone = lever.Classify(err) == lever.VerdictGone
		if err != nil && !res.gone {
			res.err = err
		}
	}
	return res
}

// verdict turns a result's error into what becomes of it; its own error stops the run.
func (r *childRun) verdict(res *result) error {
	bit := res.kind.bit
	switch v := lever.Classify(res.err); v {
	case lever.VerdictOK:
		r.allowed[bit], r.refused[bit] = true, 0
	case lever.VerdictGone:
	case lever.VerdictForbidden: // of one confidential record, or of them all?
		if r.refused[bit]++; !r.allowed[bit] && r.refused[bit] >= probes {
			r.flags.Forbidden |= bit
		}
	case lever.VerdictTransient, lever.VerdictMalformed:
		r.log.Warn("child list put off", "kind", res.kind.name, "parent", res.parent, "attempt", r.open[res.parent].work.Attempts+1, "error", res.err)
	case lever.VerdictThrottled:
		after := lever.RetryAfter(res.err)
		return &yield{after: after, reason: res.err.Error()}
	default:
		return res.err
	}
	return nil
}

// rest decides what becomes of the run when nothing can be read now.
func (r *childRun) rest(ctx context.Context) error {
	left, err := r.w.store.WorkLeft(ctx, r.connector.ID, r.of, r.enabled&^r.flags.Forbidden)
	if err != nil {
		return err
	}
	if left.Ready > 0 {
		return &yield{reason: "more was put down"}
	}
	if left.Later > 0 && left.NextAt != nil {
		return &yield{after: max(time.Until(*left.NextAt), 200*time.Millisecond), reason: "some were put off"}
	}
	return nil
}
