package store_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

var seed = flag.Uint64("seed", 0, "seed of the randomised tests; 0 takes one from the clock")

// random is a source of chance whose seed the test prints.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("go test -run '^%s$' -seed %d", t.Name(), s)
	return rand.New(rand.NewPCG(s, 0))
}

// stream is the traversal that these tests run.
const stream = "opportunities"

// linked makes a connector with an API key and all 15 scopes on.
func linked(t *testing.T, db *storetest.DB) store.Connector {
	t.Helper()
	c, _, err := db.Store.CreateConnector(t.Context(), store.NewConnector{
		OrgName: "Acme", OriginID: "acme-1", APIKey: "key", Scopes: unified.Scopes, SyncInterval: time.Hour,
	})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	return c
}

// held takes the lease of a stream of a connector.
func held(t *testing.T, db *storetest.DB, connector uuid.UUID, stream string) store.Lease {
	t.Helper()
	l, _, err := db.Store.Acquire(t.Context(), connector, stream, "tester", 100)
	if err != nil {
		t.Fatalf("Acquire(%s): %v", stream, err)
	}
	return l
}

// running takes the lease of a stream and begins a run for all scopes.
func running(t *testing.T, db *storetest.DB, connector uuid.UUID, stream string) store.Lease {
	t.Helper()
	names := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		names[i] = string(sc)
	}
	l, err := db.Store.Begin(t.Context(), held(t, db, connector, stream), "backfill", names, json.RawMessage(`{"page":0}`), true)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return l
}

// expire ends a lease as if its holder had been silent for too long.
func expire(db *storetest.DB, connector uuid.UUID, stream string) {
	db.Exec("UPDATE streams SET lease_until = now() - interval '1 ms' WHERE connector_id = $1 AND stream = $2", connector, stream)
}

// commit runs fn in one transaction, which must succeed.
func commit(t *testing.T, db *storetest.DB, l store.Lease, fn func(context.Context, *store.Tx) error) store.Counts {
	t.Helper()
	c, err := db.Store.Commit(t.Context(), l, fn)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	c.Result = nil // TestResult holds it; without it counts can be compared
	return c
}

// put commits a page of records, which must succeed.
func put(t *testing.T, db *storetest.DB, l store.Lease, recs ...unified.Record) store.Counts {
	t.Helper()
	return commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return store.Upsert(ctx, tx, recs) })
}

// tag is a record of the simplest scope.
func tag(connector uuid.UUID, remote, name string) *unified.Tag {
	return &unified.Tag{Envelope: envelope(connector, unified.Tags, remote, ""), Name: &name}
}

func envelope(connector uuid.UUID, sc unified.Scope, remote, parent string) unified.Envelope {
	raw, _ := json.Marshal(map[string]string{"id": remote})
	return unified.Envelope{ID: unified.ID(connector, sc, remote), RemoteID: remote, Parent: parent, Raw: raw}
}

// blank makes an empty record of each scope.
var blank = map[unified.Scope]func() unified.Record{
	unified.Applications:        func() unified.Record { return &unified.Application{} },
	unified.Attachments:         func() unified.Record { return &unified.Attachment{} },
	unified.Candidates:          func() unified.Record { return &unified.Candidate{} },
	unified.Departments:         func() unified.Record { return &unified.Department{} },
	unified.EEOCs:               func() unified.Record { return &unified.EEOC{} },
	unified.Jobs:                func() unified.Record { return &unified.Job{} },
	unified.JobInterviewStages:  func() unified.Record { return &unified.JobInterviewStage{} },
	unified.Offers:              func() unified.Record { return &unified.Offer{} },
	unified.Offices:             func() unified.Record { return &unified.Office{} },
	unified.RejectReasons:       func() unified.Record { return &unified.RejectReason{} },
	unified.RemoteUsers:         func() unified.Record { return &unified.RemoteUser{} },
	unified.ScheduledInterviews: func() unified.Record { return &unified.ScheduledInterview{} },
	unified.Scorecards:          func() unified.Record { return &unified.Scorecard{} },
	unified.ScreeningQuestions:  func() unified.Record { return &unified.ScreeningQuestion{} },
	unified.Tags:                func() unified.Record { return &unified.Tag{} },
}

// columnOf is the column of a field of a unified struct.
func columnOf(f reflect.StructField) string {
	if name := f.Tag.Get("db"); name != "" {
		return name
	}
	return f.Tag.Get("json")
}

// count is how many rows of a table a connector has.
func count(db *storetest.DB, table string, connector uuid.UUID) int64 {
	return storetest.Value[int64](db, fmt.Sprintf("SELECT count(*) FROM %s WHERE connector_id = $1", table), connector)
}

// together runs n calls of fn at once and returns their errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// awaitBlocked returns once n backends of the test's database wait for a lock.
func awaitBlocked(t *testing.T, db *storetest.DB, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 4000 {
		if storetest.Value[int](db, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= n {
			return
		}
		select {
		case <-t.Context().Done():
		case <-tick.C:
		}
	}
	t.Fatalf("%d backends never came to wait for a lock", n)
}
