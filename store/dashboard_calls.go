package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// ErrUntold says that it is not known any more which records a call wrote.
var ErrUntold = errors.New("store: not known any more")

// WrittenRecord is a record that a call brought.
type WrittenRecord struct {
	Scope    string
	ID       uuid.UUID
	RemoteID string
	Deleted  bool
}

// Call finds a call of a connector that started at a moment, by which the sync log is partitioned. ErrNotFound: there is none.
func (s *Store) Call(ctx context.Context, connector, id uuid.UUID, startedAt time.Time) (Call, error) {
	return one[Call](ctx, s.pool, `SELECT * FROM calls WHERE connector_id = $1 AND id = $2 AND started_at = $3`, connector, id, startedAt)
}

// WrittenBy lists up to limit of the records that a call wrote, and that nothing has changed since: those whose last
// change was made by the transaction that logged the call. A transaction that logs several calls wrote them together.
// ErrUntold: the server was started anew since, or the database was restored, which numbers transactions anew.
func (s *Store) WrittenBy(ctx context.Context, c Call, limit int) ([]WrittenRecord, error) {
	var out []WrittenRecord
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// xmin is 32 bits of the 64 that versions have: the rest is that of the newest transaction, or one less. Versions are
		// ahead of transactions by a number that each start of the server raises, by the clock: see continue_feed.
		type version struct {
			Version string
			Untold  bool
		}
		v, err := one[version](ctx, tx, `WITH n AS (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest),
l AS (SELECT xmin::text::bigint AS low, started_at FROM calls WHERE connector_id = $1 AND id = $2 AND started_at = $3)
SELECT ((newest & ~4294967295) + low - CASE WHEN (newest & 4294967295) < low THEN 4294967296 ELSE 0 END + ahead)::text AS version,
    ahead > 0 AND started_at < to_timestamp(ahead / 1073741824.0) AS untold FROM n, l, feed`,
			c.ConnectorID, c.ID, c.StartedAt)
		if err != nil {
			return err
		}
		if v.Untold {
			return ErrUntold
		}
		parts := make([]string, len(unified.Scopes))
		for i, sc := range unified.Scopes {
			parts[i] = fmt.Sprintf(`(SELECT '%s' AS scope, id, remote_id, deleted_at IS NOT NULL AS deleted FROM %s
WHERE connector_id = $1 AND version = $2::text::xid8 ORDER BY id LIMIT $3)`, sc, sc.Table())
		}
		out, err = many[WrittenRecord](ctx, tx, strings.Join(parts, "\nUNION ALL\n")+"\nLIMIT $3", c.ConnectorID, v.Version, limit)
		return err
	})
	return out, err
}
