package store

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/leversync/leversync/store/unified"
)

// Parent is a Lever object that others hang on: an application's opportunity, or a job's posting.
type Parent struct {
	RemoteID string
	Person   string // remote id of the candidate; "" for a job
	Stage    string
	Reason   string // remote id of the archive reason
	Archived bool
	ActiveAt time.Time // the newest of its clocks
	Raw      json.RawMessage
	RawHash  []byte
	Digest   []byte
	Refs     []uuid.UUID // of a job: the departments and offices that it names
}

// Known is what is stored of a parent.
type Known struct {
	RemoteID string
	Person   string
	RawHash  []byte
	Digest   []byte
	Deleted  bool
}

// KnownParents returns what is stored of the parents named.
func (t *Tx) KnownParents(ctx context.Context, sc unified.Scope, remoteIDs []string) (map[string]Known, error) {
	if len(remoteIDs) == 0 {
		return nil, nil
	}
	got, err := many[Known](ctx, t.tx, `SELECT p.* FROM unnest($3::text[]) u(id), LATERAL (
    SELECT remote_id, person, raw_hash, digest, deleted_at IS NOT NULL AS deleted FROM parents WHERE remote_id = u.id AND connector_id = $1 AND scope = $2 LIMIT 1) p`, t.lease.Connector, string(sc), remoteIDs)
	if err != nil {
		return nil, err
	}
	m := make(map[string]Known, len(got))
	for _, k := range got {
		m[k.RemoteID] = k
	}
	return m, nil
}

// AsStored returns those of the parents named, each with the hash of its payload, that are stored with just that one and not gone.
// It asks outside of any transaction, before a page has its turn.
func (s *Store) AsStored(ctx context.Context, connector uuid.UUID, sc unified.Scope, hashes map[string][]byte) (map[string]bool, error) {
	ids, raws := make(texts, 0, len(hashes)), make(pgtype.FlatArray[[]byte], 0, len(hashes))
	for id, hash := range hashes {
		ids, raws = append(ids, id), append(raws, hash)
	}
	return setOf[string](ctx, s.pool, `SELECT p.remote_id FROM unnest($3::text[], $4::bytea[]) u(id, hash), LATERAL (
    SELECT remote_id, raw_hash, deleted_at FROM parents WHERE remote_id = u.id AND connector_id = $1 AND scope = $2 LIMIT 1) p
WHERE p.raw_hash = u.hash AND p.deleted_at IS NULL`, connector, string(sc), ids, raws)
}

// UpsertParents writes parents. Where the digest is new, the children in the bit set kinds are put down to
// be read, in the lane given.
func (t *Tx) UpsertParents(ctx context.Context, sc unified.Scope, ps []Parent, kinds, lane int) error {
	ps, err := keepOut(ctx, t, ps, parentIDs(t))
	if err != nil || len(ps) == 0 {
		return err
	}
	if !t.careful {
		return t.putParents(ctx, t.tx, sc, ps, kinds, lane)
	}
	for _, p := range ps {
		err := pgx.BeginFunc(ctx, t.tx, func(sp pgx.Tx) error { return t.putParents(ctx, sp, sc, []Parent{p}, kinds, lane) })
		if err != nil && !refusedValue(err) {
			return err
		}
		if err != nil {
			if err := t.Quarantine(ctx, Rejected{Scope: sc, Key: p.RemoteID, Reason: refusal(err), Raw: p.Raw}); err != nil {
				return err
			}
		}
	}
	return nil
}

// InsertParents writes the parents that are not there, and returns their remote ids. It is for First, where that is next to
// all of them: to look first would cost more than it spares. Where values were refused it writes none.
func (t *Tx) InsertParents(ctx context.Context, sc unified.Scope, ps []Parent, kinds, lane int) (map[string]bool, error) {
	if !t.first || t.careful {
		return nil, nil
	}
	ps, err := keepOut(ctx, t, ps, parentIDs(t))
	if err != nil || len(ps) == 0 {
		return nil, err
	}
	return setOf[string](ctx, t.tx, insertParents+` NOTHING RETURNING remote_id`, t.parentArgs(sc, ps, kinds, lane)...)
}

// texts are sent without reflection.
type texts = pgtype.FlatArray[string]

// parentIDs are whom a parent belongs to.
func parentIDs(t *Tx) func(Parent) []string {
	return func(p Parent) []string { return []string{p.RemoteID, p.Person, ownID(t.lease.Connector, p.Person)} }
}

const insertParents = `INSERT INTO parents AS p (connector_id, scope, remote_id, person, stage, reason, archived, active_at, raw, raw_hash, digest, refs, pending, pending_rev, lane)
SELECT $1, $2, a, b, c, d, e, f, g, h, i, j::uuid[], $13, 1, $14
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[], $9::jsonb[], $10::bytea[], $11::bytea[], $12::text[]) u(a, b, c, d, e, f, g, h, i, j)
ON CONFLICT (remote_id, connector_id, scope) DO`

func (t *Tx) putParents(ctx context.Context, q querier, sc unified.Scope, ps []Parent, kinds, lane int) error {
	_, err := q.Exec(ctx, insertParents+` UPDATE SET person = excluded.person, stage = excluded.stage, reason = excluded.reason,
    archived = excluded.archived, active_at = excluded.active_at, raw = excluded.raw, rest = NULL, raw_hash = excluded.raw_hash, digest = excluded.digest, refs = excluded.refs, deleted_at = NULL,
    pending = CASE WHEN p.digest IS DISTINCT FROM excluded.digest OR p.deleted_at IS NOT NULL THEN p.pending | excluded.pending ELSE p.pending END,
    pending_rev = CASE WHEN p.digest IS DISTINCT FROM excluded.digest OR p.deleted_at IS NOT NULL THEN p.pending_rev + 1 ELSE p.pending_rev END,
    lane = CASE WHEN p.pending = 0 THEN excluded.lane ELSE least(p.lane, excluded.lane) END`, t.parentArgs(sc, ps, kinds, lane)...)
	return err
}

// parentArgs are the arguments of insertParents, sorted so that two writers lock in one order.
func (t *Tx) parentArgs(sc unified.Scope, ps []Parent, kinds, lane int) []any {
	ps = slices.Clone(ps)
	slices.SortFunc(ps, func(a, b Parent) int { return strings.Compare(a.RemoteID, b.RemoteID) })
	n := len(ps)
	ids, persons, stages, reasons := make(texts, n), make(texts, n), make(texts, n), make(texts, n)
	archived, active := make(pgtype.FlatArray[bool], n), make(pgtype.FlatArray[*time.Time], n)
	raws, rawHashes, digests, refs := make(pgtype.FlatArray[json.RawMessage], n), make(pgtype.FlatArray[[]byte], n), make(pgtype.FlatArray[[]byte], n), make(pgtype.FlatArray[*string], n)
	for i := range ps {
		p := &ps[i]
		ids[i], persons[i], stages[i], reasons[i], archived[i] = p.RemoteID, p.Person, p.Stage, p.Reason, p.Archived
		if !p.ActiveAt.IsZero() {
			active[i] = &p.ActiveAt
		}
		raws[i], rawHashes[i], digests[i] = p.Raw, p.RawHash, p.Digest
		if p.Refs != nil {
			lit := uuidArray(p.Refs)
			refs[i] = &lit
		}
	}
	return []any{t.lease.Connector, string(sc), ids, persons, stages, reasons, archived, active, raws, rawHashes, digests, refs, kinds, lane}
}

// RawOf returns the payloads of all live parents of the persons named, or what is left of them, but for those in except, and for those that
// were read for their children alone, so that no payload was kept: when it is, the persons are made anew.
func (t *Tx) RawOf(ctx context.Context, persons, except []string) ([]json.RawMessage, error) {
	// deleted_at IS NULL would let in the smaller indexes of live parents, which know nothing of persons: see migration 0040.
	rows, err := t.tx.Query(ctx, `SELECT p.* FROM unnest($2::text[]) u(id), LATERAL (
    SELECT coalesce(raw, rest) FROM parents WHERE person = u.id AND connector_id = $1 AND scope = 'applications' AND coalesce(deleted_at, 'infinity') = 'infinity'
        AND coalesce(raw, rest) IS NOT NULL AND NOT remote_id = ANY($3) OFFSET 0) p`, t.lease.Connector, persons, notNil(except))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
}

// RemoveParents marks parents as gone, and returns the persons that they belonged to.
func (t *Tx) RemoveParents(ctx context.Context, sc unified.Scope, remoteIDs []string) ([]string, error) {
	rows, err := t.tx.Query(ctx, `UPDATE parents SET deleted_at = now(), pending = 0
WHERE connector_id = $1 AND scope = $2 AND remote_id = ANY($3) AND deleted_at IS NULL RETURNING person`, t.lease.Connector, string(sc), remoteIDs)
	if err != nil {
		return nil, err
	}
	persons, err := pgx.CollectRows(rows, pgx.RowTo[string])
	slices.Sort(persons)
	return slices.Compact(persons), err
}

// Forget makes parents archived for these reasons look changed: what their reason means has changed, so
// the next traversal writes them again.
func (t *Tx) Forget(ctx context.Context, reasons []string) error {
	// What is gone looks changed in any case. Without that condition no index begins with the connector: see TestOnlyOwnParentsAreRead.
	_, err := t.tx.Exec(ctx, `UPDATE parents SET raw_hash = NULL WHERE connector_id = $1 AND scope = 'applications' AND deleted_at IS NULL AND reason = ANY($2)`,
		t.lease.Connector, reasons)
	return err
}

// notNil makes a nil slice an empty one: to Postgres nil is NULL, and nothing is in or out of NULL.
func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// Work is one parent whose children are to be read.
type Work struct {
	RemoteID   string
	Person     string
	Pending    int
	PendingRev int64
	Lane       int
	PutOff     map[int]Failures // by kind: those that failed when they were last read
}

// Failures are those of one child list in a row.
type Failures struct {
	Attempts int `json:"attempts"`
}

// The lists of a parent p that are put off until later: their bit set, those that are put off no longer left out.
const waiting = `(CASE WHEN p.put_off IS NULL THEN 0 ELSE (
    SELECT coalesce(bit_or(key::integer), 0) FROM jsonb_each(p.put_off) WHERE (value->>'not_before')::timestamptz > now()) END)`

// workLeft counts the lists of parents p in the bit set that it is given twice.
func workLeft(kinds string) string {
	return `SELECT count(*) FILTER (WHERE ` + kinds + ` & ~` + waiting + ` <> 0) AS ready, count(*) FILTER (WHERE ` + kinds + ` & ` + waiting + ` <> 0) AS later,
    min((SELECT min((value->>'not_before')::timestamptz) FROM jsonb_each(p.put_off) WHERE key::integer & ` + kinds + ` & ` + waiting + ` <> 0)) - now() AS next_in,
    coalesce(sum(bit_count((` + kinds + `)::bit(32))), 0)::bigint AS calls `
}

// without is put_off with the lists of a bit set left out.
func without(kinds string) string {
	return `CASE WHEN p.put_off IS NOT NULL THEN nullif(p.put_off - ARRAY(SELECT (1 << i)::text FROM generate_series(0, 15) i WHERE ` + kinds + ` & (1 << i) <> 0), '{}') END`
}

// nextWork is asked every few dozen parents: it goes along the index parents_work, whose order is this, and stops.
const nextWork = `SELECT remote_id, person, pending & $3 & ~` + waiting + ` AS pending, pending_rev, lane, put_off FROM parents p
WHERE connector_id = $1 AND scope = $2 AND pending <> 0 AND pending & $3 & ~` + waiting + ` <> 0 AND NOT remote_id = ANY($4)
ORDER BY lane, archived, active_at DESC NULLS LAST LIMIT $5`

// NextWork returns up to limit parents with children to read: first by lane, then active before archived,
// then the most recently touched. Those in except are being read; lists that were put off are left out.
func (s *Store) NextWork(ctx context.Context, connector uuid.UUID, sc unified.Scope, kinds int, except []string, limit int) ([]Work, error) {
	return many[Work](ctx, s.pool, nextWork, connector, string(sc), kinds, notNil(except), limit)
}

// Left is how much child work there is.
type Left struct {
	Ready  int64          // parents with lists that can be read now
	Later  int64          // parents with lists that were put off after a failure
	NextIn *time.Duration // until the first of those comes due
	Calls  int64          // one for each list to read
}

// WorkLeft counts what NextWork has to give.
func (s *Store) WorkLeft(ctx context.Context, connector uuid.UUID, sc unified.Scope, kinds int) (Left, error) {
	return one[Left](ctx, s.pool, workLeft("p.pending & $3")+`
FROM parents p WHERE connector_id = $1 AND scope = $2 AND pending <> 0 AND pending & $3 <> 0`, connector, string(sc), kinds)
}

// Done says that some of a parent's child lists were read.
type Done struct {
	RemoteID   string
	Kinds      int
	PendingRev int64 // of the Work: set again in between, it stays
	All        bool  // all enabled kinds were read: the rolling sweep starts anew for it
}

// FinishWork takes child lists that were read off the parents, and returns those of which something was put down or changed
// since they were taken up: what was read of them may be older, so that it proves no absence, and is read again.
func (t *Tx) FinishWork(ctx context.Context, sc unified.Scope, done []Done) (moved map[string]bool, _ error) {
	if len(done) == 0 {
		return nil, nil
	}
	done = slices.Clone(done)
	slices.SortFunc(done, func(a, b Done) int { return strings.Compare(a.RemoteID, b.RemoteID) })
	ids, kinds, revs, all := make([]string, len(done)), make([]int32, len(done)), make([]int64, len(done)), make([]bool, len(done))
	for i, d := range done {
		ids[i], kinds[i], revs[i], all[i] = d.RemoteID, int32(d.Kinds), d.PendingRev, d.All
	}
	return setOf[string](ctx, t.tx, `WITH upd AS (
    UPDATE parents p SET pending = CASE WHEN p.pending_rev = u.rev THEN p.pending & ~u.kinds ELSE p.pending END,
        put_off = `+without("u.kinds")+`, children_read_at = CASE WHEN u.whole THEN now() ELSE p.children_read_at END
    FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::boolean[]) u(id, kinds, rev, whole)
    WHERE p.connector_id = $1 AND p.scope = $2 AND p.remote_id = u.id RETURNING p.remote_id, p.pending_rev <> u.rev AS moved
) SELECT remote_id FROM upd WHERE moved`, t.lease.Connector, string(sc), ids, kinds, revs, all)
}

// Touch says that a parent has children that whoever is reading its lists now may not have met.
func (t *Tx) Touch(ctx context.Context, sc unified.Scope, remoteID string) error {
	_, err := t.tx.Exec(ctx, `UPDATE parents SET pending_rev = pending_rev + 1 WHERE connector_id = $1 AND scope = $2 AND remote_id = $3`,
		t.lease.Connector, string(sc), remoteID)
	return err
}

// PutOff leaves one list of a parent's children for later after a failure. The others do not wait for it.
func (t *Tx) PutOff(ctx context.Context, sc unified.Scope, remoteID string, kind int, delay time.Duration) error {
	_, err := t.tx.Exec(ctx, `UPDATE parents SET put_off = jsonb_set(coalesce(put_off, '{}'), ARRAY[$4::text],
    jsonb_build_object('attempts', coalesce((put_off->$4->>'attempts')::integer, 0) + 1, 'not_before', now() + $5::interval))
WHERE connector_id = $1 AND scope = $2 AND remote_id = $3`, t.lease.Connector, string(sc), remoteID, strconv.Itoa(kind), delay)
	return err
}

// DropWork takes kinds off all parents: they are forbidden, or switched off.
func (t *Tx) DropWork(ctx context.Context, sc unified.Scope, kinds int) error {
	_, err := t.tx.Exec(ctx, `UPDATE parents p SET pending = pending & ~$3::integer, put_off = `+without("$3")+` WHERE connector_id = $1 AND scope = $2 AND pending <> 0 AND pending & $3 <> 0`,
		t.lease.Connector, string(sc), kinds)
	return err
}

// MarkAll puts kinds down to be read for every live parent, and returns how many.
func (t *Tx) MarkAll(ctx context.Context, sc unified.Scope, kinds, lane int) (int64, error) {
	return t.mark(ctx, sc, kinds, lane, lacking)
}

// MarkStages puts kinds down for open parents in the stages named: what is polled there moves no clock.
func (t *Tx) MarkStages(ctx context.Context, sc unified.Scope, kinds, lane int, stages []string) (int64, error) {
	return t.mark(ctx, sc, kinds, lane, lacking+" AND NOT archived AND stage = ANY($5)", stages)
}

// MarkInterviewed puts kinds down for parents with an interview that began since, or with a form of the last
// two months that is not submitted: an edit of feedback moves no clock.
func (t *Tx) MarkInterviewed(ctx context.Context, sc unified.Scope, kinds, lane int, since time.Time) (int64, error) {
	return t.mark(ctx, sc, kinds, lane, lacking+` AND remote_id IN (SELECT parent FROM scheduled_interviews i
    WHERE i.connector_id = $1 AND i.deleted_at IS NULL AND i.start_at BETWEEN $5 AND now()
    UNION SELECT parent FROM scorecards s
    WHERE s.connector_id = $1 AND s.deleted_at IS NULL AND s.submitted_at IS NULL AND s.remote_created_at > now() - interval '60 days')`, since)
}

// MarkOldest puts kinds down for the n live parents whose children were read longest ago.
func (t *Tx) MarkOldest(ctx context.Context, sc unified.Scope, kinds, lane, n int) (int64, error) {
	return t.mark(ctx, sc, kinds, lane, lacking+` AND remote_id IN (SELECT remote_id FROM parents o WHERE o.connector_id = $1 AND o.scope = $2 AND o.deleted_at IS NULL
    ORDER BY o.children_read_at NULLS FIRST LIMIT $5)`, n)
}

// lacking narrows to parents of which not all of the kinds are pending already.
const lacking = "pending & $3 <> $3"

// mark sets kinds as pending where cond holds, and returns how many child lists that adds.
func (t *Tx) mark(ctx context.Context, sc unified.Scope, kinds, lane int, cond string, args ...any) (int64, error) {
	if kinds == 0 {
		return 0, nil
	}
	var n int64
	err := t.tx.QueryRow(ctx, `WITH old AS (
    SELECT remote_id, pending FROM parents WHERE connector_id = $1 AND scope = $2 AND deleted_at IS NULL AND `+cond+`
    ORDER BY remote_id FOR UPDATE
), upd AS (
    UPDATE parents p SET pending = p.pending | $3, pending_rev = p.pending_rev + 1, lane = CASE WHEN p.pending = 0 THEN $4 ELSE least(p.lane, $4) END
    FROM old WHERE p.connector_id = $1 AND p.scope = $2 AND p.remote_id = old.remote_id
    RETURNING bit_count(($3 & ~old.pending)::bit(32)) AS n
) SELECT coalesce(sum(n), 0)::bigint FROM upd`, append([]any{t.lease.Connector, string(sc), kinds, lane}, args...)...).Scan(&n)
	return n, err
}

// CountParents counts the live ones.
func (s *Store) CountParents(ctx context.Context, connector uuid.UUID, sc unified.Scope) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `SELECT count(*) FROM parents WHERE connector_id = $1 AND scope = $2 AND deleted_at IS NULL`, connector, string(sc)).Scan(&n)
	return n, err
}

// Changed reports whether p differs from what is stored.
func (k Known) Changed(p Parent) bool { return k.Deleted || !bytes.Equal(k.RawHash, p.RawHash) }
