package levertest_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/leversync/leversync/lever/levertest"
)

// clocksOf are updatedAt, lastInteractionAt and lastAdvancedAt of an opportunity.
func clocksOf(l *fake, id string) [3]any {
	o := l.one("/opportunities/" + id)
	return [3]any{o["updatedAt"], o["lastInteractionAt"], o["lastAdvancedAt"]}
}

func TestMutationsMoveTheClocksAsLeverDoes(t *testing.T) {
	t.Parallel()
	const u, i, a = 1, 2, 4 // updatedAt, lastInteractionAt, lastAdvancedAt
	tests := []struct {
		name  string
		needs []levertest.Situation
		moves int
	}{
		{"advance_stage", nil, u | i | a},
		{"archive", []levertest.Situation{levertest.Active}, u | i | a},
		{"hire", []levertest.Situation{levertest.Active}, u | i | a},
		{"unarchive", []levertest.Situation{levertest.Rejected}, u | i | a},
		{"edit_contact", nil, u},
		{"add_tag", nil, u},
		{"add_interview", nil, i},
		{"move_interview", []levertest.Situation{levertest.WithInterview}, i},
		{"cancel_interview", []levertest.Situation{levertest.WithInterview}, i},
		{"add_feedback", nil, u | i},
		{"edit_feedback", []levertest.Situation{levertest.WithFeedback}, 0},
		{"delete_feedback", []levertest.Situation{levertest.WithFeedback}, 0},
		{"add_offer", []levertest.Situation{levertest.InOfferStage, levertest.WithApplication}, 0},
		{"change_offer_status", []levertest.Situation{levertest.WithOffer}, 0},
		{"add_file", nil, 0},
		{"delete_file", []levertest.Situation{levertest.WithFile}, 0},
		{"add_resume", nil, 0},
		{"delete_application", []levertest.Situation{levertest.WithApplication}, u},
		{"anonymize", nil, u},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLever(t, levertest.Config{Seed: 4, Opportunities: 400})
			id := l.pick(tt.needs...)
			before := clocksOf(l, id)
			touched, err := l.Mutate(tt.name, id)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(touched.Opportunities, id) || touched.Record == "" {
				t.Errorf("touched %+v, want a record and %s", touched, id)
			}
			after := clocksOf(l, id)
			for bit, clock := range []string{"updatedAt", "lastInteractionAt", "lastAdvancedAt"} {
				if moved := before[bit] != after[bit]; moved != (tt.moves&(1<<bit) != 0) {
					t.Errorf("%s: %s was %v and is %v, want moved: %t", tt.name, clock, before[bit], after[bit], !moved)
				}
			}
			if n := len(l.rows("/opportunities?limit=50")); n != len(l.PickN(1000)) {
				t.Errorf("after %s the list has %d rows, want %d", tt.name, n, len(l.PickN(1000)))
			}
		})
	}
}

func TestClocksMoveThoughTimeStandsStill(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Opportunities: 20})
	id := l.pick()
	last := clocksOf(l, id)
	for range 5 {
		if _, err := l.AddInterview(id); err != nil {
			t.Fatal(err)
		}
		now := clocksOf(l, id)
		if now[1].(float64) <= last[1].(float64) {
			t.Errorf("lastInteractionAt went from %v to %v", last[1], now[1])
		}
		last = now
	}
}

func TestDeletedThingsTurnUpInTheDeletedLists(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 4, Opportunities: 100})
	id := l.pick(levertest.WithApplication)
	app := l.one("/opportunities/" + id)["applications"].([]any)[0]
	posting := l.Records("postings")[0]
	for _, do := range []func() (levertest.Touched, error){
		func() (levertest.Touched, error) { return l.DeleteApplication(id) },
		func() (levertest.Touched, error) { return l.DeleteOpportunity(id) },
		func() (levertest.Touched, error) { return l.DeletePosting(posting) },
	} {
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if a := l.get("/opportunities/" + id); a.Status != 404 {
		t.Errorf("the deleted opportunity answers %d, want 404", a.Status)
	}
	l.clock.add(time.Hour)
	if rows := l.rows("/opportunities/deleted"); len(rows) != 1 || rows[0]["id"] != id {
		t.Errorf("deleted opportunities are %v, want %s", rows, id)
	}
	if rows := l.rows("/postings/deleted"); len(rows) != 1 || rows[0]["id"] != posting {
		t.Errorf("deleted postings are %v, want %s", rows, posting)
	}
	window := "?deleted_at_start=1795000000000&deleted_at_end=1797000000000"
	if rows := l.rows("/applications/deleted" + window); len(rows) != 1 || rows[0]["id"] != app || rows[0]["opportunityId"] != id {
		t.Errorf("deleted applications are %v, want %v of %s", rows, app, id)
	}
	l.clock.add(31 * 24 * time.Hour)
	if rows := l.rows("/opportunities/deleted"); len(rows) != 0 {
		t.Errorf("after 31 days the default window has %d rows, want none", len(rows))
	}
}

func TestChildrenStayReadable(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 4, Opportunities: 300})
	id := l.pick(levertest.WithInterview)
	cancelled, err := l.CancelInterview(id)
	if err != nil {
		t.Fatal(err)
	}
	if v := l.one("/opportunities/" + id + "/interviews/" + cancelled.Record); v["canceledAt"] == nil {
		t.Error("a cancelled interview has no canceledAt")
	}
	added, err := l.AddFeedback(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.DeleteFeedback(id); err != nil {
		t.Fatal(err)
	}
	if v := l.one("/opportunities/" + id + "/feedback/" + added.Record); v["deletedAt"] == nil {
		t.Error("a deleted form has no deletedAt")
	}
}

func TestRenamePostingRewritesTags(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 4, Opportunities: 200})
	posting := l.Records("postings")[0]
	touched, err := l.RenamePosting(posting, "A new title")
	if err != nil {
		t.Fatal(err)
	}
	rows := l.rows("/opportunities?tag=A%20new%20title")
	if len(rows) == 0 || len(rows) != len(touched.Opportunities) {
		t.Fatalf("%d opportunities bear the new title, want the %d touched ones", len(rows), len(touched.Opportunities))
	}
	for _, r := range rows {
		if r["updatedAt"] == nil {
			t.Errorf("updatedAt of %s did not move", id(r))
		}
	}
}

func TestMutationsOfTheAccount(t *testing.T) {
	t.Parallel()
	l := newLever(t, levertest.Config{Seed: 4, Opportunities: 200})
	size := func() map[string]int {
		return map[string]int{
			"opportunities": len(l.rows("/opportunities")), "postings": len(l.Records("postings")), "stages": len(l.rows("/stages")),
			"active users": len(l.rows("/users")), "users": len(l.rows("/users?includeDeactivated=true")), "reasons": len(l.rows("/archive_reasons")),
			"tags": len(l.rows("/tags")),
		}
	}
	tests := []struct {
		name, id string
		want     map[string]int
	}{
		{"add_opportunity", "", map[string]int{"opportunities": 1}},
		{"delete_opportunity", "", map[string]int{"opportunities": -1}},
		{"delete_posting", "", map[string]int{"postings": -1}},
		{"remove_stage", "", map[string]int{"stages": -1}},
		{"remove_reason", "", map[string]int{"reasons": -1}},
		{"delete_user", l.Records("users")[0], map[string]int{"users": -1, "active users": -1}},
		{"add_tag_to_account", "", map[string]int{"tags": 1}},
		{"remove_tag", "Test", map[string]int{"tags": -1}},
	}
	for _, tt := range tests {
		want := size()
		for what, d := range tt.want {
			want[what] += d
		}
		if _, err := l.Mutate(tt.name, tt.id); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := size(); !maps.Equal(got, want) {
			t.Errorf("after %s the account has %v, want %v", tt.name, got, want)
		}
	}
	if _, err := l.Mutate("advance_stage", "nonsense"); !errors.Is(err, levertest.ErrNoSuch) {
		t.Errorf("Mutate on an unknown id = %v, want ErrNoSuch", err)
	}
	if _, err := l.Mutate("nonsense", ""); err == nil {
		t.Error("Mutate with an unknown name gave no error")
	}
}
