package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store/storetest"
)

// receiver takes traces as a collector does.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   strings.Builder
	calls int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.calls++; r.calls == 1 { // it is overloaded at first
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var data tracepb.TracesData
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = proto.Unmarshal(body, &data)
		}
		if err != nil || req.URL.Path != "/v1/traces" || req.Header.Get("Authorization") != "Bearer a b" || req.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s with headers %v: %v; want /v1/traces, the header, protobuf", req.Method, req.URL, req.Header, err)
		}
		r.raw.WriteString(data.String())
		for _, rs := range data.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				r.spans = append(r.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestWhatIsShownOfASync: a sync shows in all metrics that are documented, and in none that is not, and as traces; of
// the people it is about nothing does.
func TestWhatIsShownOfASync(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.withRedis()
	c.withLever(levertest.Config{Seed: 7, Opportunities: 40, RatePerSecond: -1})
	collector := newReceiver(t)
	c.env["LEVERSYNC_METRICS_ADDR"], c.env["LEVERSYNC_METRICS_CONNECTORS"] = "127.0.0.1:0", "1"
	c.env["OTEL_EXPORTER_OTLP_ENDPOINT"], c.env["OTEL_EXPORTER_OTLP_HEADERS"] = collector.URL, "authorization=Bearer%20a%20b"
	id := c.create()
	serve := c.start("serve")
	site := "http://" + serve.find(serve.stderr, `msg=listening addr=(\S+)`)
	metrics := "http://" + serve.find(serve.stderr, `msg="listening for metrics" addr=(\S+)`)
	c.must("sync", id, "--wait")
	serve.find(serve.stderr, `msg="run ended" .*stream=opportunities .*trace_id=\S+ run_id=\S+ kind=backfill state=done .*calls=[1-9]\d* .*read=40 `)

	if status, _ := get(t, site+"/metrics"); status != http.StatusNotFound {
		t.Errorf("GET /metrics beside an address of its own: %d, want 404", status)
	}
	if o := c.runWith("", "healthcheck", "--addr", strings.TrimPrefix(metrics, "http://")); o.code != exitOK || o.out != "ok\n" {
		t.Errorf("healthcheck: exit %d, %q, %s; want 0 and ok", o.code, o.out, o.err)
	}
	status, body := get(t, metrics+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: %d, want 200", status)
	}
	for _, want := range []string{
		`leversync_sync_runs_total{result="done",scope="candidates"} 1`, `leversync_records_written_total{op="created",scope="candidates"} `,
		`leversync_lever_requests_total{code="200",scope="offers"} `, `leversync_lever_request_duration_seconds_count{endpoint="/opportunities"} `,
		`leversync_sync_run_duration_seconds_count{stream="opportunities"} 1`, `leversync_connectors{status="complete"} 1`,
		`leversync_sync_late{scope="tags"} 0`, `leversync_connector_sync_lag_seconds{connector_id="` + id + `",scope="tags"} `, "leversync_rate_budget_ratio 1\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("GET /metrics lacks %s", want)
		}
	}
	sameNames(t, exported(body), documented(t))
	if code := serve.stop(); code != exitOK { // what is left of the traces is sent at the end
		t.Errorf("serve, interrupted: exit %d, want 0", code)
	}
	checkSpans(t, c, collector)
	for _, private := range storetest.Column[string](c.db, `SELECT DISTINCT concat_ws(' ', first_name, last_name) FROM leversync.candidates WHERE first_name IS NOT NULL AND last_name IS NOT NULL
UNION SELECT remote_id FROM leversync.candidates UNION SELECT remote_id FROM leversync.applications`) {
		for where, text := range map[string]string{"metrics": body, "traces": collector.raw.String(), "log": serve.stderr.text()} {
			if strings.Contains(text, private) {
				t.Errorf("the %s hold %q of a candidate", where, private)
			}
		}
	}
}

// checkSpans: a run is a trace, and a call a span of it.
func checkSpans(t *testing.T, c *cli, r *receiver) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	roots, calls := map[string]bool{}, 0
	for _, s := range r.spans {
		if len(s.ParentSpanId) == 0 {
			roots[string(s.TraceId)] = true
		}
	}
	for _, s := range r.spans {
		if len(s.ParentSpanId) > 0 {
			calls++
			if !roots[string(s.TraceId)] || !strings.HasPrefix(s.Name, "GET /") {
				t.Errorf("span %q of trace %x: want a call to Lever, in the trace of a run", s.Name, s.TraceId)
			}
		}
	}
	runs := storetest.Value[int](c.db, "SELECT count(*) FROM leversync.runs")
	if logged := storetest.Value[int](c.db, "SELECT count(*) FROM leversync.calls"); len(roots) != runs || calls != logged {
		t.Errorf("the collector has %d traces and %d calls, want those of Postgres: %d runs and %d calls", len(roots), calls, runs, logged)
	}
}

var exportedName = regexp.MustCompile(`(?m)^# TYPE (leversync_\w+) `)

// exported are the names of our metrics in what /metrics answers.
func exported(body string) []string {
	var names []string
	for _, m := range exportedName.FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

var documentedName = regexp.MustCompile("(?m)^\\| `(leversync_\\w+)[{`]")

// documented are the names of our metrics in deploy/docs/metrics.md.
func documented(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range documentedName.FindAllStringSubmatch(string(b), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

func sameNames(t *testing.T, exported, documented []string) {
	t.Helper()
	for _, n := range exported {
		if !slices.Contains(documented, n) {
			t.Errorf("%s is exported, and not in deploy/docs/metrics.md", n)
		}
	}
	for _, n := range documented {
		if !slices.Contains(exported, n) {
			t.Errorf("%s is in deploy/docs/metrics.md, and not exported", n)
		}
	}
}

func TestAPIAlone(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	redis := c.withRedis()
	c.withLever(levertest.Config{Opportunities: 1})
	id := c.create()
	api := c.start("api")
	addr := api.find(api.stderr, `msg=listening addr=(\S+)`)
	api.find(api.stderr, `msg=started roles=http\+api`)
	c.must("sync", id)
	for path, want := range map[string]int{"/docs": http.StatusOK, "/api/ats/v1/candidates": http.StatusUnauthorized, "/metrics": http.StatusOK} {
		if status, _ := get(t, "http://"+addr+path); status != want {
			t.Errorf("GET %s of api alone: %d, want %d", path, status, want)
		}
	}
	if _, body := get(t, "http://"+addr+"/metrics"); !strings.Contains(body, "leversync_tasks_total 0\n") {
		t.Error("the API alone took a task")
	}
	redis.Stop()
	if o := c.run("healthcheck", "--addr", addr); o.code != exitFailure || !strings.Contains(o.err, "it can't work: ") || !strings.Contains(o.err, "redis: ") {
		t.Errorf("healthcheck without Redis: exit %d, %s; want 1 and the reason", o.code, o.err)
	}
	if o := c.run("healthcheck", "--live", "--addr", addr, "--json"); o.code != exitOK || !strings.Contains(o.out, `"ok"`) {
		t.Errorf("healthcheck --live without Redis: exit %d, %s; want 0: a restart would not help", o.code, o.err)
	}
	if code := api.stop(); code != exitOK {
		t.Errorf("api, interrupted: exit %d, want 0", code)
	}
	if o := c.run("healthcheck", "--addr", addr); o.code != exitFailure || !strings.Contains(o.err, "nobody answers") {
		t.Errorf("healthcheck of nobody: exit %d, %s; want 1", o.code, o.err)
	}
}

func TestOTLPVariables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  map[string]string
		want string // the address that is sent to, or a part of the error; "": no traces
	}{
		{nil, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/"}, "https://c/otlp/v1/traces"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, "http://t/x"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "set http/protobuf"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"}, "is no URL"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=%zz"}, "no list of name=value"},
	} {
		client, err := newOTLP(func(name string) string { return tt.env[name] })
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case client != nil:
			got = client.endpoint.String()
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("newOTLP(%v) = %q, want %q", tt.env, got, tt.want)
		}
	}
}

// The slices of one run are one trace, whichever process works on them; what is of no run has a trace of its own.
func TestTraceIDs(t *testing.T) {
	t.Parallel()
	a, _ := ids{}.NewIDs(t.Context())
	b, span := ids{}.NewIDs(t.Context())
	if a == b || !a.IsValid() || !span.IsValid() || a == (trace.TraceID(uuid.Nil)) {
		t.Errorf("NewIDs without a run = %s, then %s; want two that are valid", a, b)
	}
}
