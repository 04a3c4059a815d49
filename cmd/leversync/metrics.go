package main

import (
	"regexp"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/leversync/leversync/worker/task"
)

// namespace begins the name of each metric of ours.
const namespace = "leversync_"

// liveHeap is what the last collection of garbage left: what grows there is kept, whatever the heap does in between.
var liveHeap = regexp.MustCompile(`^/gc/heap/live:bytes$`)

// registry holds what /metrics shows, for the roles of the process. No label holds an id of a person; one holds
// that of a connector only where LEVERSYNC_METRICS_CONNECTORS asks for it, and for so many of them.
func (p *process) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	b := readBuild()
	reg.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: namespace + "build_info", Help: "What runs; always 1.",
			ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "goversion": b.Go},
		}, func() float64 { return 1 }),
		newQueueCollector(task.NewQueue(p.redis).Depth, p.log),
		poolCollector{p.store.Pool},
		p.httpMetrics,
	)
	if p.worker != nil {
		m := p.worker.Metrics()
		reg.MustRegister(
			counter("tasks", "Tasks taken from the queue.", &m.Tasks),
			counter("pages", "Pages of lists committed.", &m.Pages),
			counter("yields", "Tasks that handed the rest on to a successor.", &m.Yields),
			counter("records_read", "Records that Lever sent.", &m.Records),
			counter("lease_lost", "Leases that ended under their holder, as it found when it renewed them.", &m.Lost),
			counter("fence_rejected", "Transactions refused because the lease had gone to another worker.", &m.Fenced),
			counter("calls_unlogged", "Calls to Lever that could not be written to the sync log.", &m.Unlogged),
			p.syncMetrics,
			newBudgetCollector(p.worker.BudgetRatios, p.syncMetrics.shown),
		)
	}
	if p.scheduler != nil {
		reg.MustRegister(
			counter("scheduler_claimed", "Scopes that fell due and were put into the queue.", &p.scheduler.Claimed),
			counter("scheduler_reconciled", "Tasks that the queue had lost and that were put back.", &p.scheduler.Reconciled),
			moment("scheduler_last_tick", "When the scheduler last looked for what is due, with success.", &p.scheduler.LastTick),
			moment("reconciler_last_success", "When the scheduler last looked for what the queue had lost, with success.", &p.scheduler.LastReconcile),
			newStandingCollector(p.store, p.cfg.SyncInterval, p.cfg.MetricsConnectors, p.log),
		)
	}
	return reg
}

func counter(name, help string, value *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: namespace + name + "_total", Help: help},
		func() float64 { return float64(value.Load()) })
}

// moment is a time in Unix seconds; 0: never.
func moment(name, help string, value *atomic.Int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: namespace + name + "_timestamp_seconds", Help: help},
		func() float64 { return float64(value.Load()) })
}

// desc describes a metric of ours.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// gauge is a value of a metric, with its labels' values.
func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
