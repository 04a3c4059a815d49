package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

type ofPerson struct {
	scope unified.Scope
	where string
}

// ofPersons are the scopes whose records are about a candidate, and how a record is found to be: by $2, the remote ids
// of the opportunities, $3, our ids of the candidates, or $4, those of the applications.
var ofPersons = []ofPerson{
	{unified.Applications, "candidate = ANY($3) OR id = ANY($4)"}, // no index has its remote id
	{unified.Attachments, "parent = ANY($2) OR candidate = ANY($3)"},
	{unified.Candidates, "id = ANY($3)"},
	{unified.EEOCs, "parent = ANY($2) OR candidate = ANY($3)"},
	{unified.Offers, "parent = ANY($2)"},
	{unified.ScheduledInterviews, "parent = ANY($2)"},
	{unified.Scorecards, "parent = ANY($2)"},
}

// eraseNotes removes the notes that were written of the person.
func eraseNotes(ctx context.Context, tx pgx.Tx, p *person, counts map[string]int64) error {
	var ids []string
	err := collectTexts(ctx, tx, &ids, `DELETE FROM activities WHERE connector_id = $1 AND (candidate = ANY($2) OR parent = ANY($3)) RETURNING remote_id`,
		p.connector, p.candidates, notNil(p.opps))
	counts["activities"], p.others = int64(len(ids)), append(p.others, ids...)
	return err
}

// eraseRecords empties the records, those that are gone already too, and notes their remote ids.
func eraseRecords(ctx context.Context, tx pgx.Tx, p *person, counts map[string]int64) error {
	for _, t := range ofPersons {
		args := []any{p.connector, notNil(p.opps), p.candidates}
		if t.scope == unified.Applications {
			args = append(args, applicationIDs(p.connector, p.opps))
		}
		var ids []string
		if err := collectTexts(ctx, tx, &ids, eraseSQL(t.scope, t.where), args...); err != nil {
			return fmt.Errorf("%s: %w", t.scope, err)
		}
		counts[t.scope.Table()] += int64(len(ids))
		p.others = append(p.others, ids...)
	}
	return nil
}

// eraseSQL empties records of a scope, counts them off, and returns their remote ids. Every argument is named, as
// Postgres wants to know the type of each.
func eraseSQL(sc unified.Scope, where string) string {
	return fmt.Sprintf(`WITH old AS (
    SELECT id, remote_id, deleted_at FROM %[1]s WHERE connector_id = $1 AND (%[2]s) AND ($2::text[], $3::uuid[]) IS NOT NULL ORDER BY id FOR UPDATE
), upd AS (
    UPDATE %[1]s t SET %[3]s FROM old WHERE t.connector_id = $1 AND t.id = old.id
), counts AS (
    SELECT count(*) AS live FROM old WHERE deleted_at IS NULL
), scope AS (
    UPDATE connector_scopes SET records = greatest(records - counts.live, 0) FROM counts WHERE connector_id = $1 AND scope = '%[4]s' AND counts.live > 0
)
SELECT remote_id FROM old`, sc.Table(), where, strings.Join(emptied(sc), ", "), sc)
}

// eraseQuarantine takes out what was set aside of the person: whatever names it, or one of its opportunities. What was
// never stored is recognised from then on, too.
func eraseQuarantine(ctx context.Context, tx pgx.Tx, p *person, counts map[string]int64) error {
	type row struct{ Scope, Key string }
	list, err := many[row](ctx, tx, `DELETE FROM quarantine WHERE connector_id = $1 AND (key = ANY($2) OR parent = ANY($2)
    OR EXISTS (SELECT FROM unnest($3::text[]) x WHERE position(convert_to(x, 'UTF8') IN raw) > 0)) RETURNING scope, key`,
		p.connector, append(p.all(), listKeys(p.opps)...), p.traces())
	if err != nil {
		return err
	}
	perScope := map[string]int64{}
	for _, r := range list {
		perScope[r.Scope]++
		if r.Scope == string(unified.Applications) {
			p.others = append(p.others, r.Key)
		}
	}
	counts["quarantine"] = int64(len(list))
	for _, sc := range unified.Scopes { // in one order, against deadlocks
		if n := perScope[string(sc)]; n > 0 {
			if _, err := tx.Exec(ctx, `UPDATE connector_scopes SET quarantined = greatest(quarantined - $3, 0) WHERE connector_id = $1 AND scope = $2`,
				p.connector, string(sc), n); err != nil {
				return err
			}
		}
	}
	return nil
}

func listKeys(opps []string) []string {
	keys := make([]string, len(opps))
	for i, o := range opps {
		keys[i] = listKey + o
	}
	return keys
}

// eraseWrites empties what was written of the person. The key of a write that was carried out stays for its day, so
// that to ask again writes nothing again; unless the key itself names the person. One that is under way is lost to who
// carries it out.
func eraseWrites(ctx context.Context, tx pgx.Tx, p *person, counts map[string]int64) error {
	const about = `connector_id = $1 AND (remote_id = ANY($2) OR EXISTS (SELECT FROM unnest($3::text[]) x WHERE position(x IN concat_ws(' ', key, subject::text, reply::text, reason)) > 0))`
	gone, err := tx.Exec(ctx, `DELETE FROM outbox WHERE `+about+` AND (state <> 'confirmed' OR EXISTS (SELECT FROM unnest($3::text[]) x WHERE position(x IN key) > 0))`,
		p.connector, p.all(), p.traces())
	if err != nil {
		return err
	}
	kept, err := tx.Exec(ctx, `UPDATE outbox SET subject = '{}', reply = NULL, remote_id = NULL, reason = '' WHERE `+about, p.connector, p.all(), p.traces())
	counts["outbox"] = gone.RowsAffected() + kept.RowsAffected()
	return err
}

// eraseWork takes the opportunities, with their payloads and the work left to do for them, and all notes of having met
// them.
func eraseWork(ctx context.Context, tx pgx.Tx, p *person, counts map[string]int64) error {
	for _, w := range []struct {
		table, sql string
		ids        []string
	}{
		{"parents", `DELETE FROM parents WHERE connector_id = $1 AND scope = 'applications' AND remote_id = ANY($2)`, p.opps},
		{"sweep_pages", `UPDATE sweep_pages SET remote_ids = ARRAY(SELECT x FROM unnest(remote_ids) x WHERE NOT x = ANY($2))
WHERE connector_id = $1 AND remote_ids && $2`, p.all()},
		{"hints", `DELETE FROM hints WHERE connector_id = $1 AND remote_id = ANY($2)`, p.all()},
		{"streams", `UPDATE streams SET cursor = jsonb_set(cursor, '{suspects}', coalesce((SELECT jsonb_agg(x) FROM jsonb_array_elements_text(cursor->'suspects') x
    WHERE NOT x = ANY($2)), '[]')) WHERE connector_id = $1 AND cursor->'suspects' ?| $2`, p.all()},
	} {
		tag, err := tx.Exec(ctx, w.sql, p.connector, notNil(w.ids))
		if err != nil {
			return fmt.Errorf("%s: %w", w.table, err)
		}
		counts[w.table] = tag.RowsAffected()
	}
	return nil
}

// Anonymized empties what hangs on opportunities that Lever has anonymised: what Lever still shows of it is read again,
// and what is gone there keeps nothing here. Answers of the survey stay as long as Lever lists them.
func (t *Tx) Anonymized(ctx context.Context, opps []string) error {
	if len(opps) == 0 {
		return nil
	}
	for _, o := range ofPersons {
		where := "parent = ANY($2) AND " + holding
		switch o.scope {
		case unified.Applications, unified.Candidates:
			continue // these are made anew
		case unified.EEOCs:
			where += " AND deleted_at IS NOT NULL"
		}
		var live int64
		err := t.tx.QueryRow(ctx, fmt.Sprintf(`WITH old AS (
    SELECT id, deleted_at FROM %[1]s WHERE connector_id = $1 AND %[2]s ORDER BY id FOR UPDATE
), upd AS (
    UPDATE %[1]s t SET %[3]s FROM old WHERE t.connector_id = $1 AND t.id = old.id
) SELECT count(*) FROM old WHERE deleted_at IS NULL`, o.scope.Table(), where, strings.Join(emptied(o.scope), ", ")), t.lease.Connector, opps).Scan(&live)
		if err != nil {
			return err
		}
		t.scope(o.scope).records -= live
	}
	if _, err := t.tx.Exec(ctx, `DELETE FROM activities WHERE connector_id = $1 AND parent = ANY($2)`, t.lease.Connector, opps); err != nil {
		return err
	}
	return t.releaseWhere(ctx, "(key = ANY($2) OR parent = ANY($2))", opps)
}
