package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

func asked(connector uuid.UUID, key, fingerprint string) store.NewWrite {
	return store.NewWrite{Connector: connector, Key: key, Kind: store.WriteCandidate, Fingerprint: []byte(fingerprint), Subject: json.RawMessage(`{}`)}
}

func claimed(t *testing.T, db *storetest.DB, n store.NewWrite) store.Write {
	t.Helper()
	w, err := db.Store.ClaimWrite(t.Context(), n, time.Minute)
	if err != nil {
		t.Fatalf("ClaimWrite(%s): %v", n.Key, err)
	}
	return w
}

func TestAKeyIsClaimedOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	n := asked(c.ID, "k", "f")
	var got [8]store.Write
	won := 0
	for i, err := range together(len(got), func(i int) (err error) {
		got[i], err = db.Store.ClaimWrite(t.Context(), n, time.Minute)
		return err
	}) {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, store.ErrWriteRunning):
			t.Errorf("claim %d: %v; want it, or ErrWriteRunning", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 8 have the claim; want 1", won)
	}
	if _, err := db.Store.ClaimWrite(t.Context(), asked(c.ID, "k", "other"), time.Minute); !errors.Is(err, store.ErrWriteKeyTaken) {
		t.Errorf("another request: %v; want ErrWriteKeyTaken", err)
	}
	if _, err := db.Store.ClaimWrite(t.Context(), asked(uuid.New(), "k", "f"), time.Minute); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such connector: %v; want ErrNotFound", err)
	}
	if w := claimed(t, db, asked(linked(t, db).ID, "k", "other")); w.State != store.WritePending {
		t.Errorf("another connector's key is %s; want pending", w.State)
	}
}

func TestALostClaimChangesNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	n := asked(c.ID, "k", "f")
	w := claimed(t, db, n)
	w, err := db.Store.SendWrite(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(`UPDATE outbox SET claimed_until = now() - interval '1 ms'`)
	next := claimed(t, db, n)
	if next.State != store.WriteSent || next.FirstSentAt == nil {
		t.Errorf("taken over: state %s, sent %v; want sent, and when", next.State, next.FirstSentAt)
	}
	_, sent := db.Store.SendWrite(t.Context(), w)
	_, answered := db.Store.AnswerWrite(t.Context(), w, "o1")
	released := db.Store.ReleaseWrite(t.Context(), w, store.WriteFailed, "", 0)
	_, confirmed := db.Store.CommitOutside(t.Context(), c.ID, stream, func(ctx context.Context, tx *store.Tx) error { return tx.ConfirmWrite(ctx, w, nil) })
	for name, err := range map[string]error{"SendWrite": sent, "AnswerWrite": answered, "ReleaseWrite": released, "ConfirmWrite": confirmed} {
		if !errors.Is(err, store.ErrWriteLost) {
			t.Errorf("%s with a lost claim: %v; want ErrWriteLost", name, err)
		}
	}
}

func TestAReplyIsKeptToTheLetterForADay(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	n := asked(c.ID, "k", "f")
	w := claimed(t, db, n)
	reply := json.RawMessage(`{"b": 1,  "a": [2]}`)
	if _, err := db.Store.CommitOutside(t.Context(), c.ID, stream, func(ctx context.Context, tx *store.Tx) error { return tx.ConfirmWrite(ctx, w, reply) }); err != nil {
		t.Fatal(err)
	}
	if w := claimed(t, db, n); w.State != store.WriteConfirmed || string(w.Reply) != string(reply) {
		t.Errorf("asked again: %s, %s; want confirmed, %s", w.State, w.Reply, reply)
	}
	db.Exec(`UPDATE outbox SET created_at = now() - interval '25 h'`)
	if w := claimed(t, db, asked(c.ID, "k", "other")); w.State != store.WritePending {
		t.Errorf("asked again after a day: %s; want pending", w.State)
	}
}

func TestOneRecordIsOneWrites(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	a, b := claimed(t, db, asked(c.ID, "a", "f")), claimed(t, db, asked(c.ID, "b", "f"))
	if _, err := db.Store.AnswerWrite(t.Context(), a, "o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Store.AnswerWrite(t.Context(), b, "o1"); !errors.Is(err, store.ErrRemoteTaken) {
		t.Errorf("another's record: %v; want ErrRemoteTaken", err)
	}
	b, err := db.Store.SendWrite(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, running(t, db, c.ID, stream), &unified.Application{Envelope: envelope(c.ID, unified.Applications, "later", "")},
		&unified.Application{Envelope: envelope(c.ID, unified.Applications, "earlier", "")})
	db.Exec(`UPDATE applications SET created_at = now() - interval '1 h' WHERE remote_id = 'earlier'`)
	got, err := db.Store.NotOurs(t.Context(), b, []string{"o1", "later", "earlier", "unknown"})
	if err != nil || len(got) != 2 || !got["o1"] || !got["earlier"] {
		t.Errorf("NotOurs = %v, %v; want o1, earlier", got, err)
	}
}

// TestCommitOutsideWaitsForARun: both lock the stream's row.
func TestCommitOutsideWaitsForARun(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	inside, done := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		_, err := db.Store.CommitOutside(t.Context(), c.ID, stream, func(ctx context.Context, tx *store.Tx) error {
			return store.Upsert(ctx, tx, []*unified.Tag{tag(c.ID, "x", "outside")})
		})
		done <- err
	}()
	commit(t, db, l, func(ctx context.Context, tx *store.Tx) error {
		close(inside)
		awaitBlocked(t, db, 1)
		return store.Upsert(ctx, tx, []*unified.Tag{tag(c.ID, "x", "page")})
	})
	if err := <-done; err != nil {
		t.Fatalf("CommitOutside: %v", err)
	}
	if got := storetest.Value[string](db, `SELECT name FROM tags`); got != "outside" {
		t.Errorf("tag = %q; want what was written last, outside", got)
	}
	if got := storetest.Value[int64](db, `SELECT records FROM connector_scopes WHERE scope = 'tags'`); got != 1 {
		t.Errorf("records = %d; want 1", got)
	}
	if _, err := db.Store.CommitOutside(t.Context(), uuid.New(), stream, func(context.Context, *store.Tx) error { return nil }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such connector: %v; want ErrNotFound", err)
	}
}
