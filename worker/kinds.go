package worker

import (
	"context"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// childKind is one list of children that an opportunity, or a posting, has.
type childKind struct {
	bit   int
	name  string
	scope unified.Scope
	// source narrows what the list replaces, where several lists feed a scope.
	source string
	// read fetches and maps the children of one parent.
	read func(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error)
}

// children are what one list of one parent brought.
type children struct {
	records  []unified.Record
	also     []unified.Record // of a second scope: an offer's documents
	rejected []store.Rejected
	read     int
	cleaned  int
	pages    int
}

// The child lists of an opportunity, and of a posting. The bits are stored: never reuse one.
var (
	childKinds = []childKind{
		{bit: 1, name: "interviews", scope: unified.ScheduledInterviews, read: readInterviews},
		{bit: 2, name: "feedback", scope: unified.Scorecards, read: readFeedback},
		{bit: 4, name: "offers", scope: unified.Offers, read: readOffers},
		{bit: 8, name: "resumes", scope: unified.Attachments, source: mapping.SourceResumes, read: readResumes},
		{bit: 16, name: "files", scope: unified.Attachments, source: mapping.SourceFiles, read: readFiles},
	}
	questionKinds = []childKind{{bit: 1, name: "questions", scope: unified.ScreeningQuestions, read: readQuestions}}
)

const (
	kindFeedback = 2
	kindOffers   = 4
)

// kindsOf is the bit set of the lists whose scopes are on.
func kindsOf(kinds []childKind, enabled map[unified.Scope]bool) int {
	bits := 0
	for _, k := range kinds {
		if enabled[k.scope] {
			bits |= k.bit
		}
	}
	return bits
}

// mapChildren maps the items of a list; what can't be mapped is set aside.
func mapChildren[T interface{ RecordID() string }](sc unified.Scope, parent string, got lever.Children[T], f func(lever.Item[T]) (unified.Record, error)) children {
	out := children{read: len(got.Items), pages: max(got.Calls, 1)}
	for _, it := range got.Items {
		out.cleaned += it.Sanitized
		err := it.Err
		var rec unified.Record
		if err == nil {
			rec, err = f(it)
		}
		switch {
		case err != nil:
			out.rejected = append(out.rejected, rejected(sc, parent, it, err))
		case rec != nil:
			out.records = append(out.records, rec)
		}
	}
	return out
}

func readInterviews(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	got, err := c.Interviews(ctx, w.RemoteID)
	return mapChildren(unified.ScheduledInterviews, w.RemoteID, got, func(it lever.Item[lever.Interview]) (unified.Record, error) {
		return some(m.Interview(w.RemoteID, it.Value, it.Raw))
	}), err
}

func readFeedback(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	got, err := c.Feedback(ctx, w.RemoteID)
	return mapChildren(unified.Scorecards, w.RemoteID, got, func(it lever.Item[lever.Feedback]) (unified.Record, error) {
		return some(m.Scorecard(w.RemoteID, it.Value, it.Raw))
	}), err
}

func readOffers(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	got, err := c.Offers(ctx, w.RemoteID)
	out := mapChildren(unified.Offers, w.RemoteID, got, func(it lever.Item[lever.Offer]) (unified.Record, error) {
		return some(m.Offer(w.RemoteID, it.Value, it.Raw))
	})
	for _, it := range got.Items {
		if it.Err == nil {
			for _, a := range m.OfferDocuments(w.RemoteID, w.Person, it.Value) {
				out.also = append(out.also, a)
			}
		}
	}
	return out, err
}

func readResumes(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	got, err := c.Resumes(ctx, w.RemoteID)
	return mapChildren(unified.Attachments, w.RemoteID, got, func(it lever.Item[lever.Resume]) (unified.Record, error) {
		return some(m.Resume(w.RemoteID, w.Person, it.Value, it.Raw))
	}), err
}

func readFiles(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	got, err := c.Files(ctx, w.RemoteID)
	return mapChildren(unified.Attachments, w.RemoteID, got, func(it lever.Item[lever.File]) (unified.Record, error) {
		return some(m.File(w.RemoteID, w.Person, it.Value, it.Raw))
	}), err
}

func readQuestions(ctx context.Context, c *lever.Client, m mapping.Mapper, w store.Work) (children, error) {
	it, err := c.ApplicationForm(ctx, w.RemoteID)
	if err != nil {
		return children{}, err
	}
	out := children{read: 1, cleaned: it.Sanitized, pages: 1}
	if it.Err != nil {
		out.rejected = append(out.rejected, store.Rejected{Scope: unified.ScreeningQuestions, Key: w.RemoteID, Parent: w.RemoteID, Reason: it.Err.Error(), Raw: it.Raw})
		return out, nil
	}
	for _, q := range m.ScreeningQuestions(w.RemoteID, it.Value) {
		out.records = append(out.records, q)
	}
	return out, nil
}

// idsOf are the ids of records.
func idsOf(recs []unified.Record) []uuid.UUID {
	ids := make([]uuid.UUID, len(recs))
	for i, r := range recs {
		ids[i] = r.Base().ID
	}
	return ids
}
