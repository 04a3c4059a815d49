package worker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// AddNote adds a note to an opportunity in the name of a user, keeps it, as notes are not synced, and returns the
// activity as the API gives it. fields are those of a unified.Activity. Errors: see Writer.do.
func (wr *Writer) AddNote(ctx context.Context, in store.NewWrite, to store.WriteTarget, performAs string, n lever.NewNote, fields json.RawMessage) (json.RawMessage, error) {
	in.Kind = store.WriteActivity
	d := &noteDeed{WriteTarget: to, Value: n.Value, Fields: fields}
	return wr.do(ctx, in, d, func(ctx context.Context, c *lever.Client) (string, error) {
		it, err := c.AddNote(ctx, to.Opportunity, performAs, n)
		return it.Value.RecordID(), err
	})
}

// noteDeed is what a note is known again by, and the reply to it.
type noteDeed struct {
	store.WriteTarget
	Value  string          `json:"value"`
	Fields json.RawMessage `json:"fields"`
}

func (d *noteDeed) scope() unified.Scope { return unified.Candidates }

func (d *noteDeed) find(ctx context.Context, a *attempt) (string, error) {
	got, err := a.client().Notes(ctx, d.Opportunity)
	if lever.Classify(err) == lever.VerdictGone {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var ids []string
	for _, it := range got.Items {
		if it.Err == nil && it.Value.Value() == d.Value && a.since(it.Value.CreatedAt) {
			ids = append(ids, it.Value.RecordID())
		}
	}
	return a.firstOurs(ctx, ids)
}

func (d *noteDeed) keep(ctx context.Context, a *attempt, remoteID string) (json.RawMessage, error) {
	var n unified.Activity
	if err := json.Unmarshal(d.Fields, &n); err != nil {
		return nil, err
	}
	now, candidate := unified.NewTime(time.Now()), unified.ID(a.connector.ID, unified.Candidates, d.Person)
	n.Envelope = unified.Envelope{ID: unified.ID(a.connector.ID, unified.Activities, remoteID), RemoteID: remoteID, Parent: d.Opportunity}
	n.Candidate, n.RemoteCreatedAt = &candidate, &now
	return a.commit(ctx, streamChildren, func(ctx context.Context, tx *store.Tx) (json.RawMessage, error) {
		if err := tx.KeepActivity(ctx, &n); err != nil {
			return nil, err
		}
		return tx.Reply(ctx, unified.Activities, remoteID)
	})
}
