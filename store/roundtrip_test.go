package store_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
)

// hostile are texts that quoting gets wrong easily.
var hostile = []string{
	``, ` `, `"`, `\`, `\\"`, `{}`, `{a,b}`, `a,b`, `NULL`, `null`, `'; --`, "tab\tline\nreturn\r", `$1`, `\u0000`, `\x00`,
	`é`, "e\u0301", `日本語`, `😀`, "\u200b\u202e", "\uFFFD", "\U0010FFFF", "\x01\x7f",
}

// filled sets every field of a record's body to something; n makes two records differ.
func filled(t *testing.T, r unified.Record, n int) unified.Record {
	t.Helper()
	text := func(i int) string { return hostile[(n+i)%len(hostile)] }
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		var x any
		switch f.Interface().(type) {
		case unified.Envelope:
			continue
		case string:
			x = text(i)
		case *string:
			x = new(text(i))
		case *bool:
			x = new((n+i)%2 == 0)
		case *int:
			x = new(n + i)
		case *uuid.UUID:
			x = new(uuid.New())
		case *unified.Time:
			x = new(unified.NewTime(time.UnixMilli(1_700_000_000_123 + int64(n*1000+i))))
		case []string:
			x = append([]string{text(i)}, hostile...)
		case []uuid.UUID:
			x = []uuid.UUID{uuid.New(), uuid.New()}
		case []unified.URL:
			x = []unified.URL{{Value: new(text(i)), URLType: new("OTHER")}, {}}
		case []unified.Option:
			x = []unified.Option{{Label: text(i)}, {Label: ""}}
		default:
			t.Fatalf("no value for a field of type %s", f.Type())
		}
		f.Set(reflect.ValueOf(x))
	}
	return r
}

// emptied gives every list of a record no element, which is not the same as no list.
func emptied(r unified.Record) unified.Record {
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			f.Set(reflect.MakeSlice(f.Type(), 0, 0))
		}
	}
	return r
}

func TestUpsertRoundTrip(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := linked(t, db)
	l := running(t, db, c.ID, stream)
	for _, sc := range unified.Scopes {
		recs := []unified.Record{blank[sc](), emptied(blank[sc]())}
		for n := range hostile {
			recs = append(recs, filled(t, blank[sc](), n))
		}
		for i, r := range recs {
			*r.Base() = envelope(c.ID, sc, fmt.Sprintf("r%d %s", i, hostile[i%len(hostile)]), hostile[i%len(hostile)])
			if i%3 == 0 {
				r.Base().Raw = nil
			}
		}
		if got := put(t, db, l, recs...); got.Written != int64(len(recs)) {
			t.Errorf("Upsert of %d %s: written %d", len(recs), sc, got.Written)
		}
		for _, r := range recs {
			wantStored(t, db, c.ID, r)
		}
		// A second round turns the filled ones into blank ones and back: no column is left behind.
		for i, r := range recs {
			env := *r.Base()
			if i < 2 {
				filled(t, r, i)
			} else {
				reflect.ValueOf(r).Elem().SetZero()
			}
			*r.Base() = env
		}
		put(t, db, l, recs...)
		for _, r := range recs {
			wantStored(t, db, c.ID, r)
		}
	}
}

// wantStored compares a record's row, column by column, with the record.
func wantStored(t *testing.T, db *storetest.DB, connector uuid.UUID, r unified.Record) {
	t.Helper()
	env := r.Base()
	var got map[string]any
	row := storetest.Value[string](db, fmt.Sprintf(`SELECT to_jsonb(t) FROM %s t WHERE connector_id = $1 AND id = $2`, r.Scope().Table()), connector, env.ID)
	if err := json.Unmarshal([]byte(row), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"remote_id": env.RemoteID, "parent": env.Parent, "raw": env.Raw, "deleted_at": nil}
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); !f.Anonymous {
			want[columnOf(f)] = v.Field(i).Interface()
		}
	}
	for name, w := range want {
		if g, w := plain(t, got[name]), plain(t, w); !reflect.DeepEqual(g, w) {
			t.Errorf("%s %q: %s = %#v; want %#v", r.Scope(), env.RemoteID, name, g, w)
		}
	}
}

// plain is v as JSON reads, with times in one form.
func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if s, ok := out.(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return at.UTC().Format(unified.TimeLayout)
		}
	}
	return out
}

func TestHashRaw(t *testing.T) {
	t.Parallel()
	a, b := store.HashRaw([]byte(`{"a":1}`)), store.HashRaw([]byte(`{"a": 1}`))
	if len(a) != 16 || reflect.DeepEqual(a, b) {
		t.Errorf("HashRaw = %x and %x; want 16 bytes each, and two values", a, b)
	}
}
