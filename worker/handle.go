package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// handle runs one sync task. See the package comment for a task's life.
func (w *Worker) handle(ctx context.Context, t *asynq.Task) error {
	w.metrics.Tasks.Add(1)
	w.active.Add(1)
	defer w.active.Add(-1)
	err := w.sync(ctx, t)
	if err != nil && !errors.Is(err, asynq.SkipRetry) {
		w.log.WarnContext(ctx, "task failed, and is tried again", "error", err)
	}
	return err
}

func (w *Worker) sync(ctx context.Context, t *asynq.Task) error {
	p, err := task.ParseSync(t.Payload())
	if err != nil {
		return skip("%v", err)
	}
	c, enabled, err := w.store.Switched(ctx, p.ConnectorID)
	if errors.Is(err, store.ErrNotFound) {
		return skip("no connector %s: `leversync connector list` shows those there are", p.ConnectorID)
	}
	if err != nil {
		return err
	}
	if p.Hints {
		return w.hints(ctx, c)
	}
	if p.Scope == "" {
		return w.fanOut(ctx, c, scopesOn(enabled), p.DueAt)
	}
	sc, err := unified.ParseScope(p.Scope)
	if err != nil {
		return skip("%v", err)
	}
	if !enabled[sc] {
		if p.DueAt != nil {
			return nil // switched off since it fell due
		}
		return skip("scope %s of connector %s is off: `leversync connector scopes %s --enable %s` turns it on", sc, c.ID, c.ID, sc)
	}
	if c.Status != "COMPLETE" || c.Paused {
		w.log.InfoContext(ctx, "task left", "connector_id", c.ID, "scope", sc, "status", c.Status, "paused", c.Paused)
		return nil
	}
	var due time.Time
	if p.DueAt != nil {
		due = *p.DueAt
	}
	if due, err = w.store.Request(ctx, c.ID, []unified.Scope{sc}, due); err != nil {
		return err
	}
	err = w.advance(ctx, c, sc, due)
	w.store.Failpoint(store.PointAck, c.ID, streamOf[sc].name)
	return err
}

// scopesOn are the scopes that are on.
func scopesOn(enabled map[unified.Scope]bool) []unified.Scope {
	return slices.DeleteFunc(slices.Clone(unified.Scopes), func(sc unified.Scope) bool { return !enabled[sc] })
}

// fanOut makes one task for each of the scopes, all due at the same moment: they share traversals.
func (w *Worker) fanOut(ctx context.Context, c store.Connector, scopes []unified.Scope, dueAt *time.Time) error {
	var due time.Time
	if dueAt != nil {
		due = *dueAt
	}
	due, err := w.store.Request(ctx, c.ID, scopes, due)
	if err != nil {
		return err
	}
	for _, sc := range scopes {
		if err := w.queue.Enqueue(ctx, task.Sync{ConnectorID: c.ID, Scope: string(sc), DueAt: &due}, task.Options{ID: task.SlotID(c.ID, string(sc), due.Unix())}); err != nil {
			return err
		}
	}
	return nil
}

// advance brings the scope's stream up to date, after those that it needs.
func (w *Worker) advance(ctx context.Context, c store.Connector, sc unified.Scope, due time.Time) error {
	st := streamOf[sc]
	names := StreamsOf([]unified.Scope{sc})
	p, err := w.store.Progress(ctx, c.ID, slices.Concat(names, st.yields))
	if err != nil || st.waits(p) {
		return err // the end of what is to come first wakes the scope
	}
	ran := false
	for _, name := range names {
		if ran { // that took its time: others went on as well
			if p, err = w.store.Progress(ctx, c.ID, names); err != nil {
				return err
			}
		}
		state, err := p.Streams[name], error(nil)
		switch {
		case served(state, due):
			ran = false
			if state.LastStartedAt == nil || state.LastStartedAt.Before(due) {
				err = errEnded // it was tried since, in vain
			}
		case state.Held:
			err = store.ErrHeld // without asking for the lease: who asks waits for the transaction under way
		default:
			ran, err = true, w.run(ctx, c, streams[name], sc, due)
		}
		var y *yield
		switch {
		case err == nil:
		case errors.As(err, &y):
			w.metrics.Yields.Add(1)
			return w.later(ctx, c, sc, state, due, y.after)
		case errors.Is(err, store.ErrHeld):
			return nil // who holds it runs it to its end, and wakes what waits for it
		case errors.Is(err, store.ErrCapped):
			return w.later(ctx, c, sc, state, due, jitter(time.Second))
		case errors.Is(err, store.ErrFenced):
			w.log.WarnContext(ctx, "lease lost", "connector_id", c.ID, "stream", name)
			return nil
		case errors.Is(err, errEnded):
			if slices.Contains(st.needs, name) { // the end of that run has told this scope why
				return w.store.Settle(ctx, c.ID, sc, due)
			}
		default:
			return err
		}
	}
	return w.store.Settle(ctx, c.ID, sc, due)
}

// errEnded means that a run ended without bringing its scopes up to date: refused, or failed for good.
var errEnded = errors.New("worker: the run ended without success")

// served reports whether a stream was traversed since due, or tried to be, and nothing more is asked of it.
func served(st store.Stream, due time.Time) bool {
	return st.RunID == nil && !st.FullRequested && st.LastTriedAt != nil && !st.LastTriedAt.Before(due)
}

// later leaves a successor in the queue: a fresh task, at its tail.
func (w *Worker) later(ctx context.Context, c store.Connector, sc unified.Scope, st store.Stream, due time.Time, in time.Duration) error {
	queue := task.QueueSync
	if st.LastStartedAt == nil {
		queue = task.QueueBackfill
	}
	err := w.queue.Enqueue(context.WithoutCancel(ctx), task.Sync{ConnectorID: c.ID, Scope: string(sc), DueAt: &due}, task.Options{Queue: queue, In: in})
	w.store.Failpoint(store.PointSuccessor, c.ID, streamOf[sc].name)
	return err
}

// taskMargin is how long before the end of its time a task hands the rest on at the latest.
const taskMargin = 30 * time.Second

// run takes the stream's lease and runs a slice of it, for sc. Its errors: *yield when there is more to do, ErrHeld,
// ErrCapped, ErrFenced, errEnded, and what Postgres says.
func (w *Worker) run(ctx context.Context, c store.Connector, st *stream, sc unified.Scope, due time.Time) error {
	if w.draining() {
		return &yield{after: 0, reason: "draining"}
	}
	err := w.hold(ctx, c, st, 0, func(ctx context.Context, s *slice) (time.Duration, error) {
		if served(s.state, due) || !s.wants(sc) {
			return -1, errServed
		}
		wake, err := s.work(ctx)
		s.between(ctx, err)
		return wake, err
	})
	if errors.Is(err, errServed) {
		return nil
	}
	if err == nil || errors.Is(err, errEnded) {
		bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		w.wakeWaiters(bg, c, st)
	}
	return err
}

// errServed means that there was nothing to do, once the lease was there.
var errServed = errors.New("worker: it was done already")

// hold takes the stream's lease, does work under it, and gives it back. The work says when the run under way wants to go on
// (negative: it ended). more is how many leases the connector may hold beyond its share.
func (w *Worker) hold(ctx context.Context, c store.Connector, st *stream, more int, work func(context.Context, *slice) (time.Duration, error)) error {
	k, err := w.conn(ctx, c)
	if err != nil {
		return err
	}
	lease, state, err := w.store.Acquire(ctx, c.ID, st.name, w.owner, k.leases()+more)
	if err != nil {
		return err
	}
	defer allocate()()
	w.store.Failpoint(store.PointAcquired, c.ID, st.name)
	until := time.Now().Add(w.cfg.Slice)
	s := &slice{
		w: w, conn: k, connector: c, stream: st, lease: lease, state: state, until: until, last: until,
		rec: &recorder{connector: c.ID, stream: st.name, attempt: state.Failures + 1},
		log: w.log.With("connector_id", c.ID, "stream", st.name, "fence", lease.Fence),
	}
	if end, ok := ctx.Deadline(); ok { // the task's: what is under way then has to be written still
		s.last = end.Add(-taskMargin)
		s.until = earlier(s.until, s.last)
	}
	// Read under the lease: whoever turns a scope on or off takes it back.
	if err := s.readScopes(ctx); err != nil {
		return errors.Join(err, w.store.Release(context.WithoutCancel(ctx), lease, 0))
	}
	hctx, stop := s.heartbeat(ctx)
	wake, err := work(hctx, s)
	if cause := context.Cause(hctx); err != nil && cause != nil && errors.Is(cause, store.ErrFenced) {
		err = store.ErrFenced
	}
	stop()
	if errors.Is(err, store.ErrFenced) {
		return errors.Join(err, s.flush(ctx))
	}
	bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if ferr := s.flush(bg); ferr != nil {
		s.log.WarnContext(ctx, "calls not logged", "error", ferr)
	}
	if err == nil {
		w.store.Failpoint(store.PointFinished, c.ID, st.name)
	}
	if rerr := w.store.Release(bg, lease, wake); rerr != nil {
		return errors.Join(err, rerr)
	}
	w.store.Failpoint(store.PointReleased, c.ID, st.name)
	return err
}

// flush writes the calls that brought nothing to commit.
func (s *slice) flush(ctx context.Context) error {
	calls := s.rec.take()
	if len(calls) == 0 {
		return nil
	}
	if s.lease.RunID != [16]byte{} {
		err := s.commit(ctx, calls, func(context.Context, *store.Tx) error { return nil })
		if err == nil {
			return nil
		}
		calls = s.rec.take()
	}
	return s.w.store.Log(ctx, calls)
}

// work begins or resumes the run and drives it to its end, or as far as it goes. It returns when the run
// wants to go on (negative: it ended).
func (s *slice) work(ctx context.Context) (time.Duration, error) {
	if s.state.RunID == nil {
		if err := s.begin(ctx); err != nil {
			return -1, err
		}
	} else {
		s.lease.RunID = *s.state.RunID
	}
	s.rec.run = s.lease.RunID
	ctx, end := s.traced(withRecorder(ctx, s.rec))
	o, err := s.stream.run(ctx, s)
	if err == nil {
		err = s.finish(ctx, o)
	}
	end(err)
	if err == nil {
		return -1, nil
	}
	return s.settle(ctx, err)
}

// begin starts a run. What kind it is, and with which cursor, the stream decides when it runs.
func (s *slice) begin(ctx context.Context) error {
	kind := "incremental"
	switch {
	case s.state.FullRequested:
		kind = "resync"
	case s.state.LastStartedAt == nil || s.anew():
		kind = "backfill"
	}
	var err error
	s.lease, err = s.w.store.Begin(ctx, s.lease, kind, s.scopes(), nil, s.state.FullRequested)
	if err != nil {
		return err
	}
	s.state.Cursor, s.state.Interrupted = nil, false
	s.w.store.Failpoint(store.PointBegun, s.connector.ID, s.stream.name)
	s.log.DebugContext(ctx, "run begun", "run_id", s.lease.RunID, "kind", kind)
	return nil
}

// settle decides what follows from an error: the verdict was made next to the wire.
func (s *slice) settle(ctx context.Context, err error) (time.Duration, error) {
	bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var y *yield
	if errors.As(err, &y) {
		return y.after, err
	}
	switch {
	case errors.Is(err, store.ErrFenced) || store.Away(err):
		return 0, err
	case store.Unable(err): // nobody's fault: however long it lasts, the run goes on afterwards
		return s.retry(bg, err, 0)
	}
	v := lever.Classify(err)
	switch v {
	case lever.VerdictCanceled:
		return 0, &yield{reason: "interrupted"}
	case lever.VerdictThrottled:
		after := lever.RetryAfter(err)
		return after, &yield{after: after, reason: err.Error()}
	case lever.VerdictRelink:
		return -1, s.relink(bg, err)
	case lever.VerdictForbidden:
		return -1, s.end(bg, "forbidden", refusedReason(err))
	case lever.VerdictTransient:
		return s.retry(bg, err, 0)
	case lever.VerdictMalformed:
		return s.retry(bg, err, 3)
	case lever.VerdictBadToken:
		return s.restart(bg, err)
	}
	s.log.ErrorContext(ctx, "run failed", "run_id", s.lease.RunID, "error", err)
	return s.retry(bg, err, 5)
}

func refusedReason(err error) string {
	return fmt.Sprintf("Lever refused it (%v). Give the API key or the OAuth app the permission for it, then sync again", err)
}

// retry puts the run off. After limit failures in a row it is given up until it falls due again; limit 0
// never gives up: Lever being away is nobody's fault, and its scopes say so meanwhile.
func (s *slice) retry(ctx context.Context, err error, limit int) (time.Duration, error) {
	var n int
	cerr := s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
		var err2 error
		n, err2 = tx.Failed(ctx, err.Error(), s.state.Failures >= 2)
		return err2
	})
	if cerr != nil {
		return 0, cerr
	}
	if limit > 0 && n >= limit {
		return -1, s.end(ctx, "failed", err.Error())
	}
	after := backoff(n)
	s.log.WarnContext(ctx, "run put off", "run_id", s.lease.RunID, "failures", n, "after", after, "error", err)
	return after, &yield{after: after, reason: err.Error()}
}

// end finishes the run without success, and what needs this stream with it.
func (s *slice) end(ctx context.Context, state, reason string) error {
	err := s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error {
		for _, d := range s.stream.dependents() {
			if err := tx.SettleScopes(ctx, d.scopes, state, fmt.Sprintf("it needs %s: %s", s.stream.name, reason)); err != nil {
				return err
			}
		}
		return tx.Finish(ctx, store.Outcome{State: state, Reason: reason})
	})
	if err != nil {
		return err
	}
	return errEnded
}

// relink stops the connector: its credential is refused, and asking again would change nothing.
func (s *slice) relink(ctx context.Context, cause error) error {
	changed, err := s.w.needRelink(ctx, s.connector.ID, s.conn, cause)
	if err != nil {
		return err
	}
	reason := relinkReason(cause)
	if changed {
		s.log.WarnContext(ctx, "relink needed", "reason", reason)
	}
	return s.end(ctx, "failed", reason)
}

// needRelink marks a connector as refused by Lever, unless its credential is a later one than the one that was, and reports
// whether it was not marked yet.
func (w *Worker) needRelink(ctx context.Context, connector uuid.UUID, k *conn, cause error) (bool, error) {
	return w.store.NeedRelink(ctx, connector, relinkReason(cause), k.refused())
}

func relinkReason(cause error) string {
	return fmt.Sprintf("Lever refused the credential (%v). Link the account again", cause)
}

// restart begins the traversal again after its page token expired, or led back, maxRestarts times at most.
func (s *slice) restart(ctx context.Context, err error) (time.Duration, error) {
	c, cerr := s.cursor()
	if cerr != nil {
		return 0, cerr
	}
	if c.Restarts >= maxRestarts {
		reason := "page tokens expire faster than the list can be read"
		if _, circle := errors.AsType[*lever.LoopError](err); circle {
			reason = "the list comes to no end"
		}
		return -1, s.end(ctx, "failed", fmt.Sprintf("%s, though it was begun again %d times: %v", reason, maxRestarts, err))
	}
	fresh := cursor{Restarts: c.Restarts + 1, Confidentiality: c.Confidentiality}
	cerr = s.commit(ctx, s.rec.take(), func(ctx context.Context, tx *store.Tx) error { return tx.Restart(ctx, fresh.encode()) })
	if cerr != nil {
		return 0, cerr
	}
	s.log.InfoContext(ctx, "traversal restarted", "run_id", s.lease.RunID, "restarts", fresh.Restarts, "error", err)
	return 0, &yield{reason: err.Error()}
}

// backoff is the delay after n failures in a row: up to 2 s, doubling to 5 min, with full jitter.
func backoff(n int) time.Duration {
	ceil := min(time.Second<<min(n, 9), 5*time.Minute)
	return max(time.Duration(rand.Int64N(int64(ceil))), 200*time.Millisecond)
}

// jitter spreads d by half to either side.
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d)+1))
}
