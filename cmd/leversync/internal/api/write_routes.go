package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const notesAlone = "Only notes that were written through this API are listed: what is written in Lever itself is not synced. A note goes with its candidate."

const idempotency = "Send X-Idempotency-Key: asked again with the same key and body, after whatever went wrong, nothing is made twice."

// writes are the routes that write to Lever, and those of the contract that can't.
func writes() []Route {
	out := []Route{
		{Method: http.MethodGet, Path: ats + "candidates/create/meta", ID: "get-candidate-meta", Tag: "Candidates", Scope: store.KeyRead, Token: true,
			Summary: "Which fields a new candidate may have", register: registerCandidateMeta},
		{Method: http.MethodPost, Path: ats + "candidates", ID: "create-candidate", Tag: "Candidates", Scope: store.KeyWrite, Token: true,
			Summary: "Create a candidate in Lever", Errors: []int{409, 413, 502}, register: registerCreateCandidate,
			Description: idempotency + " Lever makes a new opportunity of it, of the person whom it knows by an e-mail address, if there is one. Fields that Lever " +
				"has no place for are ignored, and named in X-Ignored-Fields. What Lever refuses comes back with its status and words. " +
				"How many a connector may be given within 24 hours is a setting: X-DailyLimit-Remaining says what is left, and one too many is a 429 with Retry-After."},
		{Method: http.MethodPost, Path: ats + "candidates/{candidate_id}/attachments", ID: "create-candidate-attachment", Tag: "Candidates", Scope: store.KeyWrite, Token: true,
			Summary: "Upload a file for a candidate", Description: idempotency + " It goes to the candidate's opportunity that is open and was touched last.",
			Errors: []int{404, 409, 413, 502}, register: registerAttachment},
		{Method: http.MethodPost, Path: ats + "activities", ID: "create-activity", Tag: "Activities", Scope: store.KeyWrite, Token: true,
			Summary: "Add a note to a candidate", Description: idempotency + " " + notesAlone,
			Errors: []int{409, 413, 501, 502}, register: registerActivity},
		{Method: http.MethodGet, Path: ats + "activities", ID: "list-activities", Tag: "Activities", Scope: store.KeyRead, Token: true, Lately: true,
			Summary: "List the notes that were written through this API", Description: notesAlone,
			register: list[Activity, activitiesInput](unified.Activities)},
		{Method: http.MethodGet, Path: ats + "activities/{id}", ID: "get-activity", Tag: "Activities", Scope: store.KeyRead, Token: true, Lately: true,
			Summary: "Get a note that was written through this API", Description: notesAlone, Errors: []int{404},
			register: get[Activity, getExpandInput](unified.Activities)},
	}
	for _, c := range scopes {
		if c.scope == unified.Candidates {
			continue
		}
		out = append(out, Route{Method: http.MethodPost, Path: ats + string(c.scope), ID: "create-" + c.name(), Tag: c.tag, Scope: store.KeyWrite, Token: true,
			Summary: "Not supported: create " + c.one, Errors: []int{501}, register: registerUnsupported(unsupported[c.scope])})
	}
	return out
}

// unsupported says of each scope why it can't be written.
var unsupported = map[unified.Scope]string{
	unified.Applications:        "Lever makes applications with candidates: POST /api/ats/v1/candidates with a job_id",
	unified.Attachments:         "Files belong to a candidate: POST /api/ats/v1/candidates/{candidate_id}/attachments",
	unified.Departments:         "Lever has no departments of their own: they are texts of its postings",
	unified.EEOCs:               "Lever takes equal-opportunity answers from candidates alone",
	unified.Jobs:                "Jobs are not written: Lever asks for more than this request holds. Make the posting in Lever; it is synced",
	unified.JobInterviewStages:  "Lever's stages are made in its settings; its API takes none",
	unified.Offers:              "Lever's API takes no offers",
	unified.Offices:             "Lever has no offices of their own: they are texts of its postings",
	unified.RejectReasons:       "Lever's archive reasons are made in its settings; its API takes none",
	unified.RemoteUsers:         "Users are not written: make them in Lever; they are synced",
	unified.ScheduledInterviews: "Interviews are not written: schedule them in Lever; they are synced",
	unified.Scorecards:          "Feedback is not written: give it in Lever; it is synced",
	unified.ScreeningQuestions:  "Lever's API takes no screening questions: they belong to a posting's form",
	unified.Tags:                "Lever makes tags with candidates: POST /api/ats/v1/candidates with tags",
}

func init() {
	routes = append(routes, writes()...)
	tags = append(tags, struct{ name, about string }{"Activities", "Notes on candidates."})
}

// schemaOf is the schema of a type of this package.
func (s *server) schemaOf(v any) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
}
