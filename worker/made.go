package worker

import (
	"context"
	"iter"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// made is an opportunity with what is made of it. Of a list it is made while the page before is written.
type made struct {
	lever.Opportunity
	parent store.Parent
	app    store.Prepared[*unified.Application]
	done   bool  // app, or why there is none, is known
	err    error // why there is none
}

// made makes what comes of pages where their reader is.
func (o *opportunities) made(pages iter.Seq2[lever.Page[lever.Opportunity], error]) iter.Seq2[lever.Page[made], error] {
	return func(yield func(lever.Page[made], error) bool) {
		for page, err := range pages {
			if !yield(lever.Page[made]{Items: o.makeAll(page.Items), Token: page.Token, Next: page.Next, Call: page.Call}, err) {
				return
			}
		}
	}
}

// makeAll makes the parents of opportunities, and in a first traversal, where all is written, their applications.
func (o *opportunities) makeAll(items []lever.Item[lever.Opportunity]) []lever.Item[made] {
	out := make([]lever.Item[made], len(items))
	for i, it := range items {
		p := parentOf(it)
		if !o.wants(unified.Applications) && !o.wants(unified.Candidates) {
			p.Raw = nil // read for its children alone: nobody asked for the person
		}
		out[i] = lever.Item[made]{Value: made{Opportunity: it.Value, parent: p}, Raw: it.Raw, Sanitized: it.Sanitized, Err: it.Err}
		if o.state.LastStartedAt == nil {
			out[i].Value = o.mapped(out[i])
		}
	}
	return out
}

// mapped is an opportunity with its application.
func (o *opportunities) mapped(it lever.Item[made]) made {
	v := it.Value
	if v.done {
		return v
	}
	v.done, v.err = true, it.Err
	if v.err != nil {
		return v
	}
	app, err := o.mapper(o.hired).Application(v.Opportunity)
	if v.err = err; err == nil {
		v.app, v.err = store.Prepare(app)
	}
	return v
}

// putFresh writes the opportunities of a first traversal that are not there yet, with their applications, and returns their ids.
func (o *opportunities) putFresh(ctx context.Context, tx *store.Tx, items []lever.Item[made]) (map[string]bool, error) {
	if o.state.LastStartedAt != nil {
		return nil, nil
	}
	var parents []store.Parent
	for _, it := range items {
		if it.Value.err == nil {
			parents = append(parents, it.Value.parent)
		}
	}
	fresh, err := tx.InsertParents(ctx, unified.Applications, lastOfEach(parents), o.childKinds(), o.lane())
	if err != nil || !o.wants(unified.Applications) {
		return fresh, err
	}
	var apps []store.Prepared[*unified.Application]
	for _, it := range items {
		if it.Value.err == nil && fresh[it.Value.parent.RemoteID] {
			apps = append(apps, it.Value.app)
		}
	}
	return fresh, store.UpsertPrepared(ctx, tx, apps)
}

func parentOf(it lever.Item[lever.Opportunity]) store.Parent {
	v := it.Value
	p := store.Parent{RemoteID: identity(it), Raw: it.Raw, RawHash: store.HashRaw(it.Raw)}
	if it.Err != nil {
		return p
	}
	p.Person, p.Stage, p.Digest = mapping.ContactOf(v), string(v.Stage), mapping.Digest(v)
	if v.Archived != nil {
		p.Archived, p.Reason = true, string(v.Archived.Reason)
	}
	for _, t := range []lever.Time{v.CreatedAt, v.UpdatedAt, v.LastInteractionAt, v.LastAdvancedAt} {
		if t.After(p.ActiveAt) {
			p.ActiveAt = t.Time
		}
	}
	return p
}
