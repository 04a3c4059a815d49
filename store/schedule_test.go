package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// manyConnectors makes n connectors with all scopes on and due, by SQL: one by one would take long.
func manyConnectors(db *storetest.DB, n int) {
	db.Exec(`INSERT INTO connectors (id, org_name, origin_id, status, token_hash, token_sealed)
SELECT gen_random_uuid(), 'Org ' || i, i, 'COMPLETE', sha256(i::text::bytea), '' FROM generate_series(1, $1) i`, n)
	names := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		names[i] = string(sc)
	}
	db.Exec(`INSERT INTO connector_scopes (connector_id, scope, enabled, next_run_at) SELECT id, s, true, now() - interval '1 s'
FROM connectors, unnest($1::text[]) s`, names)
}

// claimAll claims until nothing is due.
func claimAll(t *testing.T, db *storetest.DB, every time.Duration, limit int) ([]store.Due, error) {
	var all []store.Due
	for {
		due, err := db.Store.ClaimDue(t.Context(), every, limit)
		if err != nil || len(due) == 0 {
			return all, err
		}
		all = append(all, due...)
	}
}

func TestClaimDueByManyAtOnce(t *testing.T) {
	t.Parallel()
	const connectors, every = 200, time.Hour
	db := storetest.New(t)
	manyConnectors(db, connectors)
	var mu sync.Mutex
	claimed := map[string]int{}
	for i, err := range together(8, func(i int) error {
		due, err := claimAll(t, db, every, 37)
		mu.Lock()
		defer mu.Unlock()
		for _, d := range due {
			claimed[d.ConnectorID.String()+" "+d.Scope]++
		}
		return err
	}) {
		if err != nil {
			t.Fatalf("scheduler %d: ClaimDue: %v", i, err)
		}
	}
	if want := connectors * len(unified.Scopes); len(claimed) != want {
		t.Errorf("8 schedulers at once claimed %d scopes; want %d", len(claimed), want)
	}
	for scope, n := range claimed {
		if n != 1 {
			t.Errorf("%s was claimed %d times; want 1", scope, n)
		}
	}
	if late, err := claimAll(t, db, every, 500); err != nil || len(late) != 0 {
		t.Errorf("ClaimDue once more = %d, %v; want none, nil", len(late), err)
	}
	if n := storetest.Value[int](db, `SELECT count(*)::int FROM (SELECT FROM connector_scopes GROUP BY connector_id HAVING count(DISTINCT next_run_at) > 1) x`); n != 0 {
		t.Errorf("%d connectors have scopes that no longer fall due together", n)
	}
	if n := storetest.Value[int](db, `SELECT count(DISTINCT next_run_at)::int FROM connector_scopes`); n < connectors/2 {
		t.Errorf("%d connectors fall due at %d different moments; want them spread", connectors, n)
	}
	off := storetest.Column[float64](db, `SELECT extract(epoch FROM next_run_at - requested_at)::float8 FROM connector_scopes WHERE scope = 'tags'`)
	if lo, hi := slices.Min(off), slices.Max(off); lo < 0.95*every.Seconds() || hi > 1.05*every.Seconds() || hi-lo < 0.05*every.Seconds() {
		t.Errorf("the next runs are %.0f to %.0f s after the last; want them spread over 5 %% around %.0f", lo, hi, every.Seconds())
	}
}

func TestClaimDueAfterDowntime(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const connectors = 100
	manyConnectors(db, connectors)
	for _, late := range []string{"0 s", "1 s", "59 min", "59 min 30 s", "10 h", "9 h 58 min", "365 d"} {
		db.Exec("UPDATE connector_scopes SET next_run_at = now() - $1::interval", late)
		due, err := claimAll(t, db, time.Hour, 500)
		if err != nil || len(due) != connectors*len(unified.Scopes) {
			t.Errorf("ClaimDue %s late: %d claims, %v; want %d: one for each scope", late, len(due), err, connectors*len(unified.Scopes))
		}
		past, far := storetest.Value[int](db, "SELECT count(*)::int FROM connector_scopes WHERE next_run_at <= now()"),
			storetest.Value[int](db, "SELECT count(*)::int FROM connector_scopes WHERE next_run_at > now() + interval '66 min'")
		if past+far != 0 {
			t.Errorf("ClaimDue %s late: next run of %d scopes in the past, of %d later than in 66 min; want none", late, past, far)
		}
	}
}

func TestClaimDueCadence(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	tests := []struct {
		own      time.Duration // the connector's
		default_ time.Duration
		want     time.Duration
	}{
		{0, 30 * time.Minute, 30 * time.Minute},
		{2 * time.Hour, 30 * time.Minute, 2 * time.Hour},
		{30 * time.Second, time.Hour, 30 * time.Second},
		{0, 90 * time.Second, 90 * time.Second},
		{0, 2500 * time.Millisecond, 2500 * time.Millisecond},
		{100 * time.Millisecond, time.Hour, time.Second}, // too short to be one: a second, rather than no scheduling at all
		{0, 100 * time.Millisecond, time.Second},
	}
	for _, tc := range tests {
		c := linked(t, db)
		var own *time.Duration
		if tc.own != 0 {
			own = &tc.own
		}
		if err := db.Store.SetCadence(t.Context(), c.ID, own, nil); err != nil {
			t.Fatal(err)
		}
		db.Exec("UPDATE connector_scopes SET enabled = connector_id = $1", c.ID)
		due, err := db.Store.ClaimDue(t.Context(), tc.default_, 500)
		if err != nil || len(due) != len(unified.Scopes) {
			t.Errorf("ClaimDue at a cadence of %s, by default %s: %d, %v; want 15, nil", tc.own, tc.default_, len(due), err)
			continue
		}
		next := scopesOf(t, db, c.ID)[unified.Tags].NextRunAt.Sub(due[0].DueAt)
		if next < tc.want*95/100 || next > tc.want*105/100 {
			t.Errorf("ClaimDue at a cadence of %s, by default %s: next run after %s; want %s", tc.own, tc.default_, next, tc.want)
		}
	}
}

func TestClaimDueLeavesOut(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	left := map[string]func(store.Connector){
		"paused": func(c store.Connector) {
			if err := db.Store.SetPaused(t.Context(), c.ID, true); err != nil {
				t.Fatal(err)
			}
		},
		"RELINK_NEEDED": func(c store.Connector) {
			if ok, err := db.Store.NeedRelink(t.Context(), c.ID, "refused", time.Now().Add(time.Hour)); err != nil || !ok {
				t.Fatalf("NeedRelink = %t, %v", ok, err)
			}
		},
		"disabled": func(c store.Connector) {
			off := map[unified.Scope]bool{}
			for _, sc := range unified.Scopes {
				off[sc] = false
			}
			if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: off}); err != nil {
				t.Fatal(err)
			}
		},
		"not due": func(c store.Connector) {
			db.Exec("UPDATE connector_scopes SET next_run_at = now() + interval '1 min' WHERE connector_id = $1", c.ID)
		},
		"INCOMPLETE": func(c store.Connector) { db.Exec("UPDATE connectors SET status = 'INCOMPLETE' WHERE id = $1", c.ID) },
	}
	names := map[uuid.UUID]string{}
	for name, leave := range left {
		c := linked(t, db)
		names[c.ID] = name
		leave(c)
		db.Exec("UPDATE connector_scopes SET requested_at = now() - interval '1 h', queued_at = NULL WHERE connector_id = $1", c.ID)
		db.Exec("UPDATE streams SET lease_until = NULL WHERE connector_id = $1", c.ID)
	}
	due, err := claimAll(t, db, time.Hour, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		t.Errorf("ClaimDue claimed %s of a connector that is %s", d.Scope, names[d.ConnectorID])
	}
	lost, err := db.Store.ClaimLost(t.Context(), time.Second, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lost {
		if name := names[l.ConnectorID]; name != "not due" { // it was asked for
			t.Errorf("ClaimLost claimed %s of a connector that is %s", l.Scope, name)
		}
	}
}

func TestRequestAndSettle(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	tags := []unified.Scope{unified.Tags}
	asked := func() *time.Time { return scopesOf(t, db, c.ID)[unified.Tags].RequestedAt }
	request := func(due time.Time) time.Time {
		at, err := db.Store.Request(t.Context(), c.ID, tags, due)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := request(time.Time{})
	if got := asked(); got == nil || !got.Equal(first) {
		t.Errorf("asked for at %v; want %s", got, first)
	}
	if request(first.Add(-time.Hour)); !asked().Equal(first) {
		t.Errorf("after a request from earlier: asked for at %v; want %s still", asked(), first)
	}
	later := request(first.Add(time.Hour))
	if got := asked(); !got.Equal(later) || !later.Equal(first.Add(time.Hour)) {
		t.Errorf("after a request from later: asked for at %v; want %s", got, later)
	}
	for _, tc := range []struct {
		upTo    time.Time
		settled bool
	}{{first, false}, {later.Add(-time.Microsecond), false}, {later, true}} {
		if err := db.Store.Settle(t.Context(), c.ID, unified.Tags, tc.upTo); err != nil {
			t.Fatal(err)
		}
		if got := asked(); (got == nil) != tc.settled {
			t.Errorf("Settle up to %s: asked for at %v; want settled %t", tc.upTo, got, tc.settled)
		}
	}
	if err := db.Store.ChangeScopes(t.Context(), c.ID, store.ScopeChange{Enabled: map[unified.Scope]bool{unified.Tags: false}}); err != nil {
		t.Fatal(err)
	}
	if request(time.Time{}); asked() != nil {
		t.Errorf("a scope that is off was asked for at %v; want not at all", asked())
	}
}

func TestRequestFull(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	got := func() string {
		return storetest.Value[string](db, `SELECT string_agg(stream || ' ' || full_requested || ' ' || accept_deletions, ', ' ORDER BY stream) FROM streams`)
	}
	for _, tc := range []struct {
		streams []string
		accept  bool
		want    string
	}{
		{[]string{"a", "b"}, false, "a true false, b true false"},
		{[]string{"a"}, true, "a true true, b true false"},
		{[]string{"a"}, false, "a true true, b true false"}, // what was accepted stays so
		{nil, true, "a true true, b true false"},
	} {
		if err := db.Store.RequestFull(t.Context(), c.ID, tc.streams, tc.accept); err != nil || got() != tc.want {
			t.Errorf("RequestFull(%q, %t) = %v: %s; want %s", tc.streams, tc.accept, err, got(), tc.want)
		}
	}
}

func TestDueOrder(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	manyConnectors(db, 5)
	db.Exec(`UPDATE connector_scopes cs SET next_run_at = now() - c.origin_id::int * interval '1 min' FROM connectors c WHERE c.id = cs.connector_id`)
	var got []string
	for range 5 {
		due, err := db.Store.ClaimDue(t.Context(), time.Hour, len(unified.Scopes))
		if err != nil {
			t.Fatal(err)
		}
		first := slices.MinFunc(due, func(a, b store.Due) int { return cmp.Compare(a.ConnectorID.String(), b.ConnectorID.String()) })
		got = append(got, storetest.Value[string](db, "SELECT origin_id FROM connectors WHERE id = $1", first.ConnectorID))
	}
	if want := "[5 4 3 2 1]"; fmt.Sprint(got) != want {
		t.Errorf("connectors in the order that they were claimed in: %v; want %s: the most overdue first", got, want)
	}
}
