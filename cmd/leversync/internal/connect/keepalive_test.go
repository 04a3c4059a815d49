package connect_test

import (
	"log/slog"
	"testing"

	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ctx := t.Context()
	var conns []store.Connector
	for range 3 {
		c, _ := e.link("Acme")
		access, refresh := e.lever.IssueToken("offline_access users:read:admin")
		if _, err := e.db.Store.Link(ctx, c.ID, store.Credential{Kind: "oauth", Secret: access, Refresh: refresh}); err != nil {
			t.Fatalf("Link: %v", err)
		}
		conns = append(conns, c)
	}
	idle, paused, fresh := conns[0], conns[1], conns[2]
	if err := e.db.Store.SetPaused(ctx, paused.ID, true); err != nil {
		t.Fatal(err)
	}
	age := func() {
		e.db.Exec(`UPDATE credentials SET refreshed_at = now() - interval '21 days' WHERE connector_id <> $1`, fresh.ID)
	}
	keep := func(oauth lever.OAuthConfig) int {
		t.Helper()
		n, err := connect.KeepAlive(ctx, e.db.Store, oauth, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("KeepAlive: %v", err)
		}
		return n
	}
	age()
	if n := keep(e.cfg.OAuth); n != 2 || e.lever.Refreshes() != 2 {
		t.Errorf("KeepAlive = %d with %d refreshes, want 2 of each", n, e.lever.Refreshes())
	}
	if n := keep(e.cfg.OAuth); n != 0 || e.lever.Refreshes() != 2 {
		t.Errorf("KeepAlive again = %d with %d refreshes in all, want none more", n, e.lever.Refreshes())
	}

	age()
	broken := e.cfg.OAuth
	broken.ClientSecret = "wrong"
	if n := keep(broken); n != 0 || e.status(idle.ID) != "COMPLETE" {
		t.Errorf("KeepAlive of a wrong app = %d, connector %s; want 0, COMPLETE", n, e.status(idle.ID))
	}
	e.lever.RevokeGrants()
	if n := keep(e.cfg.OAuth); n != 0 {
		t.Errorf("KeepAlive of revoked grants = %d, want 0", n)
	}
	for c, want := range map[store.Connector]string{idle: "RELINK_NEEDED", paused: "RELINK_NEEDED", fresh: "COMPLETE"} {
		if got := e.status(c.ID); got != want {
			t.Errorf("after its grant was revoked a connector is %s, want %s", got, want)
		}
	}
}

// Two processes that renew at the same time ask Lever once.
func TestKeepAliveTwice(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, _ := e.link("Acme")
	access, refresh := e.lever.IssueToken("offline_access users:read:admin")
	if _, err := e.db.Store.Link(t.Context(), c.ID, store.Credential{Kind: "oauth", Secret: access, Refresh: refresh}); err != nil {
		t.Fatalf("Link: %v", err)
	}
	e.db.Exec(`UPDATE credentials SET refreshed_at = now() - interval '21 days'`)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			_, err := connect.KeepAlive(t.Context(), e.db.Store, e.cfg.OAuth, slog.New(slog.DiscardHandler))
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("KeepAlive: %v", err)
		}
	}
	if n := e.lever.Refreshes(); n != 1 || e.status(c.ID) != "COMPLETE" {
		t.Errorf("%d refreshes, connector %s; want 1, COMPLETE", n, e.status(c.ID))
	}
}
