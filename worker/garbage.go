package worker

import (
	"os"
	"runtime/debug"
	"sync"
)

// While a list is read, most of what is allocated is garbage a page later, and little is live: collected as often as Go
// does by itself, every few megabytes, that took a third of the worker's CPU. So while a run is under way five times
// the live heap is let grow up, some 12 MB more; an idle process stays small. Whoever sets GOGC has the say.
const busyPercent = 400

var collector struct {
	sync.Mutex
	runs int // under way in this process
	idle int // percent while there is none
}

// allocate lets garbage pile up until the function that it returns is called.
func allocate() (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.runs++; c.runs == 1 {
		c.idle = debug.SetGCPercent(busyPercent)
	}
	return func() {
		c.Lock()
		defer c.Unlock()
		if c.runs--; c.runs == 0 {
			debug.SetGCPercent(c.idle)
		}
	}
}
