package worker_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// What can be mapped by now is told from what can't, for every scope, and by the bytes alone.
func TestRemap(t *testing.T) {
	t.Parallel()
	for _, sc := range unified.Scopes {
		for raw, want := range map[string]bool{
			`{"id":"r-1","text":"r-1","createdAt":1700000000000}`: true,
			` {"id":"r-1","text":"r-1"} `:                         true,
			`{"remote_id":"r-1","name":"as it was to be stored"}`: true, // Postgres refused it: the bytes tell nothing
			`{}`: true, // a list that could not be read
			`{"id":{"a":1},"text":{"b":2},"createdAt":1700000000000}`: false,
			`{"id":"r-1","text":"r-1","createdAt":1e200000}`:          false,
			`{"id":"r-1","text":"r-1"} and more`:                      false,
			`not JSON`:                                                false,
		} {
			if sc == unified.Candidates || sc == unified.ScreeningQuestions {
				want = true // made of more than one object: only reading it again can tell
			}
			err := worker.Remap(store.QuarantinedRecord{
				Quarantined: store.Quarantined{ConnectorID: uuid.New(), Scope: string(sc), Key: "r-1", Parent: "o-1"}, Raw: []byte(raw),
			})
			if (err == nil) != want {
				t.Errorf("Remap(%s, %s) = %v; want that it can be mapped: %v", sc, raw, err, want)
			}
		}
	}
}

// Each scope is read again where its records come from.
func TestRereadOf(t *testing.T) {
	t.Parallel()
	incremental := int(lever.LaneIncremental)
	for sc, want := range map[unified.Scope]store.Reread{
		unified.Applications:        {Stream: "opportunities", Lane: incremental},
		unified.Candidates:          {Stream: "opportunities", Lane: incremental},
		unified.Offices:             {Stream: "postings", Lane: incremental},
		unified.Tags:                {Stream: "tags", Lane: incremental},
		unified.EEOCs:               {Stream: "eeo-responses", Lane: incremental},
		unified.ScheduledInterviews: {Stream: "opportunity-children", Of: unified.Applications, Kinds: 1, Lane: incremental},
		unified.Attachments:         {Stream: "opportunity-children", Of: unified.Applications, Kinds: 4 | 8 | 16, Lane: incremental},
		unified.ScreeningQuestions:  {Stream: "posting-questions", Of: unified.Jobs, Kinds: 1, Lane: incremental},
	} {
		if got := worker.RereadOf(sc); got != want {
			t.Errorf("RereadOf(%s) = %+v, want %+v", sc, got, want)
		}
	}
}
