package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Change is the newest change of one record.
type Change struct {
	Scope      string       `json:"scope" doc:"Its scope."`
	ID         uuid.UUID    `json:"id" format:"uuid"`
	RemoteID   string       `json:"remote_id"`
	Operation  string       `json:"operation" enum:"upsert,delete" doc:"upsert: it is new or changed. delete: it is gone at the source."`
	ModifiedAt unified.Time `json:"modified_at" format:"date-time"`
	Record     Object       `json:"record" doc:"The record as it reads now, as GET by id gives it; null where it is gone."`
}

// ChangeList is a piece of the feed.
type ChangeList struct {
	Cursor  string   `json:"cursor" doc:"Where this page ends: give it as after, now or later."`
	HasMore bool     `json:"has_more" doc:"Whether there was more at the time; false: ask again later."`
	Items   []Change `json:"items" nullable:"false"`
}

type changesInput struct {
	TokenHeader
	After string `query:"after" maxLength:"200" doc:"The cursor of the page before; without it, from the start."`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"Changes in a page."`
}

func registerChanges(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *changesInput) (*bodyOutput[ChangeList], error) {
		connector := connectorOf(ctx).ID
		name := connector.String() + " changes"
		now, err := s.cfg.Store.Now(ctx) // before the feed is looked at
		if err != nil {
			return nil, err
		}
		var after store.FeedPosition
		if in.After != "" {
			if after, err = s.cfg.Store.FeedPosition(name, in.After); err != nil {
				return nil, badCursor("after")
			}
			if tooOld(after.CaughtUp, now, s.cfg.KeepDeleted) {
				return nil, errFeedPurged
			}
		}
		found, err := s.cfg.Store.Changes(ctx, connector, after, in.Limit+1)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[ChangeList]{Body: ChangeList{Items: []Change{}}}
		if len(found) > in.Limit {
			found, out.Body.HasMore = found[:in.Limit], true
		}
		for _, f := range found {
			out.Body.Items = append(out.Body.Items, s.change(f))
			after = f.Position
		}
		if in.After == "" || !out.Body.HasMore {
			after.CaughtUp = now
		}
		out.Body.Cursor = s.cfg.Store.FeedCursor(name, after)
		return out, nil
	})
}

// errFeedPurged is the answer to a reader who was away for longer than deletions are kept.
var errFeedPurged = refuse(http.StatusGone, "Records that were deleted since this cursor was made have been purged: read the feed from its start, without after, "+
	"and take what you do not meet there for deleted. Come to the feed's end more often than LEVERSYNC_KEEP_DELETED")

// purgeMargin is what a transaction may take.
const purgeMargin = 5 * time.Minute

// tooOld reports whether a reader who was last at the feed's end then may have missed a deletion that is kept no longer.
// Cursors of earlier releases do not say, and pass: nothing was purged when they were made.
func tooOld(caughtUp, now time.Time, keep time.Duration) bool {
	return keep > 0 && !caughtUp.IsZero() && now.Sub(caughtUp) > keep-purgeMargin
}

func (s *server) change(f store.Change) Change {
	r := f.Record
	c := Change{Scope: string(f.Scope), ID: r.ID, RemoteID: r.RemoteID, Operation: "upsert", ModifiedAt: unified.NewTime(r.ModifiedAt)}
	if r.DeletedAt != nil {
		c.Operation = "delete"
		return c
	}
	c.Record = s.appendRecord(nil, models[f.Scope], &r, want{}, nil)
	return c
}
