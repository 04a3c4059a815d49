package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	one, two, run := uuid.New(), uuid.New(), uuid.New()
	full := store.Call{
		ID: uuid.New(), ConnectorID: one, RunID: &run, Stream: "opportunities", Scope: "offers", Method: "GET", Path: "/opportunities/:id/offers",
		Query: "limit=100&offset=[redacted]", Status: 200, Attempt: 2, StartedAt: l0, DurationMS: 12.5, WaitMS: 100.25, Bytes: 1 << 33, Records: 7, Error: "none",
	}
	at := func(minutes, status int, connector uuid.UUID, scope string) store.Call {
		return store.Call{
			ID: uuid.New(), ConnectorID: connector, Method: "GET", Path: fmt.Sprint("/", minutes), Scope: scope, Status: status,
			Attempt: 1, StartedAt: l0.Add(time.Duration(minutes) * time.Minute),
		}
	}
	if err := db.Store.Log(t.Context(), []store.Call{full, at(1, 429, one, "tags"), at(2, 0, one, "tags"), at(3, 200, two, "tags"), at(4, 500, two, "jobs"), at(5, 399, two, "jobs")}); err != nil {
		t.Fatalf("Log: %v", err)
	}
	if err := db.Store.Log(t.Context(), nil); err != nil {
		t.Errorf("Log of nothing: %v", err)
	}
	tests := []struct {
		name   string
		filter store.CallFilter
		want   string
	}{
		{"all", store.CallFilter{}, "/5 /4 /3 /2 /1 /opportunities/:id/offers"},
		{"limit", store.CallFilter{Limit: 2}, "/5 /4"},
		{"connector", store.CallFilter{Connector: one}, "/2 /1 /opportunities/:id/offers"},
		{"run", store.CallFilter{Run: run}, "/opportunities/:id/offers"},
		{"scope", store.CallFilter{Scope: "jobs"}, "/5 /4"},
		{"status", store.CallFilter{Status: 200}, "/3 /opportunities/:id/offers"},
		{"failed", store.CallFilter{Failed: true}, "/4 /2 /1"},
		{"since", store.CallFilter{Since: l0.Add(4 * time.Minute)}, "/5 /4"},
		{"after", store.CallFilter{After: l0.Add(4 * time.Minute)}, "/5"},
		{"several", store.CallFilter{Connector: one, Failed: true, Scope: "tags", Limit: 1}, "/2"},
		{"none", store.CallFilter{Connector: uuid.New()}, ""},
	}
	for _, tc := range tests {
		calls, err := db.Store.Calls(t.Context(), tc.filter)
		var paths []string
		for _, c := range calls {
			paths = append(paths, c.Path)
		}
		if got := strings.Join(paths, " "); err != nil || got != tc.want {
			t.Errorf("Calls by %s = %s, %v; want %s", tc.name, got, err, tc.want)
		}
	}
	calls, err := db.Store.Calls(t.Context(), store.CallFilter{Run: run})
	if err != nil || len(calls) != 1 || calls[0].RunID == nil || *calls[0].RunID != run || !calls[0].StartedAt.Equal(l0) {
		t.Fatalf("Calls of a run = %+v, %v; want the one", calls, err)
	}
	calls[0].RunID, calls[0].StartedAt = full.RunID, full.StartedAt
	if calls[0] != full {
		t.Errorf("Calls = %+v; want %+v", calls[0], full)
	}
}

// partitions are the sync log's tables.
func partitions(db *storetest.DB) []string {
	return storetest.Column[string](db, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass ORDER BY 1")
}

func TestMaintainCalls(t *testing.T) {
	t.Parallel()
	const keep = 48 * time.Hour
	db := storetest.New(t)
	day := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	now := day.Add(15 * time.Hour)
	log := func(ats ...time.Time) {
		var calls []store.Call
		for _, at := range ats {
			calls = append(calls, store.Call{ID: uuid.New(), ConnectorID: uuid.New(), Method: "GET", Path: "/", Status: 200, StartedAt: at})
		}
		if err := db.Store.Log(t.Context(), calls); err != nil {
			t.Fatalf("Log: %v", err)
		}
	}
	maintain := func(now time.Time) {
		if err := store.MaintainCallsAt(t.Context(), db.Store, now, keep); err != nil {
			t.Fatalf("MaintainCalls at %s: %v", now, err)
		}
	}
	in := func(table string) int { return storetest.Value[int](db, "SELECT count(*)::int FROM "+table) }

	// Before the first maintenance everything is in the default partition.
	log(day, day.Add(24*time.Hour-time.Microsecond), day.Add(24*time.Hour), now.Add(-keep).Add(time.Second), now.Add(-keep).Add(-time.Second))
	maintain(now)
	want := []string{"calls_20260329", "calls_20260330", "calls_20260331", "calls_20260401", "calls_20260402", "calls_20260403", "calls_20260404", "calls_other"}
	if got := partitions(db); !slices.Equal(got, want) {
		t.Errorf("partitions: %q; want %q", got, want)
	}
	if a, b, rest := in("calls_20260329"), in("calls_20260330"), in("calls_other"); a != 2 || b != 1 || rest != 1 {
		t.Errorf("calls of the day, the next, and older ones: %d, %d, %d; want 2, 1, 1: moved, and the too old dropped", a, b, rest)
	}
	before := versions(db, "calls_20260329")
	maintain(now)
	if got := partitions(db); !slices.Equal(got, want) || !slices.Equal(versions(db, "calls_20260329"), before) {
		t.Errorf("partitions after the same once more: %q; want %q and no row moved", got, want)
	}
	maintain(day.Add(24*time.Hour + keep)) // the day ended just keep ago
	if got := partitions(db); got[0] != "calls_20260329" {
		t.Errorf("partitions when a day's age is just what is kept: %q; want it to be there", got)
	}
	maintain(day.Add(24*time.Hour + keep + time.Second))
	if got := partitions(db); got[0] != "calls_20260330" || got[len(got)-1] != "calls_other" {
		t.Errorf("partitions after a day became too old: %q; want it dropped", got)
	}
	if n := in("calls"); n != 1 {
		t.Errorf("%d calls are left; want the one of the next day", n)
	}
}

func TestMaintainCallsAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	id := uuid.New()
	const writers, rounds = 4, 30
	for i, err := range together(writers+4, func(i int) error {
		for round := range rounds {
			at := l0.AddDate(0, 0, round)
			if i >= writers {
				if err := store.MaintainCallsAt(t.Context(), db.Store, at, 1000*24*time.Hour); err != nil {
					return err
				}
				continue
			}
			call := store.Call{ID: uuid.New(), ConnectorID: id, Method: "GET", Path: "/", Status: 200, StartedAt: at.AddDate(0, 0, 3)}
			if err := db.Store.Log(t.Context(), []store.Call{call}); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("%d of 4 that log and 4 that maintain: %v", i, err)
		}
	}
	if n := count(db, "calls", id); n != writers*rounds {
		t.Errorf("%d calls in the log; want %d", n, writers*rounds)
	}
}

// A maintenance that is under way in another process is left to it.
func TestMaintainCallsOneAtATime(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	if err := db.Store.Log(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	put(t, db, l, tag(c.ID, "a", "A"))
	errs := together(8, func(int) error { return store.MaintainCallsAt(t.Context(), db.Store, l0, time.Hour) })
	if err := errors.Join(errs...); err != nil {
		t.Errorf("8 MaintainCalls at once: %v", err)
	}
	if got := partitions(db); len(got) != 8 {
		t.Errorf("partitions: %q; want 7 days and the default", got)
	}
	wantRecords(t, db, c.ID, unified.Tags, 1)
}
