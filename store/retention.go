package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Keep is how long is kept what no sync needs; 0: for ever.
type Keep struct {
	Runs    time.Duration // since they began; each scope's last one stays, and those under way
	Raw     time.Duration // Lever's own bodies, since the record last changed, or was last set aside
	Deleted time.Duration // records that are gone, since then; who follows the feed must come to its end as often
}

// Retained counts rows by table: those that went, and those whose payload did.
type Retained struct {
	Removed map[string]int64
	Emptied map[string]int64
}

// retainBatch is how many rows one transaction takes: a long one would hold up the feed of changes.
const retainBatch = 1000

// errElsewhere: another process is at it.
var errElsewhere = errors.New("store: retention is under way in another process")

// Retain removes what is older than is kept, in bounded transactions that wait for no row, and may be broken off
// anywhere. Of several at once, one works.
func (s *Store) Retain(ctx context.Context, k Keep) (Retained, error) {
	out := Retained{Removed: map[string]int64{}, Emptied: map[string]int64{}}
	connectors, err := many[struct{ ID uuid.UUID }](ctx, s.pool, `SELECT id FROM connectors ORDER BY id`)
	if err != nil {
		return out, fmt.Errorf("store: retention: %w", err)
	}
	for _, c := range connectors {
		for _, r := range k.rules() {
			n, err := s.retain(ctx, c.ID, r)
			if counts := out.Removed; n > 0 {
				if r.empties {
					counts = out.Emptied
				}
				counts[r.table] += n
			}
			if errors.Is(err, errElsewhere) {
				return out, nil
			}
			if err != nil {
				return out, fmt.Errorf("store: retention of %s: %w", r.table, err)
			}
		}
	}
	return out, nil
}

// rule is how rows of a table go. $1 connector, $2 age, $3 how many at most.
type rule struct {
	table, sql string
	age        time.Duration
	empties    bool // the row stays
}

// restOfRaw is what of an opportunity its person is made of: see mapping.Mapper.Candidate. A test holds that it is all.
var restOfRaw = []string{"id", "contact", "name", "headline", "emails", "phones", "confidentiality", "location", "links", "tags", "dataProtection",
	"createdAt", "updatedAt", "lastInteractionAt", "lastAdvancedAt", "isAnonymized"}

// rules are those of what is not kept for ever.
func (k Keep) rules() []rule {
	var out []rule
	if k.Runs > 0 {
		out = append(out, rule{table: "runs", age: k.Runs, sql: `DELETE FROM runs WHERE connector_id = $1 AND id IN (
    SELECT r.id FROM runs r WHERE r.connector_id = $1 AND r.started_at < now() - $2::interval AND r.state <> 'running'
    AND NOT EXISTS (SELECT FROM connector_scopes s WHERE s.connector_id = $1 AND s.last_run_id = r.id) ORDER BY r.started_at LIMIT $3 FOR UPDATE SKIP LOCKED)`})
	}
	for _, sc := range unified.Scopes {
		if t := sc.Table(); k.Raw > 0 && !slices.Contains(madeOfRaw, sc) {
			out = append(out, rule{table: t, age: k.Raw, empties: true, sql: fmt.Sprintf(`UPDATE %[1]s SET raw = NULL WHERE connector_id = $1 AND id IN (
    SELECT id FROM %[1]s WHERE connector_id = $1 AND modified_at < now() - $2::interval AND raw IS NOT NULL ORDER BY modified_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)`, t)})
		}
	}
	if k.Raw > 0 {
		for _, which := range []string{"deleted_at IS NULL", "deleted_at IS NOT NULL"} { // each has its index
			out = append(out, rule{table: "parents", age: k.Raw, empties: true, sql: fmt.Sprintf(`UPDATE parents SET raw = NULL,
    rest = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(raw) WHERE key IN ('%s')) || jsonb_build_object('applications',
        (SELECT jsonb_agg(CASE jsonb_typeof(a) WHEN 'object' THEN jsonb_build_object('id', a->'id', 'company', a->'company') ELSE a END) FROM jsonb_path_query(raw, 'lax $.applications[*]') a))
WHERE connector_id = $1 AND scope = 'applications' AND remote_id IN (SELECT remote_id FROM parents
    WHERE connector_id = $1 AND scope = 'applications' AND %s AND raw IS NOT NULL AND coalesce(active_at, '-infinity') < now() - $2::interval LIMIT $3 FOR UPDATE SKIP LOCKED)`,
				strings.Join(restOfRaw, "', '"), which)})
		}
		out = append(out, rule{table: "quarantine", age: k.Raw, sql: `WITH gone AS (
    DELETE FROM quarantine WHERE connector_id = $1 AND (scope, key) IN (
        SELECT scope, key FROM quarantine WHERE connector_id = $1 AND last_seen_at < now() - $2::interval LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING scope
), upd AS (
    UPDATE connector_scopes s SET quarantined = greatest(s.quarantined - g.n, 0) FROM (SELECT scope, count(*) AS n FROM gone GROUP BY scope) g
    WHERE s.connector_id = $1 AND s.scope = g.scope
) SELECT FROM gone`})
	}
	if k.Deleted > 0 {
		for _, sc := range unified.Scopes {
			out = append(out, rule{table: sc.Table(), age: k.Deleted, sql: fmt.Sprintf(`DELETE FROM %[1]s WHERE connector_id = $1 AND id IN (
    SELECT id FROM %[1]s WHERE connector_id = $1 AND deleted_at < now() - $2::interval ORDER BY deleted_at LIMIT $3 FOR UPDATE SKIP LOCKED)`, sc.Table())})
		}
		out = append(out, rule{table: "parents", age: k.Deleted, sql: `DELETE FROM parents WHERE connector_id = $1 AND (scope, remote_id) IN (
    SELECT scope, remote_id FROM parents WHERE connector_id = $1 AND deleted_at < now() - $2::interval LIMIT $3 FOR UPDATE SKIP LOCKED)`})
	}
	return out
}

// retain applies a rule until there is nothing left for it.
func (s *Store) retain(ctx context.Context, connector uuid.UUID, r rule) (total int64, err error) {
	for {
		var n int64
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var mine bool
			if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('leversync.retention'))`).Scan(&mine); err != nil {
				return err
			}
			if !mine {
				return errElsewhere
			}
			tag, err := tx.Exec(ctx, r.sql, connector, r.age, retainBatch)
			n = tag.RowsAffected()
			return err
		})
		if err != nil && !retryable(err) {
			return total, err
		}
		total += n
		if err == nil && n < retainBatch {
			return total, nil
		}
	}
}
