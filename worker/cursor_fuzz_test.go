package worker

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/leversync/leversync/store"
)

// FuzzCursor reads any stored JSON as a traversal's cursor and as what was learnt of a stream: what is taken means
// the same once it is written again.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `{"phase":"list","token":"t","page":3,"seen":300,"full":true,"since":"2026-11-23T05:00:00Z"}`,
		`{"phase":"verify","suspects":["a","b"],"deletions_until":"0001-01-01T00:00:00Z","note":"n","ready":true,"probe":8}`,
		`{"page":"3"}`, `{"page":1e3}`, `{"since":"10000-01-01T00:00:00Z"}`, `{"confidential":"yes","kinds":31,"forbidden":16,"answers":{"16":402}}`, `[`,
		`{"page":5,"windows":[{"to":"2026-11-23T05:00:00+01:00","token":"t","seen":7},{"from":"2026-11-23T05:00:00+01:00","restarts":1,"done":true}]}`, `{"windows":[]}`,
		`{"restarts":-1,"unproven":1}`, `{"token":"t","steps":5,"mark":"m","windows":[{"token":"u","steps":8,"mark":"n"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		s := &slice{stream: &stream{name: "x"}, state: store.Stream{Cursor: stored, Flags: stored}}
		c, err := s.cursor()
		if err == nil {
			again := &slice{stream: s.stream, state: store.Stream{Cursor: c.encode()}}
			if got, err := again.cursor(); err != nil || !reflect.DeepEqual(normalCursor(got), normalCursor(c)) {
				t.Errorf("cursor %q written again is %+v, %v; want %+v", stored, got, err, c)
			}
		}
		var flags flags
		if json.Unmarshal(stored, &flags) == nil && !reflect.DeepEqual(s.flags(), flags) {
			t.Errorf("flags of %q = %+v; want %+v", stored, s.flags(), flags)
		}
	})
}

// normalCursor gives an empty list of suspects one form, and times their zone.
func normalCursor(c cursor) cursor {
	if len(c.Suspects) == 0 {
		c.Suspects = nil
	}
	c.Since, c.DeletionsUntil = c.Since.UTC(), c.DeletionsUntil.UTC()
	if len(c.Windows) == 0 {
		c.Windows = nil
	}
	for i := range c.Windows {
		c.Windows[i].From, c.Windows[i].To = c.Windows[i].From.UTC(), c.Windows[i].To.UTC()
	}
	return c
}
