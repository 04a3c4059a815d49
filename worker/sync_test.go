package worker_test

import (
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/worker"
)

func TestFirstSyncEqualsTheSource(t *testing.T) {
	t.Parallel()
	e := newEnv(t, levertest.Config{Seed: 1, Opportunities: 300, RatePerSecond: -1, Confidential: true}, fast)
	e.start(worker.Config{})
	e.wait(time.Now())
	e.check()
}
