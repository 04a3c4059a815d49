package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

func TestClaimLost(t *testing.T) {
	t.Parallel()
	const grace = 10 * time.Second
	tests := []struct {
		name  string
		setup func(t *testing.T, db *storetest.DB, connector uuid.UUID)
		want  []string // scopes claimed
	}{
		{"nothing asked for", func(*testing.T, *storetest.DB, uuid.UUID) {}, nil},
		{"a run that is held", func(t *testing.T, db *storetest.DB, c uuid.UUID) { begun(t, db, c) }, nil},
		{"a run whose lease ran out", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			begun(t, db, c)
			expire(db, c, stream)
		}, []string{"offers"}},
		{"a run to wake later", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			release(t, db, begun(t, db, c), time.Minute)
		}, nil},
		{"a run to wake now", func(t *testing.T, db *storetest.DB, c uuid.UUID) { release(t, db, begun(t, db, c), 0) }, nil},
		{"a run whose wake-up is within the grace", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			release(t, db, begun(t, db, c), 0)
			db.Exec("UPDATE streams SET wake_at = now() - interval '9 s'")
		}, nil},
		{"a run whose wake-up never came", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			release(t, db, begun(t, db, c), 0)
			db.Exec("UPDATE streams SET wake_at = now() - interval '11 s'")
		}, []string{"offers"}},
		{"a lease that ran out without a run", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			held(t, db, c, stream)
			expire(db, c, stream)
		}, nil},
		{"queued within the grace", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			db.Exec("UPDATE connector_scopes SET requested_at = now() - interval '1 h', queued_at = now() - interval '19 s' WHERE scope = 'tags'")
		}, nil},
		{"queued and never begun", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			db.Exec("UPDATE connector_scopes SET requested_at = now() - interval '1 h', queued_at = now() - interval '21 s' WHERE scope = 'tags'")
		}, []string{"tags"}},
		{"asked for and never queued", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			db.Exec("UPDATE connector_scopes SET requested_at = now() WHERE scope IN ('tags', 'jobs')")
		}, []string{"jobs", "tags"}},
		{"queued, and its stream runs", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			begun(t, db, c)
			db.Exec("UPDATE connector_scopes SET requested_at = now(), queued_at = now() - interval '1 h' WHERE scope IN ('tags', 'offers', 'scorecards')")
		}, []string{"tags"}},
		{"asked for, and off", func(t *testing.T, db *storetest.DB, c uuid.UUID) {
			db.Exec("UPDATE connector_scopes SET requested_at = now(), enabled = false WHERE scope = 'tags'")
		}, nil},
	}
	db := storetest.New(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { // one after another: each has the database to itself
			c := linked(t, db)
			defer func() {
				if err := db.Store.DeleteConnector(t.Context(), c.ID); err != nil {
					t.Error(err)
				}
			}()
			tc.setup(t, db, c.ID)
			var got []string
			lost, err := db.Store.ClaimLost(t.Context(), grace, 0, 100)
			for _, l := range lost {
				got = append(got, l.Scope)
				if l.ConnectorID != c.ID || l.DueAt.IsZero() {
					t.Errorf("ClaimLost: %+v; want the connector and a due time", l)
				}
			}
			slices.Sort(got)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("ClaimLost = %q, %v; want %q", got, err, tc.want)
			}
			if again, err := db.Store.ClaimLost(t.Context(), grace, 0, 100); err != nil || len(again) != 0 {
				t.Errorf("ClaimLost at once again = %v, %v; want nothing within the grace", again, err)
			}
			if tc.want == nil {
				return
			}
			db.Exec("UPDATE streams SET wake_at = wake_at - interval '11 s' WHERE wake_at <= now()")
			db.Exec("UPDATE connector_scopes SET queued_at = queued_at - interval '21 s' WHERE queued_at > now() - interval '1 s'")
			if again, err := db.Store.ClaimLost(t.Context(), grace, 0, 100); err != nil || len(again) != len(tc.want) {
				t.Errorf("ClaimLost after the grace = %v, %v; want %q again: the claim was lost too", again, err, tc.want)
			}
		})
	}
}

// TestWhatWaitsForItsTurnIsNotLost: what has waited for no longer than the queue makes all wait, beside the grace, is not claimed;
// what no task was ever made of is.
func TestWhatWaitsForItsTurnIsNotLost(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	release(t, db, begun(t, db, c.ID), 0)
	db.Exec("UPDATE streams SET wake_at = now() - interval '15 s'")
	db.Exec("UPDATE connector_scopes SET requested_at = now(), queued_at = now() - interval '25 s' WHERE scope = 'tags'")
	db.Exec("UPDATE connector_scopes SET requested_at = now() WHERE scope = 'jobs'")
	for _, tc := range []struct {
		behind time.Duration
		want   []string
	}{{20 * time.Second, []string{"jobs"}}, {10 * time.Second, nil}, {3 * time.Second, []string{"offers", "tags"}}} {
		var got []string
		lost, err := db.Store.ClaimLost(t.Context(), 10*time.Second, tc.behind, 100)
		for _, l := range lost {
			got = append(got, l.Scope)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("ClaimLost, %s behind = %q, %v; want %q", tc.behind, got, err, tc.want)
		}
	}
}

// TestLostIsFoundByItsIndex: of many scopes that are on, or wait for their turn, none is read to find that none was lost.
func TestLostIsFoundByItsIndex(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec(`ALTER TABLE connector_scopes SET (autovacuum_enabled = false)`)
	for range 3 {
		linked(t, db)
	}
	db.Exec(`INSERT INTO connector_scopes (connector_id, scope, enabled, requested_at, queued_at)
SELECT (SELECT id FROM connectors LIMIT 1), 'of ' || n, true, CASE WHEN n % 2 = 0 THEN now() END, now() FROM generate_series(1, 30000) n`)
	for _, when := range []string{"without statistics", "with statistics"} {
		plan, err := store.ClaimLostPlan(t.Context(), db.Store)
		if err != nil || !strings.Contains(plan, "connector_scopes_asked") || strings.Contains(plan, "connector_scopes_due") || strings.Contains(plan, "Seq Scan on connector_scopes") {
			t.Errorf("%s: %v, want the index of those that were asked for:\n%s", when, err, plan)
		}
		db.Exec(`ANALYZE connector_scopes`)
	}
}

// TestWhatIsAskedIsFoundByTheConnector: whenever the plan is made, what is on and asked of a connector is found by its key, and not by
// an index of what is on everywhere.
func TestWhatIsAskedIsFoundByTheConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec(`ALTER TABLE connector_scopes SET (autovacuum_enabled = false)`)
	look := func(when string, c uuid.UUID) {
		t.Helper()
		plans, err := store.AskedPlans(t.Context(), db.Store, c)
		if err != nil {
			t.Fatal(err)
		}
		for name, plan := range plans {
			if strings.Contains(plan, "connector_scopes_due") || strings.Contains(plan, "connector_scopes_asked") || strings.Contains(plan, "Seq Scan on connector_scopes") {
				t.Errorf("%s, %s: want it found by the connector:\n%s", name, when, plan)
			}
		}
	}
	look("of an empty table", uuid.New())
	c := linked(t, db)
	look("of a few", c.ID)
	db.Exec(`INSERT INTO connector_scopes (connector_id, scope, enabled) SELECT $1, 'of ' || n, true FROM generate_series(1, 3000) n`, linked(t, db).ID)
	look("without statistics", c.ID)
}

// begun begins a run for two scopes, offers and scorecards.
func begun(t *testing.T, db *storetest.DB, connector uuid.UUID) store.Lease {
	t.Helper()
	l, err := db.Store.Begin(t.Context(), held(t, db, connector, stream), "backfill", []string{"offers", "scorecards"}, nil, false)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return l
}

func release(t *testing.T, db *storetest.DB, l store.Lease, wakeIn time.Duration) {
	t.Helper()
	if err := db.Store.Release(t.Context(), l, wakeIn); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func TestClaimLostAtOnce(t *testing.T) {
	t.Parallel()
	const connectors = 60
	db := storetest.New(t)
	manyConnectors(db, connectors)
	db.Exec("UPDATE connector_scopes SET requested_at = now() WHERE scope = 'tags'")
	for _, c := range storetest.Column[uuid.UUID](db, "SELECT id FROM connectors LIMIT 10") {
		begun(t, db, c)
		expire(db, c, stream)
	}
	claimed := make([]int, 8)
	for i, err := range together(len(claimed), func(i int) error {
		for {
			lost, err := db.Store.ClaimLost(t.Context(), time.Minute, 0, 7)
			if err != nil || len(lost) == 0 {
				return err
			}
			claimed[i] += len(lost)
		}
	}) {
		if err != nil {
			t.Fatalf("reconciler %d: ClaimLost: %v", i, err)
		}
	}
	var sum int
	for _, n := range claimed {
		sum += n
	}
	if want := connectors + 10; sum != want {
		t.Errorf("8 reconcilers at once claimed %v, in all %d; want %d: each once", claimed, sum, want)
	}
}
