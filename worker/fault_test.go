package worker_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

func TestASyncSurvivesAnUnkindLever(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]levertest.Fault{
		noName:                 nil,
		"429 without a word":   {{Kind: levertest.FaultStatus, Status: 429, Probability: 0.05}},
		"429 with a second":    {{Kind: levertest.FaultStatus, Status: 429, RetryAfter: "1", Times: 3}},
		"5xx":                  {{Kind: levertest.FaultStatus, Status: 503, Probability: 0.02}, {Kind: levertest.FaultStatus, Status: 500, Times: 2}},
		"429 half of the time": {{Kind: levertest.FaultStatus, Status: 429, RetryAfter: "0", Times: 60, Probability: 0.5}},
		"429 with no sense":    {{Kind: levertest.FaultStatus, Status: 429, RetryAfter: "soon", Times: 2}, {Kind: levertest.FaultStatus, Status: 429, RetryAfter: "-5", Times: 2}, {Kind: levertest.FaultStatus, Status: 429, RetryAfter: "Sat, 01 Jan 2000 00:00:00 GMT", Times: 2}},
		"5xx one in five":      {{Kind: levertest.FaultStatus, Status: 502, Probability: 0.2}},
		"resets and cuts":      {{Kind: levertest.FaultReset, Probability: 0.02}, {Kind: levertest.FaultTruncate, Probability: 0.02}},
		"malformed":            {{Kind: levertest.FaultHTML, Probability: 0.01}, {Kind: levertest.FaultCutJSON, Probability: 0.01}},
		"rows come twice":      {{Match: `^GET /(opportunities|users|postings|tags)$`, Kind: levertest.FaultDuplicate}},
		"page tokens expire":   {{Match: `^GET /opportunities$`, Kind: levertest.FaultExpiredToken, Times: 1}},
		"a page names itself":  {{Match: `^GET /opportunities$`, Kind: levertest.FaultLoop, Times: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range int64(amount(1, 5)) {
				unkind(t, 20+seed, name, faults)
			}
			ledger.add("unkind Lever: "+name, tally{tried: amount(1, 5), survived: amount(1, 5), failed: t.Failed()})
		})
	}
}

// noName is the trouble that Lever has no part in: its name is not to be resolved.
const noName = "no such host"

// unkind syncs an account amid faults. Each call that fails costs itself and no other: no list is read again for the sake of
// another, and none waits for more failures than its own.
func unkind(t *testing.T, seed int64, name string, faults []levertest.Fault) {
	t.Helper()
	e := newEnv(t, levertest.Config{Seed: seed, Opportunities: 120, RatePerSecond: -1, Confidential: true}, fast)
	cfg, lost := worker.Config{}, func() int { return 0 }
	if name == noName {
		cfg.Transport, lost = unresolved(40+int64(random(t).IntN(400)), time.Second)
	}
	for _, f := range faults {
		if _, err := e.lever.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	e.start(cfg)
	e.wait(time.Now())
	waitIdle(e)
	e.lever.ClearFaults()
	e.check()
	logged := storetest.Value[int](e.db, `SELECT count(*)::int FROM calls`)
	if logged != e.calls()+lost() {
		t.Errorf("the sync log has %d calls, Lever counted %d, and %d did not get so far", logged, e.calls(), lost())
	}
	failed := storetest.Value[int](e.db, `SELECT count(*)::int FROM calls WHERE status NOT BETWEEN 200 AND 299 OR error <> ''`)
	useful := storetest.Value[int](e.db, `SELECT sum(bound)::int FROM runs`)
	vain := max(0, logged-useful-failed) // they were made again, with the attempt that they had
	if vain > batch {                    // a batch, should a lease be lost on a busy machine
		t.Errorf("%d calls, %d of them useful, %d failed: the others were made in vain", logged, useful, failed)
	}
	for _, list := range storetest.Column[string](e.db, `WITH failed AS (SELECT path, attempt, count(*) AS n FROM calls WHERE status NOT BETWEEN 200 AND 299 OR error <> '' GROUP BY 1, 2)
SELECT format('%s of %s were attempt %s, after %s failures of attempt %s', count(*), c.path, c.attempt, coalesce(max(f.n), 0), c.attempt - 1)
FROM calls c LEFT JOIN failed f ON f.path = c.path AND f.attempt = c.attempt - 1 WHERE c.path LIKE '/opportunities/:id/%' AND c.attempt > 1
GROUP BY c.path, c.attempt HAVING count(*) > coalesce(max(f.n), 0) + $1`, vain) {
		t.Errorf("%s, and %d calls were made in vain", list, vain)
	}
	if name == noName && storetest.Value[int](e.db, `SELECT count(*)::int FROM calls WHERE status = 0 AND path LIKE '/opportunities/:id/%'`) == 0 {
		t.Error("no child list met the fault: the test tests nothing")
	}
}

// unresolved is a transport that, after so many calls, can't resolve Lever's name for so long, whoever asks: were it so many
// calls, those that the breaker lets through would have to use them up, one in some minutes. It asks for each. lost is how
// many calls did not get to Lever.
func unresolved(after int64, lasting time.Duration) (_ http.RoundTripper, lost func() int) {
	t := lever.NewTransport()
	t.DisableKeepAlives = true
	nobody := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
	dial := t.DialContext
	var asked, failed atomic.Int64
	var over atomic.Pointer[time.Time] // nil: the outage has not begun
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if asked.Add(1) > after {
			end := time.Now().Add(lasting)
			over.CompareAndSwap(nil, &end)
			if time.Now().Before(*over.Load()) {
				if _, err := nobody.LookupHost(ctx, "api.lever.example"); err != nil {
					failed.Add(1)
					return nil, err
				}
			}
		}
		return dial(ctx, network, addr)
	}
	return t, func() int { return int(failed.Load()) }
}

// TestWhatIsWellAgainIsNoLongerSetAside: a record that is stored was spoilt on its way, and comes again as it is stored.
func TestWhatIsWellAgainIsNoLongerSetAside(t *testing.T) {
	t.Parallel()
	for list, of := range map[string]struct {
		scope unified.Scope
		field string // to spoil
	}{
		"opportunities": {unified.Applications, ""}, "postings": {unified.Jobs, ""}, "users": {unified.RemoteUsers, "name"}, "tags": {unified.Tags, "text"},
	} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 22, Opportunities: 50, RatePerSecond: -1, Confidential: true}, fast)
			e.start(worker.Config{})
			e.wait(time.Now())
			e.spoil(levertest.Fault{Match: "^GET /" + list + "$", Kind: levertest.FaultPoison, Poison: levertest.PoisonWrongType, Field: of.field, Times: 1})
			e.sync(false)
			if n := scopeStatus(e, of.scope).Quarantined; n != 1 {
				t.Fatalf("%d %s set aside; want 1", n, of.scope)
			}
			e.sync(false)
			if n := scopeStatus(e, of.scope).Quarantined; n != 0 {
				t.Errorf("%d %s are still set aside", n, of.scope)
			}
			e.check()
		})
	}
}

// TestASurveyAnswerGoesThoughItsOpportunityWasSetAside: survey answers come by a list of their own, which is read in full
// only once in a while.
func TestASurveyAnswerGoesThoughItsOpportunityWasSetAside(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"delete_application", "delete_opportunity"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 22, Opportunities: 50, RatePerSecond: -1, Confidential: true}, fast)
			id := surveyed(e)
			e.spoil(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultPoison, Poison: levertest.PoisonWrongType, Record: id})
			e.start(worker.Config{})
			e.wait(time.Now())
			live := func() int {
				return storetest.Value[int](e.db, `SELECT count(*) FROM eeocs WHERE parent = $1 AND deleted_at IS NULL`, id)
			}
			if aside := scopeStatus(e, unified.Applications).Quarantined; aside != 1 || live() != 1 {
				t.Fatalf("%d opportunities set aside, %d survey answers of it; want one of each", aside, live())
			}
			e.lever.ClearFaults()
			if _, err := e.lever.Mutate(change, id); err != nil {
				t.Fatal(err)
			}
			e.sync(false)
			if n, aside := live(), scopeStatus(e, unified.Applications).Quarantined; n != 0 || aside != 0 {
				t.Errorf("%d survey answers and %d opportunities set aside are left", n, aside)
			}
			e.check()
		})
	}
}

// surveyed is an opportunity with an answer to the survey.
func surveyed(e *env) string {
	e.t.Helper()
	c, err := lever.New(lever.Config{BaseURL: e.url, Auth: lever.APIKey("test-key")})
	if err != nil {
		e.t.Fatal(err)
	}
	for page, err := range c.EEOResponses(e.t.Context(), lever.EEOOptions{}) {
		if err != nil || len(page.Items) == 0 {
			e.t.Fatalf("no survey answers: %v", err)
		}
		return page.Items[0].Value.OpportunityID
	}
	e.t.Fatal("no survey answers")
	return ""
}

func TestASpoiltRecordIsQuarantinedAndTheRestStored(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		poison      levertest.Poison
		quarantined int64
		sanitized   bool
	}{
		{levertest.PoisonWrongType, 1, false}, {levertest.PoisonNumber, 1, false}, {levertest.PoisonNUL, 0, true}, {levertest.PoisonSurrogate, 0, true},
	} {
		t.Run(string(p.poison), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 21, Opportunities: 50, RatePerSecond: -1, Confidential: true}, fast)
			id, _ := e.lever.Pick(levertest.WithApplication)
			if _, err := e.lever.Inject(levertest.Fault{Match: `^GET /opportunities$`, Kind: levertest.FaultPoison, Poison: p.poison, Record: id}); err != nil {
				t.Fatal(err)
			}
			e.start(worker.Config{})
			e.wait(time.Now())
			s := scopeStatus(e, unified.Applications)
			if s.State != "ok" || s.Quarantined != p.quarantined || s.Records != int64(50)-p.quarantined {
				t.Errorf("state %s (%s), %d records, %d quarantined; want ok, %d, %d", s.State, s.Reason, s.Records, s.Quarantined, 50-p.quarantined, p.quarantined)
			}
			q, err := e.db.Store.Quarantine(t.Context(), e.conn.ID, 10)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(q)) != p.quarantined || len(q) > 0 && (q[0].Key != id || q[0].Reason == "") {
				t.Errorf("quarantine %+v, want %d row of %s with a reason", q, p.quarantined, id)
			}
			if len(q) > 0 {
				if call, err := e.db.Store.QuarantineCall(t.Context(), q[0]); err != nil || call.Path != "/opportunities" || call.Status != 200 {
					t.Errorf("brought by %+v, %v; want the page's GET /opportunities", call, err)
				}
			}
			if n := storetest.Value[int64](e.db, `SELECT sum(sanitized) FROM runs`); (n > 0) != p.sanitized {
				t.Errorf("%d places cleaned, want some: %v", n, p.sanitized)
			}
			e.lever.ClearFaults()
			e.sync(true)
			e.check()
			if s := scopeStatus(e, unified.Applications); s.Quarantined != 0 {
				t.Errorf("%d quarantined once the record is sound again, want none", s.Quarantined)
			}
		})
	}
}

// TestARecordWithoutAStorableIDIsQuarantined: it can't be cleaned, and Postgres does not take its id. It is set aside by its
// hash, the rest of its page is stored, and that the record is not met under its own id proves nothing.
func TestARecordWithoutAStorableIDIsQuarantined(t *testing.T) {
	t.Parallel()
	for list, of := range map[string]struct {
		scope unified.Scope
		id    string
	}{"opportunities": {unified.Applications, "id"}, "postings": {unified.Jobs, "id"}, "users": {unified.RemoteUsers, "id"}, "tags": {unified.Tags, "text"}} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, levertest.Config{Seed: 24, Opportunities: 50, RatePerSecond: -1, Confidential: true}, fast)
			e.start(worker.Config{})
			e.wait(time.Now())
			before := len(e.records(of.scope))
			for field, p := range map[string]levertest.Poison{of.id: levertest.PoisonNUL, "beyond": levertest.PoisonNumber} {
				e.spoil(levertest.Fault{Match: "^GET /" + list + "$", Kind: levertest.FaultPoison, Poison: p, Field: field})
			}
			e.sync(true)
			s := scopeStatus(e, of.scope)
			if s.State != "ok" || s.Quarantined == 0 {
				t.Errorf("state %s (%s), %d quarantined; want ok, and some", s.State, s.Reason, s.Quarantined)
			}
			if n := storetest.Value[int](e.db, `SELECT count(*)::int FROM quarantine WHERE scope = $1 AND key = encode(raw_hash, 'hex')`, string(of.scope)); int64(n) != s.Quarantined {
				t.Errorf("%d are set aside by their hash, want all %d", n, s.Quarantined)
			}
			if n := len(e.records(of.scope)); n != before {
				t.Errorf("%d records of %d are left, want all", n, before)
			}
			e.lever.ClearFaults()
			e.sync(true)
			e.check()
		})
	}
}

func TestRecordedAnswersMapWithoutQuarantine(t *testing.T) {
	t.Parallel()
	fsys := fixtures(t)
	e := bareEnv(t, levertest.Config{RatePerSecond: -1})
	var err error
	if e.lever, err = levertest.NewRecorded(fsys, levertest.Config{RatePerSecond: -1, Confidential: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.lever.Close)
	url, stop, err := levertest.Serve("127.0.0.1:0", e.lever)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	e.url = url + "/v1"
	e.conn, _, err = e.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Recorded", OriginID: "r", APIKey: "test-key", Scopes: unified.Scopes, RateLimit: fast})
	if err != nil {
		t.Fatal(err)
	}
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
	for sc, least := range map[unified.Scope]int64{unified.Applications: 100, unified.Jobs: 6, unified.RemoteUsers: 11, unified.JobInterviewStages: 11,
		unified.Tags: 53, unified.RejectReasons: 11, unified.EEOCs: 3, unified.Offers: 1, unified.ScheduledInterviews: 1, unified.Scorecards: 1} {
		if s := scopeStatus(e, sc); s.State != "ok" || s.Records < least || s.Quarantined != 0 {
			t.Errorf("%s: %s, %d records, %d quarantined; want ok, at least %d, none", sc, s.State, s.Records, s.Quarantined, least)
		}
	}
}

// fixtures is the folder of recorded answers: beside the checkout, or where LEVERSYNC_FIXTURES says.
func fixtures(t *testing.T) fs.FS {
	t.Helper()
	dir := os.Getenv("LEVERSYNC_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no recorded answers at %s: set LEVERSYNC_FIXTURES to their folder", dir)
	}
	return os.DirFS(dir)
}

// TestTokensAreRenewedOnce: many workers, one refresh for each expiry, and the pair is saved before its use.
func TestTokensAreRenewedOnce(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 22, Opportunities: 150, RatePerSecond: -1, Confidential: true, TokenLife: time.Hour})
	access, refresh := e.lever.IssueToken("offline_access opportunities:read:admin applications:read:admin contact:read:admin postings:read:admin " +
		"stages:read:admin archive_reasons:read:admin tags:read:admin users:read:admin interviews:read:admin feedback:read:admin offers:read:admin " +
		"files:read:admin resumes:read:admin confidential:access:admin")
	conn, _, err := e.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "o", Scopes: unified.DefaultScopes(), RateLimit: fast})
	if err != nil {
		t.Fatal(err)
	}
	if e.conn, err = e.db.Store.Link(t.Context(), conn.ID, store.Credential{Kind: "oauth", Secret: access, Refresh: refresh, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	oauth := lever.OAuthConfig{AuthURL: strings.TrimSuffix(e.url, "/v1"), ClientID: "test-client", ClientSecret: "test-secret", APIBaseURL: e.url}
	e.lever.ExpireAccessTokens()
	for range 4 {
		e.startWorker(worker.Config{OAuth: oauth})
	}
	e.startScheduler()
	e.wait(time.Now())
	e.checkScope(unified.Applications)
	if n := e.lever.Refreshes(); n != 1 {
		t.Errorf("%d refreshes after one expiry with 4 workers, want 1", n)
	}

	e.lever.ExpireAccessTokens()
	e.lever.RevokeGrants()
	at, err := e.db.Store.Request(t.Context(), e.conn.ID, []unified.Scope{unified.Tags}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	_ = at
	for range 400 {
		c, err := e.db.Store.Connector(t.Context(), e.conn.ID)
		if err != nil {
			t.Fatal(err)
		}
		if c.Status == "RELINK_NEEDED" {
			return
		}
		time.Sleep(50 * time.Millisecond) // the worker's doing: there is no signal to wait for
	}
	t.Error("a revoked grant did not make the connector RELINK_NEEDED within 20 s")
}
