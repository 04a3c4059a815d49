package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// grants is who holds which refresh token, as Lever has it: each is good once.
type grants struct {
	mu      sync.Mutex
	current map[uuid.UUID]string
	renewed int
}

func sealedBy(t *testing.T, s *store.Store) []store.SealedCount {
	t.Helper()
	list, err := s.Sealed(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("Sealed = %v, %v; want some", list, err)
	}
	return list
}

// renew is a refresh at Lever.
func (g *grants) renew(id uuid.UUID) func(context.Context, store.Credential) (store.Credential, error) {
	return func(_ context.Context, cur store.Credential) (store.Credential, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if cur.Refresh != g.current[id] {
			return cur, fmt.Errorf("connector %s came with refresh token %q, which is not the current %q: a refresh was lost", id, cur.Refresh, g.current[id])
		}
		g.renewed++
		g.current[id] = fmt.Sprintf("refresh %d", g.renewed)
		return store.Credential{Secret: fmt.Sprintf("access %d", g.renewed), Refresh: g.current[id], ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
}

// Keys rotate while eight workers renew tokens, half of them still sealing with the old key: no token is lost, and in
// the end the new key opens everything alone.
func TestResealWhileTokensAreRenewed(t *testing.T) {
	t.Parallel()
	const workers = 8
	connectors, rounds := 60, 40
	if os.Getenv("LEVERSYNC_NEMESIS") != "" {
		connectors, rounds = 10_000, 1_500
	}
	db := storetest.New(t)
	old, both := storeWith(t, db, key(1)+","+key(2)), storeWith(t, db, key(2)+","+key(1))
	g := &grants{current: map[uuid.UUID]string{}}
	ids := make([]uuid.UUID, connectors)
	if err := errors.Join(together(workers, func(i int) error {
		for n := i; n < connectors; n += workers {
			c, _, err := old.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme"})
			if err == nil {
				_, err = old.Link(t.Context(), c.ID, store.Credential{Kind: "oauth", Secret: "access 0", Refresh: "refresh 0"})
			}
			if err != nil {
				return err
			}
			ids[n] = c.ID
		}
		return nil
	})...); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		g.current[id] = "refresh 0"
	}
	work := make(chan struct{})
	resealed := make(chan error, 1)
	go func() { // again and again until the workers are done
		for {
			select {
			case <-work:
				resealed <- nil
				return
			default:
			}
			if _, err := both.Reseal(context.WithoutCancel(t.Context())); err != nil {
				resealed <- err
				return
			}
		}
	}()
	errs := together(workers, func(i int) error {
		s := []*store.Store{old, both}[i%2]
		for n := range rounds {
			id := ids[(i*rounds+n*7)%len(ids)]
			if _, err := s.RenewCredential(t.Context(), id, "", g.renew(id)); err != nil {
				return err
			}
		}
		return nil
	})
	close(work)
	if err := errors.Join(append(errs, <-resealed)...); err != nil {
		t.Fatal(err)
	}
	if g.renewed != workers*rounds {
		t.Errorf("%d refreshes, want %d", g.renewed, workers*rounds)
	}
	newKeys, err := store.ParseKeyring(key(2))
	if err != nil {
		t.Fatal(err)
	}
	wantKey := newKeys.KeyIDs()[0]
	r, err := both.Reseal(t.Context())
	if err != nil || len(r.Unopened) != 0 || r.Key != wantKey {
		t.Fatalf("Reseal after the workers = %+v, %v; want all sealed with %s", r, err, wantKey)
	}
	alone := storeWith(t, db, key(2))
	for _, id := range ids {
		c, err := alone.Credential(t.Context(), id)
		if err != nil || c.Refresh != g.current[id] {
			t.Errorf("Credential(%s) with the new key alone = refresh %q, %v; want %q", id, c.Refresh, err, g.current[id])
		}
	}
	for _, c := range sealedBy(t, alone) {
		if c.Position != 1 || c.Values != int64(connectors) {
			t.Errorf("Sealed: %+v; want %d of each kind, by the new key", c, connectors)
		}
	}
	if again, err := both.Reseal(t.Context()); err != nil || again.Resealed["credential"]+again.Resealed["connector token"] != 0 {
		t.Errorf("Reseal once more = %+v, %v; want nothing left to do", again, err)
	}
	t.Logf("keys rotated under %d connectors while 8 workers renewed %d tokens: none lost", connectors, g.renewed)
}

// What does not open stays as it is, is told of, and stops nothing.
func TestResealTellsWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	first := storeWith(t, db, key(1))
	var ids []uuid.UUID
	for range 3 {
		c, _, err := first.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", APIKey: "s3cret"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	db.Exec("UPDATE credentials SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) WHERE connector_id = $1", ids[1])
	before := sealed(db, ids[1])
	r, err := storeWith(t, db, key(2)+" "+key(1)).Reseal(t.Context())
	if err != nil || r.Resealed["credential"] != 2 || r.Resealed["connector token"] != 3 {
		t.Errorf("Reseal = %+v, %v; want 2 credentials and 3 tokens", r, err)
	}
	if len(r.Unopened) != 1 || r.Unopened[0].ID != ids[1] || !strings.Contains(r.Unopened[0].Reason, "damaged") || strings.Contains(fmt.Sprint(r), "s3cret") {
		t.Errorf("Unopened = %+v; want the damaged one alone", r.Unopened)
	}
	if string(sealed(db, ids[1])) != string(before) {
		t.Error("the damaged value was written")
	}
	for _, c := range sealedBy(t, storeWith(t, db, key(3))) {
		if c.Position != 0 {
			t.Errorf("Sealed with another keyring: %+v; want position 0", c)
		}
	}
	if _, err := storeWith(t, db, "").Reseal(t.Context()); err == nil {
		t.Error("Reseal without a key = nil; want an error")
	}
}

// A held credential is sealed too, and opens after the rotation.
func TestResealHeldCredential(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	old := storeWith(t, db, key(1))
	c, _, err := old.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	link, _, err := old.CreateLink(t.Context(), c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := old.UseLink(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.HoldCredential(t.Context(), l, store.Credential{Kind: "oauth", Secret: "held"}, "some"); err != nil {
		t.Fatal(err)
	}
	r, err := storeWith(t, db, key(2)+","+key(1)).Reseal(t.Context())
	if err != nil || r.Resealed["held credential"] != 1 {
		t.Fatalf("Reseal = %+v, %v; want the held one", r, err)
	}
	fresh := storeWith(t, db, key(2))
	if _, err := fresh.CompleteLink(t.Context(), l.ID, nil); err != nil {
		t.Fatalf("CompleteLink after the rotation: %v", err)
	}
	if got, err := fresh.Credential(t.Context(), c.ID); err != nil || got.Secret != "held" {
		t.Errorf("Credential = %v, %v; want the held one", got, err)
	}
}

// Every purpose that something is sealed for is one that Reseal knows of: else its values would be lost with the old key.
func TestResealKnowsAllPurposes(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\.seal\(([^\n]*)\)`)
	purpose := regexp.MustCompile(`"([^"]+)"`)
	n := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") || f.Name() == "rotate.go" {
			continue
		}
		src, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			p := purpose.FindStringSubmatch(m[1])
			if p == nil || !store.ResealsPurpose(p[1]) {
				t.Errorf("%s: %s: its purpose is not among sealedColumns", f.Name(), m[0])
			}
			n++
		}
	}
	if n == 0 {
		t.Error("no call of seal was found: this test looks for the wrong thing")
	}
}
