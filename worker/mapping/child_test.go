package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

func TestInterview(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, interview string
		want            *unified.ScheduledInterview
	}{
		{"cancelled", `{"id":"i1","canceledAt":1}`, nil},
		{
			"full", `{"id":"i1","interviewers":[{"id":"u1"},{"id":"u2","feedbackTemplate":"no-feedback"},{"id":"u1"},{"id":""}],"createdAt":1000,
				"date":60000,"duration":45,"location":" Room 1 ","feedbackTemplate":"t1","feedbackForms":["f1",{"id":"f2"},"f1"],"user":{"id":"u9"},"stage":"s1","canceledAt":null}`,
			&unified.ScheduledInterview{
				Application: rid(unified.Applications, "o1"), JobInterviewStage: rid(unified.JobInterviewStages, "s1"), Organizer: rid(unified.RemoteUsers, "u9"),
				Interviewers: rids(unified.RemoteUsers, "u1", "u2"), Location: new("Room 1"), StartAt: at(60_000), EndAt: at(60_000 + 45*60_000),
				RemoteCreatedAt: at(1000), FeedbackForms: rids(unified.Scorecards, "f1", "f2"), FeedbackExpected: new(true),
			},
		},
		{
			"bare", `{"id":"i1"}`,
			&unified.ScheduledInterview{Application: rid(unified.Applications, "o1"), Interviewers: rids(""), FeedbackForms: rids(""), FeedbackExpected: new(true)},
		},
		{
			"no duration, no feedback at all", `{"id":"i1","date":60000,"feedbackTemplate":"no-feedback","interviewers":[{"id":"u1","feedbackTemplate":"t1"}]}`,
			&unified.ScheduledInterview{
				Application: rid(unified.Applications, "o1"), Interviewers: rids(unified.RemoteUsers, "u1"), StartAt: at(60_000), EndAt: at(60_000),
				FeedbackForms: rids(""), FeedbackExpected: new(false),
			},
		},
		{
			"no feedback of anybody", `{"id":"i1","duration":0.5,"interviewers":[{"id":"u1","feedbackTemplate":"no-feedback"}]}`,
			&unified.ScheduledInterview{
				Application: rid(unified.Applications, "o1"), Interviewers: rids(unified.RemoteUsers, "u1"), FeedbackForms: rids(""), FeedbackExpected: new(false),
			},
		},
	}
	for _, tt := range tests {
		if tt.want != nil {
			tt.want.Envelope = env(unified.ScheduledInterviews, "i1", "o1", raw)
		}
		got, err := mapper.Interview("o1", decode[lever.Interview](t, tt.interview), raw)
		if err != nil {
			t.Errorf("Interview(%s): %v", tt.name, err)
			continue
		}
		check(t, "Interview("+tt.name+")", got, tt.want)
	}
}

func TestInterviewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, parent, interview, want string }{
		{"no id", "o1", `{"location":"secret"}`, "no id"},
		{"no opportunity", "", `{"id":"i1","location":"secret"}`, "belongs to"},
		{"a negative duration", "o1", `{"id":"i1","date":1,"duration":-1}`, "duration"},
		{"an endless duration", "o1", `{"id":"i1","date":1,"duration":1e300}`, "duration"},
		{"an end after the last year", "o1", `{"id":"i1","date":253402300799000,"duration":45}`, "date and duration"},
	}
	for _, tt := range tests {
		got, err := mapper.Interview(tt.parent, decode[lever.Interview](t, tt.interview), raw)
		if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Interview(%s) = %s, %v; want nil and an error with %q", tt.name, show(got), err, tt.want)
		}
	}
}

func TestScorecard(t *testing.T) {
	t.Parallel()
	f := decode[lever.Feedback](t, `{"id":"f1","interview":"i1","user":"u1","createdAt":1000,"completedAt":2000,
		"fields":[{"type":"textarea","value":"1"},{"type":"score-system","value":"4 - Strong Hire"}]}`)
	got, err := mapper.Scorecard("o1", f, raw)
	if err != nil {
		t.Fatalf("Scorecard: %v", err)
	}
	check(t, "Scorecard(full)", got, &unified.Scorecard{
		Envelope: env(unified.Scorecards, "f1", "o1", raw), Application: rid(unified.Applications, "o1"), Interview: rid(unified.ScheduledInterviews, "i1"),
		Interviewer: rid(unified.RemoteUsers, "u1"), RemoteCreatedAt: at(1000), SubmittedAt: at(2000), OverallRecommendation: new("STRONG_YES"),
	})
	f.CompletedAt = lever.Time{}
	got, err = mapper.Scorecard("o1", f, raw)
	if err != nil || got.SubmittedAt != nil || got.OverallRecommendation != nil {
		t.Errorf("Scorecard(not submitted) = %s, %v; want neither submitted_at nor a recommendation", show(got), err)
	}
	f.DeletedAt = ms(1)
	if got, err = mapper.Scorecard("o1", f, raw); got != nil || err != nil {
		t.Errorf("Scorecard(deleted) = %s, %v; want nil, nil", show(got), err)
	}
}

func TestRecommendation(t *testing.T) {
	t.Parallel()
	four := []lever.Option{{Text: "Superb"}, {Text: "Good"}, {Text: "Weak"}, {Text: "Bad"}}
	five := []lever.Option{{Text: "A"}, {Text: "B"}, {Text: "C"}, {Text: "D"}, {Text: "E"}}
	field := func(value string, options []lever.Option) []lever.FormField {
		return []lever.FormField{{Type: "score-system", Value: lever.Scalar(value), Options: options}}
	}
	tests := []struct {
		name   string
		fields []lever.FormField
		want   string
	}{
		{"4", field("4 - Strong Hire", nil), "STRONG_YES"},
		{"3", field(" 3 - Hire", nil), "YES"},
		{"2", field("2", nil), "NO"},
		{"1", field("1-Strong No Hire", nil), "DEFINITELY_NO"},
		{"5 of no options", field("5 - Wow", nil), "5 - Wow"},
		{"10 of no options", field("10", nil), "10"},
		{"first of four", field("Superb", four), "STRONG_YES"},
		{"second of four", field("Good", four), "YES"},
		{"third of four", field("Weak", four), "NO"},
		{"last of four", field(" Bad ", four), "DEFINITELY_NO"},
		{"first of five", field("A", five), "STRONG_YES"},
		{"second of five", field("B", five), "YES"},
		{"middle of five", field("C", five), "NO_DECISION"},
		{"fourth of five", field("D", five), "NO"},
		{"last of five", field("E", five), "DEFINITELY_NO"},
		{"first of two", field("A", five[:2]), "STRONG_YES"},
		{"last of two", field("B", five[:2]), "DEFINITELY_NO"},
		{"only one", field("A", five[:1]), "STRONG_YES"},
		{"an unknown label", field("Perhaps", four), "Perhaps"},
		{"unanswered", field("", four), "NO_DECISION"},
		{"no such field", []lever.FormField{{Type: "score", Value: "4"}}, "NO_DECISION"},
		{"the second of two is answered", append(field("", nil), field("2 - No", nil)...), "NO"},
	}
	for _, tt := range tests {
		if got := recommendation(tt.fields); got != tt.want {
			t.Errorf("recommendation(%s) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOffer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, offer string
		want        unified.Offer
	}{
		{
			"draft", `{"id":"f1","createdAt":1000,"status":"draft","creator":"u1","fields":[{"identifier":"anticipated_start_date","value":null}],"signatures":{"candidate":{"role":"candidate"}}}`,
			unified.Offer{Creator: rid(unified.RemoteUsers, "u1"), RemoteCreatedAt: at(1000), Status: new("DRAFT")},
		},
		{
			"signed by both", `{"id":"f1","status":"signed","sentAt":2000,"fields":[{"identifier":"anticipated_start_date","value":1628467200000}],
				"signatures":{"company":{"role":"company","signedAt":9000},"candidate":{"role":"candidate","signedAt":5000}},"signedDocument":{"uploadedAt":9999}}`,
			unified.Offer{SentAt: at(2000), ClosedAt: at(5000), StartDate: new("2021-08-09"), Status: new("SIGNED")},
		},
		{
			"signed by others", `{"id":"f1","status":"signed","signatures":{"a":{"signedAt":7000},"b":{"signedAt":9000}},"fields":[{"identifier":"anticipated_start_date","value":"1 May 2026"}]}`,
			unified.Offer{ClosedAt: at(9000), StartDate: new("1 May 2026"), Status: new("SIGNED")},
		},
		{
			"signed, known by its document", `{"id":"f1","status":"signed","signatures":null,"signedDocument":{"uploadedAt":"9999"}}`,
			unified.Offer{ClosedAt: at(9999), Status: new("SIGNED")},
		},
		{"denied", `{"id":"f1","status":"denied","signatures":{"candidate":{"signedAt":5000}}}`, unified.Offer{Status: new("DENIED")}},
		{"approval", `{"id":"f1","status":"approval-sent"}`, unified.Offer{Status: new("APPROVAL-SENT")}},
	}
	for _, tt := range tests {
		tt.want.Envelope = env(unified.Offers, "f1", "o1", raw)
		tt.want.Application = rid(unified.Applications, "o1")
		got, err := mapper.Offer("o1", decode[lever.Offer](t, tt.offer), raw)
		if err != nil {
			t.Errorf("Offer(%s): %v", tt.name, err)
			continue
		}
		check(t, "Offer("+tt.name+")", got, &tt.want)
	}
}

func TestStartDate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		want  *string
	}{
		{"", nil},
		{" ", nil},
		{"2026-01-05", new("2026-01-05")},
		{"2026", new("2026")},
		{"1628467200000", new("2021-08-09")},
		{"1.6284672e12", new("2021-08-09")},
		{"1628553599999", new("2021-08-09")},
		{"NaN", new("NaN")},
		{"inf", new("inf")},
	}
	for _, tt := range tests {
		got, err := startDate([]lever.OfferField{{Identifier: "job_title", Value: "1"}, {Identifier: "anticipated_start_date", Value: lever.Scalar(tt.value)}})
		if err != nil {
			t.Errorf("startDate(%q): %v", tt.value, err)
			continue
		}
		check(t, "startDate("+tt.value+")", got, tt.want)
	}
	if got, err := startDate([]lever.OfferField{{Identifier: "anticipated_start_date", Value: "253402300800000"}}); got != nil || err == nil {
		t.Errorf("startDate(the year 10000) = %s, %v; want nil and an error", show(got), err)
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	file := &lever.File{Name: "Cover letter.pdf"}
	want := func(remoteID, source, kind string, name, path *string, raw json.RawMessage) *unified.Attachment {
		return &unified.Attachment{
			Envelope: env(unified.Attachments, remoteID, "o1", raw), FileName: name, AttachmentType: &kind,
			Candidate: rid(unified.Candidates, "c1"), Source: source, DownloadPath: path,
		}
	}
	got, err := mapper.Resume("o1", "c1", lever.Resume{ID: "r1", File: file}, raw)
	if err != nil {
		t.Fatalf("Resume: %v", err)
	}
	check(t, "Resume", got, want("r1", "resumes", "RESUME", new("Cover letter.pdf"), new("/opportunities/o1/resumes/r1/download"), raw))
	if got, err = mapper.Resume("o1", "c1", lever.Resume{ID: "r1"}, raw); err != nil {
		t.Fatalf("Resume(no file): %v", err)
	}
	check(t, "Resume(no file)", got, want("r1", "resumes", "RESUME", nil, nil, raw))

	for name, kind := range map[string]string{
		"Cover letter.pdf": "COVER_LETTER", "ada_COVER-LETTER_v2.docx": "COVER_LETTER", "CoverLetter.doc": "COVER_LETTER",
		"Motivation letter.pdf": "COVER_LETTER", "cover.png": "OTHER", "letter of recommendation.pdf": "OTHER",
	} {
		if got, err = mapper.File("o1", "c1", lever.File{ID: "x1", Name: name}, raw); err != nil {
			t.Fatalf("File(%q): %v", name, err)
		}
		check(t, "File("+name+")", got, want("x1", "files", kind, &name, new("/opportunities/o1/files/x1/download"), raw))
	}

	offer := lever.Offer{ID: "f1", SentDocument: &lever.OfferDocument{FileName: "offer.pdf"}, SignedDocument: &lever.OfferDocument{}}
	check(t, "OfferDocuments", mapper.OfferDocuments("o1", "c1", offer), []*unified.Attachment{
		want("f1/sent", "offers", "OFFER_LETTER", new("offer.pdf"), new("/opportunities/o1/offers/f1/download?status=sent"), nil),
		want("f1/signed", "offers", "OFFER_LETTER", nil, new("/opportunities/o1/offers/f1/download?status=signed"), nil),
	})
	for _, o := range []lever.Offer{{ID: "f1"}, {SentDocument: offer.SentDocument}} {
		if got := mapper.OfferDocuments("o1", "c1", o); len(got) != 0 {
			t.Errorf("OfferDocuments(%s) = %s, want none", show(o), show(got))
		}
	}
}

// An id of Lever cannot make a download go to another path, where the credential would read it.
func TestDownloadPath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		opportunity, id string
		want            *string
	}{
		{"o1", "..", nil},
		{".", "x1", nil},
		{"o1", "", nil},
		{"o1", "../../users?x=#", new("/opportunities/o1/files/..%2F..%2Fusers%3Fx=%23/download")},
	}
	for _, tt := range tests {
		check(t, "downloadPath("+tt.opportunity+", "+tt.id+")", downloadPath(tt.opportunity, SourceFiles, tt.id), tt.want)
	}
}

func TestScreeningQuestions(t *testing.T) {
	t.Parallel()
	form := decode[lever.ApplicationForm](t, `{"id":"p1","customQuestions":[
		{"id":"g1","text":"Education","fields":[
			{"id":"q1","type":"dropdown","text":"Level?","description":" ","required":true,"options":[{"text":"BSc"},{"text":" "},{"text":"MSc"},{"text":"BSc"}],"value":null},
			{"id":"","type":"text","text":"no id"}]},
		{"id":"g2","fields":[{"id":"q1","type":"text","text":"again"},{"id":"q2","type":"code","text":"Solve","description":"in Go"}]}]}`)
	got := mapper.ScreeningQuestions("p1", form)
	want := []*unified.ScreeningQuestion{
		{
			Envelope: env(unified.ScreeningQuestions, "p1:q1", "p1", nil), Job: rid(unified.Jobs, "p1"), Title: new("Level?"), Type: new("SINGLE_SELECT"),
			Required: new(true), Options: []unified.Option{{Label: "BSc"}, {Label: "MSc"}},
		},
		{
			Envelope: env(unified.ScreeningQuestions, "p1:q2", "p1", nil), Job: rid(unified.Jobs, "p1"), Title: new("Solve"), Description: new("in Go"),
			Type: new("code"), Required: new(false), Options: []unified.Option{},
		},
	}
	for _, q := range got {
		if f := decode[lever.FormField](t, string(q.Raw)); q.RemoteID != "p1:"+f.ID {
			t.Errorf("ScreeningQuestions: the raw of %s is %s; want the field itself", q.RemoteID, q.Raw)
		}
		q.Raw = nil
	}
	check(t, "ScreeningQuestions", got, want)
	if got := mapper.ScreeningQuestions("", form); len(got) != 0 {
		t.Errorf("ScreeningQuestions(no posting) = %s, want none", show(got))
	}
	for kind, want := range map[string]string{
		"multiple-choice": "SINGLE_SELECT", "university": "SINGLE_SELECT", "multiple-select": "MULTI_SELECT", "text": "SINGLE_LINE_TEXT",
		"textarea": "MULTI_LINE_TEXT", "yes-no": "BOOLEAN", "date": "DATE", "file-upload": "FILE", "score": "NUMERIC", "currency": "NUMERIC",
	} {
		if got := mapper.question("p1", lever.FormField{ID: "q1", Type: kind}); got == nil || *got.Type != want {
			t.Errorf("question(type %q) = %s, want type %s", kind, show(got), want)
		}
	}
}
