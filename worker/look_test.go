package worker

import (
	"context"
	"slices"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// TestLookFindsWhatIsStoredJustSo: only the very version that is stored is passed over, not one that stands beside it on the
// page, not what can't be read, and nothing where Postgres does not answer.
func TestLookFindsWhatIsStoredJustSo(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, _, err := db.Store.CreateConnector(t.Context(), store.NewConnector{OrgName: "Acme", OriginID: "a", APIKey: "k", Scopes: []unified.Scope{unified.Applications}})
	if err != nil {
		t.Fatal(err)
	}
	const a, b, other = `{"id":"x","v":1}`, `{"id":"x","v":2}`, `{"id":"y"}`
	db.Exec(`INSERT INTO parents (connector_id, scope, remote_id, raw_hash) VALUES ($1, 'applications', 'x', $2), ($1, 'applications', 'z', $3)`, c.ID, store.HashRaw([]byte(a)), store.HashRaw([]byte(`7`)))
	o := &opportunities{slice: &slice{w: &Worker{store: db.Store}, connector: c}}
	look := func(ctx context.Context, raws ...string) (stored []bool) {
		var items []lever.Item[lever.Sketch]
		for _, raw := range raws {
			items = append(items, lever.DecodeItem[lever.Sketch]([]byte(raw)))
		}
		page := lever.Page[made]{Items: sketches(items)}
		o.look(ctx, page)
		for _, it := range page.Items {
			stored = append(stored, it.Value.stored)
		}
		return stored
	}
	for _, tt := range []struct {
		raws []string
		want []bool
	}{
		{[]string{a, other, `7`}, []bool{true, false, false}},
		{[]string{b}, []bool{false}},
		{[]string{a, b}, []bool{false, false}},
		{[]string{b, a}, []bool{false, true}},
	} {
		if got := look(t.Context(), tt.raws...); !slices.Equal(got, tt.want) {
			t.Errorf("of %q stored just so are %v; want %v", tt.raws, got, tt.want)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got := look(ended, a); got[0] {
		t.Error("nobody answered, and it is taken for stored")
	}
}
