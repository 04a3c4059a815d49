package connect

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// linkKey takes an API key instead of an authorization. The link is consumed once Lever has taken the key.
func (h *Handler) linkKey(w http.ResponseWriter, r *http.Request) error {
	a, err := h.linkAsk(r)
	if err != nil {
		return err
	}
	key, granted, err := h.givenKey(r, a)
	if err != nil {
		return h.keyProblem(w, r, a, err)
	}
	cred := store.Credential{Kind: "api_key", Secret: key}
	lacks := len(missing(reads(a.Texts), granted)) > 0
	var s store.LinkSession
	var secret string
	if lacks {
		s, secret, err = h.store.UseLink(r.Context(), r.PathValue("token"))
	} else {
		s, secret, err = h.store.UseLinkWith(r.Context(), r.PathValue("token"), cred)
	}
	if err != nil {
		return h.linkProblem(r, store.Link{}, err)
	}
	h.setCookie(w, s.ID, secret)
	if lacks {
		return h.hold(w, r, s, cred, granted)
	}
	h.log.InfoContext(r.Context(), "account linked", "connector_id", s.ConnectorID)
	http.Redirect(w, r, donePath(s.ID), http.StatusSeeOther)
	return nil
}

func (h *Handler) sessionKey(w http.ResponseWriter, r *http.Request) error {
	a, s, _, err := h.sessionAsk(r)
	if err != nil {
		return err
	}
	key, granted, err := h.givenKey(r, a)
	if err != nil {
		return h.keyProblem(w, r, a, err)
	}
	cred := store.Credential{Kind: "api_key", Secret: key}
	if len(missing(reads(a.Texts), granted)) > 0 {
		return h.hold(w, r, s, cred, granted)
	}
	return h.complete(w, r, s, &cred)
}

// hold keeps a credential that lacks permissions, and asks what to do.
func (h *Handler) hold(w http.ResponseWriter, r *http.Request, s store.LinkSession, cred store.Credential, granted string) error {
	switch err := h.store.HoldCredential(r.Context(), s, cred, granted); {
	case errors.Is(err, store.ErrNotFound):
		return problemOver
	case err != nil:
		return err
	}
	http.Redirect(w, r, permissionsPath(s.ID), http.StatusSeeOther)
	return nil
}

// keyError is what is wrong with a key, for the form that it came from.
type keyError struct {
	status int
	text   string
}

func (e *keyError) Error() string { return e.text }

// What may be wrong with a key.
var (
	keyMissing  = &keyError{http.StatusUnprocessableEntity, "Enter the API key, as Lever shows it: one word without spaces."}
	keyRefused  = &keyError{http.StatusUnprocessableEntity, "Lever does not accept this key. Check that it was copied whole, that it has not been revoked, and that it is of your production account."}
	keyBlind    = &keyError{http.StatusUnprocessableEntity, "Lever accepts this key, but the key may read none of the records below. Give it those permissions in Lever, or make a new one."}
	keyAway     = &keyError{http.StatusBadGateway, "Lever did not answer, so the key could not be checked. It was not kept. Try again in a minute."}
	keyTooOften = &keyError{http.StatusTooManyRequests, "Too many keys were tried on this link. Ask for a new one."}
)

// keyProblem shows the form again with what was wrong.
func (h *Handler) keyProblem(w http.ResponseWriter, r *http.Request, a ask, err error) error {
	e, ok := errors.AsType[*keyError](err)
	if !ok {
		return err
	}
	a.KeyError = e.text
	return h.render(w, r, e.status, "ask", "Error: "+a.title(), a)
}

// maxKey is longer than any key.
const maxKey = 512

// givenKey reads the form's key, asks Lever whether it is one, and says what it may read, as OAuth would.
func (h *Handler) givenKey(r *http.Request, a ask) (key, granted string, err error) {
	if err := r.ParseForm(); err != nil {
		return "", "", problemBadForm
	}
	key = strings.TrimSpace(r.PostForm.Get("api_key"))
	if key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", "", keyMissing
	}
	if err := h.store.CountTry(r.Context(), a.link); errors.Is(err, store.ErrTooManyTries) {
		return "", "", keyTooOften
	} else if err != nil {
		return "", "", err
	}
	granted, err = h.probe(r.Context(), key, a.Texts)
	return key, granted, err
}

// probes are lists that tell by one call each whether a key may read them. The others hang on single records:
// what a key may not read of those, the first sync finds out.
var probes = map[string]func(context.Context, *lever.Client) error{
	"opportunities": func(ctx context.Context, c *lever.Client) error {
		return firstPage(c.Opportunities(ctx, lever.OpportunityOptions{PageSize: 1}))
	},
	"postings": func(ctx context.Context, c *lever.Client) error {
		return firstPage(c.Postings(ctx, lever.PostingOptions{}))
	},
	"stages":          func(ctx context.Context, c *lever.Client) error { return firstPage(c.Stages(ctx, "")) },
	"archive_reasons": func(ctx context.Context, c *lever.Client) error { return firstPage(c.ArchiveReasons(ctx, "")) },
	"users":           func(ctx context.Context, c *lever.Client) error { return firstPage(c.Users(ctx, "")) },
	"tags":            func(ctx context.Context, c *lever.Client) error { return firstPage(c.Tags(ctx, "")) },
	"eeo_responses_pii": func(ctx context.Context, c *lever.Client) error {
		return firstPage(c.EEOResponses(ctx, lever.EEOOptions{}))
	},
}

func firstPage[T any](pages func(func(T, error) bool)) error {
	for _, err := range pages {
		return err
	}
	return nil
}

// probe asks Lever, with the key, for a page of each list that the scopes need. Its errors are *keyError or the context's.
func (h *Handler) probe(ctx context.Context, key string, texts []scopeText) (granted string, err error) {
	c, err := lever.New(lever.Config{BaseURL: h.cfg.LeverURL, Auth: lever.APIKey(key), Transport: h.cfg.Transport})
	if err != nil {
		return "", err
	}
	needed := reads(texts)
	if len(needed) == 0 { // nothing is on: any list tells whether it is a key
		needed = []string{readPermission("stages")}
	}
	verdicts, errs := make([]lever.Verdict, len(needed)), make([]error, len(needed))
	var wg sync.WaitGroup
	for i, permission := range needed {
		if list := probes[strings.TrimSuffix(permission, ":read:admin")]; list != nil {
			wg.Go(func() { errs[i] = list(ctx, c); verdicts[i] = lever.Classify(errs[i]) })
		} else {
			verdicts[i] = unasked
		}
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	granted, err = judge(needed, verdicts)
	if errors.Is(err, keyAway) {
		h.log.WarnContext(ctx, "an API key could not be checked", "error", errors.Join(errs...))
	}
	return granted, err
}

// unasked stands for a permission that no call was made for.
const unasked lever.Verdict = -1

// judge reads what Lever said of a key: whether it is one, and which of the permissions it has. What was not asked for
// counts as granted, and so does what Lever was too busy to answer.
func judge(needed []string, verdicts []lever.Verdict) (granted string, err error) {
	var has []string
	yes, no := 0, 0
	for i, v := range verdicts {
		switch v {
		case lever.VerdictRelink:
			return "", keyRefused
		case lever.VerdictForbidden:
			no++
			continue
		case lever.VerdictOK:
			yes++
		}
		has = append(has, needed[i])
	}
	switch {
	case yes == 0 && no == 0:
		return "", keyAway
	case yes == 0:
		return "", keyBlind
	}
	return strings.Join(has, " "), nil
}
