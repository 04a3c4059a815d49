package worker

import (
	"context"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// runPostings reads the list of postings: jobs, and the departments and offices that they name. A second
// pass reads those published inside only, which the list without a filter may leave out.
func runPostings(ctx context.Context, s *slice) (store.Outcome, error) {
	c, err := s.cursor()
	if err != nil {
		return store.Outcome{}, err
	}
	p := &postings{slice: s, cursor: c}
	ctx = withScope(ctx, unified.Jobs)
	if p.cursor.Phase == "" {
		p.plan()
	}
	if p.cursor.Phase == phaseDeletions {
		if err := p.deletions(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	if p.cursor.Phase == phaseList {
		if err := p.list(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	if p.cursor.Phase == phaseInternal {
		next := phaseFinish
		if s.state.LastStartedAt != nil {
			next = phaseVerify
		}
		pages := s.client().Postings(ctx, lever.PostingOptions{State: "published", DistributionChannel: "internal", Confidentiality: p.cursor.Confidentiality, Token: p.cursor.Token})
		if err := traverse(ctx, s, &p.cursor, next, pages, writer[lever.Posting]{apply: p.apply}); err != nil {
			return store.Outcome{}, err
		}
	}
	if p.cursor.Phase == phaseVerify {
		if err := p.verify(ctx); err != nil {
			return store.Outcome{}, err
		}
	}
	err = s.commit(ctx, nil, func(ctx context.Context, tx *store.Tx) error {
		for _, sc := range []unified.Scope{unified.Departments, unified.Offices} {
			if s.wants(sc) {
				if err := tx.TombstoneUnreferenced(ctx, sc); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return store.Outcome{State: "done", Reason: p.cursor.Note, Full: p.whole(p.cursor), Pages: p.cursor.Page, DeletionsUntil: p.cursor.DeletionsUntil}, err
}

type postings struct {
	*slice
	cursor cursor
}

// plan decides how the list is read: in full while it is one page, or two with the inside ones, since a
// delta with the list of deletions takes as many calls; else what changed.
func (p *postings) plan() {
	st := p.state
	p.cursor = cursor{Phase: phaseList, Full: p.fullDue() || st.LastFullPages <= 2, Restarts: p.cursor.Restarts}
	if !p.cursor.Full {
		p.cursor.Phase, p.cursor.Since = phaseDeletions, st.LastStartedAt.Add(-overlap)
	}
	p.cursor.Confidentiality = p.confidentiality()
}

// deletions reads what was deleted since the last run, and moves on to the list.
func (p *postings) deletions(ctx context.Context) error {
	until, err := readDeletions(ctx, p.slice, p.client().DeletedPostings, p.remove)
	if err != nil {
		return err
	}
	to := p.cursor
	to.Phase, to.DeletionsUntil = phaseList, until
	if err := p.commit(ctx, p.rec.take(), to.save); err != nil {
		return err
	}
	p.cursor = to
	return nil
}

func (p *postings) list(ctx context.Context) error {
	next := phaseFinish
	if p.cursor.Full {
		next = phaseInternal
	}
	pages := p.client().Postings(ctx, lever.PostingOptions{Confidentiality: p.cursor.Confidentiality, UpdatedSince: p.cursor.Since, Token: p.cursor.Token})
	err := traverse(ctx, p.slice, &p.cursor, next, pages, writer[lever.Posting]{apply: p.apply})
	if again, err := p.learnConfidential(ctx, &p.cursor, err); !again {
		return err
	}
	return p.list(ctx)
}

func (p *postings) apply(ctx context.Context, tx *store.Tx, page lever.Page[lever.Posting]) error {
	if p.cursor.Full {
		ids, _ := met(page)
		if err := tx.Met(ctx, p.cursor.Page, ids); err != nil {
			return err
		}
	}
	return p.write(ctx, tx, page.Items)
}

func (p *postings) write(ctx context.Context, tx *store.Tx, items []lever.Item[lever.Posting]) error {
	ids, _ := met(lever.Page[lever.Posting]{Items: items})
	known, err := tx.KnownParents(ctx, unified.Jobs, ids)
	if err != nil {
		return err
	}
	m, anew := p.mapper(nil), p.anew()
	var parents []store.Parent
	var jobs []*unified.Job
	var departments []*unified.Department
	var offices []*unified.Office
	var same []string // stored as they are
	for _, it := range items {
		hash := store.HashRaw(it.Raw)
		parent := store.Parent{RemoteID: identity(it), RawHash: hash, Digest: hash, ActiveAt: it.Value.UpdatedAt.Time, Refs: []uuid.UUID{}}
		if k, stored := known[parent.RemoteID]; it.Err == nil && stored && !k.Changed(parent) && !anew {
			same = append(same, k.RemoteID)
			continue
		}
		job, err := m.Job(it.Value, it.Raw)
		if it.Err != nil {
			err = it.Err
		}
		if err != nil {
			if err := tx.Quarantine(ctx, p.aside(rejected(unified.Jobs, "", it, err), unified.Jobs)); err != nil {
				return err
			}
			continue
		}
		for _, d := range m.Departments(it.Value) {
			departments, parent.Refs = append(departments, d), append(parent.Refs, d.ID)
		}
		for _, f := range m.Offices(it.Value) {
			offices, parent.Refs = append(offices, f), append(parent.Refs, f.ID)
		}
		parent.Archived = it.Value.State == "closed" || it.Value.State == "rejected"
		jobs, parents = append(jobs, job), append(parents, parent)
	}
	if err := tx.ReleaseStored(ctx, unified.Jobs, same); err != nil || len(parents) == 0 {
		return err
	}
	lane := lever.LaneIncremental
	if p.state.LastStartedAt == nil {
		lane = lever.LaneBackfill
	}
	if err := tx.UpsertParents(ctx, unified.Jobs, lastOfEach(parents), kindsOf(questionKinds, p.enabled), int(lane)); err != nil {
		return err
	}
	return p.upsert(ctx, tx, jobs, departments, offices)
}

func (p *postings) upsert(ctx context.Context, tx *store.Tx, jobs []*unified.Job, departments []*unified.Department, offices []*unified.Office) error {
	if p.wants(unified.Jobs) {
		if err := store.Upsert(ctx, tx, jobs); err != nil {
			return err
		}
	}
	if p.wants(unified.Departments) {
		if err := store.Upsert(ctx, tx, departments); err != nil {
			return err
		}
	}
	if p.wants(unified.Offices) {
		return store.Upsert(ctx, tx, offices)
	}
	return nil
}

// remove marks postings as gone, with their questions.
func (p *postings) remove(ctx context.Context, tx *store.Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := tx.RemoveParents(ctx, unified.Jobs, ids); err != nil {
		return err
	}
	if err := tx.Tombstone(ctx, unified.Jobs, ids); err != nil {
		return err
	}
	return tx.TombstoneChildren(ctx, []unified.Scope{unified.ScreeningQuestions}, ids)
}

// verify asks for each posting that the list did not show.
func (p *postings) verify(ctx context.Context) error {
	if !p.cursor.Ready {
		to := p.cursor
		to.Ready = true
		if err := p.settleSuspects(ctx, unified.Jobs, &to, func() { p.cursor = to }); err != nil {
			return err
		}
	}
	return verifyEach(ctx, p.slice, &p.cursor, p.client().Posting, p.remove, p.write)
}
