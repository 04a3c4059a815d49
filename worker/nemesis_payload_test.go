package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// hostileValues are what a field may hold that nobody expects. Some are no JSON that Postgres takes, some are none of
// the type that is due; all are JSON enough for the rest of their page to be read.
var hostileValues = []string{
	`null`, `true`, `0`, `-1.5`, `9223372036854775808`, `1e400`, `1e200000`, `""`, `"x"`, `"\u0000"`, `"\ud800 half"`, "\"\xff\xfe\"", `[]`, `[null]`, `{}`, `{"id":null}`, `[[[{}]]]`,
	`"` + strings.Repeat("long ", 3000) + `"`, strings.Repeat("[", 600) + strings.Repeat("]", 600), `-62135596800001`, `253402300800000`, `"2026-11-23"`,
}

// TestNemesisHostileRecords: beside the records of each list come others that are as they are but for one field, which
// holds each hostile value in turn. The sound ones are stored as ever; each of the others is stored, or set aside.
func TestNemesisHostileRecords(t *testing.T) {
	t.Parallel()
	values := hostileValues
	if !long() {
		rng := seeded(t)
		values = nil
		for _, i := range rng.Perm(len(hostileValues))[:3] {
			values = append(values, hostileValues[i])
		}
	}
	e := newEnv(t, levertest.Config{Seed: 90, Opportunities: 30, RatePerSecond: -1, Confidential: true}, fast)
	p := &poisoner{inner: e.lever, values: values, of: map[string]string{}, count: map[string]int{}}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	e.url = srv.URL + "/v1"
	e.start(worker.Config{})
	e.served(4 * time.Minute)
	lost := 0
	for _, sc := range unified.Scopes {
		if s := scopeStatus(e, sc); s.State != "ok" {
			t.Errorf("%s is %s (%s) after hostile records, want ok", sc, s.State, s.Reason)
		}
		lost += e.missing(sc)
	}
	if lost > 0 {
		t.Errorf("%d sound records are missing or changed", lost)
	}
	total := 0
	for _, list := range slices.Sorted(maps.Keys(p.count)) {
		total += p.count[list]
		t.Logf("%d hostile records in %s", p.count[list], list)
	}
	aside := storetest.Value[int](e.db, `SELECT count(*) FROM quarantine`)
	cleaned := storetest.Value[int](e.db, `SELECT sum(sanitized)::int FROM runs`)
	if total < 100 || len(p.count) < 10 || aside == 0 || long() && cleaned == 0 {
		t.Errorf("%d hostile records in %d lists, %d set aside, %d places cleaned: the test tests little", total, len(p.count), aside, cleaned)
	}
	ledger.add("hostile record", tally{tried: total, survived: total - lost, lost: lost, failed: t.Failed(), note: fmt.Sprintf("%d set aside, the rest stored", aside)})
}

// missing counts the scope's records of the source that are not there, or differ in a field of their own: relations
// may lead to hostile records as well.
func (e *env) missing(sc unified.Scope) (n int) {
	e.t.Helper()
	got := e.records(sc)
	for remote, want := range e.lever.Expected(string(sc)) {
		rec := got[remote]
		bad := rec == nil
		for field, w := range want {
			switch w.(type) {
			case levertest.Rel, []levertest.Rel:
				continue
			}
			if g, there := rec[field]; there && field != "status" && field != "stage_order" && !reflect.DeepEqual(normal(g), e.plain(w)) {
				e.t.Logf("%s %q: %s = %s, want %s", sc, remote, field, text(normal(g)), text(e.plain(w)))
				bad = true
			}
		}
		if bad {
			n++
			e.t.Errorf("%s %q is missing, or changed", sc, remote)
		}
	}
	return n
}

// poisoner adds hostile records to the first answer of each list that holds records.
type poisoner struct {
	inner  http.Handler
	values []string

	mu    sync.Mutex
	of    map[string]string // by list: the path of the answer that is spoilt
	count map[string]int
	last  int
}

var idInPath = regexp.MustCompile(`/[0-9a-f]{8}-[0-9a-f-]{27}`)

func (p *poisoner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	p.inner.ServeHTTP(rec, r)
	body := rec.Body.Bytes()
	if r.Method == http.MethodGet && rec.Code == http.StatusOK {
		body = p.spoil(r, body)
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body)
}

func (p *poisoner) spoil(r *http.Request, body []byte) []byte {
	var page struct {
		Data    []json.RawMessage `json:"data"`
		HasNext bool              `json:"hasNext"`
		Next    string            `json:"next"`
	}
	list := idInPath.ReplaceAllString(r.URL.Path, "/:id")
	if json.Unmarshal(body, &page) != nil || len(page.Data) == 0 || strings.HasSuffix(list, "/deleted") {
		return body
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, taken := p.of[list]; taken && at != r.URL.Path+"?"+r.URL.RawQuery {
		return body
	}
	first := p.of[list] == ""
	p.of[list] = r.URL.Path + "?" + r.URL.RawQuery
	variants := p.variants(page.Data[0])
	if first {
		p.count[list] += len(variants)
	}
	rows := make([][]byte, 0, len(page.Data)+len(variants))
	for i, d := range page.Data { // the sound ones before, among and after them
		rows = append(rows, d)
		if i == 0 {
			rows = append(rows, variants...)
		}
	}
	out := fmt.Appendf(nil, `{"data":[%s],"hasNext":%t`, bytes.Join(rows, []byte(",")), page.HasNext)
	if page.HasNext {
		out = fmt.Appendf(out, `,"next":%q`, page.Next)
	}
	return append(out, '}')
}

// variants are copies of a record under ids of their own, each with one field, or one field of a field, changed.
func (p *poisoner) variants(record json.RawMessage) [][]byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(record, &m) != nil {
		return nil
	}
	var out [][]byte
	add := func(change func(map[string]json.RawMessage)) {
		v := maps.Clone(m)
		p.last++
		for _, own := range []string{"id", "contact"} {
			if _, has := v[own]; has {
				v[own] = fmt.Appendf(nil, `"hostile-%d"`, p.last)
			}
		}
		change(v)
		out = append(out, object(v))
	}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		for _, value := range p.values {
			if field == "text" && m["id"] == nil && strings.Contains(value, `"x"`) {
				continue // the text of a tag is its id
			}
			add(func(v map[string]json.RawMessage) { v[field] = json.RawMessage(value) })
		}
		var inner map[string]json.RawMessage
		wrap := func(b []byte) json.RawMessage { return b }
		var elems []json.RawMessage
		if json.Unmarshal(m[field], &elems) == nil && len(elems) > 0 {
			_ = json.Unmarshal(elems[0], &inner)
			wrap = func(b []byte) json.RawMessage { return fmt.Appendf(nil, "[%s]", b) }
		} else {
			_ = json.Unmarshal(m[field], &inner)
		}
		for _, sub := range slices.Sorted(maps.Keys(inner)) {
			for _, value := range p.values {
				add(func(v map[string]json.RawMessage) {
					in := maps.Clone(inner)
					in[sub] = json.RawMessage(value)
					v[field] = wrap(object(in))
				})
			}
		}
	}
	return out
}

// object writes an object as its parts are, valid or not, which json.Marshal would refuse to.
func object(m map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", k, m[k])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// TestNemesisHostilePages: a page of some 4 KB is cut off after each of its bytes, with and without the rest being
// announced, and comes as what is no page at all. Nothing of it passes for a page, and each error has a type.
func TestNemesisHostilePages(t *testing.T) {
	t.Parallel()
	s := levertest.New(levertest.Config{Seed: 91, Opportunities: 3, RatePerSecond: -1})
	t.Cleanup(s.Close)
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/v1/opportunities", nil)
	req.SetBasicAuth("test-key", "")
	s.ServeHTTP(rec, req)
	page := bytes.TrimSpace(rec.Body.Bytes())
	if len(page) < 3000 {
		t.Fatalf("the page has %d bytes: %s", len(page), page)
	}
	bodies := [][]byte{nil, []byte("null"), []byte("{}"), []byte("[]x"), []byte("<!doctype html><h1>Maintenance</h1>"), append([]byte{0xEF, 0xBB, 0xBF}, page[:100]...),
		bytes.Repeat([]byte("["), 100_000), []byte(`{"data":{}}`), []byte(`{"data":[],"hasNext":true}`), []byte(`{"data":7}`), {0x1f, 0x8b, 8, 0}, append(bytes.Clone(page), '}')}
	step := 7
	if long() {
		step = 1
	}
	for i := 0; i < len(page); i += step {
		bodies = append(bodies, page[:i])
	}
	wire := &oneBody{}
	c, err := lever.New(lever.Config{BaseURL: "https://lever.example/v1", Auth: lever.APIKey("k"), Transport: wire})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, body := range bodies {
		wire.body = body
		for _, err := range c.Opportunities(context.Background(), lever.OpportunityOptions{}) {
			var malformed *lever.MalformedError
			var transport *lever.TransportError
			if err == nil || !errors.As(err, &malformed) && !errors.As(err, &transport) {
				passed++
				t.Errorf("a page of %d bytes of %d (%.40q): %v; want a MalformedError", len(body), len(page), body, err)
			}
			break
		}
	}
	ledger.add("hostile page", tally{tried: len(bodies), survived: len(bodies) - passed, lost: passed, failed: t.Failed()})
}

// oneBody answers every call with one body.
type oneBody struct{ body []byte }

func (o *oneBody) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(o.body)), Request: r}, nil
}
