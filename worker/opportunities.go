package worker

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// overlap is how far a delta goes back behind the watermark: clocks differ, and Lever writes late.
	overlap = 10 * time.Minute
	// scanPages is the size, in pages, up to which the whole list is read on every run. It finds what
	// updated_at_start does not: most rows have no updatedAt, and interviews do not move it.
	scanPages = 100
	// scanShare is the share of the budget that scans of a larger list may take: one scan in four times as
	// long as it lasts.
	scanShare = 4
)

// runOpportunities reads the list of opportunities: candidates and applications, and which opportunities
// changed, so that their children are read again.
func runOpportunities(ctx context.Context, s *slice) (store.Outcome, error) {
	c, err := s.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	o := &opportunities{slice: s, cursor: c}
	if o.hired, err = s.w.store.HiredReasons(ctx, s.connector.ID); err != nil {
		return store.Outcome{}, err
	}
	ctx = withScope(ctx, o.scope())
	if o.cursor.Phase == "" {
		o.plan()
	}
	if o.cursor.Phase == phaseDeletions {
		if err := o.deletions(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	if o.cursor.Phase == phaseList {
		if err := o.list(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	if o.cursor.Phase == phaseVerify {
		if err := o.verify(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	return store.Outcome{State: "done", Reason: o.cursor.Note, Full: o.whole(o.cursor), Pages: o.cursor.length(), DeletionsUntil: o.cursor.DeletionsUntil}, nil
}

type opportunities struct {
	*slice
	cursor cursor
	hired  map[string]bool
	long   bool                    // the list was found to be long enough to be cut into windows
	uncut  bool                    // it is not tried again in this slice
	wrote  map[int]map[string]bool // by page, the opportunities that were written: of this page and the one before
}

// scope is which of the stream's scopes its calls are logged for.
func (o *opportunities) scope() unified.Scope {
	if !o.wants(unified.Candidates) && o.wants(unified.Applications) {
		return unified.Applications
	}
	return unified.Candidates
}

// plan decides how the list is read.
func (o *opportunities) plan() {
	st := o.state
	restarts := o.cursor.Restarts
	o.cursor = cursor{Phase: phaseList, Full: o.fullDue() || scanDue(st, o.conn.rate), Restarts: restarts}
	if !o.cursor.Full {
		o.cursor.Since = st.LastStartedAt.Add(-overlap)
	}
	if st.LastStartedAt != nil {
		o.cursor.Phase = phaseDeletions
	}
	o.cursor.Confidentiality = o.confidentiality()
}

// scanDue reports whether the whole list is read though nothing demands it: always while it is short, else
// when the last scan is long enough ago.
func scanDue(st store.Stream, rate float64) bool {
	if st.LastFullPages <= scanPages {
		return true
	}
	cost := time.Duration(float64(st.LastFullPages) / rate * float64(time.Second))
	return st.Now.Sub(*st.LastFullAt) >= scanShare*cost
}

// deletions reads what was deleted since the last run, and moves on to the list.
func (o *opportunities) deletions(ctx context.Context) error {
	until, err := readDeletions(ctx, o.slice, o.client().DeletedOpportunities, o.remove)
	if err != nil {
		return err
	}
	to := o.cursor
	to.Phase, to.DeletionsUntil = phaseList, until
	return o.move(ctx, to)
}

func (o *opportunities) move(ctx context.Context, to cursor) error {
	err := o.commit(ctx, o.rec.take(), to.save)
	if err == nil {
		o.cursor = to
	}
	return err
}

func (o *opportunities) list(ctx context.Context) error {
	next := phaseFinish
	if o.cursor.Full && o.state.LastStartedAt != nil {
		next = phaseVerify
	}
	if o.cursor.Full && o.cursor.Page == 0 && o.cursor.Windows == nil {
		if err := o.cut(ctx); err != nil {
			return err
		}
	}
	var err error
	if o.cursor.Windows != nil {
		err = o.readWindows(ctx, next)
	} else {
		opts := o.options()
		opts.Token = o.cursor.Token
		w := writer[made]{apply: o.apply, ahead: o.ahead, keys: keysOf}
		if o.mostAreStored() {
			w.look = o.look
		}
		err = traverse(ctx, o.slice, &o.cursor, next, o.probing(o.pages(ctx, opts)), w)
	}
	var y *yield
	if o.long && errors.As(err, &y) {
		if err := o.cutAnew(ctx); err != nil {
			return err
		}
		return o.list(ctx)
	}
	if again, err := o.learnConfidential(ctx, &o.cursor, err); !again {
		return err
	}
	return o.list(ctx)
}

// options are what the list is asked for.
func (o *opportunities) options() lever.OpportunityOptions {
	return lever.OpportunityOptions{ExpandApplications: true, Confidentiality: o.cursor.Confidentiality, UpdatedSince: o.cursor.Since}
}

// apply writes a page of opportunities.
func (o *opportunities) apply(ctx context.Context, tx *store.Tx, page lever.Page[made]) error {
	rest, err := o.ahead(ctx, tx, page, inTurn)
	if err != nil {
		return err
	}
	return rest(ctx, tx)
}

// ahead writes what of a first traversal's page is not there yet, and on no page before that is under way: the opportunities,
// the applications that they are, and the candidates that they are of.
func (o *opportunities) ahead(ctx context.Context, tx *store.Tx, page lever.Page[made], busy busy) (func(context.Context, *store.Tx) error, error) {
	done, err := o.putFresh(ctx, tx, page.Items, busy)
	return func(ctx context.Context, tx *store.Tx) error {
		if o.cursor.Full {
			ids, _ := met(page)
			if err := tx.Met(ctx, o.cursor.Page, ids); err != nil {
				return err
			}
		}
		return o.put(ctx, tx, page.Items, done)
	}, err
}

// write brings opportunities up to date that did not come by a list.
func (o *opportunities) write(ctx context.Context, tx *store.Tx, items []lever.Item[lever.Opportunity]) error {
	all := o.makeAll(items)
	done, err := o.putFresh(ctx, tx, all, inTurn)
	if err != nil {
		return err
	}
	return o.put(ctx, tx, all, done)
}

// put brings opportunities up to date: those that changed, the applications that they are, and the
// candidates that they belong to, now and before. What was done early is not done again.
func (o *opportunities) put(ctx context.Context, tx *store.Tx, items []lever.Item[made], done headstart) error {
	tx.NotFirst() // what is, is done
	anew := o.anew()
	var same []string // stored as they are
	items = slices.DeleteFunc(slices.Clone(items), func(it lever.Item[made]) bool {
		is := o.asStored(it)
		if is {
			same = append(same, it.Value.parent.RemoteID)
		}
		return is
	})
	ids, _ := met(lever.Page[made]{Items: items})
	known, err := tx.KnownParents(ctx, unified.Applications, slices.DeleteFunc(ids, func(id string) bool { return done.written[id] }))
	if err != nil {
		return err
	}
	var parents []store.Parent
	var apps []store.Prepared[*unified.Application]
	var leads []string     // without an application, that may have had one: a survey answer hangs on it
	var anonymous []string // since they were stored
	people := map[string][]lever.Opportunity{}
	for _, it := range items {
		k, stored := known[it.Value.parent.RemoteID]
		if it.Err == nil && stored && !k.Changed(it.Value.parent) && !anew {
			same = append(same, k.RemoteID)
			continue
		}
		it = o.inFull(it)
		v := it.Value
		p := v.parent
		if it.Err == nil && v.IsAnonymized && stored && !bytes.Equal(k.Digest, p.Digest) {
			anonymous = append(anonymous, p.RemoteID)
		}
		if v = o.mapped(it); v.err != nil {
			if err := tx.Quarantine(ctx, o.aside(rejected(unified.Applications, "", it, v.err), unified.Applications, unified.Candidates)); err != nil {
				return err
			}
			continue
		}
		if !done.written[p.RemoteID] {
			apps, parents = append(apps, v.app), append(parents, p)
		}
		// Survey answers come by a list of their own: one may be there though its opportunity was set aside until now.
		if (stored || o.state.LastStartedAt != nil) && len(v.Applications) == 0 {
			leads = append(leads, p.RemoteID)
		}
		people[p.Person] = append(people[p.Person], v.Opportunity)
		if stored && k.Person != p.Person {
			people[k.Person] = append(people[k.Person], nil...) // it was merged into another contact
		}
	}
	o.noteWritten(parents)
	if err := tx.ReleaseStored(ctx, unified.Applications, same); err != nil || len(people) == 0 {
		return err
	}
	if err := tx.Anonymized(ctx, anonymous); err != nil {
		return err
	}
	if err := tx.UpsertParents(ctx, unified.Applications, lastOfEach(parents), o.childKinds(), o.lane()); err != nil {
		return err
	}
	if o.wants(unified.Applications) {
		if err := store.UpsertPrepared(ctx, tx, apps); err != nil {
			return err
		}
	}
	if len(leads) > 0 {
		if err := tx.TombstoneChildren(ctx, []unified.Scope{unified.EEOCs}, leads); err != nil {
			return err
		}
	}
	maps.DeleteFunc(people, func(person string, _ []lever.Opportunity) bool {
		return done.candidates[unified.ID(o.connector.ID, unified.Candidates, person)]
	})
	return o.rebuild(ctx, tx, o.mapper(o.hired), people)
}

// lane is where the children of what changed are put down.
func (o *opportunities) lane() int {
	if o.state.LastStartedAt == nil || o.state.FullRequested {
		return int(lever.LaneBackfill)
	}
	return int(lever.LaneIncremental)
}

// childKinds are the child lists that are read for the connector.
func (o *opportunities) childKinds() int { return kindsOf(childKinds, o.enabled) }

// lastOfEach keeps the last of parents that come twice on a page.
func lastOfEach(ps []store.Parent) []store.Parent {
	at := map[string]int{}
	out := ps[:0:0]
	for _, p := range ps {
		if i, twice := at[p.RemoteID]; twice {
			out[i] = p
			continue
		}
		at[p.RemoteID] = len(out)
		out = append(out, p)
	}
	return out
}

// remove marks opportunities as gone, with everything that hangs on them.
func (o *opportunities) remove(ctx context.Context, tx *store.Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	persons, err := tx.RemoveParents(ctx, unified.Applications, ids)
	if err != nil {
		return err
	}
	if err := tx.Tombstone(ctx, unified.Applications, ids); err != nil {
		return err
	}
	// Even where none was there itself: the survey answers of one that was set aside are.
	if err := tx.TombstoneChildren(ctx, ofOpportunities, ids); err != nil || len(persons) == 0 {
		return err
	}
	people := map[string][]lever.Opportunity{}
	for _, p := range persons {
		people[p] = nil
	}
	return o.rebuild(ctx, tx, o.mapper(o.hired), people)
}

// ofOpportunities are the scopes whose records hang on an opportunity.
var ofOpportunities = []unified.Scope{unified.Attachments, unified.EEOCs, unified.Offers, unified.ScheduledInterviews, unified.Scorecards}
