package lever

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestNewChecksTheURL(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"": true, "https://api.lever.co/v1": true, "https://api.lever.co/v1/": true, "http://127.0.0.1:8080/v1": true,
		"http://localhost:1/v1": true, "http://[::1]:80": true,
		"http://api.lever.co/v1": false, "http://10.0.0.1/v1": false, "http://localhost.example.com": false, "api.lever.co/v1": false,
		"/v1": false, "ftp://api.lever.co": false, "https://": false, "https://:443/": false, "https://u:p@api.lever.co": false,
		"https://api.lever.co/v1?x=1": false, "https://a b/": false,
	} {
		_, err := New(Config{BaseURL: raw, Auth: APIKey("k")})
		if (err == nil) != ok {
			t.Errorf("New with %q: got %v, want it accepted: %v", raw, err, ok)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("New with %q: got error %v, want one without the password", raw, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New without a credential: got no error, want one")
	}
}

func TestStatusesAndVerdicts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status  int
		header  string // Retry-After
		body    string
		verdict Verdict
		after   time.Duration
	}{
		{status: 200, body: `{"data":{"id":"o1"}}`, verdict: VerdictOK},
		{status: 200, body: `<html>`, verdict: VerdictMalformed},
		{status: 200, body: `{"data":{"id":`, verdict: VerdictMalformed},
		{status: 200, body: `{"data":null}`, verdict: VerdictMalformed},
		{status: 200, body: `[{"id":"o1"}]`, verdict: VerdictMalformed},
		{status: 201, body: `{"data":{"id":"o1"}}`, verdict: VerdictMalformed},
		{status: 204, verdict: VerdictMalformed},
		{status: 400, body: `{"code":"BadRequest","message":"Invalid offset token: \"x\""}`, verdict: VerdictBadToken},
		{status: 400, body: `{"code":"BadRequest","message":"no"}`, verdict: VerdictFatal},
		{status: 401, body: `{"code":"UnauthorizedError","message":"no"}`, verdict: VerdictRelink},
		{status: 403, body: `{"code":"ForbiddenError"}`, verdict: VerdictForbidden},
		{status: 404, body: string(`{"code":"ResourceNotFound","message":"x"}`), verdict: VerdictGone},
		{status: 408, verdict: VerdictTransient},
		{status: 422, verdict: VerdictFatal},
		{status: 429, verdict: VerdictThrottled, after: time.Second},
		{status: 429, header: "7", verdict: VerdictThrottled, after: 7 * time.Second},
		{status: 500, body: "oops", verdict: VerdictTransient},
		{status: 503, header: "3", verdict: VerdictTransient, after: 3 * time.Second},
		{status: 304, verdict: VerdictFatal},
	} {
		r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
			if tc.header != "" {
				w.Header().Set("Retry-After", tc.header)
			}
			answer(tc.status, tc.body)(w, req)
		})
		_, err := r.Opportunity(t.Context(), "o1")
		if got := Classify(err); got != tc.verdict || RetryAfter(err) != tc.after {
			t.Errorf("%d %q: got %v (%v, retry after %v), want %v, %v", tc.status, tc.body, err, got, RetryAfter(err), tc.verdict, tc.after)
		}
		calls := r.reported()
		if len(calls) != 1 || calls[0].Status != tc.status || (calls[0].Err == "") != (err == nil) || calls[0].PathTemplate != "/opportunities/:id" {
			t.Errorf("%d %q: got calls %+v, want the one with its status", tc.status, tc.body, calls)
		}
	}
}

func TestErrorsAreScrubbed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	r := newRig(t, Config{}, answer(400, `{"code":"<script>ada@example.com","message":"no ada@example.com, \u0000<bob.b+x@mail.example.org> `+long+`"}`))
	seq := r.Opportunities(t.Context(), OpportunityOptions{Email: "ada@example.com", ContactID: "c9", PostingID: "p1", CreatedSince: time.UnixMilli(5), Token: "tok"})
	_, _, err := gather(seq)
	var bad *BadRequestError
	if !errors.As(err, &bad) || bad.Code != "" || len(bad.Message) > 200 || strings.Contains(bad.Message, "@") || !strings.HasPrefix(bad.Message, "no [e-mail]") {
		t.Errorf("got %#v, want no code, no address, at most 200 bytes", err)
	}
	want := "contact_id=[redacted]&created_at_start=5&email=[redacted]&limit=100&offset=[redacted]&posting_id=p1"
	if call := r.reported()[0]; call.Query != want || strings.Contains(call.Err, "@") {
		t.Errorf("got query %q, error %q, want %q and no address", call.Query, call.Err, want)
	}
	srv := httptest.NewServer(nil)
	srv.Close()
	c, err := New(Config{BaseURL: srv.URL, Auth: APIKey("k"), Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = gather(c.Opportunities(t.Context(), OpportunityOptions{Email: "ada@example.com"}))
	if Classify(err) != VerdictTransient || strings.Contains(err.Error(), "ada") {
		t.Errorf("a refused connection: got %v (%v), want a transient error without the query", err, Classify(err))
	}
}

func TestRequestsCarryWhatTheyMust(t *testing.T) {
	t.Parallel()
	yes := true
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for want, call := range map[string]func(context.Context, *Client) error{
		"/v1/opportunities?limit=100": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.Opportunities(ctx, OpportunityOptions{}))
			return err
		},
		"/v1/opportunities?archived=true&confidentiality=all&created_at_end=1793491200000&expand=applications&limit=7&offset=%255B1%255D&updated_at_start=1793491200000": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.Opportunities(ctx, OpportunityOptions{Archived: &yes, Confidentiality: "all", CreatedUntil: day, UpdatedSince: day, ExpandApplications: true, Token: "%5B1%5D", PageSize: 7}))
			return err
		},
		"/v1/applications/deleted?deleted_at_end=1793491200000&deleted_at_start=1790899200000&limit=100": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.DeletedApplications(ctx, DeletedOptions{Since: day.Add(-MaxDeletedWindow), Until: day}))
			return err
		},
		"/v1/postings?confidentiality=all&limit=100&updated_at_start=1793491200000": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.Postings(ctx, PostingOptions{Confidentiality: "all", UpdatedSince: day}))
			return err
		},
		"/v1/postings?distributionChannel=internal&limit=100&state=published": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.Postings(ctx, PostingOptions{State: "published", DistributionChannel: "internal"}))
			return err
		},
		"/v1/users?includeDeactivated=true&limit=100": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.Users(ctx, ""))
			return err
		},
		"/v1/eeo/responses/pii?created_at_start=1&limit=100": func(ctx context.Context, c *Client) error {
			_, _, err := gather(c.EEOResponses(ctx, EEOOptions{}))
			return err
		},
		"/v1/opportunities/a%2Fb%3Fc/files?limit=100": func(ctx context.Context, c *Client) error {
			_, err := c.Files(ctx, "a/b?c")
			return err
		},
	} {
		var got atomic.Pointer[http.Request]
		r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
			got.Store(req.Clone(context.Background()))
			answer(200, `{"data":[]}`)(w, req)
		})
		if err := call(t.Context(), r.Client); err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		req := got.Load()
		user, pass, _ := req.BasicAuth()
		if req.RequestURI != want || user != "key-of-the-test" || pass != "" || req.UserAgent() != DefaultUserAgent {
			t.Errorf("got %s with user agent %q, want %s with the key as user", req.RequestURI, req.UserAgent(), want)
		}
	}
}

func TestCallsThatCannotBe(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, func(http.ResponseWriter, *http.Request) { t.Error("got a call, want none") })
	ctx, now := t.Context(), time.Now()
	var errs []error
	for _, id := range []string{"", ".", ".."} {
		_, err := r.Opportunity(ctx, id)
		_, err2 := r.Offers(ctx, id)
		errs = append(errs, err, err2)
	}
	_, _, err := gather(r.DeletedOpportunities(ctx, DeletedOptions{Since: now.Add(-31 * 24 * time.Hour)}))
	_, _, err2 := gather(r.DeletedPostings(ctx, DeletedOptions{}))
	_, _, err3 := gather(r.Postings(ctx, PostingOptions{State: "closed", UpdatedSince: now}))
	for i, err := range append(errs, err, err2, err3) {
		if Classify(err) != VerdictFatal {
			t.Errorf("call %d: got %v (%v), want it refused", i, err, Classify(err))
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, token, want string
		pages             map[string]string // token → body
		loop              int               // pages of the circle
		calls             int
	}{
		{name: "to the end", want: "a b c", calls: 3, pages: map[string]string{
			"": `{"data":[{"id":"a"}],"hasNext":true,"next":"1"}`, "1": `{"data":[{"id":"b"}],"next":"2"}`, "2": `{"data":[{"id":"c"}],"hasNext":false}`}},
		{name: "from a token", token: "2", want: "c", calls: 1, pages: map[string]string{"2": `{"data":[{"id":"c"}]}`}},
		{name: "an empty page is not the end", want: "c", calls: 2, pages: map[string]string{
			"": `{"data":[],"hasNext":true,"next":"1"}`, "1": `{"data":[{"id":"c"}]}`}},
		{name: "the token asked for, but no more", want: "a b", calls: 2, pages: map[string]string{
			"": `{"data":[{"id":"a"}],"hasNext":true,"next":"1"}`, "1": `{"data":[{"id":"b"}],"hasNext":false,"next":"1"}`}},
		{name: "the token asked for", loop: 1, want: "a", calls: 2, pages: map[string]string{
			"": `{"data":[{"id":"a"}],"hasNext":true,"next":"1"}`, "1": `{"data":[{"id":"b"}],"hasNext":true,"next":"1"}`}},
		{name: "a circle", loop: 2, want: "a b", calls: 3, pages: map[string]string{
			"": `{"data":[{"id":"a"}],"next":"1"}`, "1": `{"data":[{"id":"b"}],"next":"2"}`, "2": `{"data":[{"id":"c"}],"next":"1"}`}},
		{name: "back to where it was taken up", token: "1", loop: 2, want: "b", calls: 2, pages: map[string]string{
			"1": `{"data":[{"id":"b"}],"next":"2"}`, "2": `{"data":[{"id":"c"}],"next":"1"}`}},
	} {
		r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
			answer(200, tc.pages[req.URL.Query().Get("offset")])(w, req)
		})
		items, _, err := gather(r.Stages(t.Context(), tc.token))
		var loop LoopError
		if e, ok := errors.AsType[*LoopError](err); ok {
			loop = *e
		}
		if ids(items) != tc.want || loop.Pages != tc.loop || (err != nil) != (tc.loop > 0) || len(r.reported()) != tc.calls {
			t.Errorf("%s: got %q, %v after %d calls, want %q, a circle of %d, %d calls", tc.name, ids(items), err, len(r.reported()), tc.want, tc.loop, tc.calls)
		}
		// What names itself is asked for again; round a circle the list is to be begun again.
		if want := map[int]Verdict{0: VerdictOK, 1: VerdictMalformed, 2: VerdictBadToken}[tc.loop]; Classify(err) != want {
			t.Errorf("%s: got verdict %v, want %v", tc.name, Classify(err), want)
		}
	}
}

// TestAChildListComesToAnEnd: one whose next token is always new is left after 100 pages, as what is no list; one of 100 is read.
func TestAChildListComesToAnEnd(t *testing.T) {
	t.Parallel()
	for pages, want := range map[int]Verdict{maxChildPages: VerdictOK, 1 << 30: VerdictMalformed} {
		r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
			at, _ := strconv.Atoi(req.URL.Query().Get("offset"))
			if at+1 == pages || at > 2*maxChildPages {
				answer(200, `{"data":[{"id":"last"}]}`)(w, req)
				return
			}
			answer(200, fmt.Sprintf(`{"data":[{"id":"o%d"}],"hasNext":true,"next":"%d"}`, at, at+1))(w, req)
		})
		got, err := r.Offers(t.Context(), "o1")
		if n := len(r.reported()); Classify(err) != want || n != maxChildPages || got.Calls != n || (err == nil) != (len(got.Items) == n) {
			t.Errorf("a list of %d pages: got %d items, %v (%v) after %d calls, want %v after %d", pages, len(got.Items), err, Classify(err), n, want, maxChildPages)
		}
	}
}

func TestPagesSayWhereTheyAre(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("offset") == "1" {
			answer(500, "")(w, req)
			return
		}
		answer(200, `{"data":[{"id":"a"},{"id":7}],"hasNext":true,"next":"1"}`)(w, req)
	})
	var got []string
	for p, err := range r.Stages(t.Context(), "") {
		got = append(got, fmt.Sprintf("%s>%s %d/%d %v", p.Token, p.Next, p.Call.Records, p.Call.Status, Classify(err)))
	}
	if want := ">1 2/200 ok, 1> 0/500 transient"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, ", "), want)
	}
	c := r.reported()[0]
	if c.Method != "GET" || c.PathTemplate != "/stages" || c.Bytes == 0 || c.Duration <= 0 || c.StartedAt.Location() != time.UTC || c.Records != 2 {
		t.Errorf("call: got %+v, want all of it", c)
	}
	for range r.Stages(t.Context(), "") {
		break // and no further call
	}
	if n := len(r.reported()); n != 3 {
		t.Errorf("a traversal left at its first page: got %d calls in all, want 3", n)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	stray := func(t *testing.T) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			t.Errorf("got a call on another host, credential %q", req.Header.Get("Authorization"))
		}))
		t.Cleanup(s.Close)
		return s
	}
	other := stray(t)
	otherURL, _ := url.Parse(other.URL)
	for name, location := range map[string]string{
		"other port":   other.URL + "/v1/stages",
		"other host":   "http://localhost:" + otherURL.Port() + "/v1/stages",
		"other scheme": "https://127.0.0.1:" + otherURL.Port() + "/v1/stages",
		"no location":  "",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			})
			_, _, err := gather(r.Stages(t.Context(), ""))
			if !isA[*RedirectError](err) || Classify(err) != VerdictFatal || len(r.reported()) != 1 {
				t.Errorf("%d to %s: got %v after %d calls, want a RedirectError after one", status, name, err, len(r.reported()))
			}
			app := OAuthConfig{AuthURL: r.url, ClientID: "id", ClientSecret: "hush"} // its secret and the refresh token are in the body
			if _, err := app.Refresh(t.Context(), "refresh"); !isA[*RedirectError](err) && !isA[*MalformedError](err) {
				t.Errorf("a token endpoint that answers %d to %s: got %v, want it refused", status, name, err)
			}
		}
	}
	r := newRig(t, Config{}, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/v1/stages":
			http.Redirect(w, req, "/v2/stages?"+req.URL.RawQuery, http.StatusMovedPermanently)
		case "/v2/stages":
			if user, _, _ := req.BasicAuth(); user == "" || req.URL.Query().Get("limit") != "100" {
				t.Errorf("redirected call: got %s, user %q", req.URL, user)
			}
			answer(200, `{"data":[{"id":"a"}]}`)(w, req)
		default:
			http.Redirect(w, req, req.URL.Path+"x", http.StatusFound)
		}
	})
	if items, _, err := gather(r.Stages(t.Context(), "")); ids(items) != "a" || err != nil || len(r.reported()) != 2 {
		t.Errorf("redirect on the same host: got %q, %v after %d calls, want it followed", ids(items), err, len(r.reported()))
	}
	if _, _, err := gather(r.Tags(t.Context(), "")); !isA[*RedirectError](err) || len(r.reported()) != 4 {
		t.Errorf("redirects without end: got %v after %d calls, want the second not followed", err, len(r.reported())-2)
	}
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(z, `{"data":[`)
	zeros := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	r := newRig(t, Config{MaxBody: 1 << 20}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	if _, _, err := gather(r.Stages(t.Context(), "")); !isA[*BodyTooLargeError](err) || Classify(err) != VerdictMalformed || r.reported()[0].Bytes > 1<<20 {
		t.Errorf("64 MiB in a gzip of %d bytes: got %v, want a BodyTooLargeError at 1 MiB", bomb.Len(), err)
	}
	exact := `{"data":[]}`
	r = newRig(t, Config{MaxBody: int64(len(exact))}, answer(200, exact))
	if _, _, err := gather(r.Stages(t.Context(), "")); err != nil {
		t.Errorf("a body of just the cap: got %v, want it read", err)
	}
	r = newRig(t, Config{Timeout: 150 * time.Millisecond}, func(w http.ResponseWriter, req *http.Request) {
		for req.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			pause(req.Context(), 20*time.Millisecond)
		}
	})
	if _, _, err := gather(r.Stages(t.Context(), "")); !isA[*TransportError](err) || Classify(err) != VerdictTransient {
		t.Errorf("a body that drips for ever: got %v (%v), want a TransportError", err, Classify(err))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := gather(r.Stages(ctx, "")); Classify(err) != VerdictCanceled {
		t.Errorf("a caller who gives up: got %v (%v), want canceled", err, Classify(err))
	}
	r = newRig(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"data":[`)
	})
	if _, _, err := gather(r.Stages(t.Context(), "")); Classify(err) != VerdictTransient {
		t.Errorf("a connection cut off: got %v (%v), want transient", err, Classify(err))
	}
}

// gate is a Limiter of fixed answers, and what it was told.
type gate struct {
	err       error
	lane      Lane
	throttled time.Duration
	succeeded int
}

func (g *gate) Wait(_ context.Context, lane Lane) (time.Duration, error) {
	g.lane = lane
	return 7 * time.Millisecond, g.err
}
func (g *gate) Throttled(d time.Duration) { g.throttled = d }
func (g *gate) Succeeded()                { g.succeeded++ }

func TestLimiterIsAskedAndTold(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	g := &gate{}
	r := newRig(t, Config{Limiter: g}, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Retry-After", "4")
		answer(status, `{"data":[]}`)(w, req)
	})
	if _, _, err := gather(r.Stages(WithLane(t.Context(), LaneSweep), "")); err != nil || g.lane != LaneSweep || g.succeeded != 1 || r.reported()[0].Wait != 7*time.Millisecond {
		t.Errorf("a call: got %v, lane %v, %d successes, wait %v", err, g.lane, g.succeeded, r.reported()[0].Wait)
	}
	status = http.StatusTooManyRequests
	if _, err := r.Offers(t.Context(), "o1"); Classify(err) != VerdictThrottled || g.throttled != 4*time.Second || g.lane != LaneIncremental || g.succeeded != 1 {
		t.Errorf("a 429: got %v, told %v, lane %v, %d successes", err, g.throttled, g.lane, g.succeeded)
	}
	status = http.StatusNotFound
	if _, err := r.Offers(t.Context(), "o1"); Classify(err) != VerdictGone || g.succeeded != 2 {
		t.Errorf("a 404: got %v, %d successes, want it to be one", err, g.succeeded)
	}
	g.err = &BudgetError{RetryAfter: 3 * time.Second}
	before := len(r.reported())
	if _, err := r.Offers(t.Context(), "o1"); RetryAfter(err) != 3*time.Second || len(r.reported()) != before {
		t.Errorf("a refusal: got %v and %d more calls, want none sent or reported", err, len(r.reported())-before)
	}
}
