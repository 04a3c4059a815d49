package main

import (
	"errors"
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// syncMetrics counts what the worker of this process tells of: it is the worker's Observer.
type syncMetrics struct {
	shown *shown

	runs, written, aside, requests, byConnector, tokens *prometheus.CounterVec
	runSeconds, requestSeconds                          *prometheus.HistogramVec
	throttled                                           prometheus.Counter
}

// newSyncMetrics shows at most connectors of them one by one.
func newSyncMetrics(connectors int) *syncMetrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
	}
	m := &syncMetrics{
		shown:       &shown{most: connectors, ids: map[string]bool{}},
		runs:        vec("sync_runs_total", "Runs that ended, once for each scope that they brought up to date or failed to.", "scope", "result"),
		written:     vec("records_written_total", "Records that were written: created, updated, or deleted at the source.", "scope", "op"),
		aside:       vec("records_quarantined_total", "Records set aside because they could not be mapped or stored.", "scope"),
		requests:    vec("lever_requests_total", "Calls to Lever, by the scope that they serve and their status; code 0: no answer came.", "scope", "code"),
		byConnector: vec("connector_lever_requests_total", "Calls to Lever of a connector, of as many connectors as LEVERSYNC_METRICS_CONNECTORS lets.", "connector_id", "code"),
		tokens:      vec("token_refresh_total", "Attempts to renew an OAuth token.", "result"),
		runSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: namespace + "sync_run_duration_seconds", Help: "From the start of a run to its end, whoever worked on it.",
			Buckets: []float64{.1, .3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000},
		}, []string{"stream"}),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: namespace + "lever_request_duration_seconds", Help: "From sending a call to the last byte of its answer.",
			Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 30},
		}, []string{"endpoint"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: namespace + "lever_throttled_seconds_total", Help: "Time that calls waited for the rate budget before they were sent.",
		}),
	}
	for _, result := range []string{"ok", "refused", "failed"} { // so that a rate exists before the first
		m.tokens.WithLabelValues(result)
	}
	return m
}

func (m *syncMetrics) parts() []prometheus.Collector {
	return []prometheus.Collector{m.runs, m.written, m.aside, m.requests, m.byConnector, m.tokens, m.runSeconds, m.requestSeconds, m.throttled}
}

// Describe and Collect make it one collector.
func (m *syncMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.parts() {
		c.Describe(ch)
	}
}

// Collect shows all of it.
func (m *syncMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.parts() {
		c.Collect(ch)
	}
}

// Called counts a call.
func (m *syncMetrics) Called(connector uuid.UUID, scope unified.Scope, c lever.Call) {
	code := strconv.Itoa(c.Status)
	m.requests.WithLabelValues(string(scope), code).Inc()
	m.requestSeconds.WithLabelValues(c.PathTemplate).Observe(c.Duration.Seconds())
	m.throttled.Add(c.Wait.Seconds())
	if id := connector.String(); m.shown.shows(id) {
		m.byConnector.WithLabelValues(id, code).Inc()
	}
}

// Committed counts what a transaction wrote, and the run that ended with it.
func (m *syncMetrics) Committed(d store.Result) {
	for sc, n := range d.Scopes {
		for op, n := range map[string]int64{"created": n.Created, "updated": n.Updated, "deleted": n.Deleted} {
			if n > 0 {
				m.written.WithLabelValues(string(sc), op).Add(float64(n))
			}
		}
		m.aside.WithLabelValues(string(sc)).Add(float64(n.Quarantined))
	}
	if r := d.Run; r != nil {
		for _, sc := range r.Scopes {
			m.runs.WithLabelValues(sc, r.State).Inc()
		}
		if r.EndedAt != nil {
			m.runSeconds.WithLabelValues(r.Stream).Observe(r.EndedAt.Sub(r.StartedAt).Seconds())
		}
	}
}

// Renewed counts an attempt to renew a token.
func (m *syncMetrics) Renewed(err error) {
	result := "ok"
	if err != nil {
		result = "failed"
		if errors.Is(err, lever.ErrUnauthorized) {
			result = "refused"
		}
	}
	m.tokens.WithLabelValues(result).Inc()
}

// shown are the connectors that this process shows one by one: the first that it meets.
type shown struct {
	most int

	mu  sync.Mutex
	ids map[string]bool
}

func (s *shown) shows(id string) bool {
	if s.most == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ids[id] && len(s.ids) < s.most {
		s.ids[id] = true
	}
	return s.ids[id]
}

// budgetCollector shows how much of the rate is granted.
type budgetCollector struct {
	ratios   func() map[string]float64
	shown    *shown
	low, one *prometheus.Desc
}

func newBudgetCollector(ratios func() map[string]float64, shown *shown) budgetCollector {
	return budgetCollector{
		ratios: ratios, shown: shown,
		low: desc("rate_budget_ratio", "The share of the full rate that the most limited connector of this process is granted: 1, or less after a 429 and while Redis is away."),
		one: desc("connector_rate_budget_ratio", "The same of a connector, of as many connectors as LEVERSYNC_METRICS_CONNECTORS lets.", "connector_id"),
	}
}

// Describe names both.
func (c budgetCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.low; ch <- c.one }

// Collect asks the budgets.
func (c budgetCollector) Collect(ch chan<- prometheus.Metric) {
	low := 1.0
	for id, r := range c.ratios() {
		low = min(low, r)
		if c.shown.shows(id) {
			ch <- gauge(c.one, r, id)
		}
	}
	ch <- gauge(c.low, low)
}
