package mapping

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// fixtures is the folder of the recorded answers, by default the one beside the checkout. The contract
// is in the folder reference next to it.
func fixtures() string {
	if dir := os.Getenv("LEVERSYNC_FIXTURES"); dir != "" {
		return dir
	}
	return filepath.FromSlash("../../../shared/fixtures")
}

// readShared reads a file that need not be there: without it the test is skipped.
func readShared(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: put the shared folder beside the checkout, or set LEVERSYNC_FIXTURES", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recording is the records of a recorded list, or the one of a recorded object.
func recording(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	body := readShared(t, filepath.Join(fixtures(), name))
	var list struct{ Data []json.RawMessage }
	if err := json.Unmarshal(body, &list); err == nil {
		return list.Data
	}
	var one struct{ Data json.RawMessage }
	if err := json.Unmarshal(body, &one); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return []json.RawMessage{one.Data}
}

// mapAll maps every record of a recording with f, and wants n records out of it, all valid.
func mapAll[T any, R unified.Record](t *testing.T, c *contract, name string, n int, f func(i int, v T, raw json.RawMessage) (R, error)) {
	t.Helper()
	var got int
	for i, raw := range recording(t, name) {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Errorf("%s, record %d: %v", name, i, err)
			continue
		}
		r, err := f(i, v, raw)
		if err != nil {
			t.Errorf("%s, record %d: %v", name, i, err)
			continue
		}
		if !reflect.ValueOf(r).IsNil() {
			got++
			c.check(t, r)
		}
	}
	if got != n {
		t.Errorf("%s: %d records mapped, want %d", name, got, n)
	}
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	c := loadContract(t)
	const opportunity, contact = "o1", "c1"
	m := Mapper{Connector: connector, Hired: map[string]bool{}}
	for _, raw := range recording(t, "nango__archive_reasons_list.json") {
		r := decode[lever.ArchiveReason](t, string(raw))
		m.Hired[r.ID] = IsHired(r)
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"nango__opportunities_list_page01.json", 100}, {"nango__opportunity_get.json", 1}} {
		mapAll(t, c, f.name, f.n, func(_ int, o lever.Opportunity, _ json.RawMessage) (*unified.Application, error) {
			return m.Application(o)
		})
		mapAll(t, c, f.name, f.n, func(_ int, o lever.Opportunity, _ json.RawMessage) (*unified.Candidate, error) {
			return m.Candidate([]lever.Opportunity{o})
		})
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"nango__postings_list.json", 6}, {"nango__posting_get.json", 1}, {"nango-mocks__posting_get_full.json", 1}} {
		mapAll(t, c, f.name, f.n, func(_ int, p lever.Posting, raw json.RawMessage) (*unified.Job, error) {
			for _, d := range m.Departments(p) {
				c.check(t, d)
			}
			for _, o := range m.Offices(p) {
				c.check(t, o)
			}
			return m.Job(p, raw)
		})
	}
	mapAll(t, c, "nango__users_list.json", 11, func(_ int, u lever.User, raw json.RawMessage) (*unified.RemoteUser, error) { return m.User(u, raw) })
	mapAll(t, c, "nango__stages_list.json", 11, func(i int, s lever.Stage, raw json.RawMessage) (*unified.JobInterviewStage, error) {
		return m.Stage(s, i, raw)
	})
	mapAll(t, c, "nango__tags_list.json", 53, func(_ int, g lever.Tag, raw json.RawMessage) (*unified.Tag, error) { return m.Tag(g, raw) })
	mapAll(t, c, "nango__archive_reasons_list.json", 11, func(_ int, r lever.ArchiveReason, raw json.RawMessage) (*unified.RejectReason, error) {
		return m.RejectReason(r, raw)
	})
	mapAll(t, c, "nango__eeo_responses_pii.json", 3, func(_ int, e lever.EEOResponse, raw json.RawMessage) (*unified.EEOC, error) {
		return m.EEOC(e, raw)
	})
	mapAll(t, c, "airbyte__offers_list.json", 1, func(_ int, o lever.Offer, raw json.RawMessage) (*unified.Offer, error) {
		o.SentDocument = &lever.OfferDocument{FileName: "offer.pdf"} // none was recorded
		for _, a := range m.OfferDocuments(opportunity, contact, o) {
			c.check(t, a)
		}
		return m.Offer(opportunity, o, raw)
	})
	for _, f := range []struct {
		name string
		n    int
	}{{"nango-mapped__interviews_list.json", 7}, {"airbyte__interviews_list.json", 2}, {"nango__interview_get.json", 1}} {
		mapAll(t, c, f.name, f.n, func(_ int, i lever.Interview, raw json.RawMessage) (*unified.ScheduledInterview, error) {
			return m.Interview(opportunity, i, raw)
		})
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"nango-mapped__feedback_list.json", 3}, {"nango__feedback_get.json", 1}, {"nango__feedback_get_deleted.json", 0}} {
		mapAll(t, c, f.name, f.n, func(_ int, f lever.Feedback, raw json.RawMessage) (*unified.Scorecard, error) {
			return m.Scorecard(opportunity, f, raw)
		})
	}
}

func TestFixtureForms(t *testing.T) {
	t.Parallel()
	c := loadContract(t)
	var forms []struct{ Data lever.ApplicationForm }
	if err := json.Unmarshal(readShared(t, filepath.Join(fixtures(), "nango__posting_apply_questions.json")), &forms); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range forms {
		for _, q := range mapper.ScreeningQuestions(f.Data.ID, f.Data) {
			c.check(t, q)
			got = append(got, *q.Type)
		}
	}
	if len(got) == 0 {
		t.Error("the recorded forms map to no question at all")
	}
}

// Every answer that the recorded survey offers has a member of the enum, but "I am a veteran".
func TestFixtureSurvey(t *testing.T) {
	t.Parallel()
	var forms []struct {
		Data struct {
			EEOQuestions map[string]struct{ Options []lever.Option }
		}
	}
	if err := json.Unmarshal(readShared(t, filepath.Join(fixtures(), "nango__posting_apply_questions.json")), &forms); err != nil {
		t.Fatal(err)
	}
	read := map[string]func(phrase) string{"gender": gender, "race": race, "veteran": veteranStatus, "disability": disabilityStatus}
	var met int
	for _, f := range forms {
		for question, q := range f.Data.EEOQuestions {
			for _, o := range q.Options {
				met++
				if got := read[question](newPhrase(o.Text)); got == "" && o.Text != "I am a veteran" {
					t.Errorf("%s: %q maps to no member", question, o.Text)
				}
			}
		}
	}
	if met == 0 {
		t.Error("the recorded forms hold no survey")
	}
}

// contract checks records against the JSON Schema of the unified API.
type contract struct {
	models map[unified.Scope]*jsonschema.Schema
}

// loadContract compiles the schema of every scope.
func loadContract(t *testing.T) *contract {
	t.Helper()
	path := filepath.Join(fixtures(), "..", "reference", "unified-api.schema.json")
	readShared(t, path)
	c := &contract{models: map[unified.Scope]*jsonschema.Schema{}}
	compiler := jsonschema.NewCompiler()
	for scope, model := range map[unified.Scope]string{
		unified.Applications: "Application", unified.Attachments: "Attachment", unified.Candidates: "Candidate", unified.Departments: "Department",
		unified.EEOCs: "EEOC", unified.Jobs: "Job", unified.JobInterviewStages: "JobInterviewStage", unified.Offers: "Offer", unified.Offices: "Office",
		unified.RejectReasons: "RejectReason", unified.RemoteUsers: "RemoteUser", unified.ScheduledInterviews: "ScheduledInterview",
		unified.Scorecards: "Scorecard", unified.ScreeningQuestions: "ScreeningQuestion", unified.Tags: "Tag",
	} {
		s, err := compiler.Compile(path + "#/$defs/" + model)
		if err != nil {
			t.Fatalf("schema of %s: %v", model, err)
		}
		c.models[scope] = s
	}
	return c
}

// check wants a record, with what the API adds to it, to be as the contract says.
func (c *contract) check(t *testing.T, r unified.Record) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(show(r)), &body); err != nil {
		t.Fatal(err)
	}
	body["modified_at"] = "2026-11-23T00:00:00.000Z"
	body["custom_fields"] = nil
	switch r.Scope() {
	case unified.Candidates:
		body["applications"], body["attachments"] = []any{}, []any{}
	case unified.Attachments:
		body["file_url"] = nil
	case unified.ScheduledInterviews:
		body["status"] = "SCHEDULED"
	}
	if err := c.models[r.Scope()].Validate(body); err != nil {
		t.Errorf("%s %s: %v", r.Scope(), show(r), err)
	}
}
