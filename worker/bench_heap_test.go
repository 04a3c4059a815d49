package worker_test

import (
	"runtime/metrics"
	"sync"
	"time"
)

// heapWatch samples what the garbage collector found alive, in this process.
type heapWatch struct {
	done    chan struct{}
	wg      sync.WaitGroup
	samples []int64 // bytes, ten a second
}

func (h *heapWatch) start() {
	h.done = make(chan struct{})
	h.wg.Go(func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		t := time.NewTicker(100 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-h.done:
				return
			case <-t.C:
				metrics.Read(live)
				h.samples = append(h.samples, int64(live[0].Value.Uint64()))
			}
		}
	})
}

// stop returns the means of the second and of the last quarter; 0 where it was not started.
func (h *heapWatch) stop() (early, late int64) {
	if h.done == nil {
		return 0, 0
	}
	close(h.done)
	h.wg.Wait()
	quarter := len(h.samples) / 4
	for i, v := range h.samples {
		switch {
		case quarter > 0 && i/quarter == 1:
			early += v / int64(quarter)
		case quarter > 0 && i >= len(h.samples)-quarter:
			late += v / int64(quarter)
		}
	}
	return early, late
}
