package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// Whatever is done to a scope, in whatever order, its counters are the number of its rows.
func TestCountersAreTheRows(t *testing.T) {
	t.Parallel()
	rng := random(t)
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	live, aside := map[string]bool{}, map[string]bool{} // what there must be
	pick := func() string { return fmt.Sprintf("r%d", rng.IntN(25)) }
	for step := range 150 {
		var page []*unified.Offer
		var gone []string
		bad := map[string]bool{}
		for range rng.IntN(8) {
			o := &unified.Offer{Envelope: envelope(c.ID, unified.Offers, pick(), ""), Status: new(fmt.Sprint(rng.IntN(2)))}
			o.Parent = fmt.Sprintf("p%d", len(o.RemoteID)%3)
			bad[o.RemoteID] = rng.IntN(6) == 0 // the last of twins counts
			if bad[o.RemoteID] {
				o.Raw = json.RawMessage(fmt.Sprintf(`{"n":%d,"s":"\u0000"}`, step))
			}
			page = append(page, o)
		}
		for range rng.IntN(4) {
			gone = append(gone, pick())
		}
		rollback := rng.IntN(10) == 0
		_, err := db.Store.Commit(t.Context(), l, func(ctx context.Context, tx *store.Tx) error {
			if err := store.Upsert(ctx, tx, page); err != nil {
				return err
			}
			if err := tx.Tombstone(ctx, unified.Offers, gone); err != nil || !rollback {
				return err
			}
			return errRolledBack
		})
		if rollback {
			if err != errRolledBack {
				t.Fatalf("step %d: Commit = %v; want %v", step, err, errRolledBack)
			}
			continue
		}
		if err != nil {
			t.Fatalf("step %d: Commit: %v", step, err)
		}
		for remote, refused := range bad {
			if refused {
				aside[remote] = true
			} else if !live[remote] || aside[remote] {
				live[remote] = true
				delete(aside, remote)
			}
		}
		for _, remote := range gone {
			delete(live, remote)
			delete(aside, remote)
		}
		wantRecords(t, db, c.ID, unified.Offers, int64(len(live)))
		wantQuarantined(t, db, c.ID, unified.Offers, int64(len(aside)))
		if t.Failed() {
			t.Fatalf("step %d: page %v, gone %q", step, bad, gone)
		}
	}
	if n := storetest.Value[int64](db, "SELECT count(*) - count(DISTINCT remote_id) FROM offers"); n != 0 {
		t.Errorf("%d records are there twice", n)
	}
}
