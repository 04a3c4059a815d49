package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// known is what the probe finds of a stored record.
type known struct {
	ID       uuid.UUID
	RawHash  []byte
	BodyHash []byte
	Deleted  bool
	Aside    bool // a later version of it is in quarantine
}

// Upsert writes the new and the changed of one page's records of one scope. Hashes are compared first: an
// unchanged page sends and writes nothing. Where all is new by First, what is not there is written without a look. Of a
// record that comes twice, the last is taken.
func Upsert[R unified.Record](ctx context.Context, t *Tx, recs []R) error {
	if len(recs) == 0 || t.off[recs[0].Scope()] {
		return nil
	}
	ps := make([]Prepared[R], len(recs))
	for i, r := range recs {
		var err error
		if ps[i], err = Prepare(r); err != nil {
			return err
		}
	}
	return UpsertPrepared(ctx, t, ps)
}

// Prepared is a record with what is made of it to be written: its hashes, and its fields as they travel.
type Prepared[R unified.Record] struct{ row row }

// Prepare makes a record ready to be written. It must not change from then on.
func Prepare[R unified.Record](rec R) (Prepared[R], error) {
	w, err := tables[rec.Scope()].row(rec)
	return Prepared[R]{w}, err
}

// UpsertPrepared is Upsert of records that were prepared before, while Postgres had other things to do.
func UpsertPrepared[R unified.Record](ctx context.Context, t *Tx, ps []Prepared[R]) error {
	if len(ps) == 0 || t.off[ps[0].row.rec.Scope()] {
		return nil
	}
	tab := tables[ps[0].row.rec.Scope()]
	rows, err := keepOut(ctx, t, lastRows(ps), tab.ids)
	if err != nil || len(rows) == 0 {
		return err
	}
	if t.first && !t.careful {
		if _, rows, err = t.insert(ctx, tab, rows); err != nil || len(rows) == 0 {
			return err
		}
	}
	stored, err := t.probe(ctx, tab, rows)
	if err != nil {
		return err
	}
	var changed, healed []row
	fresh := 0
	for _, r := range rows {
		k, ok := stored[r.env.ID]
		if ok && !k.Deleted && bytes.Equal(k.BodyHash, r.bodyHash) && bytes.Equal(k.RawHash, r.rawHash) {
			if k.Aside {
				healed = append(healed, r) // it went back to what is stored
			}
			continue
		}
		if !ok || k.Deleted {
			fresh++
		}
		changed = append(changed, r)
	}
	if len(healed) > 0 {
		if err := t.release(ctx, tab.scope, healed); err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if t.careful {
		return t.upsertCarefully(ctx, tab, changed, stored)
	}
	if err := t.write(ctx, tab, changed); err != nil {
		return err
	}
	t.wrote(tab.scope, fresh, len(changed)-fresh)
	return t.release(ctx, tab.scope, changed)
}

// InsertPrepared writes those of the records that are not there, nor set aside, and returns their ids. It is for First, and
// writes none where anything was refused or set aside, or anybody erased: then what is not there may have been.
func InsertPrepared[R unified.Record](ctx context.Context, t *Tx, ps []Prepared[R]) (map[uuid.UUID]bool, error) {
	if !t.first || t.careful || t.aside || t.guard != nil || len(ps) == 0 || t.off[ps[0].row.rec.Scope()] {
		return nil, nil
	}
	written, _, err := t.insert(ctx, tables[ps[0].row.rec.Scope()], lastRows(ps))
	return written, err
}

// insert writes the records that are not there, and returns their ids, and the others.
func (t *Tx) insert(ctx context.Context, tab *table, rows []row) (written map[uuid.UUID]bool, there []row, _ error) {
	written, err := setOf[uuid.UUID](ctx, t.tx, tab.insert, tab.args(t.lease.Connector, rows)...)
	if err != nil || len(written) == 0 {
		return nil, rows, err
	}
	var fresh []row
	for _, r := range rows {
		if written[r.env.ID] {
			fresh = append(fresh, r)
		} else {
			there = append(there, r)
		}
	}
	t.wrote(tab.scope, len(fresh), 0)
	return written, there, t.release(ctx, tab.scope, fresh)
}

// wrote counts records that were written.
func (t *Tx) wrote(sc unified.Scope, created, updated int) {
	t.counts.Written += int64(created + updated)
	n := t.scope(sc)
	n.records += int64(created)
	n.done.Created += int64(created)
	n.done.Updated += int64(updated)
}

// lastRows are the rows of records, each id once: a statement may not touch a row twice.
func lastRows[R unified.Record](ps []Prepared[R]) []row {
	at := make(map[uuid.UUID]int, len(ps))
	rows := make([]row, 0, len(ps))
	for _, p := range ps {
		if i, twice := at[p.row.env.ID]; twice {
			rows[i] = p.row
			continue
		}
		at[p.row.env.ID] = len(rows)
		rows = append(rows, p.row)
	}
	return rows
}

func (t *Tx) probe(ctx context.Context, tab *table, rows []row) (map[uuid.UUID]known, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.env.ID
	}
	got, err := many[known](ctx, t.tx, fmt.Sprintf(`SELECT r.* FROM unnest($2::uuid[]) u(id), LATERAL (
    SELECT id, raw_hash, body_hash, deleted_at IS NOT NULL AS deleted,
        EXISTS (SELECT FROM quarantine q WHERE q.connector_id = $1 AND q.scope = $3 AND q.key = r.remote_id) AS aside
    FROM %s r WHERE id = u.id AND connector_id = $1 LIMIT 1) r`, tab.name), t.lease.Connector, ids, string(tab.scope))
	if err != nil {
		return nil, err
	}
	m := make(map[uuid.UUID]known, len(got))
	for _, k := range got {
		m[k.ID] = k
	}
	return m, nil
}

func (t *Tx) write(ctx context.Context, tab *table, rows []row) error {
	_, err := t.tx.Exec(ctx, tab.upsert, tab.args(t.lease.Connector, rows)...)
	return err
}

// upsertCarefully writes record by record, each behind a savepoint; what Postgres refuses is set aside.
func (t *Tx) upsertCarefully(ctx context.Context, tab *table, rows []row, stored map[uuid.UUID]known) error {
	for _, r := range rows {
		err := pgx.BeginFunc(ctx, t.tx, func(sp pgx.Tx) error {
			_, err := sp.Exec(ctx, tab.upsert, tab.args(t.lease.Connector, []row{r})...)
			return err
		})
		if err != nil {
			if !refusedValue(err) {
				return err
			}
			if err := t.Quarantine(ctx, Rejected{Scope: tab.scope, Key: r.env.RemoteID, Parent: r.env.Parent, Reason: refusal(err), Raw: r.evidence()}); err != nil {
				return err
			}
			continue
		}
		if k, ok := stored[r.env.ID]; !ok || k.Deleted {
			t.wrote(tab.scope, 1, 0)
		} else {
			t.wrote(tab.scope, 0, 1)
		}
		if err := t.release(ctx, tab.scope, []row{r}); err != nil {
			return err
		}
	}
	return nil
}

// Tombstone marks records as gone at the source, and lets go of what was set aside of them.
func (t *Tx) Tombstone(ctx context.Context, sc unified.Scope, remoteIDs []string) error {
	if len(remoteIDs) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(remoteIDs))
	for i, r := range remoteIDs {
		ids[i] = unified.ID(t.lease.Connector, sc, r)
	}
	if err := t.tombstoneWhere(ctx, sc, "id = ANY($2)", ids); err != nil {
		return err
	}
	return t.releaseWhere(ctx, "scope = $2 AND key = ANY($3)", string(sc), remoteIDs)
}

// TombstoneAbsent marks as gone what the parents' lists, read again in full and with nothing set aside, no longer hold.
// source narrows attachments to the list that was read; "" for all other scopes.
func (t *Tx) TombstoneAbsent(ctx context.Context, sc unified.Scope, parents []string, source string, present []uuid.UUID) error {
	if len(parents) == 0 {
		return nil
	}
	if present == nil {
		present = []uuid.UUID{}
	}
	cond := "parent = ANY($2) AND NOT id = ANY($3)"
	args := []any{parents, present}
	if source != "" {
		cond += " AND source = $4"
		args = append(args, source)
	}
	if err := t.tombstoneWhere(ctx, sc, cond, args...); err != nil {
		return err
	}
	if source != "" || t.careful { // of another list, or refused just now
		return nil
	}
	return t.releaseWhere(ctx, "scope = $2 AND parent = ANY($3)", string(sc), parents)
}

// TombstoneChildren marks everything that hangs on the parents as gone.
func (t *Tx) TombstoneChildren(ctx context.Context, scopes []unified.Scope, parents []string) error {
	for _, sc := range scopes {
		if err := t.tombstoneWhere(ctx, sc, "parent = ANY($2)", parents); err != nil {
			return err
		}
	}
	return t.releaseWhere(ctx, "scope = ANY($2) AND parent = ANY($3)", scopes, parents)
}

// TombstoneUnreferenced marks as gone the departments or offices that no job names any more.
func (t *Tx) TombstoneUnreferenced(ctx context.Context, sc unified.Scope) error {
	return t.tombstoneWhere(ctx, sc, `NOT EXISTS (SELECT FROM parents p WHERE p.connector_id = $1 AND p.scope = 'jobs' AND p.deleted_at IS NULL AND r.id = ANY(p.refs))`)
}

func (t *Tx) tombstoneWhere(ctx context.Context, sc unified.Scope, cond string, args ...any) error {
	// Planned each time: a plan that was made while the table was empty takes any index that leads with the connector, reads all
	// of it, and would be kept for the whole first load.
	tag, err := t.tx.Exec(ctx, fmt.Sprintf(`UPDATE %s r SET deleted_at = date_trunc('milliseconds', now()), modified_at = date_trunc('milliseconds', now())
WHERE connector_id = $1 AND deleted_at IS NULL AND `, sc.Table())+cond, append([]any{pgx.QueryExecModeCacheDescribe, t.lease.Connector}, args...)...)
	if err != nil {
		return err
	}
	t.counts.Deleted += tag.RowsAffected()
	n := t.scope(sc)
	n.records -= tag.RowsAffected()
	n.done.Deleted += tag.RowsAffected()
	if tag.RowsAffected() > 0 {
		t.failpoint(PointSwept)
	}
	return nil
}
