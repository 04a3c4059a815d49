package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/unified"
)

// BenchmarkFreshness follows the feed of changes over HTTP, a look every 400 ms, while serve syncs an account of 400 opportunities that allows 200
// calls a second: first from nothing, then after 50 of them were archived and 50 had an interview added. It reports how long after
// the end of the call to Lever that brought it a record could be read, for 95 of 100 of them: of the first sync's applications and
// interviews, and of either change.
func BenchmarkFreshness(b *testing.B) {
	const n, rate, changes = 400, 200, 50
	for b.Loop() {
		c := newCLI(b)
		c.withRedis()
		lever := levertest.New(levertest.Config{Seed: 7, Opportunities: n, RatePerSecond: rate, Confidential: true})
		b.Cleanup(lever.Close)
		served := &brought{lever: lever}
		front := httptest.NewServer(served)
		b.Cleanup(front.Close)
		c.env["LEVER_API_URL"], c.env["LEVER_AUTH_URL"], c.env["LEVERSYNC_RATE_LIMIT"] = front.URL+"/v1", front.URL, "200"
		r := newReader(c)

		lists, children := string(unified.Applications), string(unified.ScheduledInterviews)
		want := map[string]string{}
		for _, scope := range []string{lists, children} {
			for remote := range lever.Expected(scope) {
				want[remote] = scope
			}
		}
		r.follow(b, want)
		b.ReportMetric(served.lag(b, r, want, lists), "first-list-p95-s")
		b.ReportMetric(served.lag(b, r, want, children), "first-child-p95-s")

		c.must("sync", r.connector, "--wait") // whatever there is left to do
		r.read(b)
		served.at, r.seen, want = nil, nil, map[string]string{}
		for range changes {
			archived, err := lever.Mutate("archive", "")
			if err != nil {
				b.Fatal(err)
			}
			interviewed, err := lever.Mutate("add_interview", "")
			if err != nil {
				b.Fatal(err)
			}
			want[archived.Opportunities[0]], want[interviewed.Record] = lists, children
		}
		c.must("sync", r.connector)
		r.follow(b, want)
		b.ReportMetric(served.lag(b, r, want, lists), "list-p95-s")
		b.ReportMetric(served.lag(b, r, want, children), "child-p95-s")
	}
	b.ReportMetric(0, "ns/op")
}

// brought is a fake Lever that remembers when it had first answered with a record.
type brought struct {
	lever http.Handler

	mu sync.Mutex
	at map[string]time.Time // by Lever's id; nil: nothing yet
}

func (s *brought) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body bytes.Buffer
	s.lever.ServeHTTP(teed{w, &body}, req)
	ended := time.Now()
	var page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if req.Method != http.MethodGet || json.Unmarshal(body.Bytes(), &page) != nil { // not a list
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[string]time.Time{}
	}
	for _, r := range page.Data {
		if _, there := s.at[r.ID]; !there {
			s.at[r.ID] = ended
		}
	}
}

// teed is an answer that is written down, too.
type teed struct {
	http.ResponseWriter
	body *bytes.Buffer
}

func (t teed) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// lag is how many seconds after they were brought 95 of 100 of a scope's wanted records were read, at most.
func (s *brought) lag(b *testing.B, r *reader, want map[string]string, scope string) float64 {
	b.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var lags []float64
	for remote, of := range want {
		if of != scope {
			continue
		}
		at, there := s.at[remote]
		if !there {
			b.Fatalf("%s %q was read, and never brought", scope, remote)
		}
		lags = append(lags, r.seen[scope+" "+remote].Sub(at).Seconds())
	}
	if len(lags) == 0 {
		b.Fatalf("no %s were read", scope)
	}
	slices.Sort(lags)
	return lags[len(lags)*95/100]
}

// reader follows the feed of changes of a connector.
type reader struct {
	base, key, token, connector, cursor string

	seen map[string]time.Time // when a record was first read, by its scope and Lever's id
}

// newReader starts serve, links an account, and reads what there is of it.
func newReader(c *cli) *reader {
	c.t.Helper()
	serve := c.start("serve")
	r := &reader{base: "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)}
	o := c.runWith("test-key\n", "connector", "create", "--org-name", "Acme", "--origin-id", "acme-1", "--lever-api-key-file", "-", "--json")
	if o.code != exitOK {
		c.t.Fatalf("connector create: exit %d: %s", o.code, o.err)
	}
	made := decode[map[string]any](c.t, o.out)
	r.connector, r.token = made["connector_id"].(string), made["connector_token"].(string)
	r.key = decode[map[string]any](c.t, c.must("apikey", "create", "--name", "reader", "--json"))["api_key"].(string)
	return r
}

// follow reads on until it has met all that is wanted: scopes by Lever's id.
func (r *reader) follow(b *testing.B, want map[string]string) {
	b.Helper()
	began := time.Now()
	for missing := len(want); missing > 0; {
		r.read(b)
		missing = 0
		for remote, scope := range want {
			if r.seen[scope+" "+remote].IsZero() {
				missing++
			}
		}
		if time.Since(began) > testTimeout {
			b.Fatalf("%d of %d records can't be read after %s", missing, len(want), testTimeout)
		}
		time.Sleep(400 * time.Millisecond) // the API allows 200 requests a minute
	}
}

// read reads the feed to its end.
func (r *reader) read(b *testing.B) {
	b.Helper()
	if r.seen == nil {
		r.seen = map[string]time.Time{}
	}
	for more := true; more; {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, r.base+"/api/ats/v1/changes?limit=200&after="+r.cursor, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.key)
		req.Header.Set("X-Connector-Token", r.token)
		var page struct {
			Cursor  string
			HasMore bool `json:"has_more"`
			Items   []struct {
				Scope    string
				RemoteID string `json:"remote_id"`
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("the feed answers %s, %v", resp.Status, err)
		}
		now := time.Now()
		for _, i := range page.Items {
			if at := i.Scope + " " + i.RemoteID; r.seen[at].IsZero() {
				r.seen[at] = now
			}
		}
		r.cursor, more = page.Cursor, page.HasMore
	}
}
