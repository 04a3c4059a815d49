package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// Whoever guesses keys is soon refused unseen; whoever has one, at the same address, is not.
func TestKeysAreNotGuessed(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *Config) { c.RateLimitPerMinute = 5 })
	seen := map[int]int{}
	for i := range 12 {
		key := e.key[:len(e.key)-8] + fmt.Sprintf("%08x", i) // its checksum is wrong, but for once in a while
		a := e.do("GET", ats+"tags", "Authorization", "Bearer "+key, "X-Connector-Token", e.token)
		seen[a.status]++
		if a.status == 429 && a.header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if seen[401] != 5 || seen[429] != 7 {
		t.Errorf("12 guesses: %v; want 5 refused as keys, and 7 unseen", seen)
	}
	if a := e.get(ats + "tags"); a.status != 200 {
		t.Errorf("the key itself, from the same address: %d; want 200", a.status)
	}
}

// An IPv6 network is one address: everybody has 2^64 of those.
func TestAddressBucket(t *testing.T) {
	t.Parallel()
	of := func(remote string) string { return addressBucket(&http.Request{RemoteAddr: remote}) }
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true}, {"192.0.2.1:1", "192.0.2.2:1", false}, {"[::ffff:192.0.2.1]:1", "192.0.2.1:1", true},
		{"[2001:db8::1]:1", "[2001:db8::ffff:1]:9", true}, {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false}, {"[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
		{"@", "@", true},
	} {
		if got := of(c.a) == of(c.b); got != c.same {
			t.Errorf("%s and %s count together: %t; want %t (%s, %s)", c.a, c.b, got, c.same, of(c.a), of(c.b))
		}
	}
}

// What a body sets that is not its sender's to set is refused, or ignored and told of; it never holds.
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other, otherToken := d.newConnector()
	const planted = "00000000-0000-4000-8000-00000000beef"
	hidden := []string{"id", "ID", "remote_id", "connector_id", "connector", "raw", "raw_data", "raw_hash", "body_hash", "version", "created_at", "modified_at", "deleted_at", "is_deleted",
		"applications", "attachments", "remote_created_at", "perform_as", "performAs", "contact", "__proto__", "constructor", "data", "org_name", "status"}
	n := 0
	for _, place := range []string{"", "data."} {
		for _, name := range hidden {
			if place == "" && name == "data" {
				continue // that is the body's shape
			}
			body := d.person(1000 + n)
			if name == "contact" || name == "perform_as" || name == "performAs" || name == "applications" {
				body = with(body, place+name, []string{planted})
			} else {
				body = with(body, place+name, planted)
			}
			n++
			a := d.post(candidatesPath, body, "X-Idempotency-Key", fmt.Sprint("plant ", n))
			if a.status != http.StatusOK {
				t.Errorf("%s%s: %d %s; want 200, the field ignored", place, name, a.status, a.body)
				continue
			}
			if bytes.Contains(a.body, []byte("00000000beef")) {
				t.Errorf("%s%s: the answer has what was planted: %s", place, name, a.body)
			}
			if got := a.header.Get("X-Ignored-Fields"); got != place+name {
				t.Errorf("%s%s: X-Ignored-Fields = %q; want it named", place, name, got)
			}
		}
	}
	if found := d.db.Find("00000000beef"); len(found) != 0 {
		t.Errorf("what was planted is in Postgres: %q", found)
	}
	if a := d.do("GET", candidatesPath, "Authorization", "Bearer "+d.key, "X-Connector-Token", otherToken); len(a.items(t)) != 0 {
		t.Errorf("connector %s has %d candidates; want none", other.ID, len(a.items(t)))
	}
	t.Logf("%d fields", n)
}

// The same of what manages: no key makes itself another, no connector another's.
func TestMassAssignmentOfKeysAndConnectors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	reader := e.newKey([]string{store.KeyRead})
	state := func() string {
		return storetest.Value[string](e.db, `SELECT (SELECT md5(string_agg(to_jsonb(k) - 'last_used_at' || '{}'::jsonb #>> '{}', '' ORDER BY k.id)) FROM api_keys k) || (SELECT md5(string_agg(c::text, '' ORDER BY c.id)) FROM connectors c)`)
	}
	before := state()
	for _, c := range []struct{ name, method, path, body string }{
		{"an unknown scope", "POST", "/api/v1/api-keys", `{"name":"x","scopes":["root"]}`},
		{"no scopes", "POST", "/api/v1/api-keys", `{"name":"x","scopes":[]}`},
		{"scopes twice", "POST", "/api/v1/api-keys", `{"name":"x","scopes":["read","read"]}`},
		{"a text for scopes", "POST", "/api/v1/api-keys", `{"name":"x","scopes":"admin"}`},
		{"a null name", "POST", "/api/v1/api-keys", `{"name":null,"scopes":["read"]}`},
		{"a name of spaces", "POST", "/api/v1/api-keys", `{"name":"  ","scopes":["read"]}`},
		{"U+0000 in a name", "POST", "/api/v1/api-keys", `{"name":"a\u0000b","scopes":["read"]}`},
		{"a key that is there already", "POST", "/api/v1/api-keys", `{"name":"x","scopes":["read"],"scopes":["root"]}`},
		{"a scope of no connector", "PATCH", "/api/v1/connectors/" + e.conn.ID.String() + "/scopes", `{"scopes":{"connectors":true}}`},
		{"scopes as a list", "PATCH", "/api/v1/connectors/" + e.conn.ID.String() + "/scopes", `{"scopes":["tags"]}`},
		{"no category of ours", "POST", createLinkToken, `{"end_user_data":{"org_name":"Acme","origin_id":"a1"},"category":"HRIS","integration":"lever"}`},
		{"no integration of ours", "POST", createLinkToken, `{"end_user_data":{"org_name":"Acme","origin_id":"a1"},"category":"ATS","integration":"greenhouse"}`},
	} {
		if a := e.send(e.key, c.method, c.path, c.body); a.status != 422 && a.status != 403 {
			t.Errorf("%s: %d %s; want it refused", c.name, a.status, a.body)
		}
	}
	for _, path := range []string{"/api/v1/api-keys", "/api/v1/connectors/" + e.conn.ID.String() + "/token"} {
		if a := e.send(reader, "POST", path, `{"name":"x","scopes":["admin"]}`); a.status != 403 {
			t.Errorf("POST %s with a key that reads: %d %s; want 403", path, a.status, a.body)
		}
	}
	if after := state(); after != before {
		t.Error("a request that was refused changed a key or a connector")
	}
	// Fields that nobody asked for change nothing of what is made.
	id := uuid.NewString()
	a := e.send(e.key, "POST", "/api/v1/api-keys", `{"name":"x","scopes":["read"],"id":"`+id+`","api_key":"lvs_mine","hash":"00","created_at":"2001-01-01T00:00:00Z","last_used_at":null,"revoked_at":null}`)
	k := a.json(t)
	if a.status != 201 || k["id"] == id || k["api_key"] == "lvs_mine" || strings.HasPrefix(fmt.Sprint(k["created_at"]), "2001") || fmt.Sprint(k["scopes"]) != "[read]" {
		t.Errorf("a key with an id, a secret and an age of its own: %d %v; want one of ours", a.status, k)
	}
	a = e.send(e.key, "POST", createLinkToken, `{"end_user_data":{"org_name":"Acme","origin_id":"a1"},"category":"ATS","integration":"lever","connector_id":"`+e.conn.ID.String()+`","status":"COMPLETE","link_token":"mine"}`)
	l := a.json(t)
	if a.status != 200 || l["connector_id"] == e.conn.ID.String() || l["link_token"] == "mine" ||
		storetest.Value[string](e.db, `SELECT status FROM connectors WHERE id = $1::uuid`, l["connector_id"]) != "INCOMPLETE" {
		t.Errorf("a link to a connector that is there: %d %v; want a connector of its own, INCOMPLETE", a.status, l)
	}
}

// Bodies have limits, for whoever has a key too; for whoever has none, nothing is read.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := unified.ID(d.conn.ID, unified.Candidates, "none").String()
	large := strings.Repeat("x", 2<<20)
	nested := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, c := range []struct {
		name, method, path, body string
		status                   []int
	}{
		{"a candidate of 2 MiB", "POST", candidatesPath, `{"first_name":"` + large + `"}`, []int{413}},
		{"a note of 2 MiB", "POST", "/api/ats/v1/activities", `{"body":"` + large + `"}`, []int{413}},
		{"a key's name of 2 MiB", "POST", "/api/v1/api-keys", `{"name":"` + large + `","scopes":["read"]}`, []int{413}},
		{"a key's name of 201 characters", "POST", "/api/v1/api-keys", `{"name":"` + large[:201] + `","scopes":["read"]}`, []int{422}},
		{"scopes of 2 MiB", "PATCH", "/api/v1/connectors/" + d.conn.ID.String() + "/scopes", `{"scopes":{"` + large + `":true}}`, []int{413}},
		{"a link for 2 MiB", "POST", createLinkToken, `{"end_user_data":{"org_name":"` + large + `","origin_id":"a1"},"category":"ATS","integration":"lever"}`, []int{413}},
		{"5,000 objects in each other", "POST", candidatesPath, nested, []int{422}},
		{"20,000 objects in each other", "POST", candidatesPath, strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), []int{422}},
		{"an array of 100,000", "POST", candidatesPath, "[" + strings.Repeat("1,", 100_000) + "1]", []int{422}},
		{"no body", "POST", candidatesPath, "", []int{422}},
		{"no body for a key", "POST", "/api/v1/api-keys", "", []int{422}},
		{"a page of 201", "GET", ats + "candidates?page_size=201", "", []int{422}},
		{"a page of 2^63", "GET", ats + "candidates?page_size=9223372036854775808", "", []int{422}},
		{"1,001 ids", "GET", ats + "candidates?ids=" + strings.TrimSuffix(strings.Repeat(id+",", 1001), ","), "", []int{422}},
		{"a cursor of 4 KiB", "GET", ats + "candidates?cursor=" + large[:4096], "", []int{422}},
		{"an expansion of 4 KiB", "GET", ats + "applications?expand=" + strings.Repeat("job,", 1000), "", []int{422}},
		{"an idempotency key of 300 characters", "POST", candidatesPath, `{}`, []int{422}},
	} {
		headers := []string{}
		if strings.HasPrefix(c.name, "an idempotency") {
			headers = []string{"X-Idempotency-Key", large[:300]}
		}
		var a answer
		switch c.method {
		case "GET":
			a = d.get(c.path)
		case "POST":
			a = d.post(c.path, c.body, headers...)
		default:
			a = d.send(d.key, c.method, c.path, c.body)
		}
		if !slices.Contains(c.status, a.status) || len(a.body) > 8<<10 {
			t.Errorf("%s: %d with %d bytes %.200s; want %v and a short answer", c.name, a.status, len(a.body), a.body, c.status)
		}
		if !json.Valid(a.body) {
			t.Errorf("%s: %.200s; want JSON", c.name, a.body)
		}
	}
	for _, path := range []string{candidatesPath, candidatesPath + "/" + id + "/attachments", "/api/v1/api-keys"} {
		a := d.post(path, `{"name":"`+large+`"}`, "Authorization", "Bearer lvs_none")
		if a.status != 401 {
			t.Errorf("POST %s of 2 MiB without a key: %d; want 401, nothing read", path, a.status)
		}
	}
	if n := d.fake.CallsBy()["/opportunities"]; n != 0 {
		t.Errorf("Lever was asked %d times; want never", n)
	}
}

// A connector is given so many candidates a day and no more; what was written before is answered all the same, and
// what Lever refused does not count.
func TestDailyLimit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *Config) { c.DailyCandidates = 3 })
	send := func(n int) answer {
		return d.post(candidatesPath, d.person(n), "X-Idempotency-Key", fmt.Sprint("key ", n))
	}
	if _, err := d.fake.Inject(levertest.Fault{Match: "^POST ", Kind: levertest.FaultStatus, Status: 400, Times: 1}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{422, 200, 200, 200} {
		a := send(i)
		if a.status != want || want == 200 && (a.header.Get("X-DailyLimit-Limit") != "3" || a.header.Get("X-DailyLimit-Remaining") != fmt.Sprint(3-i)) {
			t.Errorf("candidate %d: %d %v %s; want %d, of 3 a day %d left", i, a.status, a.header, a.body, want, 3-i)
		}
	}
	sent := d.fake.CallsBy()["/opportunities"]
	a := send(4)
	after, _ := strconv.Atoi(a.header.Get("Retry-After"))
	reset, _ := strconv.ParseInt(a.header.Get("X-DailyLimit-Reset"), 10, 64)
	if a.status != 429 || after < 86_000 || after > 86_400 || reset < time.Now().Unix()+86_000 || a.header.Get("X-DailyLimit-Remaining") != "0" || !strings.Contains(string(a.body), "24 hours") {
		t.Errorf("one too many: %d %v %s; want 429, and to come back in a day", a.status, a.header, a.body)
	}
	if n := d.fake.CallsBy()["/opportunities"]; n != sent {
		t.Errorf("Lever was asked %d times more; want never", n-sent)
	}
	if a := send(1); a.status != 200 {
		t.Errorf("a candidate that was written, asked for again: %d %s; want its answer", a.status, a.body)
	}
	d.db.Exec(`UPDATE outbox SET created_at = now() - interval '23 hours 59 minutes' WHERE key = 'key 1'`)
	a = send(4)
	if after, _ := strconv.Atoi(a.header.Get("Retry-After")); a.status != 429 || after < 1 || after > 60 {
		t.Errorf("one too many, a minute before the first is a day old: %d, Retry-After %d; want 429 and up to a minute", a.status, after)
	}
	d.db.Exec(`UPDATE outbox SET created_at = now() - interval '24 hours 1 minute' WHERE key = 'key 1'`)
	if a := send(4); a.status != 200 {
		t.Errorf("a day after the first: %d %s; want 200", a.status, a.body)
	}
	// Another connector has its own; notes and files are not counted.
	c, token := d.newConnector()
	d.seed(c)
	d.conn, d.token = c, token
	if a := d.post(candidatesPath, d.person(9)); a.status != 200 {
		t.Errorf("another connector's first: %d %s; want 200", a.status, a.body)
	}
}

// Many at once are counted one by one.
func TestDailyLimitAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	var taken, refused atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			_, err := e.db.Store.ClaimWrite(t.Context(), store.NewWrite{Connector: e.conn.ID, Key: fmt.Sprint(i), Kind: store.WriteCandidate, Fingerprint: []byte{1}, Subject: []byte("{}"), Daily: 7}, time.Minute)
			var l *store.WriteLimitError
			switch {
			case err == nil:
				taken.Add(1)
			case errors.As(err, &l):
				refused.Add(1)
			default:
				t.Errorf("ClaimWrite: %v", err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 7 || refused.Load() != 13 {
		t.Errorf("of 20 at once, %d were taken and %d refused; want 7 and 13", taken.Load(), refused.Load())
	}
}

// Where deletions are purged, who was away for too long is told to start anew, and nobody else is.
func TestFeedAfterAPurge(t *testing.T) {
	t.Parallel()
	const keep = 48 * time.Hour
	e := newEnv(t, func(c *Config) { c.KeepDeleted = keep })
	e.put(e.conn, tag(e.conn, "a", "A"), tag(e.conn, "b", "B"))
	name := e.conn.ID.String() + " changes"
	first := e.ok(ats + "changes?limit=1")
	cursor := first.json(t)["cursor"].(string)
	p, err := e.db.Store.FeedPosition(name, cursor)
	if err != nil || time.Since(p.CaughtUp) > time.Minute {
		t.Fatalf("FeedPosition of a first page = %+v, %v; want it to say that the reader began just now", p, err)
	}
	at := func(age time.Duration) string {
		q := p
		q.CaughtUp = time.Now().Add(-age)
		if age < 0 {
			q.CaughtUp = time.Time{}
		}
		return ats + "changes?after=" + e.db.Store.FeedCursor(name, q)
	}
	for _, c := range []struct {
		name   string
		age    time.Duration
		status int
	}{{"just now", 0, 200}, {"an hour less than is kept", keep - time.Hour, 200}, {"as long as is kept", keep, 410}, {"a year", 365 * 24 * time.Hour, 410}, {"in an earlier release", -1, 200}} {
		a := e.get(at(c.age))
		if a.status != c.status || c.status == 410 && !strings.Contains(string(a.body), "from its start") {
			t.Errorf("a reader who was at the end %s ago: %d %s; want %d", c.name, a.status, a.body, c.status)
		}
	}
	// A reader who is not at the end yet has not caught up by reading on; at the end, they have.
	slow := p
	slow.CaughtUp = time.Now().Add(-time.Hour)
	slow.Version, slow.ID = 0, uuid.Nil
	for _, more := range []bool{true, false} {
		path := ats + "changes?limit=1&after=" + e.db.Store.FeedCursor(name, slow)
		var page map[string]any
		e.until(func() bool { // transactions of other tests hold the feed back
			page = e.ok(path).json(t)
			return page["has_more"] == more && len(page["items"].([]any)) == 1
		})
		next, err := e.db.Store.FeedPosition(name, page["cursor"].(string))
		if long := time.Since(next.CaughtUp) > 50*time.Minute; err != nil || long != more {
			t.Errorf("a page with more behind it, %v: %+v, %v; want the reader to have caught up an hour ago still: %v", more, next, err, more)
		}
		slow = next
	}
	if forever := newEnv(t); forever.ok(ats+"changes").status != 200 {
		t.Error("the feed without a purge")
	}
}

// A connector whose files come slowly holds up its own, and not another's.
func TestSlowUploadsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	slow, other := *d.env, *d.env
	c, token := d.newConnector()
	d.seed(c)
	other.conn, other.token = c, token
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	sent := make(chan struct{}, 4)
	for range 4 {
		body, w := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+candidatesPath+"/"+uuid.NewString()+"/attachments", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+slow.key)
		req.Header.Set("X-Connector-Token", slow.token)
		wg.Go(func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
		})
		wg.Go(func() {
			_, _ = io.WriteString(w, "{") // is taken once the request is on its way, and nothing follows
			sent <- struct{}{}
			<-ctx.Done()
			_ = w.CloseWithError(ctx.Err())
		})
		<-sent
	}
	fast := &desk{env: &other, fake: d.fake}
	made := fast.post(candidatesPath, fast.person(1))
	if made.status != http.StatusOK {
		t.Fatalf("POST candidates = %d %s", made.status, made.body)
	}
	a := fast.post(candidatesPath+"/"+made.json(t)["id"].(string)+"/attachments", map[string]any{"file_name": "a.txt", "file_content": "aGVsbG8=", "remote_user_id": fast.user()})
	if a.status != http.StatusOK {
		t.Errorf("a file of another connector, while four come slowly: %d %s; want 200", a.status, a.body)
	}
}

// Who waits for long until it is their file's turn is told to come again.
func TestUploadsWaitForSoLong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *Config) { c.uploadWait = 300 * time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	path := candidatesPath + "/" + uuid.NewString() + "/attachments"
	body, w := io.Pipe()
	defer w.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	req.Header.Set("X-Connector-Token", d.token)
	wg.Go(func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	})
	var a answer
	d.until(func() bool { // the slow one may not have come yet
		a = d.post(path, map[string]any{"file_name": "a.txt", "file_content": "aGVsbG8=", "remote_user_id": d.user()})
		return a.status == http.StatusServiceUnavailable
	})
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "nothing was sent") {
		t.Errorf("a second file, while the first comes slowly: %d %s %v; want a 503 that says when to come again", a.status, a.body, a.header)
	}
}
