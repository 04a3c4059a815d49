package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Met notes what a page of a full traversal held.
func (t *Tx) Met(ctx context.Context, page int, remoteIDs []string) error {
	remoteIDs, err := keepOut(ctx, t, remoteIDs, func(id string) []string { return []string{id} })
	if err != nil {
		return err
	}
	t.later(`INSERT INTO sweep_pages (connector_id, stream, generation, page, remote_ids)
SELECT $1, $2, generation, $3, $4 FROM streams WHERE connector_id = $1 AND stream = $2
ON CONFLICT (connector_id, stream, generation, page) DO UPDATE SET remote_ids = excluded.remote_ids`,
		t.lease.Connector, t.lease.Stream, page, notNil(remoteIDs))
	return nil
}

// metIDs is every remote id that the run under way has met.
const metIDs = `SELECT unnest(s.remote_ids) FROM sweep_pages s JOIN streams st ON st.connector_id = s.connector_id AND st.stream = s.stream AND st.generation = s.generation
    WHERE s.connector_id = $1 AND s.stream = $2`

// Proof is what a complete traversal proves.
type Proof struct {
	Pages  int      // noted; fewer than were committed: Postgres crashed, and nothing is proven
	Live   int      // records stored and not gone
	Absent []string // of those, the ones that were not met, at most 100,000
}

// Absent compares what a full traversal met with what is stored of a scope. It is what the scope's
// tombstones rest on. source is "parents" for the objects that applications and jobs come from.
func (t *Tx) Absent(ctx context.Context, sc unified.Scope, parents bool) (Proof, error) {
	from, cond := sc.Table(), ""
	if parents {
		from, cond = "parents", fmt.Sprintf(" AND r.scope = '%s'", sc)
	}
	var p Proof
	if err := t.flush(ctx); err != nil {
		return p, err
	}
	if err := t.tx.QueryRow(ctx, fmt.Sprintf(`SELECT (SELECT count(*) FROM sweep_pages s JOIN streams st USING (connector_id, stream, generation)
    WHERE st.connector_id = $1 AND st.stream = $2), (SELECT count(*) FROM %s r WHERE r.connector_id = $1 AND r.deleted_at IS NULL%s)`, from, cond),
		t.lease.Connector, t.lease.Stream).Scan(&p.Pages, &p.Live); err != nil {
		return p, err
	}
	var err error
	p.Absent, err = t.notMet(ctx, "", from, cond)
	return p, err
}

// notMet asks for what is stored and was not met, with how before the question: "EXPLAIN " asks for the plan.
func (t *Tx) notMet(ctx context.Context, how, from, cond string) ([]string, error) {
	// Where there are no statistics yet, Postgres takes both sides for a few rows, and would go through all that was met for each
	// that is stored.
	if _, err := t.tx.Exec(ctx, `SET LOCAL enable_nestloop = off`); err != nil {
		return nil, err
	}
	rows, err := t.tx.Query(ctx, fmt.Sprintf(how+`SELECT r.remote_id FROM %s r WHERE r.connector_id = $1 AND r.deleted_at IS NULL%s
AND NOT EXISTS (SELECT FROM (%s) m(id) WHERE m.id = r.remote_id) ORDER BY 1 LIMIT 100000`, from, cond, metIDs), t.lease.Connector, t.lease.Stream)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	_, err = t.tx.Exec(ctx, `SET LOCAL enable_nestloop = on`)
	return ids, err
}
