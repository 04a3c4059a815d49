package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// RemoteID is Lever's id of a live record of a connector, by our id. ErrNotFound: there is none, or it is
// another connector's.
func (s *Store) RemoteID(ctx context.Context, connector uuid.UUID, sc unified.Scope, id uuid.UUID) (string, error) {
	type row struct{ RemoteID string }
	r, err := oneBehind[row](ctx, s, connector, fmt.Sprintf(`SELECT remote_id FROM %s WHERE connector_id = $1 AND id = $2 AND deleted_at IS NULL`, sc.Table()), connector, id)
	return r.RemoteID, err
}

// HasRemote reports whether a live record of a connector has this remote id.
func (s *Store) HasRemote(ctx context.Context, connector uuid.UUID, sc unified.Scope, remoteID string) (bool, error) {
	_, err := s.RemoteID(ctx, connector, sc, unified.ID(connector, sc, remoteID))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// WriteTarget is the opportunity that a file or a note is added to.
type WriteTarget struct {
	Opportunity string `json:"opportunity"` // Lever's id
	Person      string `json:"person"`      // remote id of the candidate
}

// TargetOf is where a file or a note for a candidate goes: the opportunity that is open and was touched last.
// ErrNotFound: the connector has no such candidate.
func (s *Store) TargetOf(ctx context.Context, connector, candidate uuid.UUID) (WriteTarget, error) {
	person, err := s.RemoteID(ctx, connector, unified.Candidates, candidate)
	if err != nil {
		return WriteTarget{}, err
	}
	return oneBehind[WriteTarget](ctx, s, connector, `SELECT remote_id AS opportunity, person FROM parents
WHERE connector_id = $1 AND scope = 'applications' AND person = $2 AND deleted_at IS NULL
ORDER BY archived, active_at DESC NULLS LAST, remote_id LIMIT 1`, connector, person)
}
