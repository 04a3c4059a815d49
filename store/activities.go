package store

import (
	"context"

	"github.com/leversync/leversync/store/unified"
)

// KeepActivity stores a note that Lever has taken, in the transaction that confirms its write. Of a candidate who is
// gone meanwhile, or whose scope is off, nothing is kept: the row is held until the end, so that what empties or
// removes it later finds the note.
func (t *Tx) KeepActivity(ctx context.Context, a *unified.Activity) error {
	if t.off[unified.Candidates] {
		return nil
	}
	var at any
	if a.RemoteCreatedAt != nil {
		at = a.RemoteCreatedAt.Time
	}
	_, err := t.tx.Exec(ctx, `INSERT INTO activities (connector_id, id, remote_id, parent, "user", activity_type, subject, body, visibility, candidate, remote_created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, c.id, $11 FROM (
    SELECT id FROM candidates WHERE connector_id = $1 AND id = $10 AND deleted_at IS NULL FOR SHARE) c
ON CONFLICT DO NOTHING`,
		t.lease.Connector, a.ID, a.RemoteID, a.Parent, a.User, a.ActivityType, a.Subject, a.Body, a.Visibility, a.Candidate, at)
	return err
}
