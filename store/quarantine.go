package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// Rejected is a record that could not be mapped or stored.
type Rejected struct {
	Scope  unified.Scope
	Key    string // its remote id; "" where it has none
	Parent string
	Reason string // without values of the record
	Raw    []byte // as it came
}

// bringers are the calls that brought what a transaction writes.
type bringers struct {
	last uuid.UUID            // of those that were logged, the last that Lever answered; zero: none
	of   map[string]uuid.UUID // by what the records hang on, where Brought named it
}

func (b bringers) call(parent string) uuid.UUID {
	if id, named := b.of[parent]; named {
		return id
	}
	return b.last
}

// Brought says which call brought what hangs on a parent, where several calls are logged in one transaction. What it
// says nothing of was brought by the last that was logged and answered.
func (t *Tx) Brought(parent string, call uuid.UUID) {
	if t.brought.of == nil {
		t.brought.of = map[string]uuid.UUID{}
	}
	t.brought.of[parent] = call
}

// Quarantine sets a record aside with its bytes, and the call that brought it. One that is there already, unchanged, writes nothing.
func (t *Tx) Quarantine(ctx context.Context, r Rejected) error {
	if of, err := keepOut(ctx, t, []Rejected{r}, func(r Rejected) []string { return rejectedIDs(t.lease.Connector, r) }); err != nil || len(of) == 0 {
		return err
	}
	if r.Raw == nil {
		r.Raw = []byte{} // nil would be NULL
	}
	hash := HashRaw(r.Raw)
	if r.Key == "" {
		r.Key = hex.EncodeToString(hash)
	}
	r.Key, r.Parent = quarantineKey(r.Key), quarantineKey(r.Parent)
	var fresh bool
	err := t.tx.QueryRow(ctx, `WITH old AS (SELECT raw_hash, reason FROM quarantine WHERE connector_id = $1 AND scope = $2 AND key = $3),
put AS (
    INSERT INTO quarantine AS q (connector_id, scope, key, parent, reason, raw, raw_hash, run_id, call_id)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE NOT EXISTS (SELECT FROM old WHERE raw_hash = $7 AND reason = $5)
    ON CONFLICT (connector_id, scope, key) DO UPDATE SET parent = excluded.parent, reason = excluded.reason, raw = excluded.raw,
        raw_hash = excluded.raw_hash, run_id = excluded.run_id, call_id = excluded.call_id, last_seen_at = now()
)
SELECT NOT EXISTS (SELECT FROM old)`,
		t.lease.Connector, string(r.Scope), r.Key, r.Parent, r.Reason, r.Raw, hash, t.lease.RunID, nilID(t.brought.call(r.Parent))).Scan(&fresh)
	if err != nil {
		return err
	}
	t.aside = true
	t.counts.Quarantined++
	n := t.scope(r.Scope)
	n.done.Quarantined++
	if fresh {
		n.quarantined++
	}
	return nil
}

// maxKey bounds a key in bytes: an index of Postgres takes no more than some 2,700.
const maxKey = 1000

// quarantineKey is a remote id as the quarantine's keys hold it: the hash of one that a key can't be.
// What is set aside must never be refused itself.
func quarantineKey(remoteID string) string {
	if len(remoteID) > maxKey || !utf8.ValidString(remoteID) || strings.ContainsRune(remoteID, 0) {
		return hex.EncodeToString(HashRaw([]byte(remoteID)))
	}
	return remoteID
}

// evidence is what is kept of a record that Postgres refused: Lever's body, or the record where that is
// kept elsewhere.
func (r row) evidence() []byte {
	if r.env.Raw != nil {
		return r.env.Raw
	}
	b, err := json.Marshal(r.rec)
	if err != nil {
		return nil
	}
	return b
}

// release takes records that could now be stored out of quarantine.
func (t *Tx) release(ctx context.Context, sc unified.Scope, rows []row) error {
	if !t.aside {
		return nil
	}
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = quarantineKey(r.env.RemoteID)
	}
	return t.releaseWhere(ctx, "scope = $2 AND key = ANY($3)", string(sc), keys)
}

// releaseWhere takes out of the quarantine what is no longer set aside: it was written, or is gone at the source.
func (t *Tx) releaseWhere(ctx context.Context, cond string, args ...any) error {
	if !t.aside {
		return nil
	}
	type row struct{ Scope string }
	list, err := many[row](ctx, t.tx, "DELETE FROM quarantine q WHERE connector_id = $1 AND "+cond+" RETURNING scope", append([]any{t.lease.Connector}, args...)...)
	for _, r := range list {
		t.scope(unified.Scope(r.Scope)).quarantined--
	}
	return err
}

// ReleaseStored takes out of the quarantine the versions that were set aside of parents, now that the source shows again what is stored of
// them. Of one that Postgres refused, more may be missing than the parent tells: it stays until it is written.
func (t *Tx) ReleaseStored(ctx context.Context, sc unified.Scope, remoteIDs []string) error {
	return t.releaseWhere(ctx, "scope = $2 AND key = ANY($3) AND NOT starts_with(reason, $4)", string(sc), remoteIDs, refusedReason)
}

// ReleaseAbsent takes out of the quarantine what of a scope a full traversal, which has proven what is there, did not meet: with it
// all that has no id, or nothing would have been proven. What has an id too long for a key is there by its hash, and stays for as
// long as LEVERSYNC_KEEP_RAW says.
func (t *Tx) ReleaseAbsent(ctx context.Context, sc unified.Scope) error {
	if t.careful { // what was refused just now may be among it
		return nil
	}
	return t.releaseWhere(ctx, "scope = $3 AND (key !~ '^[0-9a-f]{32}$' OR key = encode(raw_hash, 'hex')) AND NOT EXISTS (SELECT FROM ("+metIDs+") m(id) WHERE m.id = q.key)",
		t.lease.Stream, string(sc))
}

// Quarantined is a row of the quarantine, without its bytes.
type Quarantined struct {
	ConnectorID uuid.UUID  `json:"connector_id"`
	Scope       string     `json:"scope"`
	Key         string     `json:"key"`
	Parent      string     `json:"parent"`
	Reason      string     `json:"reason"`
	RunID       *uuid.UUID `json:"run_id"`
	CallID      *uuid.UUID `json:"call_id"` // that brought it; nil: not known
	FirstSeenAt time.Time  `json:"first_seen_at"`
	LastSeenAt  time.Time  `json:"last_seen_at"`
}

const quarantinedColumns = `connector_id, scope, key, parent, reason, run_id, call_id, first_seen_at, last_seen_at`

// Quarantine lists what is set aside of one connector, newest first.
func (s *Store) Quarantine(ctx context.Context, connector uuid.UUID, limit int) ([]Quarantined, error) {
	return many[Quarantined](ctx, s.pool, `SELECT `+quarantinedColumns+`
FROM quarantine WHERE connector_id = $1 ORDER BY last_seen_at DESC, key LIMIT $2`, connector, limit)
}
