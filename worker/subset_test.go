package worker_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// TestEachScopeAlone: a scope needs no other to be on, and brings no other with it.
func TestEachScopeAlone(t *testing.T) {
	t.Parallel()
	e := bareEnv(t, levertest.Config{Seed: 41, Opportunities: 40, RatePerSecond: -1, Confidential: true})
	conns := map[unified.Scope]store.Connector{}
	for _, sc := range unified.Scopes {
		c, _, err := e.db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: string(sc), APIKey: "test-key", Scopes: []unified.Scope{sc}, RateLimit: fast})
		if err != nil {
			t.Fatal(err)
		}
		conns[sc] = c
	}
	e.start(worker.Config{})
	for alone, c := range conns {
		e.conn = c
		e.wait(time.Now())
		kept := storetest.Value[int](e.db, `SELECT count(*) FROM parents WHERE connector_id = $1 AND raw IS NOT NULL`, c.ID)
		if of := alone == unified.Applications || alone == unified.Candidates; (kept > 0) != of {
			t.Errorf("with %s alone, the payloads of %d opportunities are kept", alone, kept)
		}
		for _, sc := range unified.Scopes {
			want := map[string]bool{}
			if sc == alone {
				for id := range e.lever.Expected(string(sc)) {
					// An offer's documents come with the list of offers, which is not read while offers is off.
					want[id] = want[id] || !strings.HasSuffix(id, "/sent") && !strings.HasSuffix(id, "/signed")
				}
				maps.DeleteFunc(want, func(_ string, in bool) bool { return !in })
			}
			got := map[string]bool{}
			for id := range e.records(sc) {
				got[id] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("with %s alone: %d %s, want %d: %v", alone, len(got), sc, len(want), slices.Sorted(maps.Keys(got))[:min(3, len(got))])
			}
		}
	}
}
