package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

// Which records a call wrote is known, and which call wrote a record, whatever start of the server it was; of what was before the
// last one it is said that it is not.
func TestWrittenByAcrossStarts(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	write := func(name string) store.Call {
		t.Helper()
		call := store.Call{ID: uuid.New(), ConnectorID: c.ID, RunID: &l.RunID, Stream: stream, Scope: "tags", Method: "GET", Path: "/tags", Status: 200, Records: 1,
			StartedAt: storetest.Value[time.Time](db, `SELECT clock_timestamp()`).UTC()}
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			tx.Log([]store.Call{call})
			return store.Upsert(ctx, tx, []*unified.Tag{tag(c.ID, name, name)})
		})
		return call
	}
	known := func(call store.Call, name string) {
		t.Helper()
		if got, err := db.Store.WrittenBy(t.Context(), call, 9); err != nil || len(got) != 1 || got[0].RemoteID != name {
			t.Errorf("WrittenBy(the call of %s) = %v, %v; want that one", name, got, err)
		}
		found, err := db.Store.FindRecords(t.Context(), c.ID, name)
		if err != nil || len(found) != 1 || len(found[0].Calls) != 1 || found[0].Calls[0].ID != call.ID {
			t.Errorf("FindRecords(%s) = %+v, %v; want it, with its call", name, found, err)
		}
	}
	first := write("a")
	known(first, "a")
	for range 2 {
		db.Exec(`UPDATE feed SET cluster = 'another'`)
		if raised, err := store.ContinueFeed(t.Context(), db.Store); err != nil || !raised {
			t.Fatalf("ContinueFeed() = %v, %v; want that versions were raised", raised, err)
		}
		run := l.RunID
		l = held(t, db, c.ID, stream)
		l.RunID = run
		known(write("b"), "b")
		db.Exec(`DELETE FROM tags WHERE remote_id = 'b'`)
	}
	if got, err := db.Store.WrittenBy(t.Context(), first, 9); !errors.Is(err, store.ErrUntold) {
		t.Errorf("WrittenBy(a call of before) = %v, %v; want that it is not known any more", got, err)
	}
}

// Somebody reads the log for long: a dump does. Its partitions are left for later, and who logs calls does not wait meanwhile.
func TestMaintainCallsWaitsForNoReader(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	day := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	if err := store.MaintainCallsAt(t.Context(), db.Store, day, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	reader, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.WithoutCancel(t.Context()))
	if _, err := reader.Exec(t.Context(), `BEGIN; SELECT count(*) FROM leversync.calls`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	later := day.AddDate(0, 0, 3)
	err = store.MaintainCallsAt(ctx, db.Store, later, 24*time.Hour)
	if pe, ok := errors.AsType[*pgconn.PgError](err); !ok || pe.Code != "55P03" {
		t.Errorf("MaintainCalls while somebody reads the log: %v; want that it is left for later (55P03)", err)
	}
	if err := db.Store.Log(ctx, []store.Call{{ID: uuid.New(), ConnectorID: uuid.New(), Method: "GET", Path: "/", Status: 200, StartedAt: later}}); err != nil {
		t.Errorf("Log meanwhile: %v", err)
	}
	if _, err := reader.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if err := store.MaintainCallsAt(t.Context(), db.Store, later, 24*time.Hour); err != nil {
		t.Errorf("MaintainCalls after that: %v", err)
	}
	if got := partitions(db); got[0] != "calls_20260330" || len(got) != 10 {
		t.Errorf("partitions: %q; want those from the 30th on, for a week ahead", got)
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
