package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sealedColumn is a column whose values are sealed, each for the row whose id is in the column id.
type sealedColumn struct{ table, column, id, purpose string }

// sealedColumns are all there are: what is not here would stay behind when keys rotate, which a test watches.
var sealedColumns = []sealedColumn{
	{"credentials", "sealed", "connector_id", "credential"},
	{"connectors", "token_sealed", "id", "connector token"},
	{"link_sessions", "held", "id", "held credential"},
	{"erasure_keys", "sealed", "connector_id", "erasure key"},
	{"webhooks", "path_sealed", "connector_id", "webhook path"},
	{"webhook_tokens", "sealed", "id", "webhook token"},
}

// SealedCount is how many values of a kind one key has sealed.
type SealedCount struct {
	Key      string `json:"key"`      // its id, which tells nothing of the key
	Position int    `json:"position"` // in the keyring; 1 is the one that seals, 0: it is not there, and its values can't be opened
	What     string `json:"what"`     // its purpose: credential, connector token, …
	Values   int64  `json:"values"`
}

// KeyIDs are the ids of the keyring's keys, the one that seals first.
func (k *Keyring) KeyIDs() []string {
	if k == nil {
		return nil
	}
	ids := make([]string, len(k.keys))
	for i, key := range k.keys {
		ids[i] = key.id
	}
	return ids
}

// Sealed counts what each key has sealed, by kind.
func (s *Store) Sealed(ctx context.Context) ([]SealedCount, error) {
	parts := make([]string, len(sealedColumns))
	for i, c := range sealedColumns {
		parts[i] = fmt.Sprintf(`SELECT encode(substring(%[2]s FOR 8), 'escape') AS key, '%[3]s' AS what, count(*) AS values FROM %[1]s WHERE %[2]s IS NOT NULL GROUP BY 1`,
			c.table, c.column, c.purpose)
	}
	list, err := many[SealedCount](ctx, s.pool, strings.Join(parts, "\nUNION ALL\n")+"\nORDER BY what, key")
	ids := s.keys.KeyIDs()
	for i := range list {
		list[i].Position = slices.Index(ids, list[i].Key) + 1
	}
	return list, err
}

// Unopened is a sealed value that no key of the keyring opens.
type Unopened struct {
	What   string    `json:"what"`
	ID     uuid.UUID `json:"id"` // of the connector, or of the link's session
	Reason string    `json:"reason"`
}

// Rotation is what Reseal did.
type Rotation struct {
	Key      string           `json:"key"`      // the id of the key that seals
	Resealed map[string]int64 `json:"resealed"` // by kind
	Unopened []Unopened       `json:"unopened"` // left as they were
}

// resealBatch is how many rows are locked at a time. To open and seal one takes microseconds.
const resealBatch = 100

// Reseal seals everything with the keyring's first key that another has sealed. It may run while connectors
// sync, in any number of processes, and be broken off at any moment: run again, it goes on with what is left.
//
// A row is locked from reading it until it is written back, as by RenewCredential: a token that is renewed at
// the same time is waited for, and never overwritten. What is being renewed just now is passed over at first, and
// waited for one by one at the end.
func (s *Store) Reseal(ctx context.Context) (Rotation, error) {
	if s.keys == nil || len(s.keys.keys) == 0 {
		return Rotation{}, errNoKeys
	}
	r := Rotation{Key: s.keys.keys[0].id, Resealed: map[string]int64{}, Unopened: []Unopened{}}
	for _, c := range sealedColumns {
		r.Resealed[c.purpose] = 0
		for _, pass := range []struct {
			lock  string
			limit int
		}{{"FOR NO KEY UPDATE SKIP LOCKED", resealBatch}, {"FOR NO KEY UPDATE", 1}} {
			// What does not open is met by both passes, and told of once.
			r.Unopened = slices.DeleteFunc(r.Unopened, func(u Unopened) bool { return u.What == c.purpose })
			for after, more := uuid.Nil, true; more; {
				var err error
				if after, more, err = s.resealSome(ctx, c, after, pass.lock, pass.limit, &r); err != nil {
					return r, fmt.Errorf("store: reseal %s: %w", c.table, err)
				}
			}
		}
	}
	return r, nil
}

// resealSome reseals up to limit rows behind after. more: there may be others behind last.
func (s *Store) resealSome(ctx context.Context, c sealedColumn, after uuid.UUID, lock string, limit int, r *Rotation) (last uuid.UUID, more bool, err error) {
	type value struct {
		ID     uuid.UUID
		Sealed []byte
	}
	var done int64
	var unopened []Unopened
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		values, err := many[value](ctx, tx, fmt.Sprintf(`SELECT %[3]s AS id, %[2]s AS sealed FROM %[1]s
WHERE %[2]s IS NOT NULL AND substring(%[2]s FOR 9) <> $1 AND %[3]s > $2 ORDER BY %[3]s LIMIT $3 `, c.table, c.column, c.id)+lock,
			append([]byte(s.keys.keys[0].id), 0), after, limit)
		if err != nil || len(values) == 0 {
			return err
		}
		last, more = values[len(values)-1].ID, true
		ids, sealed := make([]uuid.UUID, 0, len(values)), make([][]byte, 0, len(values))
		for _, v := range values {
			plain, err := s.keys.open(v.ID.String(), c.purpose, v.Sealed)
			if err != nil {
				unopened = append(unopened, Unopened{What: c.purpose, ID: v.ID, Reason: strings.TrimPrefix(err.Error(), "store: ")})
				continue
			}
			b, err := s.keys.seal(v.ID.String(), c.purpose, plain)
			if err != nil {
				return err
			}
			ids, sealed = append(ids, v.ID), append(sealed, b)
		}
		tag, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE %[1]s t SET %[2]s = u.sealed FROM unnest($1::uuid[], $2::bytea[]) u(id, sealed) WHERE t.%[3]s = u.id`,
			c.table, c.column, c.id), ids, sealed)
		done = tag.RowsAffected()
		return err
	})
	if err != nil {
		return last, false, err
	}
	r.Resealed[c.purpose] += done
	r.Unopened = append(r.Unopened, unopened...)
	return last, more, nil
}
