package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
)

func checkKey(_ context.Context, d *doctor) finding {
	ids := d.cfg.Keyring.KeyIDs()
	switch len(ids) {
	case 0:
		return fail("make one with `openssl rand -base64 32`, set LEVERSYNC_ENCRYPTION_KEY, and keep it", "there is no key to seal credentials with")
	case 1:
		return ok("one key, %s", ids[0])
	}
	return ok("%d keys; %s seals", len(ids), ids[0])
}

// checkOldKeys tells of values that keys in the list's back have sealed.
func checkOldKeys(ctx context.Context, d *doctor) finding {
	if d.store == nil || d.cfg.Keyring == nil {
		return skipped("the keys or Postgres are not there")
	}
	sealed, err := d.store.Sealed(ctx)
	if err != nil {
		return skipped("%s", noPostgres)
	}
	var old, lost int64
	for _, c := range sealed {
		switch c.Position {
		case 0:
			lost += c.Values
		case 1:
		default:
			old += c.Values
		}
	}
	switch {
	case lost > 0:
		return fail("add the old key behind the new one in LEVERSYNC_ENCRYPTION_KEY; `leversync keys list` shows its id", "%s sealed with a key that is not in the list", plural(lost, "value"))
	case old > 0:
		return warn("leversync keys rotate", "%s still sealed with an older key", plural(old, "value"))
	}
	return ok("nothing is sealed with an older key")
}

func checkSealed(ctx context.Context, d *doctor) finding {
	if d.store == nil || d.cfg.Keyring == nil {
		return skipped("the keys or Postgres are not there")
	}
	n, unopened, err := d.store.CheckSealed(ctx)
	if err != nil {
		return skipped("%s", noPostgres)
	}
	if len(unopened) > 0 {
		u := unopened[0]
		return fail("put the missing key back, or link the account again: `leversync connector relink`", "%s can't be opened, the first is the %s of %s: %s", plural(int64(len(unopened)), "value"), u.What, u.ID, u.Reason)
	}
	return ok("%s open", plural(n, "credential and token"))
}

func checkPublicURL(_ context.Context, d *doctor) finding {
	if d.cfg.Addr == "" && d.cfg.PublicURL == "" {
		return skipped("the configuration of the HTTP server is not right")
	}
	if d.cfg.CheckReach() != nil {
		return fail("set LEVERSYNC_PUBLIC_URL to the https URL by which others reach it, or listen on 127.0.0.1", "it is not set, and %s is reached from beyond this machine: serve and api do not start", d.cfg.Addr)
	}
	if d.cfg.PublicURL == "" {
		return warn("set LEVERSYNC_PUBLIC_URL to the https URL by which others reach it", "it is not set: magic links point to %s", publicURL(d.cfg))
	}
	u, err := url.Parse(d.cfg.PublicURL)
	switch {
	case err != nil:
		return fail("set LEVERSYNC_PUBLIC_URL to an absolute URL", "it can't be read")
	case u.Scheme != "https":
		return warn("put TLS before it, and set LEVERSYNC_PUBLIC_URL to the https URL", "%s is not https: keys and tokens travel in the clear", d.cfg.PublicURL)
	}
	return ok("%s", d.cfg.PublicURL)
}

// checkWebhooks tells whether the webhooks that are on can come, and do.
func checkWebhooks(ctx context.Context, d *doctor) finding {
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	w, err := d.store.WebhookStanding(ctx, silentWebhooks)
	switch {
	case err != nil:
		return skipped("the tables can't be asked: is the schema this version's?")
	case w.On == 0:
		return ok("off: changes are found by the syncs")
	case !strings.HasPrefix(d.cfg.PublicURL, "https://"):
		return warn("set LEVERSYNC_PUBLIC_URL to the https URL by which Lever reaches it, and enable them again", "%s to take webhooks, and Lever sends to https alone", plural(w.On, "account"))
	case w.Unsigned > 0:
		return warn("leversync connector webhooks ID --signing-token-file FILE", "%s to take webhooks without a token that they are signed with", plural(w.Unsigned, "account"))
	case w.Silent > 0:
		return warn("have a Super Admin switch the events on in Lever's settings; `leversync connector webhooks ID` shows the URL",
			"of %s none has come for a week", plural(w.Silent, "account"))
	}
	return ok("on, for %s", plural(w.On, "account"))
}

// silentWebhooks is after how long without one an account that takes webhooks is told of.
const silentWebhooks = 7 * 24 * time.Hour

// checkPublicAnswers asks the public URL whether it is us who answer there.
func checkPublicAnswers(ctx context.Context, d *doctor) finding {
	if d.cfg.PublicURL == "" {
		return skipped("LEVERSYNC_PUBLIC_URL is not set")
	}
	const fix = "start `leversync serve`; check DNS, proxy and certificate"
	resp, err := d.get(ctx, d.cfg.PublicURL+"/healthz")
	if err != nil {
		return fail(fix, "%s does not answer: %v", d.cfg.PublicURL, cause(err))
	}
	defer resp.Body.Close()
	var v struct{ Status string }
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&v) != nil || v.Status != "ok" {
		return fail(fix, "%s/healthz answers %d, and not as leversync does", d.cfg.PublicURL, resp.StatusCode)
	}
	return ok("%s/healthz answers", d.cfg.PublicURL)
}

func (d *doctor) get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return d.http.Do(req)
}

func checkAPIKeys(_ context.Context, d *doctor) finding {
	return d.ofWorkload(func(w store.Workload) finding {
		if w.APIKeys == 0 {
			return warn("leversync apikey create --name NAME", "there is no key: nobody can use the API")
		}
		return ok("%s", plural(int64(w.APIKeys), "key"))
	})
}

// lever asks Lever's API without a credential: any answer shows that it can be reached.
func (d *doctor) lever(ctx context.Context) (*http.Response, time.Duration, error) {
	asked := time.Now()
	resp, err := d.get(ctx, d.cfg.LeverAPIURL+"/users?limit=1")
	if err != nil {
		return nil, 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	_ = resp.Body.Close()
	return resp, time.Since(asked), nil
}

func checkLever(ctx context.Context, d *doctor) finding {
	if d.cfg.LeverAPIURL == "" {
		return skipped("the configuration of Lever is not right")
	}
	resp, took, err := d.lever(ctx)
	switch {
	case err != nil:
		return fail("let this machine reach it over https; a proxy is named by HTTPS_PROXY", "%s can't be reached: %v", d.cfg.LeverAPIURL, cause(err))
	case resp.StatusCode >= 500:
		return warn("look at status.lever.co; syncs go on by themselves", "%s answers %d", d.cfg.LeverAPIURL, resp.StatusCode)
	case resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests:
		return warn("check LEVER_API_URL: Lever's is https://api.lever.co/v1", "%s answers %d to a call without a credential, which Lever does not", d.cfg.LeverAPIURL, resp.StatusCode)
	}
	return ok("%s answers in %s", d.cfg.LeverAPIURL, short(took))
}

func checkLeverClock(ctx context.Context, d *doctor) finding {
	if d.cfg.LeverAPIURL == "" {
		return skipped("the configuration of Lever is not right")
	}
	resp, took, err := d.lever(ctx)
	if err != nil {
		return skipped("Lever can't be reached")
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return skipped("Lever sends no date")
	}
	return judgeClock("Lever", time.Until(at), took+time.Second) // the header has whole seconds
}

func checkOAuthApp(_ context.Context, d *doctor) finding {
	switch {
	case d.cfg.LeverAuthURL == "":
		return skipped("the configuration of Lever is not right")
	case d.cfg.LeverClientID == "":
		return ok("none: accounts are linked by API key alone")
	case strings.HasPrefix(d.cfg.PublicURL, "http://") || d.cfg.PublicURL == "":
		return warn("set LEVERSYNC_PUBLIC_URL, and register LEVERSYNC_PUBLIC_URL/connect/callback with the app", "there is an app, but Lever sends people back to https URLs only")
	}
	return ok("accounts are linked by OAuth; callback %s/connect/callback", d.cfg.PublicURL)
}
