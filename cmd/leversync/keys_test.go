package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// A key goes through all the steps that `keys rotate --help` gives, and no command shows one.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.create()
	fresh := base64.StdEncoding.EncodeToString([]byte("the second of these tests' keys!"))
	c.env["LEVERSYNC_ENCRYPTION_KEY"] = fresh + "," + testKey
	var shown strings.Builder
	if out := c.must("keys", "list"); !strings.Contains(out, "seals and opens") || !strings.Contains(out, "1  credentials") {
		t.Errorf("keys list before = %s; want what the old key has sealed", out)
	}
	type rotation struct {
		Key      string           `json:"key"`
		Resealed map[string]int64 `json:"resealed"`
		Unopened []store.Unopened `json:"unopened"`
	}
	out := c.must("keys", "rotate", "--json")
	shown.WriteString(out)
	r := decode[rotation](t, out)
	if r.Resealed["credential"] != 1 || r.Resealed["connector token"] != 1 || r.Unopened == nil || len(r.Unopened) != 0 {
		t.Errorf("keys rotate --json = %s; want a credential and a token, and [] unopened", out)
	}
	// Of a rotation that goes on with what is left, each kind alone is told.
	for what := range r.Resealed {
		var said strings.Builder
		if err := (&app{stdout: &said}).printRotation(store.Rotation{Key: r.Key, Resealed: map[string]int64{what: 2}}); err != nil || said.String() != "Sealed 2 "+what+"s with key "+r.Key+".\n" {
			t.Errorf("a rotation of two %ss alone says %q, %v", what, said.String(), err)
		}
	}
	if len(r.Resealed) < 6 {
		t.Errorf("keys rotate --json = %s; want all kinds that are sealed", out)
	}
	out = c.must("keys", "rotate")
	shown.WriteString(out)
	if !strings.Contains(out, "sealed with key "+r.Key+" already") {
		t.Errorf("keys rotate again = %s; want that there is nothing to do", out)
	}
	c.env["LEVERSYNC_ENCRYPTION_KEY"] = fresh
	for _, k := range decode[struct{ Sealed []store.SealedCount }](t, c.must("keys", "list", "--json")).Sealed {
		if k.Position != 1 || k.Key != r.Key {
			t.Errorf("keys list with the new key alone: %+v; want all under %s", k, r.Key)
		}
	}
	c.env["LEVERSYNC_ENCRYPTION_KEY"] = testKey
	o := c.run("keys", "rotate")
	shown.WriteString(o.out + o.err)
	if o.code != exitFailure || !strings.Contains(o.out, "does not list") || !strings.Contains(o.err, "2 values could not be opened") {
		t.Errorf("keys rotate with a lost key: exit %d, %s%s; want 1, and what could not be opened", o.code, o.out, o.err)
	}
	for _, secret := range []string{fresh, testKey, "test-key"} {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("a secret is shown: %s", shown.String())
		}
	}
	if n := storetest.Value[int](c.db, "SELECT count(*) FROM credentials"); n != 1 {
		t.Errorf("%d credentials after all, want 1", n)
	}
}
