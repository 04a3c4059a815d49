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

// Lineage is where a record comes from, and what became of it.
type Lineage struct {
	Connector  Connector
	Scope      unified.Scope
	Record     Record       // as the API gives it, Raw with it
	CreatedAt  time.Time    // here
	Parent     string       // Lever's id of what it hangs on; "" for nothing
	RawGone    bool         // of Lever's own body, or of some that it is made of, no more is kept: see Keep.Raw
	Run        *Run         // the one that wrote its last change; nil: no longer known
	Calls      []Call       // of that run, newest first: those that the change was written with, or the last before it, where that can't be told
	Runs       []Run        // of its stream since it was first written, newest first: each looked at it, or at what tells of it
	Quarantine *Quarantined // a newer version of it that was set aside
	Aside      *Call        // that brought that version; nil: no longer known
}

// lineageRuns and lineageCalls bound what is shown.
const (
	lineageRuns  = 10
	lineageCalls = 3
)

// found is where a record is.
type found struct {
	ConnectorID uuid.UUID
	ID          uuid.UUID
	Scope       string
}

// FindRecords finds records by their id or by Lever's, of one connector or, with the zero id, of all.
func (s *Store) FindRecords(ctx context.Context, connector uuid.UUID, id string) ([]Lineage, error) {
	var out []Lineage
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM connectors WHERE $1::uuid IS NULL OR id = $1`, nilID(connector))
		if err != nil {
			return err
		}
		connectors, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		sql, args := findSQL(connectors, id)
		places, err := many[found](ctx, tx, sql, args...)
		if err != nil {
			return err
		}
		for _, p := range places {
			l, err := s.lineage(ctx, tx, p)
			if err != nil {
				return err
			}
			out = append(out, l)
		}
		return nil
	})
	return out, err
}

// findSQL looks for a record in all tables by their keys: Lever's id, which no index has, makes ours, connector by connector.
func findSQL(connectors []uuid.UUID, id string) (string, []any) {
	parts, args := make([]string, len(unified.Scopes)), []any{connectors}
	for i, sc := range unified.Scopes {
		var ids []uuid.UUID
		if own, err := uuid.Parse(id); err == nil {
			ids = append(ids, own)
		}
		for _, c := range connectors {
			ids = append(ids, unified.ID(c, sc, id))
		}
		args = append(args, ids)
		parts[i] = fmt.Sprintf(`SELECT connector_id, id, '%s' AS scope FROM %s WHERE id = ANY($%d) AND connector_id = ANY($1)`, sc, sc.Table(), i+2)
	}
	return strings.Join(parts, "\nUNION ALL\n") + "\nORDER BY 1, 3 LIMIT 50", args
}

func (s *Store) lineage(ctx context.Context, tx pgx.Tx, p found) (Lineage, error) {
	l := Lineage{Scope: unified.Scope(p.Scope)}
	recs, err := readIn(ctx, tx, ReadQuery{Connector: p.ConnectorID, Scope: l.Scope, IDs: []uuid.UUID{p.ID}, Deleted: true, Raw: true})
	if err != nil {
		return l, err
	}
	if len(recs) == 0 {
		return l, ErrNotFound
	}
	l.Record = recs[0]
	if l.Connector, err = one[Connector](ctx, tx, `SELECT `+connectorColumns+` FROM connectors WHERE id = $1`, p.ConnectorID); err != nil {
		return l, err
	}
	if err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT created_at, parent FROM %s WHERE connector_id = $1 AND id = $2`, l.Scope.Table()), p.ConnectorID, p.ID).Scan(&l.CreatedAt, &l.Parent); err != nil {
		return l, err
	}
	if l.RawGone, err = rawGone(ctx, tx, l.Scope, p); err != nil {
		return l, err
	}
	if err := s.lineageWork(ctx, tx, &l); err != nil {
		return l, err
	}
	list, err := many[Quarantined](ctx, tx, `SELECT `+quarantinedColumns+` FROM quarantine
WHERE connector_id = $1 AND scope = $2 AND key = $3`, p.ConnectorID, p.Scope, quarantineKey(l.Record.RemoteID))
	if err != nil || len(list) == 0 {
		return l, err
	}
	l.Quarantine = &list[0]
	call, err := quarantineCall(ctx, tx, list[0])
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	l.Aside = &call
	return l, err
}

// rawGone tells whether retention has let go of a body of a record's: its hash is still there, or of an opportunity the rest.
func rawGone(ctx context.Context, tx pgx.Tx, sc unified.Scope, p found) (gone bool, err error) {
	sql := `SELECT raw IS NULL AND coalesce(raw_hash <> $3, false) FROM %s WHERE connector_id = $1 AND id = $2`
	args := []any{p.ConnectorID, p.ID, HashRaw(nil)}
	if of, ok := parentsOf[sc]; ok {
		sql = `SELECT EXISTS (SELECT FROM %s t JOIN parents p ON p.connector_id = t.connector_id AND p.scope = 'applications' AND ` + of + `
WHERE t.connector_id = $1 AND t.id = $2 AND p.raw IS NULL AND p.rest IS NOT NULL)`
		args = args[:2]
	}
	err = tx.QueryRow(ctx, fmt.Sprintf(sql, sc.Table()), args...).Scan(&gone)
	return gone, err
}

// parentsOf are the opportunities p whose bodies a record t is made of, where they are not its own.
var parentsOf = map[unified.Scope]string{
	unified.Applications: "p.remote_id = t.remote_id",
	unified.Candidates:   "p.person = t.remote_id AND p.deleted_at IS NULL",
}

// lineageWork finds the runs and calls. A transaction's time is its start, and a page is written after it was read: the run
// that was under way then brought the change.
func (s *Store) lineageWork(ctx context.Context, tx pgx.Tx, l *Lineage) error {
	const columns = `id, connector_id, stream, scopes, kind, state, started_at, ended_at, calls, bound, polled, swept, throttled, wait_ms, read, written, deleted, quarantined, sanitized, error`
	var err error
	if l.Runs, err = many[Run](ctx, tx, `SELECT `+columns+` FROM runs WHERE connector_id = $1 AND $2 = ANY(scopes) AND coalesce(ended_at, 'infinity') >= $3
ORDER BY started_at DESC LIMIT $4`, l.Connector.ID, string(l.Scope), l.CreatedAt, lineageRuns); err != nil {
		return err
	}
	runs, err := many[Run](ctx, tx, `SELECT `+columns+` FROM runs WHERE connector_id = $1 AND $2 = ANY(scopes) AND started_at <= $3::timestamptz + interval '1 millisecond'
    AND coalesce(ended_at, 'infinity') >= $3 ORDER BY started_at DESC LIMIT 1`, l.Connector.ID, string(l.Scope), l.Record.ModifiedAt)
	if err != nil || len(runs) == 0 {
		return err
	}
	l.Run = &runs[0]
	if l.Calls, err = callsOf(ctx, tx, l); err != nil || len(l.Calls) > 0 {
		return err
	}
	l.Calls, err = many[Call](ctx, tx, `SELECT * FROM calls WHERE connector_id = $1 AND run_id = $2 AND started_at BETWEEN $3::timestamptz AND $4::timestamptz + interval '1 millisecond'
ORDER BY started_at DESC, id DESC LIMIT $5`, l.Connector.ID, l.Run.ID, l.Run.StartedAt, l.Record.ModifiedAt, lineageCalls)
	return err
}

// callsOf are the calls that were logged in the transaction that wrote the record's last change, and brought records: those for its
// scope, where there are some. Of what was written before the server was started anew, or the database restored, nothing can be
// told: there are none.
func callsOf(ctx context.Context, tx pgx.Tx, l *Lineage) ([]Call, error) {
	calls, err := many[Call](ctx, tx, fmt.Sprintf(`SELECT * FROM calls WHERE connector_id = $1 AND run_id = $2 AND started_at BETWEEN $3::timestamptz AND $4::timestamptz + interval '1 millisecond'
    AND records > 0 AND calls.xmin::text::bigint = (SELECT (version::text::bigint - ahead) & 4294967295 FROM %s, feed WHERE connector_id = $1 AND id = $5)
ORDER BY scope = $6 DESC, started_at DESC, id DESC LIMIT $7`, l.Scope.Table()),
		l.Connector.ID, l.Run.ID, l.Run.StartedAt, l.Record.ModifiedAt, l.Record.ID, string(l.Scope), lineageCalls)
	if err == nil && len(calls) > 0 && calls[0].Scope == string(l.Scope) {
		calls = slices.DeleteFunc(calls, func(c Call) bool { return c.Scope != string(l.Scope) })
	}
	return calls, err
}
