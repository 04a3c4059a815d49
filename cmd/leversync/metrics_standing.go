package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leversync/leversync/store"
)

// standingFor is how long an answer of Postgres is shown again: many may scrape.
const standingFor = 10 * time.Second

// standingCollector shows how all connectors stand, as Postgres knows it. Every scheduler shows the same: take
// the largest.
type standingCollector struct {
	store      *store.Store
	interval   time.Duration
	connectors int // shown one by one
	log        *slog.Logger

	mu    sync.Mutex
	at    time.Time
	shown []prometheus.Metric
}

func newStandingCollector(s *store.Store, interval time.Duration, connectors int, log *slog.Logger) *standingCollector {
	return &standingCollector{store: s, interval: interval, connectors: connectors, log: log}
}

var (
	standingUp          = desc("standing_up", "Whether Postgres could be asked how the connectors stand.")
	standingConnectors  = desc("connectors", "Linked accounts: incomplete, complete, relink_needed, paused.", "status")
	standingScopes      = desc("scopes", "Scopes that are on, of connectors that are to be synced.", "scope")
	standingLag         = desc("sync_lag_seconds", "Now minus watermark, of the connector that is furthest behind.", "scope")
	standingLate        = desc("sync_late", "Connectors whose lag is more than three times their interval.", "scope")
	standingFailed      = desc("sync_failed", "Connectors of which the scope has failed.", "scope")
	standingForbidden   = desc("sync_forbidden", "Connectors of which Lever refuses the scope.", "scope")
	standingRecords     = desc("records", "Records stored and not gone.", "scope")
	standingQuarantined = desc("quarantined", "Records that are set aside.", "scope")
	standingUnsettled   = desc("writes_unsettled", "Writes to Lever whose outcome is not known yet.")
	standingHints       = desc("hints_waiting", "Records that webhooks have hinted at, and that were not looked at yet.")
	connectorLag        = desc("connector_sync_lag_seconds", "Now minus watermark, of as many connectors as LEVERSYNC_METRICS_CONNECTORS lets.", "connector_id", "scope")
)

// Describe names them all.
func (*standingCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{standingUp, standingConnectors, standingScopes, standingLag, standingLate, standingFailed, standingForbidden,
		standingRecords, standingQuarantined, standingUnsettled, standingHints, connectorLag} {
		ch <- d
	}
}

// Collect asks Postgres, or shows its last answer again. With Postgres away it shows that alone.
func (c *standingCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > standingFor {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		shown, err := c.ask(ctx)
		if err != nil {
			c.log.Warn("connectors' standing not read for the metrics", "error", cause(err))
			ch <- gauge(standingUp, 0)
			return
		}
		c.at, c.shown = time.Now(), append(shown, gauge(standingUp, 1))
	}
	for _, m := range c.shown {
		ch <- m
	}
}

func (c *standingCollector) ask(ctx context.Context) ([]prometheus.Metric, error) {
	st, err := c.store.Standing(ctx, c.interval)
	if err != nil {
		return nil, err
	}
	out := []prometheus.Metric{gauge(standingUnsettled, float64(st.Unsettled)), gauge(standingHints, float64(st.Hints))}
	byStatus := map[string]int64{"incomplete": 0, "complete": 0, "relink_needed": 0, "paused": 0}
	for _, s := range st.Connectors {
		byStatus[s.Status] = s.N
	}
	for status, n := range byStatus {
		out = append(out, gauge(standingConnectors, float64(n), status))
	}
	for _, s := range st.Scopes {
		out = append(out,
			gauge(standingScopes, float64(s.N), s.Scope),
			gauge(standingLag, s.LagSeconds, s.Scope),
			gauge(standingLate, float64(s.Late), s.Scope),
			gauge(standingFailed, float64(s.Failed), s.Scope),
			gauge(standingForbidden, float64(s.Forbidden), s.Scope),
			gauge(standingRecords, float64(s.Records), s.Scope),
			gauge(standingQuarantined, float64(s.Quarantined), s.Scope))
	}
	if c.connectors == 0 {
		return out, nil
	}
	lags, err := c.store.Lags(ctx, c.connectors)
	for _, l := range lags {
		out = append(out, gauge(connectorLag, l.LagSeconds, l.ConnectorID.String(), l.Scope))
	}
	return out, err
}
