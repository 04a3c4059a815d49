package mapping

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

var connector = uuid.MustParse("0b9c1a52-5a0e-4a39-9b3c-3d6f0f4b9e10")

// mapper knows one reason that means hired.
var mapper = Mapper{Connector: connector, Hired: map[string]bool{"r-hired": true}}

// rid is the id of the record of a scope, as a relation holds it.
func rid(s unified.Scope, remoteID string) *uuid.UUID {
	return new(unified.ID(connector, s, remoteID))
}

// rids is rid for a list.
func rids(s unified.Scope, remoteIDs ...string) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(remoteIDs))
	for _, r := range remoteIDs {
		out = append(out, *rid(s, r))
	}
	return out
}

// env is the envelope that a record is expected to have.
func env(s unified.Scope, remoteID, parent string, raw json.RawMessage) unified.Envelope {
	return unified.Envelope{ID: *rid(s, remoteID), RemoteID: remoteID, Parent: parent, Raw: raw}
}

// ms is a time of Lever, and at the same as ours.
func ms(n int64) lever.Time { return lever.MillisTime(n) }
func at(n int64) *unified.Time {
	return new(unified.NewTime(lever.MillisTime(n).Time))
}

// raw is a body that is told from nil.
var raw = json.RawMessage(`{"id":"x"}`)

// decode reads a value of Lever's as the client does.
func decode[T any](t testing.TB, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("Unmarshal(%s): %v", body, err)
	}
	return v
}

// check fails unless got is want; call is what was called.
func check(t testing.TB, call string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %s\nwant %s", call, show(got), show(want))
	}
}

// show prints a value with what its pointers point at.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
