// Package storetest gives tests real services: a database of its own for each, on a real Postgres, and
// a Redis, or a whole Postgres, of its own for those that flush, kill or fill it.
//
// A package that uses New calls Main from its TestMain:
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
//	func TestClaim(t *testing.T) {
//		t.Parallel()
//		db := storetest.New(t)
//		… db.Store …
//	}
//
// The services come from deploy/services.sh, by way of make test. A bare go test skips what needs them;
// with CI set it fails instead, so that a suite which tested nothing can't pass.
package storetest

import (
	"os"
	"testing"
)

// The environment that deploy/services.sh sets.
const (
	databaseEnv    = "LEVERSYNC_TEST_DATABASE_URL" // a superuser's URL
	postgresBinEnv = "LEVERSYNC_TEST_POSTGRES_BIN" // the folder of the programs postgres and initdb
	redisServerEnv = "LEVERSYNC_TEST_REDIS_SERVER" // the path of the redis-server program
)

// missing ends a test that lacks what: a skip at a developer's desk, a failure in CI.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: run it with make test", what)
	}
	t.Skipf("%s: run it with make test", what)
}
