package worker

import (
	"context"
	"maps"
	"slices"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/task"
)

// stream is one traversal of a Lever list, or of the child lists of its records.
type stream struct {
	name   string
	scopes []unified.Scope
	needs  []string // streams that come first, and without which it can't run
	wants  []string // streams that come first, if they can be had
	yields []string // streams whose first traversal comes first, where it is asked for: there is to be something to see soon
	run    func(ctx context.Context, s *slice) (store.Outcome, error)
}

// The streams, by the name of Lever's list.
const (
	streamOpportunities  = "opportunities"
	streamPostings       = "postings"
	streamStages         = "stages"
	streamArchiveReasons = "archive-reasons"
	streamUsers          = "users"
	streamTags           = "tags"
	streamEEO            = "eeo-responses"
	streamChildren       = "opportunity-children"
	streamQuestions      = "posting-questions"
)

// streams is the table that everything goes by, and streamOf says which stream feeds a scope.
var (
	streams  = map[string]*stream{}
	streamOf = map[unified.Scope]*stream{}
)

// soon are the streams that there is to be something to see of first.
var soon = []string{streamPostings, streamUsers, streamOpportunities}

func init() { // not in the declaration: the run functions look into the table
	for _, s := range []*stream{
		{name: streamStages, scopes: []unified.Scope{unified.JobInterviewStages}, run: runStages},
		{name: streamArchiveReasons, scopes: []unified.Scope{unified.RejectReasons}, run: runArchiveReasons},
		{name: streamUsers, scopes: []unified.Scope{unified.RemoteUsers}, run: runUsers},
		{name: streamTags, scopes: []unified.Scope{unified.Tags}, run: runTags},
		{name: streamEEO, scopes: []unified.Scope{unified.EEOCs}, yields: soon, run: runEEO},
		{name: streamPostings, scopes: []unified.Scope{unified.Jobs, unified.Departments, unified.Offices}, run: runPostings},
		{name: streamQuestions, scopes: []unified.Scope{unified.ScreeningQuestions}, needs: []string{streamPostings}, yields: soon, run: runQuestions},
		{name: streamOpportunities, scopes: []unified.Scope{unified.Candidates, unified.Applications}, wants: []string{streamArchiveReasons}, run: runOpportunities},
		{name: streamChildren, scopes: []unified.Scope{unified.ScheduledInterviews, unified.Scorecards, unified.Offers, unified.Attachments}, needs: []string{streamOpportunities}, yields: soon, run: runChildren},
	} {
		streams[s.name] = s
		for _, sc := range s.scopes {
			streamOf[sc] = s
		}
	}
}

// dependents are the streams that need s.
func (s *stream) dependents() []*stream {
	var out []*stream
	for _, d := range streams {
		if slices.Contains(d.needs, s.name) {
			out = append(out, d)
		}
	}
	return out
}

// waiters are the streams that s comes before: those that need it, want it or yield to it, and those that come after them.
func (s *stream) waiters() []*stream {
	var out []*stream
	for _, d := range streams {
		if d != s && (slices.Contains(StreamsOf(d.scopes), s.name) || slices.Contains(d.yields, s.name)) {
			out = append(out, d)
		}
	}
	return out
}

// StreamsOf names the streams that feed the scopes, and those that they need: what a full sync of the
// scopes reads again.
func StreamsOf(scopes []unified.Scope) []string {
	seen := map[string]bool{}
	var out []string
	var add func(name string)
	add = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, n := range slices.Concat(streams[name].wants, streams[name].needs) {
			add(n)
		}
		out = append(out, name)
	}
	for _, sc := range scopes {
		if s := streamOf[sc]; s != nil {
			add(s.name)
		}
	}
	return out
}

// waits reports whether s, which never ran, has to wait for the first traversal of a stream that it yields to.
func (s *stream) waits(p store.Progress) bool {
	if p.Streams[s.name].LastTriedAt != nil {
		return false
	}
	return slices.ContainsFunc(s.yields, func(name string) bool {
		return p.Streams[name].LastTriedAt == nil && slices.ContainsFunc(streams[name].scopes, func(sc unified.Scope) bool {
			_, asked := p.Asked[sc]
			return asked
		})
	})
}

// wakeWaiters makes tasks for scopes whose own found this stream held, and ended.
func (w *Worker) wakeWaiters(ctx context.Context, c store.Connector, st *stream) {
	waiters := st.waiters()
	if len(waiters) == 0 {
		return
	}
	p, err := w.store.Progress(ctx, c.ID, slices.Collect(maps.Keys(streams)))
	if err != nil {
		return // the reconciler will
	}
	for _, d := range waiters {
		if d.waits(p) {
			continue // for another one still, whose end wakes it
		}
		for _, sc := range d.scopes {
			since, asked := p.Asked[sc]
			if !asked {
				continue
			}
			err := w.queue.Enqueue(ctx, task.Sync{ConnectorID: c.ID, Scope: string(sc), DueAt: &since}, task.Options{})
			if err != nil {
				w.log.WarnContext(ctx, "not enqueued", "connector_id", c.ID, "scope", sc, "error", err)
			}
			break // the first of its scopes brings the others along
		}
	}
}
