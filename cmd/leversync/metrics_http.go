package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
)

// httpMetrics counts requests by area of the site: paths hold ids, and secrets.
type httpMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
}

func newHTTPMetrics() *httpMetrics {
	m := &httpMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "http_requests_total", Help: "Requests answered, by area and status.",
		}, []string{"area", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: namespace + "http_request_duration_seconds", Help: "From a request's arrival to its answer's end.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"area"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "webhook_deliveries_total", Help: "Webhooks that came from Lever, by what became of them.",
		}, []string{"result"}),
	}
	for _, result := range connect.WebhookResults { // so that a rate exists before the first
		m.webhooks.WithLabelValues(result)
	}
	return m
}

// webhook counts a webhook.
func (m *httpMetrics) webhook(result string) { m.webhooks.WithLabelValues(result).Inc() }

// Describe names them.
func (m *httpMetrics) Describe(ch chan<- *prometheus.Desc) {
	m.requests.Describe(ch)
	m.seconds.Describe(ch)
	m.webhooks.Describe(ch)
}

// Collect shows them.
func (m *httpMetrics) Collect(ch chan<- prometheus.Metric) {
	m.requests.Collect(ch)
	m.seconds.Collect(ch)
	m.webhooks.Collect(ch)
}

// area is the part of the site that a path is in.
func area(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "api", "connect", "webhooks":
		return first
	case "docs", "openapi.json", "openapi.yaml":
		return "docs"
	case "healthz", "readyz", "metrics":
		return "operation"
	}
	return "pages"
}

// count counts the requests that next answers.
func (m *httpMetrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, in := time.Now(), area(r.URL.Path)
		s := &statusWriter{ResponseWriter: w}
		defer func() {
			m.requests.WithLabelValues(in, strconv.Itoa(s.code())).Inc()
			m.seconds.WithLabelValues(in).Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(s, r)
	})
}

// statusWriter remembers the status of an answer, and how long it was.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// code is the status that was answered.
func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// WriteHeader notes the first status that is final.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write answers 200 where nothing else was said.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find what is beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
