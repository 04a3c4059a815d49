package dashboard_test

import (
	"testing"

	"github.com/leversync/leversync/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
