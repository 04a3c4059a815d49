package store_test

import (
	"context"
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

// Kinds of child lists, as bits.
const (
	kindA = 1 << iota
	kindB
	kindC
	allKinds = kindA | kindB | kindC
)

// commitParents writes parents of applications, with all kinds to be read in lane 3.
func commitParents(t *testing.T, db *storetest.DB, l store.Lease, ps ...store.Parent) {
	t.Helper()
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.UpsertParents(ctx, unified.Applications, ps, allKinds, 3)
	})
}

// next lists the work that there is, as "id/pending".
func next(t *testing.T, db *storetest.DB, connector uuid.UUID, kinds int, except ...string) string {
	t.Helper()
	work, err := db.Store.NextWork(t.Context(), connector, unified.Applications, kinds, except, 100)
	if err != nil {
		t.Fatalf("NextWork: %v", err)
	}
	var out []string
	for _, w := range work {
		out = append(out, fmt.Sprintf("%s/%d", w.RemoteID, w.Pending))
	}
	return strings.Join(out, " ")
}

// mark runs one of the mark methods in a transaction.
func mark(t *testing.T, db *storetest.DB, l store.Lease, fn func(context.Context, *store.Tx) (int64, error)) (n int64) {
	t.Helper()
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
		n, err = fn(ctx, tx)
		return err
	})
	return n
}

// What is next is found where it lies: neither the rest of what is to be read nor other connectors are gone through, whether or
// not Postgres has statistics.
func TestNextWorkIsNotSorted(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	db.Exec(`ALTER TABLE parents SET (autovacuum_enabled = false)`)
	for _, id := range []uuid.UUID{c.ID, other.ID} {
		db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, person, stage, raw, active_at, archived, lane, pending)
SELECT $1, 'applications', 'o' || n, 'p' || n, 's', '{}', CASE WHEN n % 5 > 0 THEN now() - n * interval '1 minute' END, n % 3 = 0, n % 2, 31 FROM generate_series(1, 5000) n`, id)
	}
	for _, when := range []string{"without statistics", "with statistics"} {
		plan, err := store.NextWorkPlan(t.Context(), db.Store, c.ID, 50)
		if err != nil || !strings.Contains(plan, "Index Scan using parents_work") || strings.Contains(plan, "Sort") {
			t.Errorf("%s: %v, want a scan of parents_work, and no sort:\n%s", when, err, plan)
		}
		db.Exec(`ANALYZE parents`)
	}
}

func TestNextWorkOrder(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	at := func(hours int) time.Time { return l0.Add(time.Duration(hours) * time.Hour) }
	commitParents(t, db, l,
		store.Parent{RemoteID: "archived-new", Archived: true, ActiveAt: at(9)},
		store.Parent{RemoteID: "archived-old", Archived: true, ActiveAt: at(1)},
		store.Parent{RemoteID: "never", Digest: []byte{1}},
		store.Parent{RemoteID: "old", ActiveAt: at(2)},
		store.Parent{RemoteID: "new", ActiveAt: at(8)},
		store.Parent{RemoteID: "urgent", Archived: true, ActiveAt: at(0)},
	)
	db.Exec("UPDATE parents SET lane = 1 WHERE remote_id = 'urgent'")
	db.Exec("UPDATE parents SET pending = $1 WHERE remote_id = 'old'", kindB)
	for _, tc := range []struct {
		kinds  int
		except []string
		want   string
	}{
		{allKinds, nil, "urgent/7 new/7 old/2 never/7 archived-new/7 archived-old/7"},
		{kindA, nil, "urgent/1 new/1 never/1 archived-new/1 archived-old/1"},
		{kindB | kindC, []string{"new", "urgent"}, "old/2 never/6 archived-new/6 archived-old/6"},
		{8, nil, ""},
	} {
		if got := next(t, db, c.ID, tc.kinds, tc.except...); got != tc.want {
			t.Errorf("NextWork(kinds %d, except %q) = %s; want %s", tc.kinds, tc.except, got, tc.want)
		}
	}
	work, err := db.Store.NextWork(t.Context(), c.ID, unified.Applications, allKinds, []string{}, 2)
	if err != nil || len(work) != 2 {
		t.Errorf("NextWork of at most 2 = %v, %v", work, err)
	}
	left, err := db.Store.WorkLeft(t.Context(), c.ID, unified.Applications, allKinds)
	if want := (store.Left{Ready: 6, Calls: 16}); err != nil || left != want {
		t.Errorf("WorkLeft = %+v, %v; want %+v", left, err, want)
	}
	if left, err := db.Store.WorkLeft(t.Context(), c.ID, unified.Jobs, allKinds); err != nil || left != (store.Left{}) {
		t.Errorf("WorkLeft of jobs = %+v, %v; want none", left, err)
	}
}

func TestUpsertParents(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	p := store.Parent{RemoteID: "p", Person: "x", Stage: "s", Reason: "r", Raw: []byte(`{"a":"<é>"}`), RawHash: []byte{1}, Digest: []byte{1}}
	commitParents(t, db, l, p, store.Parent{RemoteID: "other", Person: "x", Raw: []byte(`{}`)})
	rev := func() int64 {
		return storetest.Value[int64](db, "SELECT pending_rev FROM parents WHERE remote_id = 'p'")
	}
	known := func() store.Known {
		var m map[string]store.Known
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
			m, err = tx.KnownParents(ctx, unified.Applications, []string{"p", "never there"})
			return err
		})
		if len(m) != 1 {
			t.Fatalf("KnownParents of one that is there and one that is not: %v", m)
		}
		// What is looked up ahead of its turn says the same.
		hashes := map[string][]byte{"p": p.RawHash, "other": {9}, "never there": p.RawHash}
		same, err := db.Store.AsStored(t.Context(), c.ID, unified.Applications, hashes)
		if k := m["p"]; err != nil || same["p"] == k.Changed(p) || len(same) > 1 || same["other"] {
			t.Errorf("AsStored = %v, %v; want p where KnownParents has it unchanged: %+v", same, err, k)
		}
		if same, err := db.Store.AsStored(t.Context(), uuid.New(), unified.Applications, hashes); err != nil || len(same) != 0 {
			t.Errorf("AsStored of another connector = %v, %v; want none", same, err)
		}
		return m["p"]
	}
	if k := known(); k.Changed(p) || k.Person != "x" || k.Deleted {
		t.Errorf("KnownParents = %+v; want what was stored", k)
	}
	finish := func() {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.FinishWork(ctx, unified.Applications, []store.Done{{RemoteID: "p", Kinds: allKinds, PendingRev: rev()}, {RemoteID: "other", Kinds: allKinds, PendingRev: 1}})
			return err
		})
	}
	finish()
	p.Raw, p.RawHash = []byte(`{"a":2}`), []byte{2}
	if !known().Changed(p) {
		t.Error("Changed with another payload = false; want true")
	}
	if commitParents(t, db, l, p); next(t, db, c.ID, allKinds) != "" {
		t.Errorf("work after a payload of the same digest: %s; want none", next(t, db, c.ID, allKinds))
	}
	p.Digest = []byte{2}
	if commitParents(t, db, l, p); next(t, db, c.ID, allKinds) != "p/7" {
		t.Errorf("work after another digest: %s; want p/7", next(t, db, c.ID, allKinds))
	}
	finish()
	var persons []string
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) (err error) {
		persons, err = tx.RemoveParents(ctx, unified.Applications, []string{"p", "other", "never there"})
		return err
	})
	if n, err := db.Store.CountParents(t.Context(), c.ID, unified.Applications); !slices.Equal(persons, []string{"x"}) || n != 0 || err != nil {
		t.Errorf("RemoveParents = %q, %d are left, %v; want x once, none", persons, n, err)
	}
	if !known().Deleted || !known().Changed(p) {
		t.Errorf("KnownParents of one that is gone = %+v; want it deleted, and so changed", known())
	}
	if commitParents(t, db, l, p); next(t, db, c.ID, allKinds) != "p/7" || known().Deleted {
		t.Errorf("a parent that came back: %+v, work %s; want it live, p/7", known(), next(t, db, c.ID, allKinds))
	}
	var raw []string
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		got, err := tx.RawOf(ctx, []string{"x"}, []string{})
		for _, r := range got {
			raw = append(raw, string(r))
		}
		return err
	})
	if !slices.Equal(raw, []string{`{"a": 2}`}) {
		t.Errorf("RawOf = %q; want the live one's", raw)
	}
}

// putOff puts a list of a parent off.
func putOff(t *testing.T, db *storetest.DB, l store.Lease, id string, kind int, delay time.Duration) {
	t.Helper()
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.PutOff(ctx, unified.Applications, id, kind, delay)
	})
}

// TestPutOffAndDropWork: a list that fails waits by itself, and counts its own failures alone.
func TestPutOffAndDropWork(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	commitParents(t, db, l, store.Parent{RemoteID: "a"}, store.Parent{RemoteID: "b"})
	for range 5 {
		putOff(t, db, l, "a", kindB, time.Hour)
	}
	putOff(t, db, l, "a", kindC, -time.Second)
	putOff(t, db, l, "b", kindA, 2*time.Hour)
	if got := next(t, db, c.ID, allKinds); got != "a/5 b/6" && got != "b/6 a/5" {
		t.Errorf("work after PutOff of a/2 and b/1: %s; want a/5 and b/6", got)
	}
	if got := next(t, db, c.ID, kindB); got != "b/2" {
		t.Errorf("work of the list that is put off for a: %s; want b/2", got)
	}
	work, err := db.Store.NextWork(t.Context(), c.ID, unified.Applications, kindC, []string{"b"}, 9)
	if err != nil || len(work) != 1 || work[0].PutOff[kindB].Attempts != 5 || work[0].PutOff[kindC].Attempts != 1 || work[0].PutOff[kindA].Attempts != 0 {
		t.Errorf("NextWork = %+v, %v; want a, whose lists failed 0, 5 and 1 times", work, err)
	}
	left, err := db.Store.WorkLeft(t.Context(), c.ID, unified.Applications, allKinds)
	if err != nil || left.Ready != 2 || left.Later != 2 || left.Calls != 6 || left.NextIn == nil || *left.NextIn < 50*time.Minute || *left.NextIn > time.Hour {
		t.Errorf("WorkLeft = %+v, %v; want 2 ready, 2 of which some are put off, the first for an hour, 6 calls", left, err)
	}
	if left, err := db.Store.WorkLeft(t.Context(), c.ID, unified.Applications, kindC); err != nil || left.Ready != 2 || left.Later != 0 || left.NextIn != nil || left.Calls != 2 {
		t.Errorf("WorkLeft of a list that is put off for none = %+v, %v; want 2 ready, none later, 2 calls", left, err)
	}
	for _, tc := range []struct {
		drop int
		want int64
	}{{kindB, 4}, {kindB, 4}, {kindA | kindC, 0}} {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.DropWork(ctx, unified.Applications, tc.drop) })
		if left, err := db.Store.WorkLeft(t.Context(), c.ID, unified.Applications, allKinds); err != nil || left.Calls != tc.want {
			t.Errorf("WorkLeft after DropWork(%d) = %+v, %v; want %d calls", tc.drop, left, err, tc.want)
		}
	}
	if got := storetest.Value[int](db, "SELECT count(*)::int FROM parents WHERE put_off IS NOT NULL"); got != 0 {
		t.Errorf("%d parents remember failures of lists that were dropped", got)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	commitParents(t, db, l,
		store.Parent{RemoteID: "a", Stage: "offer"}, store.Parent{RemoteID: "b", Stage: "screen"},
		store.Parent{RemoteID: "c", Stage: "offer", Archived: true}, store.Parent{RemoteID: "d", Stage: "offer"},
		store.Parent{RemoteID: "gone", Stage: "offer"},
	)
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RemoveParents(ctx, unified.Applications, []string{"gone"})
		return err
	})
	now := time.Now()
	interview := func(parent string, begins time.Duration) *unified.ScheduledInterview {
		return &unified.ScheduledInterview{
			Envelope: envelope(c.ID, unified.ScheduledInterviews, fmt.Sprint(parent, begins), parent), StartAt: new(unified.NewTime(now.Add(begins))),
		}
	}
	put(t, db, l, interview("a", -time.Hour), interview("a", -2*time.Hour), interview("b", -48*time.Hour), interview("c", time.Hour), interview("d", -time.Hour))
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tombstone(ctx, unified.ScheduledInterviews, []string{fmt.Sprint("d", -time.Hour)})
	})
	db.Exec(`UPDATE parents SET children_read_at = CASE remote_id WHEN 'a' THEN now() WHEN 'b' THEN now() - interval '1 d' WHEN 'c' THEN now() - interval '2 d' END`)
	tests := []struct {
		name string
		mark func(context.Context, *store.Tx) (int64, error)
		n    int64
		want string // marked, of a parent each
	}{
		{"MarkAll", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkAll(ctx, unified.Applications, kindA|kindB, 2)
		}, 8, "a/3 b/3 c/3 d/7"},
		{"MarkAll of no kind", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkAll(ctx, unified.Applications, 0, 2)
		}, 0, "d/4"},
		{"MarkStages", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkStages(ctx, unified.Applications, kindA, 2, []string{"offer", "hired"})
		}, 2, "a/1 d/5"},
		{"MarkStages of none", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkStages(ctx, unified.Applications, kindA, 2, nil)
		}, 0, "d/4"},
		{"MarkInterviewed", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkInterviewed(ctx, unified.Applications, allKinds, 2, now.Add(-24*time.Hour))
		}, 3, "a/7 d/4"},
		{"MarkInterviewed long ago", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkInterviewed(ctx, unified.Applications, kindB, 2, now.Add(-72*time.Hour))
		}, 2, "a/2 b/2 d/4"},
		{"MarkOldest", func(ctx context.Context, tx *store.Tx) (int64, error) {
			return tx.MarkOldest(ctx, unified.Applications, kindB|kindC, 2, 3)
		}, 5, "b/6 c/6 d/6"}, // d was never read, and has one kind marked already
	}
	for _, tc := range tests {
		db.Exec("UPDATE parents SET pending = CASE remote_id WHEN 'd' THEN 4 ELSE 0 END, lane = 3")
		n := mark(t, db, l, tc.mark)
		got := strings.Fields(next(t, db, c.ID, allKinds))
		slices.Sort(got)
		if n != tc.n || strings.Join(got, " ") != tc.want {
			t.Errorf("%s = %d: %s; want %d: %s", tc.name, n, strings.Join(got, " "), tc.n, tc.want)
		}
		if again := mark(t, db, l, tc.mark); again != 0 {
			t.Errorf("%s at once again = %d; want 0: all is marked", tc.name, again)
		}
	}
	// What was marked anew takes the lane given; what waited already keeps the more urgent one.
	db.Exec("UPDATE parents SET pending = CASE remote_id WHEN 'a' THEN 1 ELSE 0 END, lane = 2 WHERE deleted_at IS NULL")
	mark(t, db, l, func(ctx context.Context, tx *store.Tx) (int64, error) {
		return tx.MarkAll(ctx, unified.Applications, kindB, 4)
	})
	if got := storetest.Column[string](db, "SELECT remote_id || lane FROM parents WHERE pending <> 0 ORDER BY 1"); !slices.Equal(got, []string{"a2", "b4", "c4", "d4"}) {
		t.Errorf("lanes after a mark: %q; want a2 b4 c4 d4", got)
	}
}

func TestHiredReasons(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	var ps []store.Parent
	for _, reason := range []string{"", "a", "b", "c"} {
		ps = append(ps, store.Parent{RemoteID: "by " + reason, Reason: reason, RawHash: []byte{1}})
	}
	for _, tc := range []struct {
		hired  []string
		forgot []string
	}{
		{[]string{"a", "b"}, []string{"by a", "by b"}},
		{[]string{"b", "a"}, nil},
		{[]string{"b", "c"}, []string{"by a", "by c"}},
		{[]string{}, []string{"by b", "by c"}},
		{[]string{"c"}, []string{"by c"}},
		{nil, []string{"by c"}},
	} {
		commitParents(t, db, l, ps...)
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.SetHiredReasons(ctx, tc.hired) })
		got, err := db.Store.HiredReasons(t.Context(), c.ID)
		if err != nil || len(got) != len(tc.hired) {
			t.Errorf("HiredReasons = %v, %v; want %q", got, err, tc.hired)
		}
		forgot := storetest.Column[string](db, "SELECT remote_id FROM parents WHERE raw_hash IS NULL ORDER BY 1")
		if !slices.Equal(forgot, tc.forgot) {
			t.Errorf("SetHiredReasons(%q): to be written again: %q; want %q", tc.hired, forgot, tc.forgot)
		}
	}
}

func TestOfferStages(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	stages := func() []string {
		got, err := db.Store.OfferStages(t.Context(), c.ID, "offer")
		if err != nil {
			t.Fatalf("OfferStages: %v", err)
		}
		slices.Sort(got)
		return got
	}
	if got := stages(); !slices.Equal(got, []string{"offer"}) {
		t.Errorf("OfferStages before any stage is known = %q; want offer", got)
	}
	for i, id := range []string{"lead-new", "screen", "offer", "signed", "gone"} {
		put(t, db, l, &unified.JobInterviewStage{Envelope: envelope(c.ID, unified.JobInterviewStages, id, ""), StageOrder: &i})
	}
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		return tx.Tombstone(ctx, unified.JobInterviewStages, []string{"gone"})
	})
	if got := stages(); !slices.Equal(got, []string{"offer", "signed"}) {
		t.Errorf("OfferStages = %q; want offer and what comes after it", got)
	}
}
