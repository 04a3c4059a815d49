package api

import (
	"testing"
	"time"

	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) {
	rateTimeout = 10 * time.Second // a machine with more to do than it can keeps Redis waiting, too
	storetest.Main(m)
}
