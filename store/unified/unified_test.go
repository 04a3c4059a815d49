package unified_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// TestIDsNeverChange: an id that was given out is for ever; this one was computed once and written down.
func TestIDsNeverChange(t *testing.T) {
	t.Parallel()
	c := uuid.MustParse("11111111-2222-4333-8444-555555555555")
	got := unified.ID(c, unified.Candidates, "997fd432-94f6-4613-9fa8-c3d5bd49600b")
	if want := "7b9480a1-72d5-5161-a8b8-4d5ae5f9a6af"; got.String() != want || got.Version() != 5 {
		t.Errorf("ID = %s (version %d), want %s, version 5", got, got.Version(), want)
	}
	seen := map[uuid.UUID]string{got: "itself"}
	for name, id := range map[string]uuid.UUID{
		"another connector": unified.ID(uuid.New(), unified.Candidates, "997fd432-94f6-4613-9fa8-c3d5bd49600b"),
		"another scope":     unified.ID(c, unified.Applications, "997fd432-94f6-4613-9fa8-c3d5bd49600b"),
		"another record":    unified.ID(c, unified.Candidates, "997fd432-94f6-4613-9fa8-c3d5bd49600c"),
		"another case":      unified.ID(c, unified.Tags, "Full-time"),
		"that case":         unified.ID(c, unified.Tags, "Full-Time"),
	} {
		if other, twice := seen[id]; twice {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[id] = name
	}
}

func TestTimesAreISOWithMilliseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3600)
	b, err := json.Marshal(unified.NewTime(time.Date(2026, 7, 2, 10, 0, 0, 999_999, zone)))
	if err != nil || string(b) != `"2026-07-02T09:00:00.000Z"` {
		t.Errorf("Marshal = %s, %v; want UTC with milliseconds", b, err)
	}
	var back unified.Time
	if err := json.Unmarshal([]byte(`"2026-07-02T10:00:00.1239+01:00"`), &back); err != nil || !back.Equal(time.Date(2026, 7, 2, 9, 0, 0, 123_000_000, time.UTC)) {
		t.Errorf("Unmarshal = %s, %v; want it in UTC, truncated", back, err)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &back); err == nil {
		t.Error(`Unmarshal("yesterday") = nil, want an error`)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	if len(unified.Scopes) != 15 || len(unified.DefaultScopes()) != 14 {
		t.Errorf("%d scopes, %d by default; want 15 and all but eeocs", len(unified.Scopes), len(unified.DefaultScopes()))
	}
	for _, sc := range unified.Scopes {
		if got, err := unified.ParseScope(string(sc)); got != sc || err != nil {
			t.Errorf("ParseScope(%q) = %q, %v", sc, got, err)
		}
	}
	_, err := unified.ParseScope("people")
	for _, sc := range unified.Scopes {
		if err == nil || !strings.Contains(err.Error(), string(sc)) {
			t.Errorf("ParseScope(people): %v; want it to name %s", err, sc)
		}
	}
}
