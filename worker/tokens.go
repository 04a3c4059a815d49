package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

const (
	// early is how long before its end a token is renewed.
	early = 5 * time.Minute
	// renewWait is how long a call waits until a token may be renewed. Lever may take longer for one that is under way, and a
	// slot does not wait for that: the call is made later.
	renewWait = 5 * time.Second
)

// tokens renews a connector's OAuth token, one caller at a time however many processes ask.
type tokens struct {
	store     *store.Store
	connector uuid.UUID
	oauth     lever.OAuthConfig
	renewed   func(error)   // told of each attempt
	turn      chan struct{} // of who renews: each who does holds a connection for as long as Lever takes

	mu  sync.Mutex
	cur lever.Token
	at  time.Time // when it was stored, by Postgres' clock
}

func newTokens(w *Worker, connector uuid.UUID) *tokens {
	return &tokens{store: w.store, connector: connector, oauth: w.cfg.OAuth, renewed: w.cfg.Observer.Renewed, turn: make(chan struct{}, 1)}
}

// Token returns a token that is good for some minutes.
func (t *tokens) Token(ctx context.Context) (lever.Token, error) {
	if cur, good := t.current(); good {
		return cur, nil
	}
	c, err := t.store.Credential(ctx, t.connector)
	if err != nil {
		return lever.Token{}, err
	}
	if time.Until(c.ExpiresAt) > early {
		return t.keep(c), nil
	}
	return t.Renew(ctx, c.Secret)
}

// current is the token that the process has, and whether it is good for some minutes.
func (t *tokens) current() (lever.Token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cur, t.cur.Access != "" && time.Until(t.cur.ExpiresAt) > early
}

// Renew replaces the token that Lever refused, unless another caller or process has done so already. *lever.BudgetError: others
// are renewing that one, or theirs, and it takes too long to wait for.
func (t *tokens) Renew(ctx context.Context, refused string) (lever.Token, error) {
	wait, cancel := context.WithTimeout(ctx, renewWait)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-wait.Done():
		return lever.Token{}, tooLong(ctx)
	}
	if cur, good := t.current(); good && string(cur.Access) != refused {
		cur.Found = true
		return cur, nil
	}
	found := true
	c, err := t.store.RenewCredential(wait, t.connector, refused, func(ctx context.Context, cur store.Credential) (store.Credential, error) {
		found = false
		t.keep(cur) // should it be refused, it is this one that was
		tok, err := t.oauth.Refresh(ctx, cur.Refresh)
		t.renewed(err)
		if err != nil {
			return cur, err
		}
		return store.Credential{Secret: string(tok.Access), Refresh: string(tok.Refresh), ExpiresAt: tok.ExpiresAt}, nil
	})
	var oe *lever.OAuthError
	switch {
	case err == nil:
		tok := t.keep(c)
		tok.Found = found
		return tok, nil
	case errors.As(err, &oe) && oe.InvalidGrant():
		return lever.Token{}, errors.Join(lever.ErrUnauthorized, err)
	case found && wait.Err() != nil:
		return lever.Token{}, tooLong(ctx)
	}
	return lever.Token{}, err
}

// tooLong is the error of a call that can't wait longer for its token.
func tooLong(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &lever.BudgetError{RetryAfter: jitter(2 * renewWait)}
}

// since is when the token that the process has was stored.
func (t *tokens) since() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// adopt takes over a token that was stored later than the one that the process has: the account was linked again, or another
// process has renewed it.
func (t *tokens) adopt(c store.Credential) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cur.Access != "" && c.RefreshedAt.After(t.at) {
		t.cur, t.at = tokenOf(c), c.RefreshedAt
	}
}

func (t *tokens) keep(c store.Credential) lever.Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cur, t.at = tokenOf(c), c.RefreshedAt
	return t.cur
}

func tokenOf(c store.Credential) lever.Token {
	return lever.Token{Access: lever.Secret(c.Secret), Refresh: lever.Secret(c.Refresh), ExpiresAt: c.ExpiresAt}
}
