package mapping

import (
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

func TestJob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, posting string
		want          unified.Job
	}{
		{
			"full", `{"id":"p1","text":"Engineer","state":"published","confidentiality":"confidential","user":"u9","owner":"u1","hiringManager":{"id":"u2"},
				"categories":{"department":"R&D","team":"Core","location":"Leeds","allLocations":["York","Leeds"," York "]},
				"content":{"description":"plain","descriptionHtml":"<p>html</p>"},"reqCode":"OLD","requisitionCodes":["","REQ-1"],
				"urls":{"list":"https://jobs/l","show":"https://jobs/s","apply":"https://jobs/a"},"createdAt":1000,"updatedAt":2000}`,
			unified.Job{
				Name: new("Engineer"), Description: new("<p>html</p>"), Code: new("REQ-1"), Status: new("OPEN"),
				JobPostingURLs: []unified.URL{
					{Value: new("https://jobs/s"), URLType: new("JOB_POSTING")}, {Value: new("https://jobs/a"), URLType: new("JOB_POSTING")},
				},
				RemoteCreatedAt: at(1000), RemoteUpdatedAt: at(2000), Confidential: new(true),
				Departments: rids(unified.Departments, "R&D"), Offices: rids(unified.Offices, "Leeds", "York"),
				HiringManagers: rids(unified.RemoteUsers, "u2"), Recruiters: rids(unified.RemoteUsers, "u1"),
			},
		},
		{
			"bare", `{"id":"p1","urls":null,"hiringManager":null}`,
			unified.Job{JobPostingURLs: []unified.URL{}, Departments: rids(""), Offices: rids(""), HiringManagers: rids(""), Recruiters: rids("")},
		},
		{
			"fallbacks", `{"id":"p1","state":"draft","confidentiality":"non-confidential","categories":{"team":"Core"},"content":{"description":"plain"},"reqCode":"OLD","requisitionCodes":[]}`,
			unified.Job{
				Description: new("plain"), Code: new("OLD"), Status: new("DRAFT"), Confidential: new(false), JobPostingURLs: []unified.URL{},
				Departments: rids(unified.Departments, "Core"), Offices: rids(""), HiringManagers: rids(""), Recruiters: rids(""),
			},
		},
	}
	for _, tt := range tests {
		tt.want.Envelope = env(unified.Jobs, "p1", "", raw)
		got, err := mapper.Job(decode[lever.Posting](t, tt.posting), raw)
		if err != nil {
			t.Errorf("Job(%s): %v", tt.name, err)
			continue
		}
		check(t, "Job("+tt.name+")", got, &tt.want)
	}
	for state, want := range map[string]string{
		"published": "OPEN", "internal": "OPEN", "closed": "CLOSED", "draft": "DRAFT", "pending": "PENDING", "rejected": "ARCHIVED", "Frozen": "Frozen",
	} {
		if got, err := mapper.Job(lever.Posting{ID: "p1", State: state}, nil); err != nil || *got.Status != want {
			t.Errorf("Job(state %q) = %s, %v; want status %s", state, show(got), err, want)
		}
	}
}

func TestDepartmentsAndOffices(t *testing.T) {
	t.Parallel()
	p := decode[lever.Posting](t, `{"id":"p1","categories":{"department":" R&D ","team":"Core","location":"Leeds","allLocations":["leeds","Leeds"]}}`)
	check(t, "Departments", mapper.Departments(p), []*unified.Department{
		{Envelope: env(unified.Departments, "R&D", "", nil), Name: new("R&D")},
	})
	check(t, "Offices", mapper.Offices(p), []*unified.Office{
		{Envelope: env(unified.Offices, "Leeds", "", nil), Name: new("Leeds"), Location: new("Leeds")},
		{Envelope: env(unified.Offices, "leeds", "", nil), Name: new("leeds"), Location: new("leeds")},
	})
	if d, o := mapper.Departments(lever.Posting{}), mapper.Offices(lever.Posting{}); len(d)+len(o) != 0 {
		t.Errorf("Departments, Offices(no categories) = %s, %s; want none", show(d), show(o))
	}
}

func TestStage(t *testing.T) {
	t.Parallel()
	got, err := mapper.Stage(lever.Stage{ID: "lead-new", Text: "New lead"}, 0, raw)
	if err != nil {
		t.Fatalf("Stage: %v", err)
	}
	check(t, "Stage", got, &unified.JobInterviewStage{
		Envelope: env(unified.JobInterviewStages, "lead-new", "", raw), Name: new("New lead"), StageOrder: new(0),
	})
}

func TestRejectReason(t *testing.T) {
	t.Parallel()
	tests := []struct {
		reason lever.ArchiveReason
		hired  bool
	}{
		{lever.ArchiveReason{ID: "r1", Text: "Timing", Type: "non-hired"}, false},
		{lever.ArchiveReason{ID: "r1", Text: "Hired", Type: "non-hired"}, false},
		{lever.ArchiveReason{ID: "r1", Text: "Joined", Type: "hired"}, true},
		{lever.ArchiveReason{ID: "r1", Text: " hired "}, true},
		{lever.ArchiveReason{ID: "r1", Text: "Timing"}, false},
	}
	for _, tt := range tests {
		if got := IsHired(tt.reason); got != tt.hired {
			t.Errorf("IsHired(%+v) = %t, want %t", tt.reason, got, tt.hired)
		}
		got, err := mapper.RejectReason(tt.reason, raw)
		if err != nil {
			t.Errorf("RejectReason(%+v): %v", tt.reason, err)
			continue
		}
		var want *unified.RejectReason
		if !tt.hired {
			want = &unified.RejectReason{Envelope: env(unified.RejectReasons, "r1", "", raw), Name: new(tt.reason.Text)}
		}
		check(t, "RejectReason("+tt.reason.Text+")", got, want)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	u := decode[lever.User](t, `{"id":"u1","name":"Grace Hopper","email":"grace@example.com","accessRole":"super admin","createdAt":1000,"deactivatedAt":null}`)
	got, err := mapper.User(u, raw)
	if err != nil {
		t.Fatalf("User: %v", err)
	}
	check(t, "User", got, &unified.RemoteUser{
		Envelope:  env(unified.RemoteUsers, "u1", "", raw),
		FirstName: new("Grace"), LastName: new("Hopper"), Email: new("grace@example.com"), Disabled: new(false),
		RemoteCreatedAt: at(1000), AccessRole: new("SUPER_ADMIN"),
	})
	for role, want := range map[string]string{
		"admin": "ADMIN", "team member": "TEAM_MEMBER", "limited team member": "LIMITED_TEAM_MEMBER", "interviewer": "INTERVIEWER", "Sourcing Lead": "Sourcing Lead",
	} {
		got, err := mapper.User(lever.User{ID: "u1", AccessRole: role, DeactivatedAt: ms(1)}, nil)
		if err != nil || *got.AccessRole != want || !*got.Disabled {
			t.Errorf("User(%q, deactivated) = %s, %v; want role %s, disabled", role, show(got), err, want)
		}
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	got, err := mapper.Tag(lever.Tag{Text: " Full-Time "}, raw)
	if err != nil {
		t.Fatalf("Tag: %v", err)
	}
	check(t, "Tag", got, &unified.Tag{Envelope: env(unified.Tags, "Full-Time", "", raw), Name: new("Full-Time")})
	for _, text := range []string{"", " \t", strings.Repeat("x", 1025)} {
		if got, err := mapper.Tag(lever.Tag{Text: text}, raw); got != nil || err == nil {
			t.Errorf("Tag(%.9q…) = %s, %v; want nil and an error", text, show(got), err)
		}
	}
}
