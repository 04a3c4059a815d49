package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// guard knows whom a connector has erased: nil knows nobody. It compares keyed hashes, so that what is kept to
// recognise a person by tells nothing of them to who has the database, but not the encryption key.
type guard struct {
	connector uuid.UUID
	key       []byte
}

// newGuard opens a connector's guard; nil: nothing was ever erased there.
func (s *Store) newGuard(connector uuid.UUID, sealed []byte) (*guard, error) {
	if sealed == nil {
		return nil, nil
	}
	key, err := s.keys.open(connector.String(), "erasure key", sealed)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w", connector, err)
	}
	return &guard{connector: connector, key: key}, nil
}

const guardSQL = `SELECT sealed FROM erasure_keys WHERE connector_id = $1`

// guardOf reads a connector's guard.
func (s *Store) guardOf(ctx context.Context, q querier, connector uuid.UUID) (*guard, error) {
	var sealed []byte
	err := q.QueryRow(ctx, guardSQL, connector).Scan(&sealed)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	return s.newGuard(connector, sealed)
}

// makeGuard is guardOf, with a new key where there is none.
func (s *Store) makeGuard(ctx context.Context, q querier, connector uuid.UUID) (*guard, error) {
	g, err := s.guardOf(ctx, q, connector)
	if g != nil || err != nil {
		return g, err
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, by its documentation
	sealed, err := s.keys.seal(connector.String(), "erasure key", key)
	if err != nil {
		return nil, err
	}
	_, err = q.Exec(ctx, `INSERT INTO erasure_keys (connector_id, sealed) VALUES ($1, $2)`, connector, sealed)
	return &guard{connector: connector, key: key}, err
}

func (g *guard) hash(id string) []byte {
	h := hmac.New(sha256.New, g.key)
	h.Write([]byte(id))
	return h.Sum(nil)
}

// erased are those of some ids that were erased: remote ids, and candidates' own.
func (g *guard) erased(ctx context.Context, q querier, ids []string) (map[string]bool, error) {
	if g == nil || len(ids) == 0 {
		return nil, nil
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	byHash, hashes := make(map[string]string, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		hashes[i] = g.hash(id)
		byHash[string(hashes[i])] = id
	}
	rows, err := q.Query(ctx, `SELECT hash FROM erased WHERE connector_id = $1 AND hash = ANY($2)`, g.connector, hashes)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	m := make(map[string]bool, len(found))
	for _, h := range found {
		m[byHash[string(h)]] = true
	}
	return m, err
}

// keepOut drops those of a list that belong to somebody who was erased, as told by the ids that each names.
func keepOut[T any](ctx context.Context, t *Tx, list []T, ids func(T) []string) ([]T, error) {
	if t.guard == nil || len(list) == 0 {
		return list, nil
	}
	var all []string
	for _, v := range list {
		all = append(all, ids(v)...)
	}
	gone, err := t.guard.erased(ctx, t.tx, all)
	if err != nil || len(gone) == 0 {
		return list, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool {
		return slices.ContainsFunc(ids(v), func(id string) bool { return gone[id] })
	}), nil
}

// ids are those by which a record is known to be of somebody: its own, its parent's, its candidate's.
func (t *table) ids(r row) []string {
	out := []string{r.env.RemoteID, r.env.ID.String(), r.env.Parent}
	for i, c := range t.columns {
		if c.name == "candidate" && r.values[i] != nil {
			out = append(out, fmt.Sprint(r.values[i]))
		}
	}
	return out
}

// ownID is our id of a contact's candidate, by which they may have been erased; "" of none.
func ownID(connector uuid.UUID, contact string) string {
	if contact == "" {
		return ""
	}
	return unified.ID(connector, unified.Candidates, contact).String()
}

// rejectedIDs are those of what is to be set aside: what could not be mapped may still name its person.
func rejectedIDs(connector uuid.UUID, r Rejected) []string {
	ids := []string{r.Key, r.Parent}
	var o struct {
		ID            any `json:"id"`
		Contact       any `json:"contact"`
		OpportunityID any `json:"opportunityId"`
	}
	_ = json.Unmarshal(r.Raw, &o) // what is no object names nobody
	for _, v := range []any{o.ID, o.Contact, o.OpportunityID} {
		if id, ok := v.(string); ok {
			ids = append(ids, id)
		}
	}
	if contact, ok := o.Contact.(string); ok {
		ids = append(ids, ownID(connector, contact))
	}
	return ids
}
