package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// grant is all that a sync asks for.
const grant = "offline_access opportunities:read:admin applications:read:admin contact:read:admin postings:read:admin " +
	"stages:read:admin archive_reasons:read:admin tags:read:admin users:read:admin interviews:read:admin feedback:read:admin offers:read:admin " +
	"files:read:admin resumes:read:admin confidential:access:admin"

// linkOAuth makes the test's connector, linked by OAuth.
func (e *env) linkOAuth(origin string, scopes ...unified.Scope) {
	e.t.Helper()
	access, refresh := e.lever.IssueToken(grant)
	conn, _, err := e.db.Store.CreateConnector(e.t.Context(), store.NewConnector{OrgName: "Acme", OriginID: origin, Scopes: scopes, RateLimit: fast, SyncInterval: 24 * time.Hour})
	if err != nil {
		e.t.Fatal(err)
	}
	if e.conn, err = e.db.Store.Link(e.t.Context(), conn.ID, store.Credential{Kind: "oauth", Secret: access, Refresh: refresh, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) oauth() lever.OAuthConfig {
	return lever.OAuthConfig{AuthURL: strings.TrimSuffix(e.url, "/v1"), ClientID: "test-client", ClientSecret: "test-secret", APIBaseURL: e.url}
}

// TestNemesisTokenExpiries: eight workers share an account whose access token ends again and again in the midst of
// their calls. Each end costs one refresh, whoever notices it, and no sync fails.
func TestNemesisTokenExpiries(t *testing.T) {
	t.Parallel()
	const workers = 8
	expiries := 5
	if long() {
		expiries = 100
	}
	e := bareEnv(t, levertest.Config{Seed: 80, Opportunities: 20, Postings: 3, RatePerSecond: -1, Confidential: true})
	e.linkOAuth("tokens", unified.DefaultScopes()...)
	for range workers {
		e.startWorker(worker.Config{OAuth: e.oauth(), Concurrency: 8})
	}
	e.startScheduler()
	e.served(time.Minute)
	e.check()
	for n := range expiries {
		before := e.lever.Refreshes()
		e.lever.ExpireAccessTokens()
		e.sync(false)
		result := tally{tried: 1, survived: 1}
		if got := e.lever.Refreshes() - before; got != 1 {
			result.survived, result.over = 0, got-1
			t.Errorf("expiry %d: %d refreshes with %d workers, want 1", n, got, workers)
		}
		ledger.add("token expiry, 8 workers", result)
	}
	e.check()
	if c, err := e.db.Store.Connector(t.Context(), e.conn.ID); err != nil || c.Status != "COMPLETE" {
		t.Errorf("the connector is %s (%v) after %d expiries, want COMPLETE", c.Status, err, expiries)
	}
}

// TestACrashInARefreshIsSeen: before Lever is asked and after the tokens are saved nothing is lost; between the two
// the refresh token is spent and gone, which the next cycle says in words.
func TestACrashInARefreshIsSeen(t *testing.T) {
	t.Parallel()
	for point, want := range map[string]string{store.PointRenewing: "COMPLETE", store.PointRenewed: "RELINK_NEEDED", store.PointSaved: "COMPLETE"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			e := bareEnv(t, levertest.Config{Seed: 81, Opportunities: 5, Postings: 3, RatePerSecond: -1, Confidential: true})
			e.linkOAuth(point, unified.Tags)
			cur, err := e.db.Store.Credential(t.Context(), e.conn.ID)
			if err != nil {
				t.Fatal(err)
			}
			e.lever.ExpireAccessTokens()
			e.dieRenewing(point, cur.Secret)
			before := e.lever.Refreshes()
			e.heal()
			c, err := e.db.Store.Connector(t.Context(), e.conn.ID)
			if err != nil || c.Status != want || (want == "COMPLETE") != (c.StatusReason == "") {
				t.Errorf("%s: the connector is %s (%q, %v), want %s", point, c.Status, c.StatusReason, err, want)
			}
			if tries := e.lever.Refreshes() - before; tries > 3 {
				t.Errorf("%s: %d refreshes after the crash, want at most 3", point, tries)
			}
			if want == "COMPLETE" {
				e.checkAlone(point, unified.Tags)
			}
		})
	}
}

// dieRenewing renews the connector's token, which Lever refuses, up to a failpoint.
func (e *env) dieRenewing(point, refused string) {
	e.t.Helper()
	defer func() {
		if recover() == nil {
			e.t.Errorf("%s: it never came there", point)
		}
	}()
	doomed := e.doomedStore(func(at string, _ uuid.UUID, _ string) {
		if at == point {
			panic(errCrash)
		}
	})
	_, _ = doomed.RenewCredential(e.t.Context(), e.conn.ID, refused, func(ctx context.Context, cur store.Credential) (store.Credential, error) {
		tok, err := e.oauth().Refresh(ctx, cur.Refresh)
		return store.Credential{Secret: string(tok.Access), Refresh: string(tok.Refresh), ExpiresAt: tok.ExpiresAt}, err
	})
}

// TestARevokedGrantStopsItsConnectorAlone: within one cycle, and after few tries.
func TestARevokedGrantStopsItsConnectorAlone(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 82, Opportunities: 5, Postings: 3, RatePerSecond: -1, Confidential: true})
	e.linkOAuth("revoked", unified.Tags, unified.RemoteUsers, unified.Jobs)
	revoked := e.conn
	e.only(unified.Tags, "beside")
	e.heal()
	e.lever.RevokeGrants()
	e.db.Exec(`UPDATE connector_scopes SET next_run_at = now()`)
	before := e.lever.CallsByStatus()[401]
	e.heal()
	if c, err := e.db.Store.Connector(t.Context(), revoked.ID); err != nil || c.Status != "RELINK_NEEDED" {
		t.Errorf("the connector is %s (%v) after its grant was revoked, want RELINK_NEEDED", c.Status, err)
	}
	if n := e.lever.CallsByStatus()[401] - before; n > 3*3 {
		t.Errorf("%d calls with the revoked grant, want at most 3 for each of 3 streams", n)
	}
	e.checkAlone("the connector beside", unified.Tags)
	if c, err := e.db.Store.Connector(t.Context(), e.conn.ID); err != nil || c.Status != "COMPLETE" {
		t.Errorf("the connector beside is %s (%v), want COMPLETE", c.Status, err)
	}
}

// TestARevokedGrantIsSeenAfterRenewals: by a process that has renewed the connector's token, too.
func TestARevokedGrantIsSeenAfterRenewals(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 88, Opportunities: 5, Postings: 3, RatePerSecond: -1, Confidential: true})
	e.linkOAuth("renewed", unified.Tags)
	e.start(worker.Config{OAuth: e.oauth()})
	e.wait(time.Now())
	e.lever.ExpireAccessTokens()
	e.sync(false)
	if n := e.lever.Refreshes(); n != 1 {
		t.Fatalf("%d refreshes after one expiry, want 1", n)
	}
	e.lever.ExpireAccessTokens()
	e.lever.RevokeGrants()
	e.ask(false)
	eventually(t, "the connector is RELINK_NEEDED", func() bool {
		c, err := e.db.Store.Connector(t.Context(), e.conn.ID)
		if err != nil {
			t.Fatal(err)
		}
		return c.Status == "RELINK_NEEDED"
	})
}

// TestAHangingTokenEndpointHoldsUpNobodyElse: Lever takes a call for a token, and does not answer, while the tokens of many
// connectors have ended. Whoever needs a connection to Postgres has one, and a connector beside is synced.
func TestAHangingTokenEndpointHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	const conns, connectors = 4, 20
	e := bareEnv(t, levertest.Config{Seed: 86, Opportunities: 3, Postings: 3, RatePerSecond: -1, Confidential: true})
	var asked, hanging, most atomic.Int64
	release := make(chan struct{})
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		n := hanging.Add(1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		<-release
		hanging.Add(-1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(auth.Close)
	for n := range connectors {
		e.linkOAuth(fmt.Sprint("ended ", n), unified.Tags, unified.RemoteUsers)
	}
	e.db.Exec(`UPDATE credentials SET expires_at = now() - interval '1 minute'`)
	small := e.storeOf(conns)
	oauth := e.oauth()
	oauth.AuthURL = auth.URL
	w := worker.New(worker.Config{Store: small, Redis: e.rdb, LeverURL: e.url, OAuth: oauth, Log: e.log})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Shutdown)
	t.Cleanup(func() { close(release) })
	e.startScheduler()
	e.until("a token is asked for", time.Minute, func() bool { return asked.Load() > 0 })
	e.only(unified.Tags, "beside")
	e.until("the connector beside is synced", 30*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := small.Ping(ctx); err != nil {
			t.Fatalf("no connection to Postgres within 2 s while %d calls for tokens hang: %v", hanging.Load(), err)
		}
		return scopeStatus(e, unified.Tags).State == "ok"
	})
	if n := most.Load(); n > conns/4 {
		t.Errorf("%d tokens were renewed at once with %d connections, want at most a quarter", n, conns)
	}
}

// TestARelinkedAccountUsesItsNewToken: a process that runs on, with an access token that is good for most of an hour still, makes
// no call with it once the account was linked again.
func TestARelinkedAccountUsesItsNewToken(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 87, Opportunities: 5, Postings: 3, RatePerSecond: -1, Confidential: true})
	e.linkOAuth("relinked", unified.Tags, unified.RemoteUsers)
	sent := &bearers{inner: lever.NewTransport(), calls: map[string]int{}}
	e.start(worker.Config{OAuth: e.oauth(), Transport: sent})
	e.wait(time.Now())
	waitIdle(e)
	old, err := e.db.Store.Credential(t.Context(), e.conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := sent.take()[old.Secret]; n == 0 {
		t.Fatal("no call was made with the first token: the test tests nothing")
	}
	access, refresh := e.lever.IssueToken(grant)
	if _, err := e.db.Store.Link(t.Context(), e.conn.ID, store.Credential{Kind: "oauth", Secret: access, Refresh: refresh, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	e.sync(false)
	if calls := sent.take(); calls[access] == 0 || len(calls) != 1 {
		t.Errorf("%d calls with the token of the new link, %d with that of the old one; want some, and none", calls[access], calls[old.Secret])
	}
	if n := e.lever.Refreshes(); n != 0 {
		t.Errorf("%d refreshes of tokens that are good for an hour, want none", n)
	}
}

// bearers counts calls by the token that they were sent with.
type bearers struct {
	inner http.RoundTripper

	mu    sync.Mutex
	calls map[string]int
}

func (b *bearers) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.calls[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]++
	b.mu.Unlock()
	return b.inner.RoundTrip(r)
}

// take returns the counts, and begins anew.
func (b *bearers) take() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = map[string]int{}
	return calls
}

// storeOf is another Store on the test's database, with so many connections.
func (e *env) storeOf(conns int32) *store.Store {
	e.t.Helper()
	keys, err := store.ParseKeyring(storetest.EncryptionKey)
	if err != nil {
		e.t.Fatal(err)
	}
	s, err := store.Open(e.t.Context(), store.Config{URL: e.db.URL, Keys: keys, MaxConns: conns})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(s.Close)
	return s
}
