package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// removeBatch is how many rows one transaction of a removal takes: a long one would hold up the feed of changes.
const removeBatch = 2000

// families are the scopes that the two kinds of parents are kept for: what is made of them, and what hangs on them.
var families = map[unified.Scope][]unified.Scope{
	unified.Applications: {unified.Applications, unified.Candidates, unified.Attachments, unified.Offers, unified.ScheduledInterviews, unified.Scorecards},
	unified.Jobs:         {unified.Jobs, unified.Departments, unified.Offices, unified.ScreeningQuestions},
}

// madeOfRaw are the scopes whose raw payloads are those of the opportunities, kept with their parents.
var madeOfRaw = []unified.Scope{unified.Applications, unified.Candidates}

// FinishRemovals removes what is stored of the scopes that were marked for it, of one connector or, with uuid.Nil, of all.
//
// Of each record its id stays, as one that is gone, so that a reader of the feed learns of it; all else goes, its raw
// payload and its row in quarantine too, and so do payloads and relations that no other scope needs. It works in bounded
// transactions, and may be broken off and taken up anywhere, by several at once.
func (s *Store) FinishRemovals(ctx context.Context, connector uuid.UUID) error {
	type marked struct {
		ConnectorID uuid.UUID
		Scope       string
	}
	list, err := many[marked](ctx, s.pool, `SELECT connector_id, scope FROM connector_scopes WHERE removing AND ($1::uuid IS NULL OR connector_id = $1) ORDER BY connector_id, scope`, nilID(connector))
	if err != nil {
		return fmt.Errorf("store: removals: %w", err)
	}
	for _, m := range list {
		if err := s.removeScope(ctx, m.ConnectorID, unified.Scope(m.Scope)); err != nil {
			return fmt.Errorf("store: remove %s: %w", m.Scope, err)
		}
	}
	return nil
}

// someParents narrows to up to $2 parents of connector $1: to those that live and to those that are gone, as the indexes that
// begin with the connector know one or the other.
func someParents(of unified.Scope, cond string) string {
	return fmt.Sprintf(`connector_id = $1 AND scope = '%[1]s' AND remote_id IN (
    SELECT remote_id FROM parents WHERE connector_id = $1 AND scope = '%[1]s' AND deleted_at IS NULL AND %[2]s
    UNION ALL SELECT remote_id FROM parents WHERE connector_id = $1 AND scope = '%[1]s' AND deleted_at IS NOT NULL AND %[2]s LIMIT $2)`, of, cond)
}

// removal are the steps by which a scope is removed. Each takes a batch, and returns how many rows it took.
func removal(sc unified.Scope) []func(context.Context, pgx.Tx, uuid.UUID) (int64, error) {
	steps := []func(context.Context, pgx.Tx, uuid.UUID) (int64, error){emptying(sc, "true")}
	if sc == unified.Offers { // its documents come with the list of offers, and go with it
		steps = append(steps, emptying(unified.Attachments, "source = 'offers'"))
	}
	for of, family := range families {
		for _, member := range family {
			if member != sc {
				continue
			}
			if of == unified.Applications {
				steps = append(steps, dropParents(madeOfRaw, `UPDATE parents SET raw = NULL, rest = NULL WHERE `+someParents(of, "coalesce(raw, rest) IS NOT NULL")))
			}
			steps = append(steps, dropParents(family, `DELETE FROM parents WHERE `+someParents(of, "true")))
		}
	}
	return steps
}

func (s *Store) removeScope(ctx context.Context, connector uuid.UUID, sc unified.Scope) error {
	for _, step := range removal(sc) {
		for {
			var n int64
			err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
				var err error
				n, err = step(ctx, tx, connector)
				return err
			})
			if err != nil && !retryable(err) {
				return err
			}
			if err == nil && n == 0 {
				break
			}
		}
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM quarantine WHERE connector_id = $1 AND scope = $2`, connector, string(sc)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE connector_scopes SET removing = false, records = 0, quarantined = 0, synced_at = NULL, last_run_id = NULL
WHERE connector_id = $1 AND scope = $2 AND removing`, connector, string(sc))
		return err
	})
}

// holding tells a record that holds something from one that was removed: the hash of a body is never empty.
const holding = `body_hash <> '\x'::bytea`

// emptied are the assignments that leave of a record its ids alone, as those of one that is gone: of one that is about a
// candidate our own, as an erasure that comes later has nothing left to find it by.
func emptied(sc unified.Scope) []string {
	set := []string{"parent = ''", "raw = NULL", "raw_hash = NULL", `body_hash = '\x'`,
		"deleted_at = coalesce(t.deleted_at, date_trunc('milliseconds', now()))", "modified_at = date_trunc('milliseconds', now())"}
	if slices.ContainsFunc(ofPersons, func(o ofPerson) bool { return o.scope == sc }) {
		set = append(set, "remote_id = ''")
	}
	for _, c := range tables[sc].columns {
		value := "NULL"
		if c.typ == reflect.TypeFor[string]() {
			value = "''" // it is not nullable
		}
		set = append(set, c.name+" = "+value)
	}
	return set
}

// emptying empties records of a scope, a batch at a time, and returns how many it took. cond narrows it.
func emptying(sc unified.Scope, cond string) func(context.Context, pgx.Tx, uuid.UUID) (int64, error) {
	sql := fmt.Sprintf(`WITH old AS (
    SELECT id, deleted_at FROM %[1]s WHERE connector_id = $1 AND %[2]s AND %[3]s ORDER BY modified_at, id LIMIT $2 FOR UPDATE
), upd AS (
    UPDATE %[1]s t SET %[4]s FROM old WHERE t.connector_id = $1 AND t.id = old.id
), counts AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE deleted_at IS NULL) AS live FROM old
), scope AS (
    UPDATE connector_scopes SET records = greatest(records - counts.live, 0) FROM counts WHERE connector_id = $1 AND scope = '%[5]s' AND counts.live > 0
)
SELECT n FROM counts`, sc.Table(), holding, cond, strings.Join(emptied(sc), ", "), sc)
	return func(ctx context.Context, tx pgx.Tx, connector uuid.UUID) (n int64, err error) {
		err = tx.QueryRow(ctx, sql, connector, removeBatch).Scan(&n)
		return n, err
	}
}

// dropParents takes away what is kept of parents, a batch at a time, once all the scopes that it is kept for are off and
// empty. The connector's row is held meanwhile: none of them is turned on, and who is at the same waits and then finds what is
// left, where the same rows would have looked to them like none.
func dropParents(keptFor []unified.Scope, sql string) func(context.Context, pgx.Tx, uuid.UUID) (int64, error) {
	return func(ctx context.Context, tx pgx.Tx, connector uuid.UUID) (int64, error) {
		if _, err := tx.Exec(ctx, `SELECT FROM connectors WHERE id = $1 FOR NO KEY UPDATE`, connector); err != nil {
			return 0, err
		}
		names, needed := make([]string, len(keptFor)), []string{`EXISTS (SELECT FROM connector_scopes WHERE connector_id = $1 AND scope = ANY($2) AND enabled)`}
		for i, sc := range keptFor {
			names[i] = string(sc)
			needed = append(needed, fmt.Sprintf("EXISTS (SELECT FROM %s WHERE connector_id = $1 AND %s)", sc.Table(), holding))
		}
		var keep bool
		if err := tx.QueryRow(ctx, `SELECT `+strings.Join(needed, " OR "), connector, names).Scan(&keep); err != nil || keep {
			return 0, err
		}
		tag, err := tx.Exec(ctx, sql, connector, removeBatch)
		return tag.RowsAffected(), err
	}
}
