package worker

import (
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// pipeline is the state of childRun.read: readers fly, results gather in a group, a group is written.
type pipeline struct {
	*childRun
	mapper  mapper
	queue   []job
	results chan result
	flying  int // readers
	group   []result
	oldest  time.Time // of the group
	written chan written
	writing int              // results being written
	empty   bool             // Postgres had no more when last asked
	held    <-chan time.Time // while the budget is a moment away, no more is begun either
	stop    error            // no more is begun: why
}

type written struct {
	group []result
	err   error
}

// feed begins as many readers as there is work and width for.
func (p *pipeline) feed(ctx context.Context) error {
	if p.stop == nil && p.over() {
		p.stop = &yield{reason: "slice over"}
	}
	width := p.conn.width()
	if p.stop == nil && !p.empty && len(p.queue) < width {
		more, err := p.refill(ctx)
		if err != nil {
			return err
		}
		p.queue, p.empty = append(p.queue, more...), len(more) == 0
	}
	for p.stop == nil && p.held == nil && len(p.queue) > 0 && p.flying < width && p.flying+len(p.group)+p.writing < batchSize {
		j := p.queue[0]
		p.queue = p.queue[1:]
		if p.flags.Forbidden&j.kind.bit != 0 {
			p.done(j.work.RemoteID)
			continue
		}
		p.flying++
		go func() { p.results <- p.fetch(ctx, j) }()
	}
	return nil
}

// refillSize is how many parents are taken at a time.
const refillSize = 50

// refill takes more parents from Postgres.
func (p *pipeline) refill(ctx context.Context) ([]job, error) {
	on := p.enabled &^ p.flags.Forbidden
	if on == 0 {
		return nil, nil
	}
	var works []store.Work
	var err error
	if open := slices.Collect(maps.Keys(p.open)); p.hinted {
		works, err = p.w.store.NextHinted(ctx, p.connector.ID, on, open, refillSize)
	} else {
		works, err = p.w.store.NextWork(ctx, p.connector.ID, p.of, on, open, refillSize)
	}
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, w := range works {
		p.open[w.RemoteID] = bits.OnesCount(uint(w.Pending))
		for _, k := range p.kinds {
			if w.Pending&k.bit != 0 {
				jobs = append(jobs, job{work: w, kind: k, whole: w.Pending == on})
			}
		}
	}
	return jobs, nil
}

// done counts one list of a parent off.
func (p *pipeline) done(parent string) {
	if p.open[parent]--; p.open[parent] <= 0 {
		delete(p.open, parent)
	}
}

// fetch reads one list. Where Lever does not know it, it asks for the parent: is that gone too?
func (p *pipeline) fetch(ctx context.Context, j job) (res result) {
	ctx = withScope(lever.WithLane(withAttempt(ctx, j.attempt()), lever.Lane(j.work.Lane)), j.kind.scope)
	rec := p.rec.fork()
	ctx = withRecorder(ctx, rec)
	res.job = j
	defer func() { res.calls = rec.take() }()
	res.got, res.err = j.kind.read(ctx, p.client(), p.mapper, j.work)
	if lever.Classify(res.err) == lever.VerdictGone {
		var err error
		if p.of == unified.Applications {
			_, err = p.client().Opportunity(ctx, j.work.RemoteID)
		} else {
			_, err = p.client().Posting(ctx, j.work.RemoteID)
		}
		res.gone = lever.Classify(err) == lever.VerdictGone
		if err != nil && !res.gone {
			res.err = err
		}
	}
	return res
}

// take puts a result into the group, or back into the queue when the budget is a moment away.
func (p *pipeline) take(res result) {
	err := p.verdict(res)
	if err == nil {
		if len(p.group) == 0 {
			p.oldest = time.Now()
		}
		p.group = append(p.group, res)
		return
	}
	p.rec.put(res.calls)
	var wait *yield
	if errors.As(err, &wait) && wait.after <= shortWait && p.stop == nil {
		p.queue = append([]job{res.job}, p.queue...)
		p.held = time.After(wait.after)
		return
	}
	if p.stop == nil || !errors.As(err, &wait) {
		p.stop = err
	}
}

// flush begins to write the group if it is due and nothing is being written, and reports whether it did.
func (p *pipeline) flush(ctx context.Context) bool {
	due := len(p.group) >= groupSize || len(p.group) > 0 && (p.flying == 0 || time.Since(p.oldest) > groupAge)
	if !due || p.writing > 0 {
		return false
	}
	group, f := p.group, p.flags
	p.group, p.writing, p.empty = nil, len(group), false
	go func() { p.written <- written{group, p.write(ctx, group, f)} }()
	return true
}

func (p *pipeline) wrote(w written) error {
	p.writing = 0
	for _, res := range w.group {
		p.done(res.work.RemoteID)
	}
	return w.err
}

// idle reports whether nothing is under way and nothing can be begun.
func (p *pipeline) idle() bool {
	return p.flying == 0 && p.writing == 0 && len(p.group) == 0 && (len(p.queue) == 0 || p.stop != nil)
}

// settle waits for what is under way.
func (p *pipeline) settle() {
	for _, res := range p.group {
		p.rec.put(res.calls)
	}
	for p.flying > 0 || p.writing > 0 {
		select {
		case res := <-p.results:
			p.flying--
			p.rec.put(res.calls)
		case <-p.written:
			p.writing = 0
		}
	}
}
