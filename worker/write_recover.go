package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/leversync/leversync/store"
)

// recoverBatch is how many writes one pass takes up.
const recoverBatch = 20

// Recover settles writes whose outcome is not known and whose client has not come back: what Lever has is
// stored and confirmed, what it does not have frees its key. It sends nothing. It also forgets keys that are
// old enough. To be called every half minute; any number of processes may. It returns how many it settled.
func (wr *Writer) Recover(ctx context.Context) (int, error) {
	if _, err := wr.w.store.PurgeWrites(ctx); err != nil {
		return 0, err
	}
	rows, err := wr.w.store.ClaimUnsettled(ctx, recoverBatch, wr.claim)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, wr.claim*4/5) // of all, as they were claimed together
	defer cancel()
	n := 0
	for _, row := range rows {
		if err := wr.recover(ctx, row); err == nil {
			n++
		} else if ctx.Err() != nil {
			return n, ctx.Err() // the claims of the rest run out
		}
	}
	return n, nil
}

// errNotCarriedOut is why the key of a write is free again.
var errNotCarriedOut = errors.New("worker: Lever has not carried it out")

func (wr *Writer) recover(ctx context.Context, row store.Write) error {
	d, err := deedOf(row)
	if err != nil {
		return err
	}
	a, err := wr.attempt(ctx, row.ConnectorID, d)
	if err != nil { // not linked any more, or switched off
		a = &attempt{wr: wr, log: wr.w.log.With("connector_id", row.ConnectorID), rec: &recorder{}, row: row}
		return a.release(ctx, &store.UnsettledError{RetryAfter: wr.settle, Err: err})
	}
	a.row = row
	ctx = a.context(ctx, d)
	defer a.flush(ctx)
	err = a.settle(ctx, d)
	if _, done := errors.AsType[*store.UnreadableError](err); done {
		return nil
	}
	if err = a.release(ctx, err); errors.Is(err, errNotCarriedOut) {
		return nil
	}
	return err
}

// settle finds out what became of the write, and keeps what it made.
func (a *attempt) settle(ctx context.Context, d deed) error {
	if a.row.RemoteID == nil {
		found, err := a.lookUp(ctx, d)
		switch wait := a.unproven(); {
		case err != nil:
			return err
		case !found && wait > 0:
			return &store.UnsettledError{RetryAfter: wait}
		case !found:
			return errNotCarriedOut
		}
	}
	_, err := a.keep(ctx, d)
	return err
}

// deedOf is the deed of a row.
func deedOf(row store.Write) (deed, error) {
	var d deed
	switch row.Kind {
	case store.WriteCandidate:
		d = &candidateDeed{}
	case store.WriteAttachment:
		d = &fileDeed{}
	case store.WriteActivity:
		d = &noteDeed{}
	default:
		return nil, fmt.Errorf("worker: no such kind of write: %s", row.Kind)
	}
	return d, json.Unmarshal(row.Subject, d)
}
