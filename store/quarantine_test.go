package store_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// refused are payloads that jsonb refuses.
var refused = map[string]string{
	"number out of range": `{"n":1e200000}`,
	"escaped NUL":         `{"s":"\u0000"}`,
	"half a surrogate":    `{"s":"\ud800"}`,
	"no UTF-8":            "{\"s\":\"\xff\"}",
	"no JSON":             `{"s":`,
}

func TestCommitSetsAsideWhatIsRefused(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	const secret = "s3cret"
	page := []unified.Record{tag(c.ID, "good 1", "fine")}
	for name, raw := range refused {
		r := tag(c.ID, name, secret)
		r.Raw = json.RawMessage(raw)
		page = append(page, r)
	}
	page = append(page, tag(c.ID, "NUL in a column", secret+"\x00"), tag(c.ID, "bad bytes in a column", "\xff"), tag(c.ID, "good 2", "fine"))
	bad := int64(len(page) - 2)
	call := uuid.Must(uuid.NewV7())
	got := commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		tx.Log([]store.Call{{ID: call, ConnectorID: c.ID, Method: "GET", Path: "/tags", Status: 200, StartedAt: time.Now().UTC().Truncate(time.Microsecond)}})
		return store.Upsert(ctx, tx, page)
	})
	if got.Written != 2 || got.Quarantined != bad || got.Calls != 1 {
		t.Errorf("Commit of a page with %d refused of %d: written %d, quarantined %d, calls %d; want 2, %d, 1",
			bad, len(page), got.Written, got.Quarantined, got.Calls, bad)
	}
	wantRecords(t, db, c.ID, unified.Tags, 2)
	wantQuarantined(t, db, c.ID, unified.Tags, bad)
	list, err := db.Store.Quarantine(t.Context(), c.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range list {
		if !strings.Contains(q.Reason, "SQLSTATE") || strings.Contains(q.Reason, secret) {
			t.Errorf("quarantine of %q: reason %q; want an SQLSTATE and no value", q.Key, q.Reason)
		}
		if q.RunID == nil || *q.RunID != l.RunID {
			t.Errorf("quarantine of %q: run %v; want %s", q.Key, q.RunID, l.RunID)
		}
		if got, err := db.Store.QuarantineCall(t.Context(), q); err != nil || got.ID != call || got.Path != "/tags" {
			t.Errorf("the call that brought %q: %+v, %v; want %s, GET /tags", q.Key, got, err, call)
		}
	}
	for name, raw := range refused {
		if got := storetest.Value[[]byte](db, "SELECT raw FROM quarantine WHERE key = $1", name); string(got) != raw {
			t.Errorf("quarantine of %q: bytes %q; want %q", name, got, raw)
		}
	}
}

// What was set aside leaves the quarantine once it is gone at the source, whatever shows that it is, or is there again as it is stored.
func TestWhatIsGoneLeavesTheQuarantine(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	raw := json.RawMessage(`{"text": 1}`)
	noID, longID := hex.EncodeToString(store.HashRaw(raw)), hex.EncodeToString(store.HashRaw([]byte("long")))
	all := []store.Rejected{
		{Scope: unified.Tags, Key: "t1"}, {Scope: unified.Tags, Key: "t2"}, {Scope: unified.Tags, Raw: raw}, {Scope: unified.Tags, Key: longID},
		{Scope: unified.Offers, Key: "o1", Parent: "p1"}, {Scope: unified.Offers, Key: "o2", Parent: "p2"},
		{Scope: unified.Offers, Key: "o3", Parent: "p3", Reason: "Postgres refused it: SQLSTATE 22003"},
		{Scope: unified.Attachments, Key: "a1", Parent: "p1"},
	}
	for _, tc := range []struct {
		what string
		fn   func(context.Context, *store.Tx) error
		left []string
	}{
		{"a record is gone", func(ctx context.Context, tx *store.Tx) error {
			return tx.Tombstone(ctx, unified.Tags, []string{"t1", "never there"})
		}, []string{"a1", "o1", "o2", "o3", "t2", noID, longID}},
		{"a list is without it", func(ctx context.Context, tx *store.Tx) error {
			return tx.TombstoneAbsent(ctx, unified.Offers, []string{"p1"}, "", nil)
		}, []string{"a1", "o2", "o3", "t1", "t2", noID, longID}},
		{"one of the lists of its scope is without it", func(ctx context.Context, tx *store.Tx) error {
			return tx.TombstoneAbsent(ctx, unified.Attachments, []string{"p1"}, "files", nil)
		}, []string{"a1", "o1", "o2", "o3", "t1", "t2", noID, longID}},
		{"what it hangs on is gone", func(ctx context.Context, tx *store.Tx) error {
			return tx.TombstoneChildren(ctx, []unified.Scope{unified.Offers, unified.Attachments}, []string{"p1"})
		}, []string{"o2", "o3", "t1", "t2", noID, longID}},
		{"the whole list is without it", func(ctx context.Context, tx *store.Tx) error {
			if err := tx.Met(ctx, 0, []string{"t2"}); err != nil {
				return err
			}
			if _, err := tx.Absent(ctx, unified.Tags, false); err != nil {
				return err
			}
			return tx.ReleaseAbsent(ctx, unified.Tags)
		}, []string{"a1", "o1", "o2", "o3", "t2", longID}},
		{"it is as it is stored", func(ctx context.Context, tx *store.Tx) error {
			return tx.ReleaseStored(ctx, unified.Offers, []string{"o2", "o3"})
		}, []string{"a1", "o1", "o3", "t1", "t2", noID, longID}},
	} {
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			for _, r := range all {
				r.Reason = cmp.Or(r.Reason, "lever: record: a number is no text")
				if err := tx.Quarantine(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
		commit(t, db, l, tc.fn)
		slices.Sort(tc.left)
		got := storetest.Column[string](db, `SELECT key FROM quarantine WHERE connector_id = $1`, c.ID)
		if slices.Sort(got); !slices.Equal(got, tc.left) {
			t.Errorf("%s: left %q; want %q", tc.what, got, tc.left)
		}
		for _, sc := range []unified.Scope{unified.Tags, unified.Offers, unified.Attachments} {
			wantQuarantined(t, db, c.ID, sc, storetest.Value[int64](db, `SELECT count(*) FROM quarantine WHERE scope = $1`, string(sc)))
		}
	}
}

// What Postgres refused just now is in the list that was read, and stays set aside.
func TestWhatIsRefusedIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	bad := &unified.Offer{Envelope: envelope(c.ID, unified.Offers, "o1", "p1")}
	bad.Raw = json.RawMessage(refused["escaped NUL"])
	for range 2 { // it was not there before, and it was
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			if err := store.Upsert(ctx, tx, []*unified.Offer{bad}); err != nil {
				return err
			}
			if err := tx.TombstoneAbsent(ctx, unified.Offers, []string{"p1"}, "", []uuid.UUID{bad.ID}); err != nil {
				return err
			}
			return tx.ReleaseAbsent(ctx, unified.Offers)
		})
		wantQuarantined(t, db, c.ID, unified.Offers, 1)
	}
}

// Where one transaction writes what several calls brought, each record has its own; a refused call brought nothing.
func TestQuarantineNamesTheCall(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	calls := map[string]uuid.UUID{}
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		var log []store.Call
		for _, of := range []string{"one", "two", "page"} {
			calls[of] = uuid.Must(uuid.NewV7())
			log = append(log, store.Call{ID: calls[of], ConnectorID: c.ID, Method: "GET", Path: "/" + of, Status: 200, StartedAt: time.Now()})
		}
		log = append(log, store.Call{ID: uuid.Must(uuid.NewV7()), ConnectorID: c.ID, Method: "GET", Path: "/refused", Status: 403, StartedAt: time.Now()})
		tx.Log(log)
		tx.Brought("one", calls["one"])
		tx.Brought("two", calls["two"])
		for _, of := range []string{"one", "two", "page"} {
			if err := tx.Quarantine(ctx, store.Rejected{Scope: unified.Tags, Key: of, Parent: of, Reason: "bad", Raw: []byte("{}")}); err != nil {
				return err
			}
		}
		return nil
	})
	list, err := db.Store.Quarantine(t.Context(), c.ID, 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("Quarantine = %d, %v; want 3", len(list), err)
	}
	for _, q := range list {
		if got, err := db.Store.QuarantineCall(t.Context(), q); err != nil || got.ID != calls[q.Key] {
			t.Errorf("the call that brought %q: %s %s, %v; want %s", q.Key, got.ID, got.Path, err, calls[q.Key])
		}
	}
	db.Exec(`DELETE FROM calls`)
	if _, err := db.Store.QuarantineCall(t.Context(), list[0]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the call whose day was dropped: %v; want ErrNotFound", err)
	}
}

func TestRefusedAgainWritesNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	r := tag(c.ID, "a", "A")
	r.Raw = json.RawMessage(refused["escaped NUL"])
	at := func() []string { return storetest.Column[string](db, "SELECT ctid || ' ' || xmin FROM quarantine") }
	put(t, db, l, r)
	before := at()
	if got := put(t, db, l, r); got.Quarantined != 1 || !slices.Equal(at(), before) {
		t.Errorf("Upsert of what is in quarantine already: counted %d, rows %v; want 1, %v", got.Quarantined, at(), before)
	}
	r.Raw = json.RawMessage(refused["number out of range"])
	put(t, db, l, r)
	if got := storetest.Value[[]byte](db, "SELECT raw FROM quarantine"); string(got) != string(r.Raw) {
		t.Errorf("quarantine of a record that changed: bytes %q; want %q", got, r.Raw)
	}
	wantQuarantined(t, db, c.ID, unified.Tags, 1)
}

func TestStoredRecordLeavesQuarantine(t *testing.T) {
	t.Parallel()
	for _, careful := range []bool{false, true} {
		db := storetest.New(t)
		c := linked(t, db)
		l := running(t, db, c.ID, stream)
		r, other := tag(c.ID, "a", "A"), tag(c.ID, "b", "B")
		r.Raw = json.RawMessage(refused["escaped NUL"])
		put(t, db, l, r)
		r.Raw = json.RawMessage(`{}`)
		want := int64(0)
		if careful { // another record of its page is refused
			other.Raw, want = json.RawMessage(refused["no JSON"]), 1
		}
		put(t, db, l, r, other)
		wantStored(t, db, c.ID, r)
		wantQuarantined(t, db, c.ID, unified.Tags, want)
		wantRecords(t, db, c.ID, unified.Tags, 2-want)
	}
}

// Records made of others' payloads have none of their own, and keys come from outside: neither may make
// the quarantine itself fail.
func TestQuarantineTakesAnything(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	put(t, db, l, &unified.Application{
		Envelope: unified.Envelope{ID: unified.ID(c.ID, unified.Applications, "o1"), RemoteID: "o1"}, Source: new("\x00"),
	})
	wantQuarantined(t, db, c.ID, unified.Applications, 1)
	for _, key := range []string{"", "\x00", "\xff", strings.Repeat("日本", 5000)} {
		r := tag(c.ID, key, "A")
		r.Parent, r.Raw = key, json.RawMessage(refused["no JSON"])
		before := storetest.Value[int64](db, "SELECT quarantined FROM connector_scopes WHERE connector_id = $1 AND scope = 'tags'", c.ID)
		put(t, db, l, r)
		put(t, db, l, r)
		wantQuarantined(t, db, c.ID, unified.Tags, before+1)
		if key != "" && utf8.ValidString(key) && !strings.Contains(key, "\x00") {
			r.Raw = json.RawMessage(`{}`)
			put(t, db, l, r)
			wantQuarantined(t, db, c.ID, unified.Tags, before)
		}
		r.Raw = json.RawMessage(refused["half a surrogate"])
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
			return tx.Quarantine(ctx, store.Rejected{Scope: unified.Tags, Key: key, Parent: key, Reason: "no id", Raw: r.Raw})
		})
		db.Exec("DELETE FROM quarantine WHERE scope = 'tags'")
		db.Exec("UPDATE connector_scopes SET quarantined = 0 WHERE scope = 'tags'")
	}
}

// wantQuarantined compares a scope's counter with want, and with the rows that are there.
func wantQuarantined(t *testing.T, db *storetest.DB, connector uuid.UUID, sc unified.Scope, want int64) {
	t.Helper()
	counter := storetest.Value[int64](db, "SELECT quarantined FROM connector_scopes WHERE connector_id = $1 AND scope = $2", connector, string(sc))
	rows := storetest.Value[int64](db, "SELECT count(*) FROM quarantine WHERE connector_id = $1 AND scope = $2", connector, string(sc))
	if counter != want || rows != want {
		t.Errorf("quarantine of %s: counter %d, rows %d; want %d", sc, counter, rows, want)
	}
}
