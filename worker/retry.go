package worker

import (
	"encoding/json"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// RereadOf is what brings a scope's records from Lever again: the child lists of one parent, or all of a list.
func RereadOf(sc unified.Scope) store.Reread {
	s := streamOf[sc]
	if s == nil {
		return store.Reread{}
	}
	r := store.Reread{Stream: s.name, Lane: int(lever.LaneIncremental)}
	for of, kinds := range map[unified.Scope][]childKind{unified.Applications: childKinds, unified.Jobs: questionKinds} {
		for _, k := range kinds {
			if k.scope == sc || sc == unified.Attachments && k.bit == kindOffers && of == unified.Applications {
				r.Of, r.Kinds = of, r.Kinds|k.bit
			}
		}
	}
	return r
}

// Remap maps a record of the quarantine again, as this version does, and returns why it still can't be: nil when it can,
// or when its bytes alone do not tell. It asks nobody and writes nothing.
func Remap(q store.QuarantinedRecord) error {
	m := mapping.Mapper{Connector: q.ConnectorID}
	switch sc := unified.Scope(q.Scope); sc {
	case unified.Applications:
		return remap(q.Raw, func(v lever.Opportunity, _ json.RawMessage) error { return second(m.Application(v)) })
	case unified.Jobs, unified.Departments, unified.Offices:
		return remap(q.Raw, func(v lever.Posting, raw json.RawMessage) error { return second(m.Job(v, raw)) })
	case unified.JobInterviewStages:
		return remap(q.Raw, func(v lever.Stage, raw json.RawMessage) error { return second(m.Stage(v, 0, raw)) })
	case unified.RejectReasons:
		return remap(q.Raw, func(v lever.ArchiveReason, raw json.RawMessage) error { return second(m.RejectReason(v, raw)) })
	case unified.RemoteUsers:
		return remap(q.Raw, func(v lever.User, raw json.RawMessage) error { return second(m.User(v, raw)) })
	case unified.Tags:
		return remap(q.Raw, func(v lever.Tag, raw json.RawMessage) error { return second(m.Tag(v, raw)) })
	case unified.EEOCs:
		return remap(q.Raw, func(v lever.EEOResponse, raw json.RawMessage) error { return second(m.EEOC(v, raw)) })
	default:
		return remapChild(m, sc, q)
	}
}

// remapChild is Remap for what hangs on an opportunity or a posting.
func remapChild(m mapping.Mapper, sc unified.Scope, q store.QuarantinedRecord) error {
	switch sc {
	case unified.ScheduledInterviews:
		return remap(q.Raw, func(v lever.Interview, raw json.RawMessage) error { return second(m.Interview(q.Parent, v, raw)) })
	case unified.Scorecards:
		return remap(q.Raw, func(v lever.Feedback, raw json.RawMessage) error { return second(m.Scorecard(q.Parent, v, raw)) })
	case unified.Offers:
		return remap(q.Raw, func(v lever.Offer, raw json.RawMessage) error { return second(m.Offer(q.Parent, v, raw)) })
	case unified.Attachments: // a resume, or a file: one of both will do
		resume := remap(q.Raw, func(v lever.Resume, raw json.RawMessage) error { return second(m.Resume(q.Parent, "", v, raw)) })
		if resume == nil {
			return nil
		}
		return remap(q.Raw, func(v lever.File, raw json.RawMessage) error { return second(m.File(q.Parent, "", v, raw)) })
	}
	return nil // questions come as a whole form, and a candidate is made of several opportunities
}

func second[T any](_ T, err error) error { return err }

// remap decodes a record as the pages of a list are, and maps it. What is kept of a record that Postgres refused may be
// the record as it was to be stored, and a list that could not be read has no bytes: those tell nothing.
func remap[T any](raw []byte, f func(T, json.RawMessage) error) error {
	var own struct {
		RemoteID *string `json:"remote_id"`
	}
	if string(raw) == "{}" || json.Unmarshal(raw, &own) == nil && own.RemoteID != nil {
		return nil
	}
	it := lever.DecodeItem[T](raw)
	if it.Err != nil {
		return it.Err
	}
	return f(it.Value, it.Raw)
}
