package dashboard_test

import (
	"net/http"
	"testing"
)

// BenchmarkThousandConnectors is the list of connectors, with 1,000 of them that ran each hour of a day: one request.
func BenchmarkThousandConnectors(b *testing.B) {
	e := start(b, false, nil)
	e.db.Fleet(1000)
	browser := e.signedIn()
	for b.Loop() {
		if a := browser.get("/"); a.status != http.StatusOK {
			b.Fatalf("GET /: %d", a.status)
		}
	}
}
