package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// writeClaim is how long a write may be worked on; one whose worker died is taken over after it.
	writeClaim = 150 * time.Second
	// writeSettle is how long after a send it proves nothing that Lever does not have it: a call that timed
	// out here may still be on its way there.
	writeSettle = time.Minute
	// clockSkew is how far Lever's clock and ours may be apart.
	clockSkew = 10 * time.Minute
)

// WriterConfig are a Writer's settings. The zero value is good.
type WriterConfig struct {
	Claim  time.Duration // how long a write may be worked on; 0: 150 s
	Settle time.Duration // how long after a send absence proves nothing; 0: 1 min
}

// Writer writes to Lever, through the outbox. Lever has no idempotency key and makes a new record on every
// call, so a write goes like this:
//
//  1. Its key is claimed. A confirmed one is answered with the reply that was given then.
//  2. That it is about to be sent is committed, and it is sent, once.
//  3. Lever's answer, the new record's id, is committed at once. The record is read anew, since answers to
//     writes come incomplete, and stored just as a page of a sync is, in one transaction with the reply.
//
// Where no answer came, or who waited for it died, the record is looked up in Lever before anything is sent
// again; that it is not there counts only once it can't be on its way any more. A retry with the same key
// does that, and so does Recover, for clients that do not come back.
type Writer struct {
	w      *Worker
	claim  time.Duration
	settle time.Duration
}

// NewWriter makes a writer that shares the worker's clients and budgets. The worker need not be started.
func NewWriter(w *Worker, cfg WriterConfig) *Writer {
	wr := &Writer{w: w, claim: cfg.Claim, settle: cfg.Settle}
	if wr.claim == 0 {
		wr.claim = writeClaim
	}
	if wr.settle == 0 {
		wr.settle = writeSettle
	}
	return wr
}

// deed is one kind of write to one connector, without what is needed to send it.
type deed interface {
	// scope is what must be on for it.
	scope() unified.Scope
	// find looks the write's record up; "" if Lever does not have it.
	find(ctx context.Context, a *attempt) (remoteID string, err error)
	// keep reads the record anew, stores it, and confirms the write with its reply; nil: Lever does not show it.
	keep(ctx context.Context, a *attempt, remoteID string) (json.RawMessage, error)
}

// attempt is the work on one claimed write.
type attempt struct {
	wr        *Writer
	connector store.Connector
	conn      *conn
	enabled   map[unified.Scope]bool
	row       store.Write
	rec       *recorder
	log       *slog.Logger
}

// do carries a write out, or finds out that it was. Its errors: those of lever (it was refused, or not
// sent), *store.UnsettledError, *store.UnreadableError, and ErrWriteRunning, ErrWriteKeyTaken, ErrNotLinked,
// ErrScopeOff, ErrNotFound of store. It goes on when the caller goes away: what is sent is sent.
func (wr *Writer) do(ctx context.Context, in store.NewWrite, d deed, send func(context.Context, *lever.Client) (string, error)) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wr.claim*4/5)
	defer cancel()
	subject, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	in.Subject = subject
	a, err := wr.attempt(ctx, in.Connector, d)
	if err != nil {
		return nil, err
	}
	a.row, err = wr.w.store.ClaimWrite(ctx, in, wr.claim)
	if err != nil {
		return nil, err
	}
	if a.row.State == store.WriteConfirmed {
		return replyOf(a.row, a.row.Reply)
	}
	a.failpoint(store.PointWriteClaimed)
	ctx = a.context(ctx, d)
	defer a.flush(ctx)
	reply, err := a.carry(ctx, d, send)
	return reply, a.release(ctx, err)
}

// attempt prepares the work on a connector's write.
func (wr *Writer) attempt(ctx context.Context, connector uuid.UUID, d deed) (*attempt, error) {
	w := wr.w
	c, err := w.store.Connector(ctx, connector)
	if err != nil {
		return nil, err
	}
	if c.Status != "COMPLETE" {
		return nil, store.ErrNotLinked
	}
	a := &attempt{wr: wr, connector: c, rec: &recorder{connector: c.ID, stream: "writes", attempt: 1}, log: w.log.With("connector_id", c.ID)}
	if a.enabled, err = w.store.EnabledScopes(ctx, c.ID); err != nil {
		return nil, err
	}
	if !a.enabled[d.scope()] {
		return nil, store.ErrScopeOff
	}
	a.conn, err = w.conn(ctx, c)
	return a, err
}

func (a *attempt) context(ctx context.Context, d deed) context.Context {
	return withScope(withRecorder(lever.WithLane(ctx, lever.LaneWrite), a.rec), d.scope())
}

func (a *attempt) client() *lever.Client { return a.conn.client }

// carry brings a claimed write to its end, from wherever it stands.
func (a *attempt) carry(ctx context.Context, d deed, send func(context.Context, *lever.Client) (string, error)) (json.RawMessage, error) {
	if a.row.State != store.WritePending && a.row.RemoteID == nil {
		found, err := a.lookUp(ctx, d)
		if err != nil {
			return nil, err
		}
		if wait := a.unproven(); !found && wait > 0 {
			return nil, &store.UnsettledError{RetryAfter: wait}
		}
	}
	for range 2 { // again only if another write took this one's record for its own
		if a.row.RemoteID != nil {
			break
		}
		if err := a.send(ctx, d, send); err != nil && !errors.Is(err, store.ErrRemoteTaken) {
			return nil, err
		}
	}
	return a.keep(ctx, d)
}

// send sends the write. Where no answer comes it looks once whether Lever has it all the same.
func (a *attempt) send(ctx context.Context, d deed, send func(context.Context, *lever.Client) (string, error)) error {
	var err error
	if a.row, err = a.wr.w.store.SendWrite(ctx, a.row); err != nil {
		return err
	}
	a.failpoint(store.PointWriteSending)
	id, err := send(ctx, a.client())
	if _, unknown := errors.AsType[*lever.OutcomeError](err); unknown {
		found, ferr := a.lookUp(ctx, d)
		if ferr != nil || !found {
			return &store.UnsettledError{RetryAfter: a.wr.settle, Err: err}
		}
		return nil
	}
	if err != nil {
		return err
	}
	a.failpoint(store.PointWriteAnswered)
	row, err := a.wr.w.store.AnswerWrite(ctx, a.row, id)
	if err != nil && !errors.Is(err, store.ErrRemoteTaken) {
		return &store.UnsettledError{RetryAfter: time.Second, Err: err}
	}
	a.row = row
	a.failpoint(store.PointWriteNoted)
	return err
}

// lookUp asks Lever for the write's record, and notes it.
func (a *attempt) lookUp(ctx context.Context, d deed) (bool, error) {
	id, err := d.find(ctx, a)
	if err != nil {
		return false, &store.UnsettledError{RetryAfter: max(lever.RetryAfter(err), time.Second), Err: err}
	}
	if id == "" {
		return false, nil
	}
	row, err := a.wr.w.store.AnswerWrite(ctx, a.row, id)
	if err != nil {
		return false, &store.UnsettledError{RetryAfter: time.Second, Err: err}
	}
	a.row = row
	a.log.InfoContext(ctx, "lost write found", "kind", a.row.Kind, "remote_id", id)
	return true, nil
}

// unproven is for how long still it proves nothing that Lever does not have the write.
func (a *attempt) unproven() time.Duration {
	if a.row.SentAt == nil {
		return 0
	}
	return a.wr.settle - a.row.Now.Sub(*a.row.SentAt)
}

func (a *attempt) keep(ctx context.Context, d deed) (json.RawMessage, error) {
	if a.row.RemoteID == nil { // twice another's: nothing is known to be ours
		return nil, &store.UnsettledError{RetryAfter: a.wr.settle, Err: store.ErrRemoteTaken}
	}
	reply, err := d.keep(ctx, a, *a.row.RemoteID)
	if err != nil {
		return nil, &store.UnsettledError{RetryAfter: max(lever.RetryAfter(err), time.Second), Made: true, Err: err}
	}
	return replyOf(a.row, reply)
}

func replyOf(row store.Write, reply json.RawMessage) (json.RawMessage, error) {
	if reply != nil {
		return reply, nil
	}
	e := &store.UnreadableError{}
	if row.RemoteID != nil {
		e.RemoteID = *row.RemoteID
	}
	return nil, e
}

// commit confirms the write in one transaction with what it brought, and with its calls.
func (a *attempt) commit(ctx context.Context, stream string, fn func(context.Context, *store.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	var reply json.RawMessage
	calls := a.calls()
	_, err := a.wr.w.store.CommitOutside(ctx, a.connector.ID, stream, func(ctx context.Context, tx *store.Tx) error {
		tx.Log(calls)
		var err error
		if reply, err = fn(ctx, tx); err != nil {
			return err
		}
		return tx.ConfirmWrite(ctx, a.row, reply)
	})
	if err != nil {
		a.rec.put(calls)
		return reply, err
	}
	a.failpoint(store.PointWriteConfirmed)
	return reply, nil
}

func (a *attempt) failpoint(point string) { a.wr.w.store.Failpoint(point, a.connector.ID, "") }

// calls are those made since the last time; they belong to no run.
func (a *attempt) calls() []store.Call {
	calls := a.rec.take()
	for i := range calls {
		calls[i].RunID = nil
	}
	return calls
}

// release gives the claim back after a failure, and returns the failure.
func (a *attempt) release(ctx context.Context, err error) error {
	if _, done := errors.AsType[*store.UnreadableError](err); err == nil || done {
		return err
	}
	if _, unsettled := errors.AsType[*store.UnsettledError](err); !unsettled && a.mayHaveHappened(err) {
		err = &store.UnsettledError{RetryAfter: time.Second, Err: err}
	}
	state, again := store.WriteFailed, time.Duration(0)
	if u, unsettled := errors.AsType[*store.UnsettledError](err); unsettled {
		state, again = store.WriteUnknown, u.RetryAfter+min(time.Second<<min(a.row.Looks, 9), 5*time.Minute)
	}
	bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if rerr := a.wr.w.store.ReleaseWrite(bg, a.row, state, err.Error(), again); rerr != nil && !errors.Is(rerr, store.ErrWriteLost) {
		a.log.WarnContext(ctx, "write not released", "kind", a.row.Kind, "error", rerr) // its claim runs out
	}
	if lever.Classify(err) == lever.VerdictRelink {
		if _, rerr := a.wr.w.needRelink(bg, a.connector.ID, a.conn, err); rerr != nil {
			a.log.WarnContext(ctx, "relink not noted", "error", rerr)
		}
	}
	a.log.WarnContext(ctx, "write ended", "kind", a.row.Kind, "state", state, "error", err)
	return err
}

// mayHaveHappened reports whether err, which is none of Lever's, left a write behind that was sent.
func (a *attempt) mayHaveHappened(err error) bool {
	return errors.Is(err, store.ErrWriteLost) || a.row.State != store.WritePending && (store.Away(err) || a.row.RemoteID != nil)
}

// flush logs the calls that no transaction took along.
func (a *attempt) flush(ctx context.Context) {
	bg, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := a.wr.w.store.Log(bg, a.calls()); err != nil {
		a.log.WarnContext(ctx, "calls not logged", "error", err)
	}
}
