package worker_test

import (
	"os"
	"testing"

	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" { // not a test, but a worker that a test has started and will kill
		os.Exit(runChild())
	}
	storetest.Main(m)
}
