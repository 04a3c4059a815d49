package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Credential is what opens a Lever account. It is sealed at rest, for its connector alone.
type Credential struct {
	Kind      string    // api_key, oauth
	Secret    string    // the API key, or the access token
	Refresh   string    // the refresh token; "" for an API key
	ExpiresAt time.Time // by the clock of the process that has it; Postgres keeps it by its own
	// RefreshedAt is when it was stored, by Postgres' clock: what was refused before it says nothing of it.
	RefreshedAt time.Time
}

// String hides the secrets.
func (c Credential) String() string { return c.Kind + " [redacted]" }

// GoString hides the secrets.
func (c Credential) GoString() string { return c.String() }

type sealedCredential struct {
	Secret  string `json:"secret"`
	Refresh string `json:"refresh,omitempty"`
}

// Link stores a connector's credential, new or renewed by its owner, and makes the connector COMPLETE and
// all of it due. Its links that were not used end, and so do the sessions of browsers that have not linked it yet.
func (s *Store) Link(ctx context.Context, id uuid.UUID, c Credential) (Connector, error) {
	var out Connector
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		out, err = s.link(ctx, tx, id, c)
		return err
	})
	return out, err
}

// link is Link's. The connector's row is locked first here, by useLink and by completeSession, in a statement of its own: of two
// who link it at once the second waits there, with nothing locked that the first needs, and then sees what that one did.
func (s *Store) link(ctx context.Context, tx pgx.Tx, id uuid.UUID, c Credential) (Connector, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM connectors WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
		return Connector{}, err
	}
	if err := s.saveCredential(ctx, tx, id, c); err != nil {
		return Connector{}, err
	}
	if err := endOthers(ctx, tx, id); err != nil {
		return Connector{}, err
	}
	out, err := one[Connector](ctx, tx, `UPDATE connectors SET status = 'COMPLETE', status_reason = '', relink_needed_at = NULL,
    completed_at = coalesce(completed_at, now()) WHERE id = $1 RETURNING `+connectorColumns, id)
	if err != nil {
		return out, err
	}
	_, err = tx.Exec(ctx, `UPDATE connector_scopes SET next_run_at = now(), state = CASE WHEN state = 'ok' THEN 'ok' ELSE 'pending' END, reason = ''
WHERE connector_id = $1`, id)
	return out, err
}

func (s *Store) saveCredential(ctx context.Context, q querier, id uuid.UUID, c Credential) error {
	_, err := s.putCredential(ctx, q, id, c)
	return err
}

// putCredential stores a credential, and returns when.
func (s *Store) putCredential(ctx context.Context, q querier, id uuid.UUID, c Credential) (at time.Time, _ error) {
	plain, err := json.Marshal(sealedCredential{Secret: c.Secret, Refresh: c.Refresh})
	if err != nil {
		return at, err
	}
	sealed, err := s.keys.seal(id.String(), "credential", plain)
	if err != nil {
		return at, err
	}
	var left *time.Duration
	if !c.ExpiresAt.IsZero() {
		d := time.Until(c.ExpiresAt)
		left = &d
	}
	err = q.QueryRow(ctx, `INSERT INTO credentials (connector_id, kind, sealed, expires_at) VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (connector_id) DO UPDATE SET kind = excluded.kind, sealed = excluded.sealed, expires_at = excluded.expires_at, refreshed_at = clock_timestamp()
RETURNING refreshed_at`,
		id, c.Kind, sealed, left).Scan(&at)
	return at, err
}

// Credential opens a connector's credential. ErrNotFound: it has none.
func (s *Store) Credential(ctx context.Context, id uuid.UUID) (Credential, error) {
	return s.credential(ctx, s.pool, id, "")
}

func (s *Store) credential(ctx context.Context, q querier, id uuid.UUID, suffix string) (Credential, error) {
	var sealed []byte
	var expires *time.Time
	var now time.Time
	c := Credential{}
	err := q.QueryRow(ctx, `SELECT kind, sealed, expires_at, refreshed_at, clock_timestamp() FROM credentials WHERE connector_id = $1`+suffix, id).
		Scan(&c.Kind, &sealed, &expires, &c.RefreshedAt, &now)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, err
	}
	plain, err := s.keys.open(id.String(), "credential", sealed)
	if err != nil {
		return c, fmt.Errorf("connector %s: %w", id, err)
	}
	var sc sealedCredential
	if err := json.Unmarshal(plain, &sc); err != nil {
		return c, errors.New("store: a credential is damaged")
	}
	c.Secret, c.Refresh = sc.Secret, sc.Refresh
	if expires != nil {
		c.ExpiresAt = time.Now().Add(expires.Sub(now))
	}
	return c, nil
}

// renewShare is the share of the connections that may be held by renewals, which hold one for as long as Lever takes to answer:
// one in four, and one at least.
const renewShare = 4

// renewFor bounds a renewal from the moment that Lever is asked: it is longer than Lever may take to answer, and than that and
// saving the answer take together, and shorter than Postgres lets the transaction idle.
const renewFor = 40 * time.Second

// RenewCredential replaces an access token, one caller at a time however many processes ask: the row is locked, read
// again, and where another has renewed it meanwhile (the stored token is not the refused one, and is not
// about to expire), that one is returned. renew gets the stored credential and its result is saved before
// the lock goes. It has to be done within 40 s.
//
// A caller who goes away ends the wait, for one of the connections that are for it and for the row. From then on nobody ends it
// but time: once Lever is asked, the old refresh token is spent, and its answer is all there is of the new ones.
func (s *Store) RenewCredential(ctx context.Context, id uuid.UUID, refused string, renew func(context.Context, Credential) (Credential, error)) (Credential, error) {
	select {
	case s.renewing <- struct{}{}:
		defer func() { <-s.renewing }()
	case <-ctx.Done():
		return Credential{}, ctx.Err()
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return Credential{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// The row stays locked while Lever is asked, which may take longer than a lease.
	if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '1min'`); err != nil {
		return Credential{}, err
	}
	cur, err := s.credential(ctx, tx, id, " FOR UPDATE")
	if err != nil {
		return Credential{}, err
	}
	if refused != "" && cur.Secret != refused {
		return cur, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewFor)
	defer cancel()
	s.Failpoint(PointRenewing, id, "")
	fresh, err := renew(ctx, cur)
	if err != nil {
		return Credential{}, err
	}
	s.Failpoint(PointRenewed, id, "")
	fresh.Kind = cur.Kind
	if fresh.Refresh == "" {
		fresh.Refresh = cur.Refresh
	}
	if fresh.RefreshedAt, err = s.putCredential(ctx, tx, id, fresh); err != nil {
		return Credential{}, err
	}
	if err := tx.Commit(ctx); err != nil {
		return Credential{}, err
	}
	s.Failpoint(PointSaved, id, "")
	return fresh, nil
}
