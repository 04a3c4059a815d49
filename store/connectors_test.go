package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func TestCreateConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	begun := storetest.Value[time.Time](db, "SELECT now()")
	c, token, err := db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "acme-1", APIKey: "key", SyncInterval: 90 * time.Minute, RateLimit: 2.5})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	if c.Status != "COMPLETE" || c.CompletedAt == nil || c.SyncIntervalSeconds == nil || *c.SyncIntervalSeconds != 5400 || c.RateLimit == nil || *c.RateLimit != 2.5 {
		t.Errorf("CreateConnector with an API key = %+v; want it COMPLETE, every 5400 s, at 2.5 calls a second", c)
	}
	if len(token) < 43 {
		t.Errorf("the connector's token has %d characters; want at least 43: 256 bits", len(token))
	}
	sum := sha256.Sum256([]byte(token))
	if !storetest.Value[bool](db, "SELECT token_hash = $2 AND position($3::text::bytea IN token_sealed) = 0 FROM connectors WHERE id = $1", c.ID, sum[:], token) {
		t.Error("the token's hash is not stored, or its plain text is")
	}
	for sc, s := range scopesOf(t, db, c.ID) {
		if s.Enabled == (sc == unified.EEOCs) || s.State != "pending" || s.NextRunAt.Before(begun) || s.NextRunAt.After(time.Now().Add(time.Second)) {
			t.Errorf("%s of a new connector: %+v; want it on (but for eeocs), pending, due now", sc, s)
		}
	}
	open, _, err := db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Beta", Scopes: []unified.Scope{unified.Tags}})
	if err != nil || open.Status != "INCOMPLETE" || open.SyncIntervalSeconds != nil || open.RateLimit != nil {
		t.Errorf("CreateConnector without a credential = %+v, %v; want it INCOMPLETE, by default in all else", open, err)
	}
	if on, err := db.Store.EnabledScopes(t.Context(), open.ID); err != nil || len(on) != 1 || !on[unified.Tags] {
		t.Errorf("EnabledScopes = %v, %v; want tags", on, err)
	}
	list, err := db.Store.Connectors(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != c.ID || list[1].ID != open.ID {
		t.Errorf("Connectors = %+v, %v; want both, the oldest first", list, err)
	}
	if _, _, err := storeWith(t, db, "").CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme"}); err == nil || !strings.Contains(err.Error(), "LEVERSYNC_ENCRYPTION_KEY") {
		t.Errorf("CreateConnector without a key = %v; want an error that names LEVERSYNC_ENCRYPTION_KEY", err)
	}
}

func TestNoConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	id := uuid.New()
	for name, call := range map[string]func() error{
		"Connector":       func() error { _, err := db.Store.Connector(t.Context(), id); return err },
		"SetPaused":       func() error { return db.Store.SetPaused(t.Context(), id, true) },
		"SetCadence":      func() error { return db.Store.SetCadence(t.Context(), id, nil, nil) },
		"DeleteConnector": func() error { return db.Store.DeleteConnector(t.Context(), id) },
		"RevokeAPIKey":    func() error { return db.Store.RevokeAPIKey(t.Context(), id) },
	} {
		if err := call(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of what is not there = %v; want ErrNotFound", name, err)
		}
	}
}

func TestRelink(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	cred, err := db.Store.Credential(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	need := func(refused time.Time) bool {
		did, err := db.Store.NeedRelink(t.Context(), c.ID, "Lever refused the key", refused)
		if err != nil {
			t.Fatalf("NeedRelink: %v", err)
		}
		return did
	}
	if need(cred.RefreshedAt.Add(-time.Microsecond)) {
		t.Error("NeedRelink for a credential that was replaced since = true; want false")
	}
	if !need(cred.RefreshedAt) || need(cred.RefreshedAt) {
		t.Error("NeedRelink of the credential that was refused: want true, and once more false")
	}
	got, err := db.Store.Connector(t.Context(), c.ID)
	if err != nil || got.Status != "RELINK_NEEDED" || got.StatusReason == "" || got.RelinkNeededAt == nil {
		t.Errorf("Connector = %+v, %v; want RELINK_NEEDED, why and since when", got, err)
	}
	db.Exec("UPDATE connector_scopes SET state = CASE scope WHEN 'tags' THEN 'ok' ELSE 'failed' END, next_run_at = now() + interval '1 h'")
	got, err = db.Store.Link(t.Context(), c.ID, store.Credential{Kind: "api_key", Secret: "other"})
	if err != nil || got.Status != "COMPLETE" || got.StatusReason != "" || got.RelinkNeededAt != nil || !got.CompletedAt.Equal(*c.CompletedAt) {
		t.Errorf("Link = %+v, %v; want COMPLETE as of the first time", got, err)
	}
	for sc, s := range scopesOf(t, db, c.ID) {
		if want := map[bool]string{true: "ok", false: "pending"}[sc == unified.Tags]; s.State != want || s.NextRunAt.After(time.Now().Add(time.Second)) {
			t.Errorf("%s after a relink: %s, due at %s; want %s, now", sc, s.State, s.NextRunAt, want)
		}
	}
}

func TestDeleteConnectorLeavesNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	tables := storetest.Column[string](db, `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'connector_id'
WHERE c.relnamespace = 'leversync'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	fill := func() store.Connector {
		c := linked(t, db)
		l := running(t, db, c.ID, stream)
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return everything(ctx, tx, "a") })
		for _, sc := range unified.Scopes {
			r := filled(t, blank[sc](), 1)
			*r.Base() = envelope(c.ID, sc, "r", "p")
			put(t, db, l, r)
		}
		link, _, err := db.Store.CreateLink(t.Context(), c.ID, 0)
		if err != nil {
			t.Fatalf("CreateLink: %v", err)
		}
		opened(t, db, link)
		if _, err := db.Store.CreateTemporaryToken(t.Context(), c.ID); err != nil {
			t.Fatalf("CreateTemporaryToken: %v", err)
		}
		claimed(t, db, asked(c.ID, "key", "request"))
		db.Exec(`INSERT INTO activities (id, connector_id, remote_id, parent, candidate) VALUES (gen_random_uuid(), $1, 'n', 'o', $2)`, c.ID, unified.ID(c.ID, unified.Candidates, "r"))
		hooked(t, db, c.ID)
		put(t, db, l, &unified.Candidate{Envelope: envelope(c.ID, unified.Candidates, "erased", "")})
		if _, err := db.Store.Erase(t.Context(), c.ID, "erased", false); err != nil {
			t.Fatalf("Erase: %v", err)
		}
		return c
	}
	gone, stays := fill(), fill()
	before := map[string]int64{}
	for _, table := range tables {
		before[table] = count(db, table, stays.ID)
		if n := count(db, table, gone.ID); n == 0 {
			t.Errorf("table %s has no row to be deleted: this test must write one", table)
		}
	}
	if err := db.Store.DeleteConnector(t.Context(), gone.ID); err != nil {
		t.Fatalf("DeleteConnector: %v", err)
	}
	for _, table := range tables {
		if n := count(db, table, gone.ID); n != 0 {
			t.Errorf("table %s holds %d rows of a deleted connector", table, n)
		}
		if n := count(db, table, stays.ID); n != before[table] {
			t.Errorf("table %s holds %d rows of another connector; want %d as before", table, n, before[table])
		}
	}
	if n := storetest.Value[int](db, "SELECT count(*)::int FROM connectors WHERE id = $1", gone.ID); n != 0 {
		t.Error("the connector is still there")
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s, err := store.Open(t.Context(), store.Config{URL: "postgres://127.0.0.1:1/nowhere"})
	if err != nil {
		t.Fatalf("Open of a server that is away = %v; want nil: it does not wait", err)
	}
	defer s.Close()
	if err := s.Ping(t.Context()); !store.Away(err) {
		t.Errorf("Away(%v) = false; want true: nothing listens there", err)
	}
	_, missing := db.Store.Connector(t.Context(), uuid.New())
	db.Exec("DROP TABLE runs")
	_, broken := db.Store.Runs(t.Context(), uuid.New(), time.Time{}, 1)
	for _, err := range []error{nil, missing, broken, errors.New("other"), fmt.Errorf("wrapped: %w", store.ErrFenced)} {
		if store.Away(err) {
			t.Errorf("Away(%v) = true; want false", err)
		}
	}
}

// TestDeleteConnectorInMidPage deletes a connector while a page of it is being written, from which more than one lock
// is still to come.
func TestDeleteConnectorInMidPage(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l := running(t, db, linked(t, db).ID, stream)
	deleted := make(chan error, 1)
	_, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
		go func() { deleted <- db.Store.DeleteConnector(t.Context(), l.Connector) }()
		awaitBlocked(t, db, 1)
		return everything(ctx, tx, "late")
	})
	if err != nil {
		t.Errorf("the page = %v; want it written", err)
	}
	if err := <-deleted; err != nil {
		t.Errorf("DeleteConnector = %v; want it to have waited", err)
	}
	if n := storetest.Value[int](db, `SELECT (SELECT count(*) FROM connectors) + (SELECT count(*) FROM parents) + (SELECT count(*) FROM tags)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
