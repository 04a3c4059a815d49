package lever

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"testing"
)

// recorded gives the items of a recorded list, through the client.
func recorded[T any](t *testing.T, file string, list func(*rig) iter.Seq2[Page[T], error]) []Item[T] {
	t.Helper()
	r := newRig(t, Config{}, answer(http.StatusOK, string(endless(fixture(t, file)))))
	items, _, err := gather(list(r))
	return mustItems(t, items, err)
}

// endless takes the next page away: a recording is one page.
func endless(b []byte) []byte {
	b = bytes.Replace(b, []byte(`"hasNext": true`), []byte(`"hasNext": false`), 1)
	if i := bytes.LastIndex(b, []byte(`"next":`)); i > 0 {
		b = append(bytes.Clone(b[:i]), []byte(`"was":`+string(b[i+len(`"next":`):]))...)
	}
	return b
}

func TestRecordedLists(t *testing.T) {
	t.Parallel()
	count := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %d records, want %d", what, got, want)
		}
	}
	opps := recorded(t, "nango__opportunities_list_page01.json", func(r *rig) iter.Seq2[Page[Opportunity], error] {
		return r.Opportunities(t.Context(), OpportunityOptions{})
	})
	count("opportunities", len(opps), 100)
	null, words := 0, 0
	for _, o := range opps {
		if o.Value.UpdatedAt.IsZero() {
			null++
		}
		if o.Value.Stage == "lead-new" || o.Value.Stage == "applicant-new" || o.Value.Stage == "lead-responded" {
			words++
		}
		if o.Value.Contact == "" || o.Value.CreatedAt.IsZero() {
			t.Errorf("opportunity %s: got contact %q, createdAt %v, want both", o.Value.ID, o.Value.Contact, o.Value.CreatedAt)
		}
	}
	if null == 0 || words == 0 {
		t.Errorf("opportunities: got %d with null updatedAt, %d in stages of word ids, want some of both", null, words)
	}
	count("postings", len(recorded(t, "nango__postings_list.json", func(r *rig) iter.Seq2[Page[Posting], error] {
		return r.Postings(t.Context(), PostingOptions{})
	})), 6)
	count("users", len(recorded(t, "nango__users_list.json", func(r *rig) iter.Seq2[Page[User], error] { return r.Users(t.Context(), "") })), 11)
	count("stages", len(recorded(t, "nango__stages_list.json", func(r *rig) iter.Seq2[Page[Stage], error] { return r.Stages(t.Context(), "") })), 11)
	count("tags", len(recorded(t, "nango__tags_list.json", func(r *rig) iter.Seq2[Page[Tag], error] { return r.Tags(t.Context(), "") })), 53)
	count("archive reasons", len(recorded(t, "nango__archive_reasons_list.json", func(r *rig) iter.Seq2[Page[ArchiveReason], error] {
		return r.ArchiveReasons(t.Context(), "")
	})), 12)
	eeo := recorded(t, "nango__eeo_responses_pii.json", func(r *rig) iter.Seq2[Page[EEOResponse], error] {
		return r.EEOResponses(t.Context(), EEOOptions{})
	})
	count("EEO responses", len(eeo), 3)
	if len(eeo) > 0 && (eeo[0].Value.EEOSurveyRespondedAt.Millis() != 1782974071242 || eeo[0].Value.Contact == "") {
		t.Errorf("EEO response: got %+v, want its contact and time", eeo[0].Value)
	}
	recorded(t, "nango__opportunities_deleted_empty.json", func(r *rig) iter.Seq2[Page[Deleted], error] {
		return list[Deleted](t.Context(), r.Client, at("/opportunities/deleted"), nil, "")
	})
	recorded(t, "airbyte__applications_list.json", func(r *rig) iter.Seq2[Page[Opportunity], error] {
		return list[Opportunity](t.Context(), r.Client, at("/opportunities/:id/applications", "x"), nil, "")
	})
}

// recordedChildren gives the children of a recorded list, through the client.
func recordedChildren[T any](t *testing.T, file string, get func(*rig) (Children[T], error)) []Item[T] {
	t.Helper()
	r := newRig(t, Config{}, answer(http.StatusOK, string(fixture(t, file))))
	all, err := get(r)
	if all.Calls != 1 {
		t.Errorf("%s: got %d calls, want 1", file, all.Calls)
	}
	return mustItems(t, all.Items, err)
}

func TestRecordedChildren(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	offers := recordedChildren(t, "airbyte__offers_list.json", func(r *rig) (Children[Offer], error) { return r.Offers(ctx, "o1") })
	values := map[string]Scalar{}
	for _, f := range offers[0].Value.Fields {
		values[f.Identifier] = f.Value
	}
	if values["salary_amount"] != "5000" || values["compensation_currency"] != "USD" || values["direct_manager"] != "" || values["today_date"] != "1628467200000" {
		t.Errorf("offer fields: got %v, want a number, a string and null each as text", values)
	}
	for _, file := range []string{"nango-mapped__interviews_list.json", "airbyte__interviews_list.json"} {
		interviews := recordedChildren(t, file, func(r *rig) (Children[Interview], error) { return r.Interviews(ctx, "o1") })
		if in := interviews[0].Value; in.Duration <= 0 || in.Date.IsZero() || len(in.Interviewers) == 0 {
			t.Errorf("%s: got %+v, want a date, a duration and interviewers", file, in)
		}
	}
	interviews := recordedChildren(t, "nango-mapped__interviews_list.json", func(r *rig) (Children[Interview], error) { return r.Interviews(ctx, "o1") })
	if got := interviews[0].Value.Interviewers[0].FeedbackTemplate; got != NoFeedback {
		t.Errorf("interviewer's feedback template: got %q, want %q", got, NoFeedback)
	}
	feedback := recordedChildren(t, "nango-mapped__feedback_list.json", func(r *rig) (Children[Feedback], error) { return r.Feedback(ctx, "o1") })
	if got := feedback[0].Value.Fields[0].Value; got != "3 - Hire" {
		t.Errorf("feedback rating: got %q, want the label", got)
	}
	if got := recordedChildren(t, "nango__resumes_list_empty.json", func(r *rig) (Children[Resume], error) { return r.Resumes(ctx, "o1") }); len(got) != 0 {
		t.Errorf("resumes: got %d, want none", len(got))
	}
}

// recordedOne gives a recorded object, through the client.
func recordedOne[T any](t *testing.T, body []byte, get func(context.Context, *rig) (Item[T], error)) T {
	t.Helper()
	item, err := get(t.Context(), newRig(t, Config{}, answer(http.StatusOK, string(body))))
	return mustItems(t, []Item[T]{item}, err)[0].Value
}

func TestRecordedObjects(t *testing.T) {
	t.Parallel()
	o := recordedOne(t, fixture(t, "nango__opportunity_get.json"), func(ctx context.Context, r *rig) (Item[Opportunity], error) { return r.Opportunity(ctx, "o1") })
	if o.Archived == nil || o.Archived.ArchivedAt.Millis() != 1782973996415 {
		t.Errorf("opportunity archived: got %+v, want its time", o.Archived)
	}
	for _, file := range []string{"nango__posting_get.json", "nango-mocks__posting_get_full.json"} {
		p := recordedOne(t, fixture(t, file), func(ctx context.Context, r *rig) (Item[Posting], error) { return r.Posting(ctx, "p1") })
		if p.Categories.Department == "" || len(p.Categories.AllLocations) != 1 {
			t.Errorf("%s: got categories %+v, want department and location", file, p.Categories)
		}
	}
	// The recording is an array of answers.
	var forms []json.RawMessage
	if err := decodeJSON(fixture(t, "nango__posting_apply_questions.json"), &forms); err != nil {
		t.Fatal(err)
	}
	for i, body := range forms {
		f := recordedOne(t, body, func(ctx context.Context, r *rig) (Item[ApplicationForm], error) { return r.ApplicationForm(ctx, "p1") })
		if f.ID == "" {
			t.Errorf("application form %d: got %+v, want an id", i, f)
		}
	}
}
