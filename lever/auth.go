package lever

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
)

// Authorizer puts a connector's credential on its calls. Safe for concurrent use.
type Authorizer interface {
	// Authorize sets the request's Authorization header.
	Authorize(ctx context.Context, req *http.Request) error
	// Refresh is asked, after a 401, for a credential other than rejected, which is what Authorize had
	// sent, without its scheme. fresh: Lever has made it just now, and to refuse it is the last word; one that
	// was merely found may have ended, too. ErrUnauthorized: there is none.
	Refresh(ctx context.Context, rejected string) (fresh bool, err error)
}

// APIKey authorizes with a key that the customer made in Lever: Basic, the key as user, no password.
func APIKey(key string) Authorizer { return apiKey{Secret(key)} }

type apiKey struct{ Secret } // which also hides it wherever it is printed

func (k apiKey) Authorize(_ context.Context, req *http.Request) error {
	req.SetBasicAuth(string(k.Secret), "")
	return nil
}

func (apiKey) Refresh(context.Context, string) (bool, error) { return false, ErrUnauthorized }

// TokenSource keeps the tokens of one connector. Safe for concurrent use, by many processes too:
// whoever implements it sees to it that a refresh token is used once.
type TokenSource interface {
	// Token is the current token, renewed when it is about to expire.
	Token(ctx context.Context) (Token, error)
	// Renew gives a token whose access token is not rejectedAccess: one that somebody else has got in
	// the meantime (Found), or a new one.
	Renew(ctx context.Context, rejectedAccess string) (Token, error)
}

// OAuth authorizes with the access tokens of source.
func OAuth(source TokenSource) Authorizer { return oauth{source} }

type oauth struct{ source TokenSource }

func (o oauth) Authorize(ctx context.Context, req *http.Request) error {
	t, err := o.source.Token(ctx)
	if err != nil {
		return tokenError(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(t.Access))
	return nil
}

func (o oauth) Refresh(ctx context.Context, rejected string) (bool, error) {
	t, err := o.source.Renew(ctx, rejected)
	if err != nil {
		return false, tokenError(err)
	}
	if t.Access == "" || string(t.Access) == rejected {
		return false, ErrUnauthorized
	}
	return !t.Found, nil
}

// tokenError lets what is known through; anything else, as a database that is away, is worth another try.
func tokenError(err error) error {
	if Classify(err) != VerdictFatal || is[*OAuthError](err) || is[*BadRequestError](err) || is[*RedirectError](err) {
		return err
	}
	return &TransportError{Path: "token", Err: err}
}

// maxRenewals is how often one call is sent again with another credential. More than one is needed only where those
// that were found had ended as well.
const maxRenewals = 3

// renewing sends a call by way of once, and again with another credential as long as that may cure a 401. once returns
// the credential that was refused.
func (c *Client) renewing(ctx context.Context, once func() (rejected string, err error)) error {
	rejected, err := once()
	for try := 0; errors.Is(err, ErrUnauthorized) && rejected != "" && try < maxRenewals; try++ {
		fresh, rerr := c.auth.Refresh(ctx, rejected)
		if errors.Is(rerr, ErrUnauthorized) {
			return err
		}
		if rerr != nil {
			return rerr
		}
		rejected, err = once()
		if fresh {
			return err
		}
	}
	return err
}

// withoutCredential is an answer that shows nothing of what the request was authorized with, should it repeat that.
func withoutCredential(body []byte, req *http.Request) []byte {
	key, _, _ := req.BasicAuth()
	for _, secret := range []string{credential(req), key} {
		if secret != "" {
			body = bytes.ReplaceAll(body, []byte(secret), []byte(redacted))
		}
	}
	return body
}

// credential is what the request was authorized with, without its scheme.
func credential(req *http.Request) string {
	_, c, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	return c
}
