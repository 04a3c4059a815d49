package connect_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// hooks is a receiver of webhooks, and a connector that takes them.
type hooks struct {
	*env
	connector uuid.UUID
	secret    string
	srv       *httptest.Server

	mu      sync.Mutex
	results map[string]int
}

const hookToken = "the token that Lever signs with"

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{results: map[string]int{}}
	h.env = newEnv(t)
	cfg := h.env.cfg
	cfg.OnWebhook = func(result string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.results[result]++
	}
	handler, err := connect.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.srv = httptest.NewServer(handler.Webhooks())
	t.Cleanup(h.srv.Close)
	c, _, err := h.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "1", APIKey: "test-key"})
	if err != nil {
		t.Fatal(err)
	}
	h.connector, h.secret = c.ID, h.enable(c.ID, hookToken)
	return h
}

// enable lets a connector take webhooks that a token signs, and returns its path's secret.
func (h *hooks) enable(connector uuid.UUID, token string) string {
	h.t.Helper()
	ctx := h.t.Context()
	if err := h.db.Store.EnableWebhooks(ctx, connector); err != nil {
		h.t.Fatal(err)
	}
	if err := h.db.Store.AddWebhookTokens(ctx, connector, false, store.NewWebhookToken{Secret: token}); err != nil {
		h.t.Fatal(err)
	}
	w, err := h.db.Store.Webhooks(ctx, connector)
	if err != nil {
		h.t.Fatal(err)
	}
	return w.Secret
}

// body is a delivery, as Lever makes it.
type body map[string]any

func newDelivery(event, opportunity string) body {
	return body{"id": uuid.NewString(), "event": event, "triggeredAt": time.Now().UnixMilli(), "token": strings.ReplaceAll(uuid.NewString(), "-", "") + "0123456789abcdef",
		"data": map[string]any{"opportunityId": opportunity, "candidateId": "another-id", "contactId": "contact-of-" + opportunity}}
}

// signed signs it.
func (b body) signed(token string) body {
	mac := hmac.New(sha256.New, []byte(token))
	fmt.Fprintf(mac, "%v%v", b["token"], b["triggeredAt"])
	b["signature"] = hex.EncodeToString(mac.Sum(nil))
	return b
}

func (b body) with(key string, value any) body {
	b[key] = value
	return b
}

func (b body) text() string {
	t, _ := json.Marshal(b)
	return string(t)
}

func (h *hooks) send(method, path, text string) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.srv.URL+path, strings.NewReader(text))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Lever-Webhooks")
	resp, err := h.srv.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(got))
}

func (h *hooks) hints() []string {
	h.t.Helper()
	return storetest.Column[string](h.db, `SELECT concat_ws(' ', kind, remote_id, nullif(array_to_string(scopes, ','), '')) FROM hints WHERE connector_id = $1 ORDER BY 1`, h.connector)
}

func TestWebhooksThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	other, _, err := h.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Other", OriginID: "2", APIKey: "test-key"})
	if err != nil {
		t.Fatal(err)
	}
	h.enable(other.ID, "another token")
	good := func() body { return newDelivery("candidateStageChange", "opportunity-1") }
	ms := func(d time.Duration) int64 { return time.Now().Add(d).UnixMilli() }
	path := connect.WebhookPath + h.secret
	for name, tc := range map[string]struct {
		method, path, text string
		status             int
		result             string
	}{
		"no signature":               {"POST", path, good().text(), 401, "bad_signature"},
		"an empty signature":         {"POST", path, good().with("signature", "").text(), 401, "bad_signature"},
		"a signature that is no hex": {"POST", path, good().with("signature", strings.Repeat("z", 64)).text(), 401, "bad_signature"},
		"half a signature": {"POST", path, func() string {
			b := good().signed(hookToken)
			return b.with("signature", b["signature"].(string)[:32]).text()
		}(), 401, "bad_signature"},
		"signed by nobody":          {"POST", path, good().signed("").text(), 401, "bad_signature"},
		"another connector's token": {"POST", path, good().signed("another token").text(), 401, "bad_signature"},
		"another token in it":       {"POST", path, good().signed(hookToken).with("token", "not what was signed").text(), 401, "bad_signature"},
		"another time in it":        {"POST", path, good().signed(hookToken).with("triggeredAt", ms(time.Second)).text(), 401, "bad_signature"},
		"old":                       {"POST", path, good().with("triggeredAt", ms(-5*time.Minute-time.Second)).signed(hookToken).text(), 400, "untimely"},
		"from the future":           {"POST", path, good().with("triggeredAt", ms(5*time.Minute+30*time.Second)).signed(hookToken).text(), 400, "untimely"},
		"a time in seconds":         {"POST", path, good().with("triggeredAt", time.Now().Unix()).signed(hookToken).text(), 400, "untimely"},
		"a time that is a text":     {"POST", path, good().with("triggeredAt", "yesterday").text(), 400, "malformed"},
		"no token":                  {"POST", path, good().with("token", "").signed(hookToken).text(), 400, "malformed"},
		"a token without end":       {"POST", path, good().with("token", strings.Repeat("t", 300)).signed(hookToken).text(), 400, "malformed"},
		"no JSON":                   {"POST", path, "event=candidateHired", 400, "malformed"},
		"nothing":                   {"POST", path, "", 400, "malformed"},
		"too large":                 {"POST", path, good().with("more", strings.Repeat("x", 1<<20)).signed(hookToken).text(), 413, "too_large"},
		"nobody's path":             {"POST", connect.WebhookPath + "nobody", good().signed(hookToken).text(), 404, "unknown"},
		"the connector's id":        {"POST", connect.WebhookPath + h.connector.String(), good().signed(hookToken).text(), 404, "unknown"},
		"a GET":                     {"GET", path, "", 405, ""},
		"a PUT":                     {"PUT", path, good().signed(hookToken).text(), 405, ""},
		"below the path":            {"POST", path + "/more", good().signed(hookToken).text(), 404, ""},
	} {
		status, text := h.send(tc.method, tc.path, tc.text)
		if status != tc.status || tc.result != "" && text != tc.result {
			t.Errorf("%s: %d %q; want %d %q", name, status, text, tc.status, tc.result)
		}
	}
	if got := h.hints(); len(got) != 0 {
		t.Errorf("what was refused left the hints %q", got)
	}
	if w, err := h.db.Store.Webhooks(t.Context(), h.connector); err != nil || w.ReceivedAt != nil {
		t.Errorf("what was refused counts as received at %v, %v", w.ReceivedAt, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.results["bad_signature"] != 8 || h.results["untimely"] != 3 || h.results["malformed"] != 5 || h.results["too_large"] != 1 || h.results["unknown"] != 2 {
		t.Errorf("counted: %v", h.results)
	}
	for _, leak := range []string{h.secret, hookToken, "opportunity-1"} {
		if strings.Contains(h.logs.String(), leak) {
			t.Errorf("the log holds %q: %s", leak, h.logs.String())
		}
	}
}

func TestWebhooksThatAreTaken(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	path := connect.WebhookPath + h.secret
	take := func(b body, want string) {
		t.Helper()
		if status, text := h.send("POST", path, b.text()); status != http.StatusOK || text != want {
			t.Errorf("%s: %d %q; want 200 %q", b["event"], status, text, want)
		}
	}
	for _, event := range lever.WebhookEvents {
		take(newDelivery(event, "opp-"+event).signed(hookToken), "taken")
	}
	want := []string{
		"contact contact-of-opp-contactCreated", "contact contact-of-opp-contactUpdated",
		"opportunity opp-applicationCreated attachments", "opportunity opp-candidateArchiveChange", "opportunity opp-candidateDeleted",
		"opportunity opp-candidateHired offers", "opportunity opp-candidateStageChange", "opportunity opp-interviewCreated scheduled-interviews,scorecards",
		"opportunity opp-interviewDeleted scheduled-interviews,scorecards", "opportunity opp-interviewUpdated scheduled-interviews,scorecards",
	}
	if got := h.hints(); !slices.Equal(got, want) {
		t.Errorf("hints = %q; want %q", got, want)
	}

	// Taken once: Lever sends again what was not acknowledged, and so may anybody who has seen one.
	h.db.Exec(`DELETE FROM hints`)
	again := newDelivery("candidateStageChange", "opportunity-1").signed(hookToken)
	take(again, "taken")
	h.db.Exec(`DELETE FROM hints`)
	take(again, "repeated")
	take(again.with("data", map[string]any{"opportunityId": "opportunity-2"}), "repeated") // the signature is not over it
	if got := h.hints(); len(got) != 0 {
		t.Errorf("a repeated delivery left the hints %q", got)
	}

	// About nothing: Lever's own test, and what names nothing that could be asked for.
	take(body{"triggeredAt": time.Now().UnixMilli(), "token": "a test", "event": "candidateHired", "data": map[string]any{}}.signed(hookToken), "empty")
	take(newDelivery("candidateHired", "../webhooks").signed(hookToken), "empty")
	take(newDelivery("candidateHired", strings.Repeat("a", 65)).signed(hookToken), "empty")
	take(newDelivery("somethingNew", "").signed(hookToken), "empty")
	take(newDelivery("somethingNew", "opportunity-3").signed(hookToken), "taken") // an event of tomorrow
	// At the edges of the window.
	take(newDelivery("candidateHired", "opportunity-3").with("triggeredAt", time.Now().Add(-5*time.Minute+30*time.Second).UnixMilli()).signed(hookToken), "taken")
	take(newDelivery("interviewCreated", "opportunity-3").with("triggeredAt", time.Now().Add(5*time.Minute-30*time.Second).UnixMilli()).signed(hookToken), "taken")
	if got, want := h.hints(), []string{"opportunity opportunity-3 offers,scheduled-interviews,scorecards"}; !slices.Equal(got, want) {
		t.Errorf("hints of one opportunity = %q; want %q", got, want)
	}
}

// TestSigningTokensRotate: what the old token has signed counts for as long as it can be on its way, and no longer.
func TestSigningTokensRotate(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	path := connect.WebhookPath + h.secret
	send := func(token string) int {
		t.Helper()
		status, _ := h.send("POST", path, newDelivery("candidateHired", "opportunity-1").signed(token).text())
		return status
	}
	if err := h.db.Store.AddWebhookTokens(t.Context(), h.connector, true, store.NewWebhookToken{Event: "candidateHired", RemoteID: "1", Secret: "the new one"}); err != nil {
		t.Fatal(err)
	}
	if was, is := send(hookToken), send("the new one"); was != 200 || is != 200 {
		t.Errorf("just rotated: %d with the old token, %d with the new one; want 200 both", was, is)
	}
	h.db.Exec(`UPDATE webhook_tokens SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL`)
	if was, is := send(hookToken), send("the new one"); was != 401 || is != 200 {
		t.Errorf("later: %d with the old token, %d with the new one; want 401, 200", was, is)
	}
	if err := h.db.Store.PruneWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Value[int](h.db, `SELECT count(*)::int FROM webhook_tokens`); n != 1 {
		t.Errorf("%d tokens are kept, want 1", n)
	}
	// Deliveries are forgotten after a day, when they are too old to be taken anyway.
	h.db.Exec(`UPDATE webhook_deliveries SET received_at = now() - interval '25 hours' WHERE hash = (SELECT hash FROM webhook_deliveries LIMIT 1)`)
	before := storetest.Value[int](h.db, `SELECT count(*)::int FROM webhook_deliveries`)
	if err := h.db.Store.PruneWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Value[int](h.db, `SELECT count(*)::int FROM webhook_deliveries`); n != before-1 {
		t.Errorf("%d deliveries are remembered, want %d", n, before-1)
	}
	if err := h.db.Store.DisableWebhooks(t.Context(), h.connector); err != nil {
		t.Fatal(err)
	}
	if got := send("the new one"); got != 404 {
		t.Errorf("once they are off: %d, want 404", got)
	}
}

// TestWebhooksWithPostgresAway: what can't be noted is not acknowledged, so that Lever sends it again.
func TestWebhooksWithPostgresAway(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	path := connect.WebhookPath + h.secret
	text := newDelivery("candidateHired", "opportunity-1").signed(hookToken).text()
	h.db.Exec(`ALTER TABLE webhook_deliveries RENAME TO away`)
	if status, _ := h.send("POST", path, text); status != http.StatusServiceUnavailable {
		t.Errorf("a delivery that can't be noted: %d, want 503", status)
	}
	h.db.Exec(`ALTER TABLE away RENAME TO webhook_deliveries`)
	if status, got := h.send("POST", path, text); status != http.StatusOK || got != "taken" {
		t.Errorf("sent again: %d %q, want 200 taken", status, got)
	}
}

// TestRegister registers with Lever, twice, and takes all back.
func TestRegister(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	client, err := lever.New(lever.Config{BaseURL: h.auth + "/v1", Auth: lever.APIKey("test-key")})
	if err != nil {
		t.Fatal(err)
	}
	public := "https://sync.example.com"
	url := connect.WebhookURL(public, h.secret)
	for range 2 { // again, with new tokens
		if err := connect.Register(t.Context(), h.db.Store, client, h.connector, public); err != nil {
			t.Fatalf("Register: %v", err)
		}
		got := h.lever.Webhooks()
		for _, event := range lever.WebhookEvents {
			if !slices.Equal(got[event], []string{url}) {
				t.Errorf("%s is sent to %q, want %q once", event, got[event], url)
			}
		}
		w, err := h.db.Store.Webhooks(t.Context(), h.connector)
		if err != nil || len(w.Tokens) != len(lever.WebhookEvents) || !w.Registered() {
			t.Errorf("Webhooks = %d tokens, %v; want one for each event", len(w.Tokens), err)
		}
	}
	if n := h.db.Find("signatureToken"); len(n) != 0 {
		t.Errorf("Postgres holds Lever's answer: %q", n)
	}
	clients := func(context.Context, uuid.UUID) (*lever.Client, error) { return client, nil }
	if err := connect.Unregister(t.Context(), h.db.Store, clients, h.connector, public); err != nil {
		t.Fatalf("Unregister: %v", err)
	}
	if got := h.lever.Webhooks(); len(got) != 0 {
		t.Errorf("Lever still sends %v", got)
	}
}

// TestRegisterIsRefused: without the permission the path is there, to be registered by hand.
func TestRegisterIsRefused(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	h.lever.Deny("", "webhooks")
	client, err := lever.New(lever.Config{BaseURL: h.auth + "/v1", Auth: lever.APIKey("test-key")})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.db.Store.DisableWebhooks(t.Context(), h.connector); err != nil {
		t.Fatal(err)
	}
	err = connect.Register(t.Context(), h.db.Store, client, h.connector, "https://sync.example.com")
	if lever.Classify(err) != lever.VerdictForbidden {
		t.Errorf("Register without the permission: %v; want what Lever says", err)
	}
	w, err := h.db.Store.Webhooks(t.Context(), h.connector)
	if err != nil || w.Secret == "" || w.Registered() {
		t.Errorf("Webhooks = %+v, %v; want a path, and nothing registered", w, err)
	}
}

// TestALinkAsksForWebhooks: the permission to register them is asked for where they are on, and nowhere else.
func TestALinkAsksForWebhooks(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, path := e.link("Acme")
	if a := e.browser().get(path); strings.Contains(a.body, connect.WebhookPermission) {
		t.Error("a link asks for webhooks, which are off")
	}
	if err := e.db.Store.EnableWebhooks(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if a := e.browser().get(path); !strings.Contains(a.body, connect.WebhookPermission) {
		t.Errorf("a link does not ask for webhooks, which are on: %d", a.status)
	}
}
