package worker_test

import (
	"context"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quietRedis{})
	if os.Getenv(childEnv) != "" { // not a test, but a worker that a test has started and will kill
		os.Exit(runChild())
	}
	storetest.Main(m, goleak.Cleanup(func(code int) {
		ledger.print(os.Stdout)
		if builtIn != "" {
			_ = os.RemoveAll(builtIn)
		}
		os.Exit(code)
	}))
}

// quietRedis drops what the Redis client logs beside the errors that it returns: tests take Redis away.
type quietRedis struct{}

func (quietRedis) Printf(context.Context, string, ...any) {}
