package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// FeedPosition is a place in a connector's feed of changes; zero is its start.
type FeedPosition struct {
	Version uint64 // of a transaction
	Scope   int    // index in unified.Scopes
	ID      uuid.UUID

	// CaughtUp is when the reader was last at the feed's end, to the second, or began; zero: it is not known. What was
	// purged since then by a Keep.Deleted that is shorter ago, the reader may have missed.
	CaughtUp time.Time
}

// Change is the last change of a record: what it says now, or that it is gone.
type Change struct {
	Scope    unified.Scope
	Record   Record
	Position FeedPosition
}

// place is where a change is in the feed.
type place struct {
	Scope   int
	ID      uuid.UUID
	Version string
}

// Changes lists a connector's records in the order of their last changes, from after on: every record once, at
// its newest change.
//
// A transaction's number is given when it begins to write, and transactions commit in any order. So only
// changes older than every transaction that is still under way are listed: what commits later comes later. See
// migrations 0015 and 0045 for what a version is after a restore.
func (s *Store) Changes(ctx context.Context, connector uuid.UUID, after FeedPosition, limit int) ([]Change, error) {
	var out []Change
	// One snapshot for the places and the records: a record that changes in between has its place further on.
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var places []place
		err := s.sendBehind(ctx, tx, connector, func(b *pgx.Batch) {
			queue(b, &places, changesSQL(after), connector, strconv.FormatUint(after.Version, 10), after.ID, limit)
		})
		if err != nil || len(places) == 0 {
			return err
		}
		records, err := changed(ctx, tx, connector, places)
		if err != nil {
			return err
		}
		for _, p := range places {
			v, err := strconv.ParseUint(p.Version, 10, 64)
			if err != nil {
				return err
			}
			out = append(out, Change{Scope: unified.Scopes[p.Scope], Record: records[p.ID], Position: FeedPosition{Version: v, Scope: p.Scope, ID: p.ID}})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: changes: %w", err)
	}
	return out, nil
}

// Now is Postgres' clock.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	return now, s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
}

// changed are the records that have the places, by id.
func changed(ctx context.Context, tx pgx.Tx, connector uuid.UUID, places []place) (map[uuid.UUID]Record, error) {
	ids := map[int][]uuid.UUID{}
	for _, p := range places {
		ids[p.Scope] = append(ids[p.Scope], p.ID)
	}
	lists := make([][]Record, len(unified.Scopes))
	b := &pgx.Batch{}
	for i, list := range ids {
		ReadQuery{Connector: connector, Scope: unified.Scopes[i], IDs: list, Deleted: true}.queue(b, &lists[i])
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	records := make(map[uuid.UUID]Record, len(places))
	for _, list := range lists {
		for _, r := range list {
			records[r.ID] = r
		}
	}
	return records, nil
}

// changesSQL merges the scopes by (version, scope, id). $1 connector, $2 version, $3 id, $4 limit.
func changesSQL(after FeedPosition) string {
	parts := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		from := "version > $2::text::xid8"
		switch {
		case i == after.Scope:
			from = "(version, id) > ($2::text::xid8, $3::uuid)"
		case i > after.Scope:
			from = "version >= $2::text::xid8"
		}
		parts[i] = fmt.Sprintf(`(SELECT %d AS scope, id, version FROM %s WHERE connector_id = $1 AND %s AND version < (SELECT version FROM horizon)
ORDER BY version, id LIMIT $4)`, i, sc.Table(), from)
	}
	return "WITH horizon AS MATERIALIZED (SELECT feed_horizon() AS version)\nSELECT scope, id, version::text AS version FROM (" + strings.Join(parts, "\nUNION ALL\n") + ") c ORDER BY c.version, c.scope, c.id LIMIT $4"
}
