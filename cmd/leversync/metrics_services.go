package main

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leversync/leversync/store"
)

// queueCollector shows the depth of the queues. With Redis away it shows what it got and says so: the rest of
// the scrape stands.
type queueCollector struct {
	depth     func() (map[string]map[string]int, error)
	log       *slog.Logger
	tasks, up *prometheus.Desc
}

func newQueueCollector(depth func() (map[string]map[string]int, error), log *slog.Logger) queueCollector {
	return queueCollector{
		depth: depth, log: log,
		tasks: desc("queue_tasks", "Tasks in a queue, by state. Every process shows all of them: take the largest.", "queue", "state"),
		up:    desc("queue_up", "Whether the queues could be read."),
	}
}

func (c queueCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.tasks; ch <- c.up }

func (c queueCollector) Collect(ch chan<- prometheus.Metric) {
	depth, err := c.depth()
	up := 1.0
	if err != nil {
		up = 0
		c.log.Warn("queues not read for the metrics", "error", err)
	}
	ch <- gauge(c.up, up)
	for queue, states := range depth {
		for state, n := range states {
			ch <- gauge(c.tasks, float64(n), queue, state)
		}
	}
}

// poolCollector shows the pool of connections to Postgres.
type poolCollector struct{ pool func() store.Pool }

var (
	poolConns    = desc("db_connections", "Connections to Postgres, by state.", "state")
	poolMax      = desc("db_connections_max", "Connections that the pool may hold.")
	poolAcquires = desc("db_acquires_total", "Connections taken from the pool.")
	poolWaits    = desc("db_waits_total", "Connections that had to be waited for.")
	poolWaited   = desc("db_wait_seconds_total", "Time spent waiting for them.")
)

func (poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolConns, poolMax, poolAcquires, poolWaits, poolWaited} {
		ch <- d
	}
}

func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.pool()
	ch <- gauge(poolConns, float64(p.Idle), "idle")
	ch <- gauge(poolConns, float64(p.Acquired), "in_use")
	ch <- gauge(poolMax, float64(p.Max))
	ch <- prometheus.MustNewConstMetric(poolAcquires, prometheus.CounterValue, float64(p.Acquires))
	ch <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(p.Waits))
	ch <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, p.WaitTime.Seconds())
}
