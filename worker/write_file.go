package worker

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker/mapping"
)

// AddAttachment uploads a file to an opportunity in the name of a user, and returns the attachment as the API
// gives it, but for its URL. Errors: see Writer.do, and lever.ErrUpload.
func (wr *Writer) AddAttachment(ctx context.Context, in store.NewWrite, to store.WriteTarget, performAs string, u lever.Upload) (json.RawMessage, error) {
	in.Kind = store.WriteAttachment
	d := &fileDeed{WriteTarget: to, Name: u.Name, Size: u.Size}
	return wr.do(ctx, in, d, func(ctx context.Context, c *lever.Client) (string, error) {
		it, err := c.UploadFile(ctx, to.Opportunity, performAs, u)
		return it.Value.ID, err
	})
}

// fileDeed is what an uploaded file is known again by.
type fileDeed struct {
	store.WriteTarget
	Name string `json:"name"`
	Size int64  `json:"size"`
}

func (d *fileDeed) scope() unified.Scope { return unified.Attachments }

func (d *fileDeed) find(ctx context.Context, a *attempt) (string, error) {
	got, err := a.client().Files(ctx, d.Opportunity)
	if lever.Classify(err) == lever.VerdictGone {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var ids []string
	for _, it := range got.Items {
		f := it.Value
		if it.Err == nil && f.Name == d.Name && string(f.Size) == strconv.FormatInt(d.Size, 10) && a.since(f.UploadedAt) {
			ids = append(ids, f.ID)
		}
	}
	return a.firstOurs(ctx, ids)
}

func (d *fileDeed) keep(ctx context.Context, a *attempt, remoteID string) (json.RawMessage, error) {
	got, err := a.client().Files(ctx, d.Opportunity)
	if v := lever.Classify(err); err != nil && v != lever.VerdictGone && v != lever.VerdictForbidden {
		return nil, err
	}
	var rec *unified.Attachment
	m := mapping.Mapper{Connector: a.connector.ID}
	for _, it := range got.Items {
		if it.Err == nil && it.Value.ID == remoteID {
			if rec, err = m.File(d.Opportunity, d.Person, it.Value, it.Raw); err != nil {
				return nil, err
			}
		}
	}
	return a.commit(ctx, streamChildren, func(ctx context.Context, tx *store.Tx) (json.RawMessage, error) {
		if rec == nil {
			return nil, nil
		}
		// Who has read the files before this one was there must not take it for gone.
		if err := tx.Touch(ctx, unified.Applications, d.Opportunity); err != nil {
			return nil, err
		}
		if err := store.Upsert(ctx, tx, []*unified.Attachment{rec}); err != nil {
			return nil, err
		}
		return tx.Reply(ctx, unified.Attachments, remoteID)
	})
}

// since reports whether a moment of Lever's clock is not before the write was first sent.
func (a *attempt) since(t lever.Time) bool {
	return a.row.FirstSentAt != nil && !t.Before(a.row.FirstSentAt.Add(-clockSkew))
}

// firstOurs is the first of records that no other write has made; "" if there is none.
func (a *attempt) firstOurs(ctx context.Context, ids []string) (string, error) {
	others, err := a.wr.w.store.NotOurs(ctx, a.row, ids)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if !others[id] {
			return id, nil
		}
	}
	return "", nil
}
