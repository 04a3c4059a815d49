package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/worker"
)

// writePoints are the failpoints of a write to Lever.
var writePoints = []string{
	store.PointWriteClaimed, store.PointWriteSending, store.PointWriteAnswered, store.PointWriteNoted, store.PointWriteConfirmed,
}

// TestACrashAtAnyPointOfAWriteMakesNoDuplicate: the process ends at each failpoint of a write, and the client asks
// again with the same key.
func TestACrashAtAnyPointOfAWriteMakesNoDuplicate(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	dieAt := ""
	w := worker.New(worker.Config{Store: p.doomedStore(func(point string, _ uuid.UUID, _ string) {
		if point == dieAt {
			dieAt = ""
			panic(errCrash)
		}
	}), Redis: p.rdb, LeverURL: p.url, Log: p.log, RateLimit: fast})
	p.writer = worker.NewWriter(w, worker.WriterConfig{Settle: time.Nanosecond})
	rounds := 2
	if long() {
		rounds = 20
	}
	for n := range rounds * len(writePoints) {
		point, o, key := writePoints[n%len(writePoints)], person(n, p.jobs[n%len(p.jobs)]), fmt.Sprint("key-", n)
		dieAt = point
		if _, crashed, err := p.write(key, o); !crashed {
			t.Errorf("%s, %s: it never came there: %v", key, point, err)
		}
		result := tally{tried: 1, survived: 1}
		first := p.insist(key, o)
		if again, _, err := p.write(key, o); err != nil || string(again) != string(first) {
			t.Errorf("%s, %s: asked again = %s, %v; want the same reply, %s", key, point, again, err, first)
		}
		switch made := len(p.made(o)); {
		case made == 0:
			result.lost, result.survived = 1, 0
		case made > 1:
			result.duplicated, result.survived = made-1, 0
		}
		if result.survived == 0 {
			t.Errorf("%s, %s: %d lost, %d duplicated", key, point, result.lost, result.duplicated)
		}
		ledger.add("write interrupted at a failpoint", result)
	}
}

// doomedStore is a Store of the test's database whose failpoints call f.
func (e *env) doomedStore(f func(string, uuid.UUID, string)) *store.Store {
	e.t.Helper()
	keys, err := store.ParseKeyring(storetest.EncryptionKey)
	if err != nil {
		e.t.Fatal(err)
	}
	s, err := store.Open(e.t.Context(), store.Config{URL: e.db.URL, Keys: keys, MaxConns: 4, Failpoint: f})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(s.Close)
	return s
}
