package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/leversync/leversync/store"

	"github.com/leversync/leversync/worker/task"
)

// registry holds what /metrics shows. No label holds an id of a person, nor of a connector.
func (p *process) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	b := readBuild()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leversync_build_info", Help: "What runs; always 1.",
			ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "goversion": b.Go},
		}, func() float64 { return 1 }),
		newQueueCollector(task.NewQueue(p.redis).Depth, p.log),
		poolCollector{p.store.Pool},
	)
	if p.worker != nil {
		m := p.worker.Metrics()
		for _, c := range []struct {
			name, help string
			value      *atomic.Int64
		}{
			{"tasks", "Tasks taken from the queue.", &m.Tasks},
			{"pages", "Pages of lists committed.", &m.Pages},
			{"records_read", "Records that Lever sent.", &m.Records},
			{"records_written", "Records that were new or changed, and written.", &m.Written},
			{"records_deleted", "Records marked as gone at the source.", &m.Deleted},
			{"records_quarantined", "Records set aside because they could not be mapped or stored.", &m.Quarantined},
			{"lever_calls", "Calls made to Lever.", &m.Calls},
			{"lever_throttled", "Calls that Lever answered with 429.", &m.Throttled},
			{"fence_rejected", "Leases that went to another worker, whose old holder was refused.", &m.Fenced},
			{"yields", "Tasks that handed the rest on to a successor.", &m.Yields},
		} {
			reg.MustRegister(counter(c.name, c.help, c.value))
		}
	}
	if p.scheduler != nil {
		reg.MustRegister(
			counter("scheduler_claimed", "Scopes that fell due and were put into the queue.", &p.scheduler.Claimed),
			counter("scheduler_reconciled", "Tasks that the queue had lost and that were put back.", &p.scheduler.Reconciled),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "leversync_scheduler_last_tick_timestamp_seconds", Help: "When the scheduler last looked, with success.",
			}, func() float64 { return float64(p.scheduler.LastTick.Load()) }),
		)
	}
	return reg
}

func counter(name, help string, value *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "leversync_" + name + "_total", Help: help},
		func() float64 { return float64(value.Load()) })
}

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
		tasks: prometheus.NewDesc("leversync_queue_tasks", "Tasks in a queue, by state.", []string{"queue", "state"}, nil),
		up:    prometheus.NewDesc("leversync_queue_up", "Whether the queues could be read.", nil, nil),
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
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up)
	for queue, states := range depth {
		for state, n := range states {
			ch <- prometheus.MustNewConstMetric(c.tasks, prometheus.GaugeValue, float64(n), queue, state)
		}
	}
}

// poolCollector shows the pool of connections to Postgres.
type poolCollector struct{ pool func() store.Pool }

var (
	poolConns    = prometheus.NewDesc("leversync_db_connections", "Connections to Postgres, by state.", []string{"state"}, nil)
	poolMax      = prometheus.NewDesc("leversync_db_connections_max", "Connections that the pool may hold.", nil, nil)
	poolAcquires = prometheus.NewDesc("leversync_db_acquires_total", "Connections taken from the pool.", nil, nil)
	poolWaits    = prometheus.NewDesc("leversync_db_waits_total", "Connections that had to be waited for.", nil, nil)
	poolWaited   = prometheus.NewDesc("leversync_db_wait_seconds_total", "Time spent waiting for them.", nil, nil)
)

func (poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolConns, poolMax, poolAcquires, poolWaits, poolWaited} {
		ch <- d
	}
}

func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.pool()
	ch <- prometheus.MustNewConstMetric(poolConns, prometheus.GaugeValue, float64(p.Idle), "idle")
	ch <- prometheus.MustNewConstMetric(poolConns, prometheus.GaugeValue, float64(p.Acquired), "in_use")
	ch <- prometheus.MustNewConstMetric(poolMax, prometheus.GaugeValue, float64(p.Max))
	ch <- prometheus.MustNewConstMetric(poolAcquires, prometheus.CounterValue, float64(p.Acquires))
	ch <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(p.Waits))
	ch <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, p.WaitTime.Seconds())
}
