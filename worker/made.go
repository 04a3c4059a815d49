package worker

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/google/uuid"

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
	sketch bool  // no more of it is read than tells whether it changed: its id, and the parent's hash
	stored bool  // when it was looked up, before its turn, it was stored just so
}

// mostAreStored reports whether most of the list is to be expected as it is stored: after the first traversal, unless all is
// written anew.
func (o *opportunities) mostAreStored() bool { return o.state.LastStartedAt != nil && !o.anew() }

// pages is the list, with what comes of its records made where they are read. Where most are stored as they come, they are read no
// further than it takes to see that.
func (o *opportunities) pages(ctx context.Context, opts lever.OpportunityOptions) iter.Seq2[lever.Page[made], error] {
	if o.mostAreStored() {
		return pagesOf(o.client().OpportunitySketches(ctx, opts), sketches)
	}
	return pagesOf(o.client().Opportunities(ctx, opts), o.makeAll)
}

// pagesOf makes of pages of one type those of another.
func pagesOf[T, U any](pages iter.Seq2[lever.Page[T], error], of func([]lever.Item[T]) []lever.Item[U]) iter.Seq2[lever.Page[U], error] {
	return func(yield func(lever.Page[U], error) bool) {
		for page, err := range pages {
			if !yield(lever.Page[U]{Items: of(page.Items), Token: page.Token, Next: page.Next, Call: page.Call}, err) {
				return
			}
		}
	}
}

func sketches(items []lever.Item[lever.Sketch]) []lever.Item[made] {
	out := make([]lever.Item[made], len(items))
	for i, it := range items {
		v := made{Opportunity: lever.Opportunity{ID: it.Value.ID}, parent: store.Parent{RemoteID: identity(it), RawHash: store.HashRaw(it.Raw)}, sketch: true}
		out[i] = lever.Item[made]{Value: v, Raw: it.Raw, Sanitized: it.Sanitized, Err: it.Err}
	}
	return out
}

// inFull is an opportunity of which all is read.
func (o *opportunities) inFull(it lever.Item[made]) lever.Item[made] {
	if !it.Value.sketch || it.Err != nil {
		return it
	}
	full := lever.DecodeItem[lever.Opportunity](it.Raw)
	full.Sanitized = it.Sanitized // it came clean the second time
	return o.makeAll([]lever.Item[lever.Opportunity]{full})[0]
}

// asStored reports whether an opportunity is stored as it is: it was when it was looked up, and the page before, which was being
// written then, did not change that.
func (o *opportunities) asStored(it lever.Item[made]) bool {
	return it.Value.stored && !o.wrote[o.cursor.Page-1][it.Value.parent.RemoteID]
}

// noteWritten remembers what the page writes, and the page before wrote.
func (o *opportunities) noteWritten(parents []store.Parent) {
	ids := make(map[string]bool, len(parents))
	for _, p := range parents {
		ids[p.RemoteID] = true
	}
	o.wrote = map[int]map[string]bool{o.cursor.Page - 1: o.wrote[o.cursor.Page-1], o.cursor.Page: ids}
}

// look finds out which of a page's opportunities are stored as they are, while the page before is written.
func (o *opportunities) look(ctx context.Context, page lever.Page[made]) {
	hashes := make(map[string][]byte, len(page.Items))
	for _, it := range page.Items {
		if it.Err == nil {
			hashes[it.Value.parent.RemoteID] = it.Value.parent.RawHash
		}
	}
	same, err := o.w.store.AsStored(ctx, o.connector.ID, unified.Applications, hashes)
	if err != nil {
		return // they are looked for when they have their turn
	}
	for i := range page.Items {
		v := &page.Items[i].Value
		v.stored = same[v.parent.RemoteID] && bytes.Equal(v.parent.RawHash, hashes[v.parent.RemoteID]) // another of its versions may be on the page
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

// headstart is what of a first traversal's page is written before it has to wait for the page before.
type headstart struct {
	written    map[string]bool    // opportunities, with their applications
	candidates map[uuid.UUID]bool // that they are of
}

// keysOf are the opportunities and the contacts of a page.
func keysOf(page lever.Page[made]) map[string]bool {
	keys := make(map[string]bool, 2*len(page.Items))
	for _, it := range page.Items {
		if v := it.Value; v.err == nil {
			keys[v.parent.RemoteID], keys[contactKey(v.parent.Person)] = true, true
		}
	}
	return keys
}

// contactKey is a contact among keysOf: without one, an opportunity's id is its contact's.
func contactKey(person string) string { return "contact " + person }

// errBusy means that a page has an opportunity that the page before has, too.
var errBusy = errors.New("worker: the page has to wait for the one before")

// putFresh writes the opportunities of a first traversal that are not there yet, with their applications, and the candidates that
// they are of: who is new in a first traversal has no opportunities but those of the page.
func (o *opportunities) putFresh(ctx context.Context, tx *store.Tx, items []lever.Item[made], busy busy) (headstart, error) {
	if o.state.LastStartedAt != nil {
		return headstart{}, nil
	}
	var parents []store.Parent
	for _, it := range items {
		if it.Value.err != nil {
			continue
		}
		if busy(it.Value.parent.RemoteID) {
			return headstart{}, errBusy
		}
		parents = append(parents, it.Value.parent)
	}
	people := make(chan map[string]store.Prepared[*unified.Candidate], 1)
	go func() { people <- o.peopleOf(items) }() // Postgres has the time that this takes
	written, err := tx.InsertParents(ctx, unified.Applications, lastOfEach(parents), o.childKinds(), o.lane())
	if err != nil {
		return headstart{}, err
	}
	if o.wants(unified.Applications) {
		var apps []store.Prepared[*unified.Application]
		for _, it := range items {
			if it.Value.err == nil && written[it.Value.parent.RemoteID] {
				apps = append(apps, it.Value.app)
			}
		}
		if err := store.UpsertPrepared(ctx, tx, apps); err != nil {
			return headstart{}, err
		}
	}
	fresh := <-people
	for _, p := range parents {
		if !written[p.RemoteID] || busy(contactKey(p.Person)) {
			delete(fresh, p.Person) // may have others
		}
	}
	candidates, err := store.InsertPrepared(ctx, tx, slices.Collect(maps.Values(fresh)))
	return headstart{written: written, candidates: candidates}, err
}

// peopleOf makes the candidates that opportunities are of, as if they had no others. Those that can't be made are left out.
func (o *opportunities) peopleOf(items []lever.Item[made]) map[string]store.Prepared[*unified.Candidate] {
	if !o.wants(unified.Candidates) {
		return nil
	}
	people := map[string][]lever.Opportunity{}
	for _, it := range items {
		if v := it.Value; v.err == nil {
			people[v.parent.Person] = append(people[v.parent.Person], v.Opportunity)
		}
	}
	m, out := o.mapper(o.hired), make(map[string]store.Prepared[*unified.Candidate], len(people))
	for p, opps := range people {
		rec, err := m.Candidate(newest(opps))
		if err != nil {
			continue
		}
		if made, err := store.Prepare(rec); err == nil {
			out[p] = made
		}
	}
	return out
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
