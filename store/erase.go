package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// Erasure is the receipt of an erasure. It says nothing of the person.
type Erasure struct {
	ID          uuid.UUID        `json:"id"`
	ConnectorID uuid.UUID        `json:"connector_id"`
	ErasedAt    time.Time        `json:"erased_at"`
	Counts      map[string]int64 `json:"counts"`  // rows that held something of the person, by table
	DryRun      bool             `json:"dry_run"` // nothing was done: this is what would be
	Again       bool             `json:"again"`   // it was done before: this is that receipt
}

// errDry undoes a rehearsal.
var errDry = errors.New("store: rehearsed")

// Erase removes a candidate and all that hangs on it from a connector, in one transaction, and sees to it that no sync
// and no write brings it back. The candidate is named by our id, by Lever's of the contact, or by that of one of its
// opportunities.
//
// Of each record there stays our id, as that of one that is gone, so that who reads the feed of changes learns of it.
// Nothing is changed in Lever: whatever is erased there is its owner's to do. Candidates that are gone and had an
// e-mail address of this one, as one that was merged into it, are taken to be the same person. Of one whose records are kept
// no longer all goes that still names the id. ErrNotFound: there is no such candidate, nothing is left of one, and none
// was erased.
func (s *Store) Erase(ctx context.Context, connector uuid.UUID, candidate string, dryRun bool) (Erasure, error) {
	for try := 1; ; try++ {
		var out Erasure
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var err error
			out, err = s.erase(ctx, tx, connector, candidate)
			if err == nil && dryRun {
				err = errDry
			}
			return err
		})
		switch {
		case errors.Is(err, errDry):
			out.DryRun = true
			return out, nil
		case retryable(err) && try < 6:
			continue // it waited for the other one's lock meanwhile
		case err == nil || errors.Is(err, ErrNotFound):
			return out, err
		}
		return Erasure{}, fmt.Errorf("store: erase: %w", err)
	}
}

func (s *Store) erase(ctx context.Context, tx pgx.Tx, connector uuid.UUID, candidate string) (Erasure, error) {
	if err := lockWriters(ctx, tx, connector); err != nil {
		return Erasure{}, err
	}
	g, err := s.makeGuard(ctx, tx, connector)
	if err != nil {
		return Erasure{}, err
	}
	p, err := findPerson(ctx, tx, connector, candidate)
	known := !errors.Is(err, ErrNotFound)
	if !known {
		if e, err := g.receipt(ctx, tx, candidate); !errors.Is(err, ErrNotFound) {
			return e, err
		}
		p, err = purged(ctx, tx, connector, candidate)
	}
	if err != nil {
		return Erasure{}, err
	}
	e := Erasure{ID: uuid.New(), ConnectorID: connector, Counts: map[string]int64{}}
	for _, step := range []func(context.Context, pgx.Tx, *person, map[string]int64) error{eraseNotes, eraseRecords, eraseQuarantine, eraseWrites, eraseWork} {
		if err := step(ctx, tx, p, e.Counts); err != nil {
			return Erasure{}, err
		}
	}
	if !known && !slices.ContainsFunc(slices.Collect(maps.Values(e.Counts)), func(n int64) bool { return n > 0 }) {
		return Erasure{}, ErrNotFound
	}
	hashes := [][]byte{}
	for _, id := range p.all() {
		hashes = append(hashes, g.hash(id))
	}
	if _, err := tx.Exec(ctx, `INSERT INTO erased (connector_id, hash, erasure_id) SELECT $1, h, $3 FROM unnest($2::bytea[]) h ON CONFLICT DO NOTHING`,
		connector, hashes, e.ID); err != nil {
		return Erasure{}, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO erasures (connector_id, id, counts) VALUES ($1, $2, $3) RETURNING erased_at`, connector, e.ID, e.Counts).Scan(&e.ErasedAt)
	return e, err
}

// lockWriters waits for all who write records of a connector, and keeps them off until the transaction ends: whoever
// comes after sees what was erased. A stream that does not exist yet can't be made meanwhile: that needs the connector.
func lockWriters(ctx context.Context, tx pgx.Tx, connector uuid.UUID) error {
	for _, sql := range []string{
		`SELECT FROM streams WHERE connector_id = $1 ORDER BY stream FOR NO KEY UPDATE`,
		`SELECT FROM connectors WHERE id = $1 FOR UPDATE`,
		`SELECT FROM streams WHERE connector_id = $1 ORDER BY stream FOR NO KEY UPDATE`,
	} {
		tag, err := tx.Exec(ctx, sql, connector)
		if err != nil {
			return err
		}
		if strings.Contains(sql, "connectors") && tag.RowsAffected() == 0 {
			return ErrNotFound
		}
	}
	return nil
}

// person is what is known of somebody who is to be erased.
type person struct {
	connector  uuid.UUID
	candidates []uuid.UUID // our ids
	contacts   []string    // Lever's ids of them
	emails     []string
	opps       []string // remote ids of opportunities
	others     []string // remote ids of all that hangs on those
}

// all are the ids by which the person is recognised.
func (p *person) all() []string {
	ids := slices.Concat(p.contacts, p.opps, p.others)
	for _, c := range p.candidates {
		ids = append(ids, c.String())
	}
	slices.Sort(ids)
	return slices.Compact(slices.DeleteFunc(ids, func(id string) bool { return id == "" }))
}

// traces are texts that tell that a payload is about the person.
func (p *person) traces() []string {
	out := p.all()
	for _, e := range p.emails {
		if e = strings.TrimSpace(e); len(e) > 3 {
			out = append(out, e, strings.ToLower(e))
		}
	}
	return out
}

func findPerson(ctx context.Context, tx pgx.Tx, connector uuid.UUID, name string) (*person, error) {
	ids := []uuid.UUID{unified.ID(connector, unified.Candidates, name)}
	if own, err := uuid.Parse(name); err == nil {
		ids = append(ids, own)
	}
	p := &person{connector: connector}
	if err := collectTexts(ctx, tx, &p.contacts, `SELECT remote_id FROM candidates WHERE connector_id = $1 AND id = ANY($2) AND remote_id <> ''
UNION SELECT person FROM parents WHERE connector_id = $1 AND scope = 'applications' AND (person = $3 OR remote_id = $3) AND person <> ''`, connector, ids, name); err != nil {
		return nil, err
	}
	if len(p.contacts) == 0 {
		return nil, ErrNotFound
	}
	type same struct {
		ID       uuid.UUID
		RemoteID string
		Emails   []string
	}
	list, err := many[same](ctx, tx, `WITH me AS (SELECT id, remote_id, coalesce(email_addresses, '{}') AS emails FROM candidates WHERE connector_id = $1 AND id = ANY($2))
SELECT * FROM me UNION SELECT c.id, c.remote_id, c.email_addresses FROM candidates c, me
WHERE c.connector_id = $1 AND c.deleted_at IS NOT NULL AND lower_all(c.email_addresses) && lower_all(me.emails)`,
		connector, idsOf(connector, unified.Candidates, p.contacts))
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		p.contacts, p.emails = append(p.contacts, c.RemoteID), append(p.emails, c.Emails...)
	}
	slices.Sort(p.contacts)
	p.contacts = slices.Compact(p.contacts)
	p.candidates = idsOf(connector, unified.Candidates, p.contacts)
	if err := collectTexts(ctx, tx, &p.opps, `SELECT remote_id FROM parents WHERE connector_id = $1 AND scope = 'applications' AND person = ANY($2)
UNION SELECT remote_id FROM applications WHERE connector_id = $1 AND candidate = ANY($3)`, connector, p.contacts, p.candidates); err != nil {
		return nil, err
	}
	// Lever's applications within opportunities: answers of the survey go by their ids.
	return p, collectTexts(ctx, tx, &p.others, `SELECT coalesce(a->>'id', a #>> '{}') FROM parents, jsonb_path_query(coalesce(raw, rest), 'lax $.applications[*]') a
WHERE connector_id = $1 AND scope = 'applications' AND remote_id = ANY($2)`, connector, p.opps)
}

// purged is somebody whose records are gone, of whom nothing but an id is known: ours, or Lever's of the contact or of an
// opportunity. All of these are UUIDs; what is none could be a word of somebody else's payload, and what is the id of a record
// is no person's: a job's stands in many writes.
func purged(ctx context.Context, tx pgx.Tx, connector uuid.UUID, id string) (*person, error) {
	own, err := uuid.Parse(id)
	if err != nil || len(id) != len(own.String()) || own == connector {
		return nil, ErrNotFound
	}
	sql, args := findSQL([]uuid.UUID{connector}, id)
	records, err := many[found](ctx, tx, sql, args...)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if sc := unified.Scope(r.Scope); sc != unified.Applications && sc != unified.Candidates {
			return nil, ErrNotFound
		}
	}
	return &person{connector: connector, candidates: []uuid.UUID{unified.ID(connector, unified.Candidates, id), own}, contacts: []string{id}, opps: []string{id}}, nil
}

// collectTexts appends the texts that a query answers with.
func collectTexts(ctx context.Context, q querier, to *[]string, sql string, args ...any) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	*to = append(*to, list...)
	return err
}

// receipt is that of an erasure in the past, by an id that was erased with it.
func (g *guard) receipt(ctx context.Context, q querier, id string) (Erasure, error) {
	e, err := one[Erasure](ctx, q, `SELECT e.* FROM erased d JOIN erasures e ON e.connector_id = d.connector_id AND e.id = d.erasure_id
WHERE d.connector_id = $1 AND d.hash = $2`, g.connector, g.hash(id))
	e.Again = err == nil
	return e, err
}

// Erasures lists a connector's receipts, newest first.
func (s *Store) Erasures(ctx context.Context, connector uuid.UUID) ([]Erasure, error) {
	return many[Erasure](ctx, s.pool, `SELECT * FROM erasures WHERE connector_id = $1 ORDER BY erased_at DESC, id`, connector)
}
