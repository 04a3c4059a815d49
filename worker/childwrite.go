package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

type mapper = mapping.Mapper

// write commits a group of results: records, what is gone from each list, what is done, and the calls.
func (p *pipeline) write(ctx context.Context, group []result, f flags) error {
	r := p.childRun
	r.w.store.Failpoint(store.PointFetched, r.connector.ID, r.stream.name)
	calls := r.rec.take() // those that brought nothing
	for _, res := range group {
		calls = append(calls, res.calls...)
	}
	return r.commit(ctx, calls, func(ctx context.Context, tx *store.Tx) error {
		moved, err := r.writeProgress(ctx, tx, group)
		if err != nil {
			return err
		}
		for _, k := range r.kinds {
			if err := r.writeKind(ctx, tx, k, group, moved); err != nil {
				return err
			}
		}
		if err := r.writeGone(ctx, tx, group, p.mapper.Hired); err != nil {
			return err
		}
		if f.Forbidden == r.forbade {
			return nil
		}
		r.forbade = f.Forbidden
		if err := tx.DropWork(ctx, r.of, f.Forbidden); err != nil {
			return err
		}
		return tx.SetFlags(ctx, f.encode())
	})
}

// writeKind writes one kind of list of all parents of the group at once. Of those that moved meanwhile nothing is taken for gone.
func (r *childRun) writeKind(ctx context.Context, tx *store.Tx, k childKind, group []result, moved map[string]bool) error {
	var recs, also []unified.Record
	var whole []string // parents whose list is complete: what is not in it is gone
	for _, res := range group {
		if res.kind.bit != k.bit || res.err != nil {
			continue
		}
		if call, ok := lastOf(res.calls); ok {
			tx.Brought(res.work.RemoteID, call.ID)
		}
		tx.Add(store.Counts{Bound: int64(res.got.pages), Read: int64(res.got.read), Sanitized: int64(res.got.cleaned)})
		recs, also = append(recs, res.got.records...), append(also, res.got.also...)
		for _, bad := range res.got.rejected {
			if err := tx.Quarantine(ctx, bad); err != nil {
				return err
			}
		}
		if len(res.got.rejected) == 0 && !moved[res.work.RemoteID] {
			whole = append(whole, res.work.RemoteID)
		}
	}
	if err := store.Upsert(ctx, tx, recs); err != nil {
		return err
	}
	if err := tx.TombstoneAbsent(ctx, k.scope, whole, k.source, idsOf(recs)); err != nil {
		return err
	}
	if k.bit != kindOffers || r.of != unified.Applications || !r.wants(unified.Attachments) {
		return nil
	}
	if err := store.Upsert(ctx, tx, also); err != nil {
		return err
	}
	return tx.TombstoneAbsent(ctx, unified.Attachments, whole, mapping.SourceOffers, idsOf(also))
}

// lastOf is the call that ended a list.
func lastOf(calls []store.Call) (store.Call, bool) {
	if len(calls) == 0 {
		return store.Call{}, false
	}
	return calls[len(calls)-1], true
}

// writeGone removes parents that Lever no longer knows.
func (r *childRun) writeGone(ctx context.Context, tx *store.Tx, group []result, hired map[string]bool) error {
	var gone []string
	for _, res := range group {
		if res.gone && !slices.Contains(gone, res.work.RemoteID) {
			gone = append(gone, res.work.RemoteID)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if r.of == unified.Jobs {
		return (&postings{slice: r.slice}).remove(ctx, tx, gone)
	}
	return (&opportunities{slice: r.slice, hired: hired}).remove(ctx, tx, gone)
}

// mayPass reports whether another attempt may read the list that this one could not.
func (res result) mayPass() bool {
	switch lever.Classify(res.err) {
	case lever.VerdictTransient, lever.VerdictMalformed, lever.VerdictBadToken:
		return true
	}
	return false
}

// unreadable says why a list is set aside: it was tried often enough, or Lever refuses it as it is, with whatever status that no
// permission cures. "": it is not.
func (res result) unreadable() string {
	if res.mayPass() {
		return fmt.Sprintf("%s could not be read in %d attempts: %v", res.kind.name, maxAttempts, res.err)
	}
	if _, refused := errors.AsType[*lever.BadRequestError](res.err); refused {
		return fmt.Sprintf("%s could not be read: %v", res.kind.name, res.err)
	}
	return ""
}

// writeProgress takes what was read off the parents, and puts off what failed. It returns the parents of which something was
// put down since their lists were asked for.
func (r *childRun) writeProgress(ctx context.Context, tx *store.Tx, group []result) (moved map[string]bool, _ error) {
	done := map[string]*store.Done{}
	var order []string
	for _, res := range group {
		if res.mayPass() && res.attempt() < maxAttempts {
			if err := tx.PutOff(ctx, r.of, res.work.RemoteID, res.kind.bit, backoff(res.attempt())); err != nil {
				return nil, err
			}
			continue
		}
		if reason := res.unreadable(); reason != "" {
			if call, ok := lastOf(res.calls); ok {
				tx.Brought(res.work.RemoteID, call.ID)
			}
			if err := tx.Quarantine(ctx, store.Rejected{Scope: res.kind.scope, Key: "list of " + res.work.RemoteID, Parent: res.work.RemoteID,
				Reason: reason, Raw: []byte("{}")}); err != nil {
				return nil, err
			}
		}
		d := done[res.work.RemoteID]
		if d == nil {
			d = &store.Done{RemoteID: res.work.RemoteID, PendingRev: res.work.PendingRev, All: res.whole}
			done[res.work.RemoteID] = d
			order = append(order, res.work.RemoteID)
		}
		d.Kinds |= res.kind.bit
	}
	list := make([]store.Done, 0, len(order))
	for _, id := range order {
		list = append(list, *done[id])
	}
	return tx.FinishWork(ctx, r.of, list)
}
