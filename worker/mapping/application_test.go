package mapping

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

func TestApplication(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, opp string
		want      unified.Application
	}{
		{
			"a lead", `{"id":"o1","contact":"c1","stage":"lead-new","createdAt":1000,"sources":[],"applications":[],"archived":null}`,
			unified.Application{Candidate: rid(unified.Candidates, "c1"), AppliedAt: at(1000), CurrentStage: rid(unified.JobInterviewStages, "lead-new")},
		},
		{
			"an application to a posting, by a recruiter", `{"id":"o1","contact":"c1","stage":{"id":"s1","text":"Screen"},"createdAt":1000,"sources":["", "Job site","Other"],
				"applications":[{"id":"a1","type":"user","posting":"p1","user":"u9","createdAt":2000}]}`,
			unified.Application{
				Candidate: rid(unified.Candidates, "c1"), Job: rid(unified.Jobs, "p1"), AppliedAt: at(2000),
				Source: new("Job site"), CurrentStage: rid(unified.JobInterviewStages, "s1"),
			},
		},
		{
			"a referral", `{"id":"o1","applications":[{"id":"a1","type":"referral","posting":"p1","user":"u9"}]}`,
			unified.Application{Candidate: rid(unified.Candidates, "o1"), Job: rid(unified.Jobs, "p1"), CreditedTo: rid(unified.RemoteUsers, "u9")},
		},
		{
			"who sourced comes before who referred", `{"id":"o1","sourcedBy":"u1","applications":[{"id":"a1","type":"referral","user":"u9"}]}`,
			unified.Application{Candidate: rid(unified.Candidates, "o1"), CreditedTo: rid(unified.RemoteUsers, "u1")},
		},
		{
			"rejected", `{"id":"o1","archived":{"reason":"r1","archivedAt":3000}}`,
			unified.Application{Candidate: rid(unified.Candidates, "o1"), RejectedAt: at(3000), RejectReason: rid(unified.RejectReasons, "r1")},
		},
		{
			"hired", `{"id":"o1","archived":{"reason":"r-hired","archivedAt":3000}}`,
			unified.Application{Candidate: rid(unified.Candidates, "o1")},
		},
		{
			"archived without a reason", `{"id":"o1","archived":{"reason":null,"archivedAt":3000}}`,
			unified.Application{Candidate: rid(unified.Candidates, "o1")},
		},
	}
	for _, tt := range tests {
		tt.want.Envelope = env(unified.Applications, "o1", "", nil)
		got, err := mapper.Application(decode[lever.Opportunity](t, tt.opp))
		if err != nil {
			t.Errorf("Application(%s): %v", tt.name, err)
			continue
		}
		check(t, "Application("+tt.name+")", got, &tt.want)
	}
	if got, err := mapper.Application(lever.Opportunity{}); got != nil || err == nil {
		t.Errorf("Application(no id) = %v, %v; want nil and an error", got, err)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	const base = `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"]}`
	want := Digest(decode[lever.Opportunity](t, base))
	// Pinned: another digest of the same state makes every connector read every child again.
	const pinned = "65e6599f0eb1d72117921fbadb80cd97"
	if got := hex.EncodeToString(want); got != pinned {
		t.Errorf("Digest(%s) = %s, want %s", base, got, pinned)
	}
	tests := []struct {
		name, opp string
		same      bool
	}{
		{"expanded, with a new name", `{"id":"o1","name":"Ada","contact":{"id":"c1"},"stage":{"id":"s1"},"updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":[{"id":"a1"}],"archived":null}`, true},
		{"updatedAt", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":9,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"]}`, false},
		{"lastInteractionAt", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":9,"lastAdvancedAt":3,"applications":["a1"]}`, false},
		{"lastAdvancedAt", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":9,"applications":["a1"]}`, false},
		{"stage", `{"id":"o1","contact":"c1","stage":"s9","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"]}`, false},
		{"contact", `{"id":"o1","contact":"c9","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"]}`, false},
		{"application", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":[]}`, false},
		{"archived", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"],"archived":{}}`, false},
		{"anonymised", `{"id":"o1","contact":"c1","stage":"s1","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"],"isAnonymized":true}`, false},
		{"a text that moved to its neighbour", `{"id":"o1","contact":"1c1","stage":"s","updatedAt":1,"lastInteractionAt":2,"lastAdvancedAt":3,"applications":["a1"]}`, false},
	}
	for _, tt := range tests {
		got := Digest(decode[lever.Opportunity](t, tt.opp))
		if len(got) != 16 || bytes.Equal(got, want) != tt.same {
			t.Errorf("Digest(%s) = %x, base %x; want 16 bytes, equal: %t", tt.name, got, want, tt.same)
		}
	}
}
