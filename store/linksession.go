package store

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// decideFor is how long the browser that used a link may take to link the account.
	decideFor = time.Hour
	// watchFor is how long it may watch the first sync.
	watchFor = 24 * time.Hour
	// stateFor is how long an authorization at Lever may take.
	stateFor = 10 * time.Minute
)

// ErrWrongState says that an authorization's state is not the one that this browser was sent away with.
var ErrWrongState = errors.New("store: wrong state")

// ErrStateUsed says that an authorization's state came back before.
var ErrStateUsed = errors.New("store: the state was used already")

// LinkSession is the browser that used a link. Only that browser knows its secret.
type LinkSession struct {
	ID          uuid.UUID
	ConnectorID uuid.UUID
	LinkHash    []byte     // of the link that it used
	Held        bool       // a credential waits for HoldCredential's decision
	Granted     string     // permissions of the held credential, space separated
	LinkedAt    *time.Time // nil: not yet
	ExpiresAt   time.Time
}

// Linked says whether the account is linked.
func (l LinkSession) Linked() bool { return l.LinkedAt != nil }

const sessionColumns = `id, connector_id, link_hash, held IS NOT NULL AS held, granted, linked_at, expires_at`

// UseLink consumes a link and returns the session of the browser that did, with the secret to give to it.
// Of two callers one succeeds. Errors: ErrLinkUsed, ErrExpired, ErrNotFound.
func (s *Store) UseLink(ctx context.Context, token string) (LinkSession, string, error) {
	var out LinkSession
	var secret string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		out, secret, err = openSession(ctx, tx, token)
		return err
	})
	return out, secret, err
}

// UseLinkWith consumes a link and links its connector in one step: either both happen or none. Errors as UseLink's.
func (s *Store) UseLinkWith(ctx context.Context, token string, c Credential) (LinkSession, string, error) {
	var out LinkSession
	var secret string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		opened, sec, err := openSession(ctx, tx, token)
		if err != nil {
			return err
		}
		secret = sec
		out, err = s.completeSession(ctx, tx, opened.ID, &c)
		return err
	})
	return out, secret, err
}

func openSession(ctx context.Context, tx pgx.Tx, token string) (LinkSession, string, error) {
	hash := hashSecret(token)
	connector, err := useLink(ctx, tx, hash)
	if err != nil {
		return LinkSession{}, "", err
	}
	secret := newSecret()
	l, err := one[LinkSession](ctx, tx, `INSERT INTO link_sessions (id, connector_id, link_hash, secret_hash, expires_at) VALUES ($1, $2, $3, $4, now() + $5) RETURNING `+sessionColumns,
		uuid.New(), connector, hash, hashSecret(secret), decideFor)
	return l, secret, err
}

// LinkSession finds the session that a browser names and knows the secret of; otherwise, and once it has expired, ErrNotFound.
func (s *Store) LinkSession(ctx context.Context, id uuid.UUID, secret string) (LinkSession, error) {
	type row struct {
		LinkSession
		SecretHash []byte
	}
	r, err := one[row](ctx, s.pool, `SELECT `+sessionColumns+`, secret_hash FROM link_sessions WHERE id = $1 AND expires_at > now()`, id)
	if err != nil {
		return LinkSession{}, err
	}
	if subtle.ConstantTimeCompare(r.SecretHash, hashSecret(secret)) != 1 {
		return LinkSession{}, ErrNotFound
	}
	return r.LinkSession, nil
}

// BeginAuthorization keeps the hash of the state that a session's browser is sent to Lever with. It is good for 10
// minutes and takes the place of any before it; a held credential is forgotten. ErrLinkUsed: the account is linked already.
func (s *Store) BeginAuthorization(ctx context.Context, session uuid.UUID, state string) error {
	tag, err := s.pool.Exec(ctx, `UPDATE link_sessions SET state_hash = $2, state_expires_at = now() + $3, state_used_at = NULL, held = NULL, granted = ''
WHERE id = $1 AND linked_at IS NULL AND expires_at > now()`, session, hashSecret(state), stateFor)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrLinkUsed
	}
	return err
}

// EndAuthorization takes the state that came back from Lever, once. Errors: ErrWrongState, ErrStateUsed, ErrExpired.
func (s *Store) EndAuthorization(ctx context.Context, session uuid.UUID, state string) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var hash []byte
		var used, expired bool
		err := tx.QueryRow(ctx, `SELECT state_hash, state_used_at IS NOT NULL, coalesce(state_expires_at <= now(), true) FROM link_sessions WHERE id = $1 FOR UPDATE`, session).
			Scan(&hash, &used, &expired)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrWrongState
		case err != nil:
			return err
		case subtle.ConstantTimeCompare(hash, hashSecret(state)) != 1:
			return ErrWrongState
		case used:
			return ErrStateUsed
		case expired:
			return ErrExpired
		}
		_, err = tx.Exec(ctx, `UPDATE link_sessions SET state_used_at = now() WHERE id = $1`, session)
		return err
	})
}

// HoldCredential keeps a credential of too few permissions, sealed, until its owner decides: CompleteLink
// takes it, BeginAuthorization forgets it.
func (s *Store) HoldCredential(ctx context.Context, l LinkSession, c Credential, granted string) error {
	plain, err := json.Marshal(heldCredential{Kind: c.Kind, sealedCredential: sealedCredential{Secret: c.Secret, Refresh: c.Refresh}, ExpiresAt: c.ExpiresAt})
	if err != nil {
		return err
	}
	sealed, err := s.keys.seal(l.ID.String(), "held credential", plain)
	if err != nil {
		return err
	}
	return s.mustTouch(ctx, `UPDATE link_sessions SET held = $2, granted = $3 WHERE id = $1 AND linked_at IS NULL`, l.ID, sealed, granted)
}

type heldCredential struct {
	sealedCredential
	Kind      string    `json:"kind"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CompleteLink links the session's connector, with the credential given or, with nil, the held one; its first sync falls
// due. ErrLinkUsed: the session has linked it already. ErrNotFound: nothing is held, or the session is over, by time or because
// the connector was linked otherwise.
func (s *Store) CompleteLink(ctx context.Context, session uuid.UUID, c *Credential) (LinkSession, error) {
	var out LinkSession
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		out, err = s.completeSession(ctx, tx, session, c)
		return err
	})
	return out, err
}

func (s *Store) completeSession(ctx context.Context, tx pgx.Tx, session uuid.UUID, c *Credential) (LinkSession, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM connectors WHERE id = (SELECT connector_id FROM link_sessions WHERE id = $1) FOR NO KEY UPDATE`, session); err != nil {
		return LinkSession{}, err
	}
	var held []byte
	var linked bool
	err := tx.QueryRow(ctx, `SELECT held, linked_at IS NOT NULL FROM link_sessions WHERE id = $1 AND expires_at > now() FOR UPDATE`, session).Scan(&held, &linked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return LinkSession{}, ErrNotFound
	case err != nil:
		return LinkSession{}, err
	case linked:
		return LinkSession{}, ErrLinkUsed
	}
	if c == nil {
		if c, err = s.openHeld(session, held); err != nil {
			return LinkSession{}, err
		}
	}
	l, err := one[LinkSession](ctx, tx, `UPDATE link_sessions SET linked_at = now(), held = NULL, expires_at = now() + $2 WHERE id = $1 RETURNING `+sessionColumns, session, watchFor)
	if err != nil {
		return l, err
	}
	_, err = s.link(ctx, tx, l.ConnectorID, *c)
	return l, err
}

func (s *Store) openHeld(session uuid.UUID, held []byte) (*Credential, error) {
	if held == nil {
		return nil, ErrNotFound
	}
	plain, err := s.keys.open(session.String(), "held credential", held)
	if err != nil {
		return nil, err
	}
	var h heldCredential
	if err := json.Unmarshal(plain, &h); err != nil {
		return nil, errors.New("store: a held credential is damaged")
	}
	return &Credential{Kind: h.Kind, Secret: h.Secret, Refresh: h.Refresh, ExpiresAt: h.ExpiresAt}, nil
}
