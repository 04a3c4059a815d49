package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

const (
	// slowQueue is how long a task may wait before it is told of.
	slowQueue = time.Minute
	// deepQueue is how many tasks may wait.
	deepQueue = 10_000
)

func (d *doctor) ofWorkload(judge func(store.Workload) finding) finding {
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	w, err := d.workload()
	if err != nil {
		return skipped("the tables can't be asked: is the schema this version's?")
	}
	return judge(w)
}

// ofWork makes a check of how the work stands.
func ofWork(judge func(store.Workload) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding { return d.ofWorkload(judge) }
}

// ofQueues makes a check of how the queues stand.
func ofQueues(judge func([]task.QueueState) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding {
		if d.redis == nil {
			return skipped("%s", noRedis)
		}
		q, err := d.queues()
		if err != nil {
			return skipped("%s", noRedis)
		}
		return judge(q)
	}
}

func checkScheduler(ctx context.Context, d *doctor) finding {
	const fix = "start `leversync serve`, or `leversync scheduler`"
	if w, err := d.overdue(); err == nil && w > 0 {
		return fail(fix, "%s fell due more than a minute ago, and nobody took them", plural(int64(w), "scope"))
	}
	if d.redis == nil {
		return skipped("%s", noRedis)
	}
	names, err := d.queue.Schedulers(ctx)
	switch {
	case err != nil:
		return skipped("%s", noRedis)
	case len(names) == 0:
		return fail(fix, "none has looked for work within 15 s")
	}
	return ok("%s: %s", plural(int64(len(names)), "scheduler"), clip(strings.Join(names, ", "), 100))
}

func (d *doctor) overdue() (int, error) {
	if d.store == nil {
		return 0, nil
	}
	w, err := d.workload()
	return w.Overdue, err
}

func checkWorkers(_ context.Context, d *doctor) finding {
	if d.redis == nil {
		return skipped("%s", noRedis)
	}
	servers, err := d.queue.Servers()
	if err != nil {
		return skipped("%s", noRedis)
	}
	if len(servers) == 0 {
		return fail("start `leversync serve`, or `leversync worker`", "none takes tasks from the queue")
	}
	slots, busy := 0, 0
	for _, s := range servers {
		slots, busy = slots+s.Concurrency, busy+s.Active
	}
	if busy >= slots {
		return warn("run more workers, or raise LEVERSYNC_CONCURRENCY", "all %d slots of %s are busy", slots, plural(int64(len(servers)), "worker"))
	}
	return ok("%s, %d of %d slots busy", plural(int64(len(servers)), "worker"), busy, slots)
}

func checkQueues(queues []task.QueueState) finding {
	var depth int
	var oldest time.Duration
	for _, q := range queues {
		if q.Paused {
			return fail(fmt.Sprintf("asynq queue unpause %s", q.Name), "the queue %s is paused: its tasks wait", q.Name)
		}
		depth, oldest = depth+q.Tasks["pending"], max(oldest, q.Latency)
	}
	switch {
	case oldest > slowQueue:
		return warn("run more workers; `leversync status` shows who syncs", "%s wait, the oldest for %s", plural(int64(depth), "task"), short(oldest))
	case depth > deepQueue:
		return warn("run more workers", "%s wait", plural(int64(depth), "task"))
	}
	return ok("%s wait, the oldest for %s", plural(int64(depth), "task"), short(oldest))
}

func checkArchived(queues []task.QueueState) finding {
	n := 0
	for _, q := range queues {
		n += q.Tasks["archived"]
	}
	if n > 0 {
		return warn("asynq task ls --queue sync --state archived shows why; they may be deleted: what is due is queued again", "%s archived: given up, or not understood", plural(int64(n), "task"))
	}
	return ok("none")
}

func checkUnserved(w store.Workload) finding {
	if w.Unserved > 0 {
		return warn("look at the workers' log; `leversync status ID` has the reasons", "%s queued for ten minutes and more", plural(int64(w.Unserved), "scope"))
	}
	return ok("nothing that was asked for waits for ten minutes")
}

func checkLeases(w store.Workload) finding {
	if w.StuckRuns > 0 {
		return fail("start a scheduler and a worker: they take over what was left", "%s held by nobody for a minute", plural(int64(w.StuckRuns), "run"))
	}
	return ok("each run under way has a holder")
}

func checkRelink(w store.Workload) finding {
	if w.Relink > 0 {
		return fail("leversync connector relink ID; `leversync status` shows which", "Lever refuses the credential of %s", plural(int64(w.Relink), "account"))
	}
	return ok("%s, %d paused; no credential is refused", plural(int64(w.Connectors), "account"), w.Paused)
}

func checkFailed(w store.Workload) finding {
	if w.Failed > 0 {
		return warn("`leversync status ID` has the reason, `leversync calls ID --failed` the calls", "%s failed at the last try", plural(int64(w.Failed), "scope"))
	}
	return ok("no scope has failed")
}

func checkFresh(w store.Workload) finding {
	if w.LateScopes > 0 {
		return fail("`leversync status ID` has the reason", "%s not brought up to date for a day and three times their interval", plural(int64(w.LateScopes), "scope"))
	}
	return ok("no scope is late")
}

func checkQuarantine(w store.Workload) finding {
	switch {
	case w.Quarantined == 0:
		return ok("nothing")
	case w.Quarantined*100 > w.Records:
		return fail("leversync quarantine list; a new version may map them: leversync quarantine retry ID", "%s set aside: more than one in a hundred", plural(w.Quarantined, "record"))
	}
	return warn("leversync quarantine list", "%s set aside", plural(w.Quarantined, "record"))
}

func checkOutbox(w store.Workload) finding {
	if w.UnknownWrites > 0 {
		return warn("a worker looks them up in Lever by itself; is one running, and is the account linked?", "the outcome of %s is not known for ten minutes", plural(int64(w.UnknownWrites), "write"))
	}
	return ok("no write's outcome is unknown")
}

func checkCalls(w store.Workload) finding {
	switch {
	case w.CallsLastHour > 0 && w.Refused*20 > w.CallsLastHour:
		return warn("leversync calls --failed", "%d of %s in the last hour had no answer, or a 5xx", w.Refused, plural(w.CallsLastHour, "call"))
	case w.CallsLastHour > 0 && w.Throttled*20 > w.CallsLastHour:
		return warn("another tool uses the same key: lower LEVERSYNC_RATE_LIMIT, or connector create --rate-limit", "%d of %s in the last hour were answered 429", w.Throttled, plural(w.CallsLastHour, "call"))
	}
	return ok("%s in the last hour, %d without an answer or 5xx, %d answered 429", plural(w.CallsLastHour, "call"), w.Refused, w.Throttled)
}

func checkLogDays(w store.Workload) finding {
	if w.LogDays < 2 {
		return warn("start a scheduler: it makes them", "the sync log has no table for tomorrow yet: calls go to one that is slow to clear")
	}
	return ok("tables for %d days", w.LogDays)
}
