package storetest

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// mainRuns says that Main is there to drop the template.
var mainRuns atomic.Bool

// Main runs a package's tests, drops the template database they cloned, and fails when a goroutine is
// left over. It is a TestMain's only line, and doesn't return.
func Main(m *testing.M, options ...goleak.Option) {
	mainRuns.Store(true)
	goleak.VerifyTestMain(suite{m}, options...)
}

// suite tidies up between the last test and the search for leaks.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if err := dropTemplate(); err != nil {
		fmt.Fprintln(os.Stderr, "storetest: drop the template:", err)
		code = max(code, 1)
	}
	// An idle connection's two goroutines are no leak.
	http.DefaultClient.CloseIdleConnections()
	return code
}
