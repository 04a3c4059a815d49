package levertest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

func TestFaultsOnStatus(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 50})
	o := l.pick()
	inject := func(f levertest.Fault) int {
		n, err := l.Inject(f)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	inject(levertest.Fault{Match: `/stages$`, Kind: levertest.FaultStatus, Status: 503, Times: 2})
	inject(levertest.Fault{Match: `^GET /opportunities/` + o + `$`, Kind: levertest.FaultStatus, Status: 403})
	inject(levertest.Fault{Match: `/users`, Kind: levertest.FaultStatus, Status: 429, RetryAfter: "7"})
	for i, want := range []int{503, 503, 200} {
		if a := l.get("/stages"); a.Status != want {
			t.Errorf("call %d of stages = %d, want %d", i+1, a.Status, want)
		}
	}
	if a := l.get("/opportunities/" + o); a.Status != 403 {
		t.Errorf("the marked opportunity = %d, want 403", a.Status)
	}
	if a := l.get("/users"); a.Status != 429 || a.Header.Get("Retry-After") != "7" {
		t.Errorf("users = %d with Retry-After %q, want 429 with 7", a.Status, a.Header.Get("Retry-After"))
	}
	if l.Throttled() != 0 {
		t.Errorf("Throttled() = %d, want 0: the 429 was injected", l.Throttled())
	}
	l.ClearFaults()
	if a := l.get("/users"); a.Status != 200 {
		t.Errorf("users after ClearFaults = %d, want 200", a.Status)
	}
	if _, err := l.Inject(levertest.Fault{Match: "("}); err == nil {
		t.Error("Inject with a bad regexp gave no error")
	}
}

func TestFaultsByProbabilityComeFromTheSeed(t *testing.T) {
	t.Parallel()
	run := func() (out string) {
		l := newLever(t, levertest.Config{Seed: 3})
		if _, err := l.Inject(levertest.Fault{Kind: levertest.FaultStatus, Status: 500, Probability: 0.3}); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			out += map[int]string{200: ".", 500: "x"}[l.get("/stages").Status]
		}
		return out
	}
	first := run()
	if n := strings.Count(first, "x"); n < 40 || n > 80 {
		t.Errorf("%d of 200 calls failed, want about 60", n)
	}
	if first != run() {
		t.Error("the same seed gave other faults")
	}
}

func TestFaultsOnPages(t *testing.T) {
	t.Parallel()
	page := func(f levertest.Fault, path string) (*fake, answer) {
		l := newLever(t, levertest.Config{Seed: 3, Opportunities: 40})
		token := l.get("/opportunities?limit=10").Next
		if _, err := l.Inject(f); err != nil {
			t.Fatal(err)
		}
		return l, l.get(strings.ReplaceAll(path, "TOKEN", url.QueryEscape(token)))
	}
	second := "/opportunities?limit=10&offset=TOKEN"
	if _, a := page(levertest.Fault{Kind: levertest.FaultHTML}, second); a.Status != 200 || !bytes.HasPrefix(a.Body, []byte("<!doctype")) {
		t.Errorf("html: %d %.20q, want 200 with HTML", a.Status, a.Body)
	}
	for _, kind := range []levertest.FaultKind{levertest.FaultInvalidJSON, levertest.FaultCutJSON} {
		if _, a := page(levertest.Fault{Kind: kind}, second); a.Status != 200 || json.Valid(a.Body) {
			t.Errorf("%s: %d, valid JSON %t, want 200 with invalid JSON", kind, a.Status, json.Valid(a.Body))
		}
	}
	if _, a := page(levertest.Fault{Kind: levertest.FaultExpiredToken}, second); a.Status != 400 || a.Message != "Invalid offset token" {
		t.Errorf("expired_token: %d %q, want 400 Invalid offset token", a.Status, a.Message)
	}
	l, a := page(levertest.Fault{Kind: levertest.FaultLoop}, second)
	if again := l.get("/opportunities?limit=10&offset=" + url.QueryEscape(a.Next)); a.Next == "" || again.Next != a.Next {
		t.Errorf("loop: next is %q, then %q, want the same", a.Next, again.Next)
	}
	l, a = page(levertest.Fault{Kind: levertest.FaultCircle, Pages: 3}, "/opportunities?limit=4")
	nexts := []string{a.Next}
	for range 4 {
		a = l.get("/opportunities?limit=4&offset=" + url.QueryEscape(a.Next))
		nexts = append(nexts, a.Next)
	}
	if nexts[3] != nexts[0] || nexts[4] != nexts[1] || nexts[1] == nexts[0] || nexts[2] == nexts[0] {
		t.Errorf("circle: next is %q in turn, want the fourth page to lead to the second", nexts)
	}
	_, a = page(levertest.Fault{Kind: levertest.FaultDuplicate}, second)
	var rows []map[string]any
	if err := json.Unmarshal(a.Data, &rows); err != nil || len(rows) != 11 || id(rows[0]) != id(rows[10]) {
		t.Errorf("duplicate: %d rows, %v, want the first of 10 again at the end", len(rows), err)
	}

	l, a = page(levertest.Fault{Kind: levertest.FaultDuplicate}, "/opportunities?limit=40")
	l.ClearFaults()
	clean := l.get("/opportunities?limit=40")
	if plain := bytes.TrimSuffix(clean.Data, []byte("]")); !bytes.Contains(plain, []byte("&")) || !bytes.HasPrefix(a.Data, plain) {
		t.Error("duplicate: the rows are not to the letter those of the page without it")
	}
}

func TestPoison(t *testing.T) {
	t.Parallel()
	for poison, want := range map[levertest.Poison]string{
		levertest.PoisonWrongType: `"createdAt":{`, levertest.PoisonNUL: `\u0000`, levertest.PoisonSurrogate: `\ud83d`, levertest.PoisonNumber: `1e200000`,
	} {
		l := newLever(t, levertest.Config{Opportunities: 20})
		o := l.pick()
		if _, err := l.Inject(levertest.Fault{Match: "/opportunities$", Kind: levertest.FaultPoison, Poison: poison, Record: o}); err != nil {
			t.Fatal(err)
		}
		a := l.get("/opportunities")
		if n := bytes.Count(a.Body, []byte(want)); n != 1 || !json.Valid(a.Body) {
			t.Errorf("%s: %d places hold %s, valid JSON %t, want 1 in valid JSON", poison, n, want, json.Valid(a.Body))
		}
	}
}

func TestFaultsOnTheConnection(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 150})
	base, stop, err := levertest.Serve("127.0.0.1:0", l.Server)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	get := func(f levertest.Fault) (int, int64, error) {
		n, err := l.Inject(f)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Remove(n)
		r := newGet("/v1/opportunities")
		r.RequestURI, r.URL.Scheme = "", "http"
		r.URL.Host = strings.TrimPrefix(base, "http://")
		resp, err := client.Do(r)
		if err != nil {
			return 0, 0, err
		}
		defer func() { _ = resp.Body.Close() }()
		size, err := io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, size, err
	}
	_, whole, err := get(levertest.Fault{Match: "^$"})
	if err != nil || whole < 50_000 {
		t.Fatalf("without a fault: %d bytes, %v", whole, err)
	}
	if _, _, err := get(levertest.Fault{Kind: levertest.FaultReset}); err == nil {
		t.Error("reset: no error")
	}
	if status, size, err := get(levertest.Fault{Kind: levertest.FaultTruncate}); status != 200 || err == nil || size != whole/2 {
		t.Errorf("truncate: status %d, %d bytes, %v, want 200, %d bytes and an error", status, size, err, whole/2)
	}
	if _, size, err := get(levertest.Fault{Kind: levertest.FaultDrip, Delay: 10 * time.Microsecond}); err != nil || size != whole {
		t.Errorf("drip: %d bytes, %v, want all %d", size, err, whole)
	}
	if _, size, err := get(levertest.Fault{Kind: levertest.FaultLatency, Delay: time.Millisecond}); err != nil || size != whole {
		t.Errorf("latency: %d bytes, %v, want all %d", size, err, whole)
	}
}

func TestServeRefusesOtherAddresses(t *testing.T) {
	t.Parallel()
	if _, _, err := levertest.Serve("0.0.0.0:0", newLever(t, levertest.Config{}).Server); err == nil {
		t.Error("Serve(0.0.0.0:0) gave no error")
	}
}
