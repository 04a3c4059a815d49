package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/cmd/leversync/internal/dashboard"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
)

// canaries are secrets, which may be nowhere, and texts of a person, which may be in the person's records alone.
var canaries = struct{ secrets, personal map[string]string }{
	secrets: map[string]string{
		"Lever's API key":       "canary-lever-key-5f1c9a",
		"OAuth client secret":   "canary-client-secret-77ab",
		"OAuth access token":    "canary-access-token-02ff",
		"OAuth refresh token":   "canary-refresh-token-9d3e",
		"encryption key":        testKey,
		"operator's password":   "canary-operator-password",
		"a password that fails": "canary-wrong-password",
	},
	personal: map[string]string{
		"name":           "Wilhelmina Zylberstein",
		"e-mail address": "wilhelmina@zylberstein.example",
		"telephone":      "+44 7700 900987",
		"note":           "canary-note-of-the-call",
		"resume":         "canary-text-of-the-resume",
		"file's name":    "canary-curriculum.txt",
	},
}

// echoing is a Lever at its worst: every few calls fail, with all that the caller sent, and a person, in the answer.
type echoing struct {
	lever http.Handler
	mu    sync.Mutex
	n     int // calls
	bad   int // of them
	posts int
}

func (e *echoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.n++
	fails := e.n%6 == 0 || strings.HasPrefix(r.URL.Path, "/oauth/") || strings.HasSuffix(r.URL.Path, "/tags")
	kind := e.bad % 4
	if strings.HasPrefix(r.URL.Path, "/v1/") && r.Method == http.MethodPost { // the first is refused, in so many words
		fails, kind = e.posts == 0, 0
		e.posts++
	}
	if fails {
		e.bad++
	}
	e.mu.Unlock()
	if !fails {
		e.lever.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	user, _, _ := r.BasicAuth()
	echo := fmt.Sprintf("%s %s %s %s %s %v", r.Header.Get("Authorization"), user, r.URL, body, strings.Join(values(canaries.personal), " "), values(canaries.secrets))
	status := []int{http.StatusBadRequest, http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusOK}[kind]
	w.Header().Set("Retry-After", "0")
	w.Header().Set("X-Echo", strings.ReplaceAll(echo, "\n", " "))
	w.WriteHeader(status)
	if kind%2 == 0 {
		fmt.Fprintf(w, `{"code": %q, "message": %q, "error": %q, "error_description": %q}`, echo, echo, echo, echo)
		return
	}
	fmt.Fprintf(w, "<html>%s</html>", echo)
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// Whatever goes wrong, no secret, and nothing of a person, is where it does not belong: in logs at level debug, metrics,
// traces, what strangers are answered, the sync log, Redis and every command that it was sent, a support bundle, the dashboard,
// asynqmon; and no secret is in any column of Postgres, nor in what pg_dump writes of it.
func TestCanaries(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	redisServer := c.withRedis()
	commands := redisServer.Overhear()
	fake := levertest.New(levertest.Config{Seed: 77, Opportunities: 25, RatePerSecond: -1, APIKeys: []string{canaries.secrets["Lever's API key"]},
		ClientSecret: canaries.secrets["OAuth client secret"]})
	t.Cleanup(fake.Close)
	lever := httptest.NewServer(&echoing{lever: fake})
	t.Cleanup(lever.Close)
	traces := newReceiver(t)
	for name, value := range map[string]string{
		"LEVER_API_URL": lever.URL + "/v1", "LEVER_AUTH_URL": lever.URL, "LEVER_CLIENT_ID": "test-client", "LEVER_CLIENT_SECRET": canaries.secrets["OAuth client secret"],
		"LEVERSYNC_OPERATOR_PASSWORD": canaries.secrets["operator's password"], "LEVERSYNC_LOG_LEVEL": "debug", "LEVERSYNC_METRICS_CONNECTORS": "10",
		"OTEL_EXPORTER_OTLP_ENDPOINT": traces.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20a%20b",
	} {
		c.env[name] = value
	}
	secrets := map[string]string{}
	for name, value := range canaries.secrets {
		secrets[name] = value
	}
	serve := c.start("serve")
	base := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	created := decode[map[string]any](t, c.must("connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--json"))
	link := created["magic_link"].(string)
	secrets["magic link"], secrets["connector's token"] = link[strings.LastIndex(link, "/")+1:], created["connector_token"].(string)
	secrets["API key"] = decode[map[string]any](t, c.must("apikey", "create", "--name", "canary", "--json"))["api_key"].(string)
	connector := uuid.MustParse(created["connector_id"].(string))
	seen := map[string]string{}

	// It is linked on its page, where Lever's moods show, too.
	b := newBrowser(t)
	b.get(base + link[strings.Index(link, "/connect/"):])
	if _, err := c.db.Store.Link(t.Context(), connector, store.Credential{Kind: "api_key", Secret: canaries.secrets["Lever's API key"]}); err != nil {
		t.Fatal(err)
	}
	synced := c.run("sync", connector.String(), "--wait") // scopes fail: that is what is wanted
	seen["sync"] = synced.out + synced.err
	client := canaryClient{t: t, base: base, key: secrets["API key"], token: secrets["connector's token"]}
	client.write(seen)
	revokedLink(t, c, seen)
	client.strangers(connector, secrets, seen)
	login(t, base, connector, secrets["connector's token"], seen)
	seen["Redis"] = redisDump(t, redisServer.URL)
	_, seen["metrics"] = get(t, base+"/metrics")
	seen["support bundle"] = c.must("support-bundle", "--show")
	seen["calls"], seen["status"], seen["doctor"] = c.must("calls", "--json"), c.must("status", "--json"), c.run("doctor", "--json").out
	serve.stop()
	seen["commands to Redis"] = commands()
	seen["log"], seen["output"] = serve.stderr.text(), serve.stdout.text()
	traces.mu.Lock()
	seen["traces"] = traces.raw.String()
	traces.mu.Unlock()
	for _, name := range []string{"Redis", "commands to Redis", "sync", "metrics", "support bundle", "calls", "log", "traces", "strangers", "sign-in", "dashboard", "asynqmon"} {
		if len(seen[name]) < 100 {
			t.Errorf("%s: %d bytes were looked at: nothing is shown", name, len(seen[name]))
		}
	}
	for where, text := range seen {
		for what, canary := range secrets {
			tell(t, where, what, text, canary)
		}
		for what, canary := range canaries.personal {
			if where == "refused writes" { // who sent it may see it
				break
			}
			tell(t, where, what, text, canary)
		}
	}
	c.columns(secrets)
	c.dump(secrets)
}

// tell tells of a canary with what is around it.
func tell(t testing.TB, where, what, text, canary string) {
	t.Helper()
	for _, form := range []string{canary, url.QueryEscape(canary), hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary + ":")),
		base64.StdEncoding.EncodeToString([]byte(canary[:len(canary)/3*3]))} {
		if i := strings.Index(text, form); i >= 0 {
			t.Errorf("%s: the %s is there: …%s…", where, what, text[max(0, i-120):min(len(text), i+len(form)+20)])
			return
		}
	}
}

// ofPersons are the tables that hold persons.
var ofPersons = map[string]bool{"candidates": true, "parents": true, "attachments": true, "activities": true, "outbox": true, "quarantine": true, "offers": true,
	"applications": true, "scorecards": true, "scheduled_interviews": true}

// columns looks into every column: secrets are in none, and of the person there are the records, and what was written.
func (c *cli) columns(secrets map[string]string) {
	c.t.Helper()
	for what, s := range secrets {
		for _, found := range c.db.Find(s) {
			c.t.Errorf("Postgres: the %s is in the clear: %s", what, found)
		}
	}
	found := c.db.Find(values(canaries.personal)...)
	for _, f := range found {
		_, column, _ := strings.Cut(f, "\" in ")
		if table, _, _ := strings.Cut(column, "."); !ofPersons[table] {
			c.t.Errorf("Postgres: %s, where no person belongs", f)
		}
	}
	if len(found) == 0 {
		c.t.Error("the person is in no column: nothing was written, and nothing is shown")
	}
}

// dump looks into a backup: no secret is in it in the clear, and of the person nothing beside the tables of persons.
func (c *cli) dump(secrets map[string]string) {
	c.t.Helper()
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		program, err = exec.LookPath(filepath.Join(os.Getenv("LEVERSYNC_TEST_POSTGRES_BIN"), "pg_dump"))
	}
	if err != nil {
		c.t.Log("there is no pg_dump here: no backup was looked at, but its columns alone")
		return
	}
	out, err := exec.Command(program, "--dbname="+c.db.URL).Output()
	if err != nil {
		c.t.Fatalf("%s: %v", program, err)
	}
	persons := 0
	for block := range strings.SplitSeq(string(out), "\n\\.\n") { // a table's rows end so
		_, of, rows := strings.Cut(block, "\nCOPY leversync.")
		table, _, _ := strings.Cut(of, " ")
		for what, s := range secrets {
			tell(c.t, "pg_dump of "+table, what, block, s)
		}
		if rows && ofPersons[table] {
			persons++
			continue
		}
		for what, s := range canaries.personal {
			tell(c.t, "pg_dump of "+table, what, block, s)
		}
	}
	if persons != len(ofPersons) {
		c.t.Errorf("%d tables of persons in the backup, want %d: it was read wrongly", persons, len(ofPersons))
	}
}

// canaryClient asks as a customer, and keeps on while Lever is in a mood.
type canaryClient struct {
	t                *testing.T
	base, key, token string
}

func (a canaryClient) send(method, path, key, token, body string) (int, string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Connector-Token", token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Idempotency-Key", "canary "+path)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header, string(b))
}

// write makes the person, a note and a file. What is refused is told without what Lever has said.
func (a canaryClient) write(seen map[string]string) {
	a.t.Helper()
	p := canaries.personal
	first := func(collection string) string {
		_, body := a.send("GET", "/api/ats/v1/"+collection+"?page_size=1", a.key, a.token, "")
		_, rest, _ := strings.Cut(body, `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	person := fmt.Sprintf(`{"data": {"first_name": "Wilhelmina", "last_name": "Zylberstein", "email_addresses": [%q], "phone_numbers": [%q], "job_id": %q}, "remote_user": %q}`,
		p["e-mail address"], p["telephone"], first("jobs"), first("remote-users"))
	id := ""
	for range 12 {
		status, body := a.send("POST", "/api/ats/v1/candidates", a.key, a.token, person)
		if status < 300 {
			_, rest, _ := strings.Cut(body, `"id":"`)
			id, _, _ = strings.Cut(rest, `"`)
			break
		}
		seen["refused writes"] += body
	}
	if id == "" {
		a.t.Fatalf("the person could not be written: %s", seen["refused writes"])
	}
	for path, body := range map[string]string{
		"/api/ats/v1/activities": fmt.Sprintf(`{"user": %q, "activity_type": "NOTE", "body": %q, "visibility": "PRIVATE", "candidate": %q}`, first("remote-users"), p["note"], id),
		"/api/ats/v1/candidates/" + id + "/attachments": fmt.Sprintf(`{"file_name": %q, "file_content": %q, "content_type": "text/plain", "remote_user_id": %q}`,
			p["file's name"], base64.StdEncoding.EncodeToString([]byte(p["resume"])), first("remote-users")),
	} {
		for range 12 {
			status, answer := a.send("POST", path, a.key, a.token, body)
			if status < 300 {
				break
			}
			seen["refused writes"] += answer
		}
	}
}

// strangers ask for what is not theirs, with and without pieces of what is.
func (a canaryClient) strangers(connector uuid.UUID, secrets map[string]string, seen map[string]string) {
	a.t.Helper()
	for _, path := range []string{"/api/ats/v1/candidates", "/api/ats/v1/candidates?cursor=" + url.QueryEscape(secrets["API key"]), "/api/v1/calls", "/connect/" + secrets["magic link"] + "x",
		"/connect/callback?state=x&code=" + secrets["magic link"], "/api/ats/v1/connectors", "/api/v1/connectors/" + connector.String() + "/erasures", "/connectors/" + connector.String(), "/nowhere", "/docs", "/openapi.json", "/readyz",
		"/api/ats/v1/candidates/" + connector.String() + "?expand=" + url.QueryEscape(secrets["API key"])} {
		for _, key := range []string{"", secrets["API key"] + "x", secrets["connector's token"]} {
			status, body := a.send("GET", path, key, secrets["connector's token"]+"x", "")
			seen["strangers"] += fmt.Sprintln(path[:min(len(path), 20)], status, body)
		}
	}
}

// revokedLink syncs an account whose tokens Lever does not take, and says so with the tokens in the answer.
func revokedLink(t *testing.T, c *cli, seen map[string]string) {
	t.Helper()
	made := decode[map[string]any](t, c.must("connector", "create", "--org-name", "Other", "--origin-id", "other-1", "--json"))
	id := uuid.MustParse(made["connector_id"].(string))
	if _, err := c.db.Store.Link(t.Context(), id, store.Credential{Kind: "oauth", Secret: canaries.secrets["OAuth access token"],
		Refresh: canaries.secrets["OAuth refresh token"], ExpiresAt: time.Now().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	o := c.run("sync", id.String(), "--wait", "--scope", "tags")
	seen["sync of a revoked grant"] = o.out + o.err
}

// login fails, and then opens the dashboard, and looks at all that is there, asynqmon too. What it shows of the person is
// where an operator looks a record up: in quarantine.
func login(t *testing.T, base string, connector uuid.UUID, token string, seen map[string]string) {
	t.Helper()
	b := newBrowser(t)
	look := func(method, path string, form url.Values) string { // whatever its status: errors are looked at, too
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintln(path, resp.Status, resp.Header.Values("Location"), string(body))
	}
	for _, password := range []string{canaries.secrets["a password that fails"], canaries.secrets["operator's password"]} {
		seen["sign-in"] += look(http.MethodPost, "/login", url.Values{"password": {password}})
	}
	for _, route := range dashboard.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		if path = strings.NewReplacer("{id}", connector.String(), "{$}", "").Replace(path); method != http.MethodGet || strings.Contains(path, "{") || strings.HasSuffix(path, "/quarantine") {
			continue
		}
		page := look(http.MethodGet, path, nil)
		if strings.Contains(page, "Operator's password") {
			t.Fatalf("GET %s: the dashboard is not open: nothing is shown", path)
		}
		if strings.HasSuffix(path, "/use") { // where the operator is given the connector's token
			page = strings.ReplaceAll(page, token, "")
		}
		seen["dashboard"] += page
	}
	paths := []string{"", "api/queues", "api/servers", "api/scheduler_entries", "api/redis_info", "api/queue_stats"}
	for _, queue := range []string{"sync", "backfill"} {
		paths = append(paths, "api/queues/"+queue)
		for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
			paths = append(paths, "api/queues/"+queue+"/"+state+"_tasks?size=1000&page=1")
		}
	}
	for _, path := range paths {
		seen["asynqmon"] += look(http.MethodGet, "/queues/monitor/"+path, nil)
	}
	if !strings.Contains(seen["asynqmon"], connector.String()) && !strings.Contains(seen["asynqmon"], `"queues":[{`) {
		t.Errorf("asynqmon shows no queue: %.300s", seen["asynqmon"])
	}
}

// redisDump is every key with all of its value.
func redisDump(t *testing.T, at string) string {
	t.Helper()
	opt, err := redis.ParseURL(at)
	if err != nil {
		t.Fatal(err)
	}
	db := redis.NewClient(opt)
	defer db.Close()
	ctx := t.Context()
	var out strings.Builder
	keys := db.Scan(ctx, 0, "", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		var value any
		switch db.Type(ctx, key).Val() {
		case "string":
			value = db.Get(ctx, key).Val()
		case "hash":
			value = db.HGetAll(ctx, key).Val()
		case "list":
			value = db.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = db.SMembers(ctx, key).Val()
		case "zset":
			value = db.ZRangeWithScores(ctx, key, 0, -1).Val()
		}
		fmt.Fprintf(&out, "%s = %v\n", key, value)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
