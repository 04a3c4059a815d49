package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// ScopeChange turns scopes of a connector on and off.
type ScopeChange struct {
	Enabled map[unified.Scope]bool // what is not named stays as it is
	// Remove removes what is stored of the scopes named as off, whether they were on or off before. Without it, that
	// stays as it is.
	Remove bool
}

// errRemoving says that a scope to be turned on is still being removed.
var errRemoving = errors.New("store: the scope is being removed")

// ChangeScopes turns scopes on and off, at once: every lease of the connector is taken back, so that no worker writes by
// what was on before. Runs under way go on for the scopes that are left; one that is left without any ends. What is
// turned on falls due now, and is read in full. What is to be removed is only marked: FinishRemovals does it.
// ErrNotFound: there is no such connector.
func (s *Store) ChangeScopes(ctx context.Context, connector uuid.UUID, ch ScopeChange) error {
	for {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return changeScopes(ctx, tx, connector, ch) })
		switch {
		case errors.Is(err, errRemoving): // a scope begins anew when nothing is left of it
			if err := s.FinishRemovals(ctx, connector); err != nil {
				return err
			}
		case !retryable(err):
			return err
		}
	}
}

func changeScopes(ctx context.Context, tx pgx.Tx, connector uuid.UUID, ch ScopeChange) error {
	tag, err := tx.Exec(ctx, `SELECT FROM connectors WHERE id = $1 FOR NO KEY UPDATE`, connector) // one change at a time
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	now, err := many[ScopeStatus](ctx, tx, `SELECT `+scopeColumns+` FROM connector_scopes WHERE connector_id = $1`, connector)
	if err != nil {
		return err
	}
	on, off, remove := []string{}, []string{}, []string{}
	for _, st := range now {
		want, named := ch.Enabled[unified.Scope(st.Scope)]
		switch {
		case named && want && st.Removing:
			return errRemoving
		case named && want && !st.Enabled:
			on = append(on, st.Scope)
		case named && !want && st.Enabled:
			off = append(off, st.Scope)
		}
		if named && !want && ch.Remove {
			remove = append(remove, st.Scope)
		}
	}
	if len(on)+len(off)+len(remove) == 0 {
		return nil
	}
	// In the order in which a commit locks: a stream's row, then the scopes'.
	if _, err := tx.Exec(ctx, `UPDATE streams SET fence = fence + 1, lease_owner = NULL, lease_until = NULL, wake_at = NULL WHERE connector_id = $1`, connector); err != nil {
		return err
	}
	if err := leaveRuns(ctx, tx, connector, off); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE connector_scopes SET enabled = scope = ANY($2), fresh = scope = ANY($2), removing = removing OR scope = ANY($4),
    next_run_at = CASE WHEN scope = ANY($2) THEN now() ELSE next_run_at END,
    state = 'pending', reason = '', requested_at = NULL, queued_at = NULL, first_synced_at = NULL
WHERE connector_id = $1 AND (scope = ANY($2) OR scope = ANY($3) OR scope = ANY($4))`, connector, on, off, remove)
	if err != nil {
		return err
	}
	// What waited for a lease that was taken back, or for a run that ended, is queued again.
	_, err = tx.Exec(ctx, `UPDATE connector_scopes SET queued_at = NULL WHERE connector_id = $1 AND enabled AND requested_at IS NOT NULL`, connector)
	return err
}

// leaveRuns takes scopes out of the runs under way, and ends those that are left without any. A run that only others
// needed ends too: whoever still needs it begins it again.
func leaveRuns(ctx context.Context, tx pgx.Tx, connector uuid.UUID, off []string) error {
	if len(off) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `WITH u AS (
    SELECT r.id, ARRAY(SELECT x FROM unnest(r.scopes) x WHERE NOT x = ANY($2)) AS scopes
    FROM streams st JOIN runs r ON r.connector_id = st.connector_id AND r.id = st.run_id WHERE st.connector_id = $1
), left_runs AS (
    UPDATE runs r SET scopes = u.scopes, state = CASE WHEN cardinality(u.scopes) = 0 THEN 'canceled' ELSE r.state END,
        ended_at = CASE WHEN cardinality(u.scopes) = 0 THEN now() END, error = CASE WHEN cardinality(u.scopes) = 0 THEN 'its scopes were turned off' ELSE r.error END
    FROM u WHERE r.connector_id = $1 AND r.id = u.id
)
UPDATE streams st SET run_id = NULL, cursor = NULL, interrupted = false, failures = 0
FROM u WHERE st.connector_id = $1 AND st.run_id = u.id AND cardinality(u.scopes) = 0`, connector, off)
	return err
}
