package worker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// activities is no scope of ours: Lever's notes are written, and not read.
const activities unified.Scope = "activities"

// AddNote adds a note to an opportunity in the name of a user, and returns the activity: the fields given,
// with its ids and times. Errors: see Writer.do.
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
	reply := map[string]any{}
	if err := json.Unmarshal(d.Fields, &reply); err != nil {
		return nil, err
	}
	at := unified.NewTime(time.Now())
	reply["id"] = noteID(a.connector.ID, remoteID)
	reply["remote_id"], reply["modified_at"], reply["remote_created_at"], reply["custom_fields"] = remoteID, at, at, nil
	b, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	return a.commit(ctx, streamChildren, func(context.Context, *store.Tx) (json.RawMessage, error) { return b, nil })
}

func noteID(connector uuid.UUID, remoteID string) uuid.UUID {
	return unified.ID(connector, activities, remoteID)
}
