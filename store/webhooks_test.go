package store_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// hooked lets a connector take webhooks, with a token and a hint.
func hooked(t *testing.T, db *storetest.DB, connector uuid.UUID) {
	t.Helper()
	if err := db.Store.EnableWebhooks(t.Context(), connector); err != nil {
		t.Fatalf("EnableWebhooks: %v", err)
	}
	if err := db.Store.AddWebhookTokens(t.Context(), connector, false, store.NewWebhookToken{Event: "candidateHired", RemoteID: "hook", Secret: "signing token"}); err != nil {
		t.Fatalf("AddWebhookTokens: %v", err)
	}
	hinted(t, db, connector, "delivery", store.Hint{Kind: store.HintOpportunity, RemoteID: "opp", Scopes: []unified.Scope{unified.Offers}})
}

// hinted notes a delivery with its hint.
func hinted(t *testing.T, db *storetest.DB, connector uuid.UUID, token string, h store.Hint) {
	t.Helper()
	if first, err := db.Store.TakeWebhook(t.Context(), connector, token, &h); err != nil || !first {
		t.Fatalf("TakeWebhook(%s) = %t, %v; want true, nil", token, first, err)
	}
}

func TestWebhookSecretsAreSealed(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	hooked(t, db, c.ID)
	w, err := db.Store.Webhooks(t.Context(), c.ID)
	if err != nil || len(w.Secret) < 40 || len(w.Tokens) != 1 || w.ReceivedAt == nil || w.Hints != 1 {
		t.Fatalf("Webhooks = %+v, %v; want a long secret, a token and a hint", w, err)
	}
	if found := db.Find(w.Secret, "signing token"); len(found) > 0 {
		t.Errorf("Postgres holds in the clear: %q", found)
	}
	to, err := db.Store.WebhookTarget(t.Context(), w.Secret)
	if err != nil || to.Connector != c.ID || len(to.Tokens) != 1 || to.Tokens[0] != "signing token" {
		t.Errorf("WebhookTarget = %s, %d tokens, %v; want the connector and its token", to.Connector, len(to.Tokens), err)
	}
	if err := db.Store.EnableWebhooks(t.Context(), c.ID); err != nil {
		t.Errorf("EnableWebhooks once more: %v", err)
	}
	if again, err := db.Store.Webhooks(t.Context(), c.ID); err != nil || again.Secret != w.Secret {
		t.Errorf("enabled once more the path is another, %v; want the same", err)
	}
	for name, err := range map[string]error{
		"EnableWebhooks of nobody":     db.Store.EnableWebhooks(t.Context(), uuid.New()),
		"AddWebhookTokens of nobody":   db.Store.AddWebhookTokens(t.Context(), uuid.New(), false),
		"WebhookTarget of nobody":      second(db.Store.WebhookTarget(t.Context(), "nobody")),
		"TakeWebhook of nobody":        take(db, t, uuid.New()),
		"Webhooks of who takes none":   func() error { _, err := db.Store.Webhooks(t.Context(), linked(t, db).ID); return err }(),
		"TakeWebhook of who was freed": func() error { _ = db.Store.DisableWebhooks(t.Context(), c.ID); return take(db, t, c.ID) }(),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v; want ErrNotFound", name, err)
		}
	}
}

func second(_ store.WebhookTarget, err error) error { return err }

func take(db *storetest.DB, t *testing.T, connector uuid.UUID) error {
	_, err := db.Store.TakeWebhook(t.Context(), connector, "token", nil)
	return err
}

// TestHintsAreClaimedOnce: hints that name the same are one, each connector's are one scheduler's, and those that came
// meanwhile are not lost.
func TestHintsAreClaimedOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	hooked(t, db, c.ID)
	hinted(t, db, c.ID, "another", store.Hint{Kind: store.HintOpportunity, RemoteID: "opp", Scopes: []unified.Scope{unified.Scorecards, unified.Offers}})
	list, err := db.Store.Hints(t.Context(), c.ID, 10)
	if err != nil || len(list) != 1 || len(list[0].Scopes) != 2 {
		t.Fatalf("Hints = %+v, %v; want one, of two scopes", list, err)
	}
	var claimed atomic.Int64
	for _, err := range together(4, func(int) error {
		ids, err := db.Store.ClaimHinted(t.Context(), time.Minute, 0, 10)
		claimed.Add(int64(len(ids)))
		return err
	}) {
		if err != nil {
			t.Errorf("ClaimHinted: %v", err)
		}
	}
	if claimed.Load() != 1 {
		t.Errorf("four schedulers claimed the connector %d times, want once", claimed.Load())
	}
	// One that was renewed while it was looked at stays; one that was not goes.
	l := running(t, db, c.ID, "opportunities")
	hinted(t, db, c.ID, "later", store.Hint{Kind: store.HintOpportunity, RemoteID: "opp"})
	settle := func(h store.Hint) {
		t.Helper()
		commit(t, db, l, func(ctx context.Context, tx *store.Tx) error { return tx.Looked(ctx, []store.Looked{{Hint: h}}) })
	}
	settle(list[0])
	left, err := db.Store.Hints(t.Context(), c.ID, 10)
	if err != nil || len(left) != 1 {
		t.Fatalf("Hints after a look at an older one = %+v, %v; want the newer one", left, err)
	}
	settle(left[0])
	if left, err := db.Store.Hints(t.Context(), c.ID, 10); err != nil || len(left) != 0 {
		t.Errorf("Hints after the look = %+v, %v; want none", left, err)
	}
	// A connector that rests is not claimed, nor one that is paused.
	hinted(t, db, c.ID, "last", store.Hint{Kind: store.HintContact, RemoteID: "ada"})
	behind := time.Duration(0)
	claim := func() int {
		t.Helper()
		ids, err := db.Store.ClaimHinted(t.Context(), time.Minute, behind, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	if err := db.Store.RestHints(t.Context(), c.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := claim(); n != 0 {
		t.Errorf("a connector whose hints rest was claimed")
	}
	if err := errors.Join(db.Store.RestHints(t.Context(), c.ID, 0), db.Store.SetPaused(t.Context(), c.ID, true)); err != nil {
		t.Fatal(err)
	}
	if n := claim(); n != 0 {
		t.Errorf("a connector that is paused was claimed")
	}
	if err := db.Store.SetPaused(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
	if n := claim(); n != 1 {
		t.Errorf("a connector with a hint was claimed %d times, want once", n)
	}
	// Its task is lost once it is later than what waits in the queue is, and not before.
	db.Exec(`UPDATE webhooks SET queued_at = now() - interval '3 min' WHERE connector_id = $1`, c.ID)
	behind = 3 * time.Minute
	if n := claim(); n != 0 {
		t.Errorf("a connector whose task waits for its turn was claimed again")
	}
	behind = time.Minute
	if n := claim(); n != 1 {
		t.Errorf("a connector whose task is lost was claimed %d times, want once", n)
	}
}

// TestAWebhookTooManyIsNotKept: whoever holds a signing token adds so many rows an hour, and no more, whether they name
// anything or not. What comes an hour later is kept again.
func TestAWebhookTooManyIsNotKept(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, other := linked(t, db), linked(t, db)
	hooked(t, db, c.ID)
	hooked(t, db, other.ID)
	db.Exec(`INSERT INTO webhook_deliveries (connector_id, hash) SELECT $1, int4send(n) FROM generate_series(1, 9999) n`, c.ID)
	count := func() int {
		return storetest.Value[int](db, `SELECT count(*)::int FROM webhook_deliveries WHERE connector_id = $1`, c.ID)
	}
	later := func() { // the deliveries are counted again
		db.Exec(`UPDATE webhooks SET received_at = now() - interval '1 minute'`)
	}
	later()
	for _, h := range []*store.Hint{nil, {Kind: store.HintOpportunity, RemoteID: "another"}} {
		if _, err := db.Store.TakeWebhook(t.Context(), c.ID, "one too many", h); !errors.Is(err, store.ErrCrowded) {
			t.Errorf("TakeWebhook after 10,000 = %v; want ErrCrowded", err)
		}
	}
	if hints, err := db.Store.Hints(t.Context(), c.ID, 10); err != nil || len(hints) != 1 || count() != 10_000 {
		t.Errorf("%d deliveries and %d hints, %v; want 10,000 and the one from before", count(), len(hints), err)
	}
	if w, err := db.Store.Webhooks(t.Context(), c.ID); err != nil || time.Since(*w.ReceivedAt) > 30*time.Second {
		t.Errorf("received at %v, %v; want just now: genuine they were", w.ReceivedAt, err)
	}
	hinted(t, db, other.ID, "of another connector", store.Hint{Kind: store.HintOpportunity, RemoteID: "another"})
	db.Exec(`UPDATE webhook_deliveries SET received_at = received_at - interval '1 hour'`)
	later()
	hinted(t, db, c.ID, "an hour later", store.Hint{Kind: store.HintOpportunity, RemoteID: "another"})
}
