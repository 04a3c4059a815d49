package worker

import (
	"context"
	"errors"
	"iter"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// One cursor is bound by Lever's latency: at 300 ms a page it makes a third of the calls that are allowed. A list that is
// long is therefore cut into windows of created_at, each with a cursor of its own, that are read side by side. Every
// opportunity has a createdAt that does not change, so each belongs to one window. The first is open at its beginning and
// the last at its end, and two neighbours share the millisecond at their border: whether Lever takes a border for inside
// or outside, no record falls between them, and one that comes twice is written once.
//
// A window costs a call for the part of a page at its end. So a list is cut only where one cursor can't use the budget, and
// into so few that all calls stay within a hundredth above the bound.
const (
	maxWindows = 12 // of one traversal
	// maxSpare is how many calls the cutting of a first sync's list may cost: whatever its children take, the lists come first.
	maxSpare = 10
	// pagesPerSecond is what the one that writes keeps up with.
	pagesPerSecond = 50
	// spreadSample is about how many applications say where to cut.
	spreadSample = 2000
	// growth bends even borders towards now, so that an account that grew, and one that did not, are cut not too badly.
	growth = 0.7
	// maxRestarts is how often a window, or a whole traversal, begins again because its page token has expired, or leads back.
	maxRestarts = 3
)

// window is a span of created_at, and how far it was read.
type window struct {
	From  time.Time `json:"from,omitzero"` // zero: open
	To    time.Time `json:"to,omitzero"`   // zero: open
	Token string    `json:"token,omitempty"`
	trail
	Seen     int  `json:"seen,omitempty"`     // records met
	Restarts int  `json:"restarts,omitempty"` // expired page tokens, and circles of them
	Done     bool `json:"done,omitempty"`
}

// windowsBetween are the windows that the borders make: one more than there are different ones, or none.
func windowsBetween(borders []time.Time) []window {
	var cuts []time.Time
	for _, b := range borders {
		if b = b.UTC().Truncate(time.Millisecond); b.UnixMilli() > 0 { // to Lever 0 may be no bound
			cuts = append(cuts, b)
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.CompactFunc(cuts, time.Time.Equal)
	if len(cuts) == 0 {
		return nil
	}
	out := make([]window, len(cuts)+1)
	for i, c := range cuts {
		out[i].To, out[i+1].From = c, c
	}
	return out
}

// bordersBetween are n-1 moments between two, somewhat nearer to each other towards the second.
func bordersBetween(from, to time.Time, n int) []time.Time {
	var out []time.Time
	for i := 1; i < n && from.Before(to); i++ {
		out = append(out, from.Add(time.Duration(float64(to.Sub(from))*math.Pow(float64(i)/float64(n), growth))))
	}
	return out
}

// cursors is how many cursors of one list use the budget, as far as what they bring can be written: one, where Lever
// answers fast.
func (k *conn) cursors() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	need := min(k.rate, pagesPerSecond) * k.latency
	if need <= 1 {
		return 1
	}
	return min(int(math.Ceil(need))+1, maxWindows)
}

// parts is into how many windows a list of at least so many pages is cut, after so many were read in vain. 1: it is not.
func (o *opportunities) parts(pages, vain int) int {
	bound := pages
	if o.state.LastStartedAt == nil || o.state.FullRequested { // the children of all are read, too
		bound += pages * 100 * bits.OnesCount(uint(o.childKinds()))
	}
	spare := bound/100 - vain
	if o.state.LastStartedAt == nil {
		spare = min(spare, maxSpare-vain)
	}
	return max(1, min(o.conn.cursors(), 1+spare))
}

// cut cuts a list of known length before its first page.
func (o *opportunities) cut(ctx context.Context) error {
	n, forced := o.parts(o.state.LastFullPages, 0), o.w.cfg.Windows > 0
	if forced {
		n = o.w.cfg.Windows
	}
	if n < 2 {
		return nil
	}
	borders, err := o.w.store.Spread(ctx, o.connector.ID, n, o.state.LastFullPages*100/spreadSample)
	if err != nil {
		return err
	}
	if len(borders) == 0 && forced {
		borders = bordersBetween(o.state.Now.AddDate(-3, 0, 0), o.state.Now, n)
	}
	o.cursor.Windows = windowsBetween(borders) // saved with the first page
	return nil
}

// probing reads a list of unknown length until it is known to be long enough to be cut; then o.long is set.
func (o *opportunities) probing(pages iter.Seq2[lever.Page[made], error]) iter.Seq2[lever.Page[made], error] {
	n := o.cursor.Page
	if !o.cursor.Full || o.state.LastFullPages > 0 || o.uncut {
		return pages
	}
	return func(yield func(lever.Page[made], error) bool) {
		for page, err := range pages {
			if !yield(page, err) {
				return
			}
			if n++; err == nil && page.Next != "" && n > 1 && o.parts(n, n) > 1 {
				o.long = true
				return
			}
		}
	}
}

// cutAnew cuts a list that was found to be long, and begins it again: what was read of it lies in no one window. The
// borders are even ones between the first that is known of the account, and now.
func (o *opportunities) cutAnew(ctx context.Context) error {
	o.long, o.uncut = false, true
	oldest, err := o.w.store.Oldest(ctx, o.connector.ID)
	if err != nil || oldest == nil {
		return err
	}
	to := o.cursor
	to.Windows = windowsBetween(bordersBetween(*oldest, o.state.Now, o.parts(to.Page, to.Page)))
	if to.Windows == nil {
		return nil
	}
	to.Token, to.trail, to.Seen = "", trail{}, 0
	return o.move(ctx, to)
}

// windowRun reads the windows side by side, one page of each at a time, and writes the pages one after the other.
type windowRun struct {
	*opportunities
	next    string // the phase after
	readers []windowReader
	fetched chan windowPage
	flying  int   // readers that were asked for a page
	stop    error // no more is asked for: why
}

// windowReader is the cursor of a window.
type windowReader struct {
	next   func() (lever.Page[made], error, bool) // nil: it is to be made
	end    func()
	rec    *recorder
	flying bool
	after  time.Duration // how long to wait before the next call
}

type windowPage struct {
	fetched[made]
	at int // which window
}

// readWindows reads what is left of the cursor's windows. It returns nil once all are done, with the cursor moved on to
// phase next. A failure of one window ends the others at their next page.
func (o *opportunities) readWindows(ctx context.Context, next string) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &windowRun{opportunities: o, next: next, readers: make([]windowReader, len(o.cursor.Windows)), fetched: make(chan windowPage)}
	defer func() {
		cancel()
		r.settle()
	}()
	r.begin(ctx)
	for r.flying > 0 {
		f := <-r.fetched
		r.flying--
		r.readers[f.at].flying = false
		if err := r.take(ctx, f); err != nil {
			return err
		}
		r.begin(ctx)
	}
	return r.stop
}

// begin asks for a page of each window that waits for none. The first page of all comes alone: it says whether the list
// may be read as it is asked for.
func (r *windowRun) begin(ctx context.Context) {
	if r.cursor.Phase == r.next {
		return
	}
	if r.stop == nil && r.over() {
		r.stop = &yield{reason: "slice over"}
	}
	for i, w := range r.cursor.Windows {
		if r.stop != nil || r.cursor.Page == 0 && r.flying > 0 {
			return
		}
		if w.Done || r.readers[i].flying {
			continue
		}
		r.open(ctx, i)
		r.flying++
		r.readers[i].flying = true
		go r.fetch(ctx, i)
	}
}

// open makes the cursor of window i, at its page token.
func (r *windowRun) open(ctx context.Context, i int) {
	reader, w := &r.readers[i], r.cursor.Windows[i]
	if reader.next != nil {
		return
	}
	reader.rec = r.rec.fork()
	opts := r.options()
	opts.CreatedSince, opts.CreatedUntil, opts.Token = w.From, w.To, w.Token
	reader.next, reader.end = iter.Pull2(r.pages(withRecorder(ctx, reader.rec), opts))
}

func (r *windowRun) fetch(ctx context.Context, i int) {
	reader := &r.readers[i]
	f := windowPage{at: i}
	if f.err = sleep(ctx, reader.after); f.err == nil {
		f.page, f.err, _ = reader.next() // there is one: the window is not done
	}
	f.calls = reader.rec.take()
	r.fetched <- f
}

// close ends the cursor of window i; a new one goes on at the window's page token.
func (r *windowRun) close(i int) {
	if reader := &r.readers[i]; reader.next != nil {
		reader.end()
		*reader = windowReader{}
	}
}

// take writes a page, with the cursor behind it. Its error ends the run at once.
func (r *windowRun) take(ctx context.Context, f windowPage) error {
	if f.err != nil {
		return r.failed(ctx, f)
	}
	r.w.store.Failpoint(store.PointFetched, r.connector.ID, r.stream.name)
	n, to := len(f.page.Items), r.cursor
	to.Windows = slices.Clone(to.Windows)
	w := &to.Windows[f.at]
	var circle int
	if w.trail, circle = w.trail.after(f.page.Next); circle > 0 {
		f.err = &lever.LoopError{Path: f.page.Call.PathTemplate, Pages: circle}
		return r.failed(ctx, f)
	}
	w.Token, w.Seen, w.Done = f.page.Next, w.Seen+n, f.page.Next == ""
	to.Page, to.Seen = to.Page+1, to.Seen+n
	if _, proven := met(f.page); !proven {
		to.Unproven = true
	}
	if !slices.ContainsFunc(to.Windows, func(w window) bool { return !w.Done }) {
		to.Phase = r.next
	}
	if err := commitPage(ctx, r.slice, f.fetched, to, r.apply); err != nil {
		return err
	}
	r.cursor, r.readers[f.at].after = to, 0
	return nil
}

// failed decides what becomes of a window that brought no page. A page token that has expired, or leads back, begins that window
// again, and no other: what it has met stays met. A short wait for the budget is sat out. Anything else ends the run.
func (r *windowRun) failed(ctx context.Context, f windowPage) error {
	r.close(f.at)
	w := r.cursor.Windows[f.at]
	switch v := lever.Classify(f.err); {
	case v == lever.VerdictBadToken && w.Token != "" && w.Restarts < maxRestarts:
		to := r.cursor
		to.Windows, to.Seen = slices.Clone(to.Windows), to.Seen-w.Seen
		to.Windows[f.at] = window{From: w.From, To: w.To, Restarts: w.Restarts + 1}
		err := r.commit(ctx, f.calls, to.save)
		if err == nil {
			r.cursor = to
			r.log.InfoContext(ctx, "window restarted", "run_id", r.lease.RunID, "window", f.at, "restarts", w.Restarts+1)
		}
		return err
	case v == lever.VerdictThrottled && lever.RetryAfter(f.err) <= shortWait && r.stop == nil:
		r.rec.put(f.calls)
		r.readers[f.at].after = lever.RetryAfter(f.err)
		return nil
	}
	r.rec.put(f.calls)
	var wait *yield
	if r.stop == nil || errors.As(r.stop, &wait) {
		r.stop = f.err
	}
	return nil
}

// settle waits for what is under way.
func (r *windowRun) settle() {
	for ; r.flying > 0; r.flying-- {
		r.rec.put((<-r.fetched).calls)
	}
	for i := range r.readers {
		r.close(i)
	}
}

// sleep waits, or returns early when the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
