package levertest

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// eachChild calls do for the children of one kind of every opportunity, until it returns false.
func (o *oracle) eachChild(kind string, do func(opportunity string, child doc) bool) {
	for id := range o.ids() {
		for _, c := range o.children(id, kind) {
			if !do(id, c) {
				return
			}
		}
	}
}

func (o *oracle) interviews(yield func(string, map[string]any) bool) {
	o.eachChild("interviews", func(opportunity string, d doc) bool {
		if millis(d, "canceledAt") != 0 {
			return true
		}
		start := millis(d, "date")
		minutes, _ := strconv.ParseFloat(strings.TrimSpace(numberText(d["duration"])), 64)
		end := start + int64(minutes*60_000)
		if start == 0 {
			end = 0
		}
		var who []string
		for _, i := range objects(d, "interviewers") {
			who = append(who, str(i, "id"))
		}
		return yield(str(d, "id"), map[string]any{
			"application": Rel{"applications", opportunity}, "job_interview_stage": o.rel("job-interview-stages", str(d, "stage")),
			"organizer": o.rel("remote-users", str(d, "user")), "interviewers": o.rels("remote-users", who...),
			"location": textOrNil(str(d, "location")), "start_at": isoOrNil(start), "end_at": isoOrNil(end),
			"remote_created_at": isoOrNil(millis(d, "createdAt")), "remote_updated_at": nil,
			"status": o.interviewStatus(opportunity, d, end),
		})
	})
}

// interviewStatus is COMPLETE when all forms are handed in, or when it is over and nobody is asked for one.
func (o *oracle) interviewStatus(opportunity string, d doc, end int64) string {
	if forms := texts(d, "feedbackForms"); len(forms) > 0 {
		handedIn := 0
		for _, f := range o.children(opportunity, "feedback") {
			if slices.Contains(forms, str(f, "id")) && millis(f, "completedAt") != 0 && millis(f, "deletedAt") == 0 {
				handedIn++
			}
		}
		if handedIn == len(forms) {
			return "COMPLETE"
		}
	}
	if end == 0 || end > o.now {
		return "SCHEDULED"
	}
	who := objects(d, "interviewers")
	asked := slices.ContainsFunc(who, func(i doc) bool { return str(i, "feedbackTemplate") != "no-feedback" })
	if str(d, "feedbackTemplate") == "no-feedback" || len(who) > 0 && !asked {
		return "COMPLETE"
	}
	return "AWAITING_FEEDBACK"
}

func (o *oracle) scorecards(yield func(string, map[string]any) bool) {
	o.eachChild("feedback", func(opportunity string, d doc) bool {
		if millis(d, "deletedAt") != 0 {
			return true
		}
		var on any
		if id := str(d, "interview"); id != "" && slices.ContainsFunc(o.children(opportunity, "interviews"), func(i doc) bool {
			return str(i, "id") == id && millis(i, "canceledAt") == 0
		}) {
			on = Rel{"scheduled-interviews", id}
		}
		return yield(str(d, "id"), map[string]any{
			"application": Rel{"applications", opportunity}, "interview": on, "interviewer": o.rel("remote-users", str(d, "user")),
			"remote_created_at": isoOrNil(millis(d, "createdAt")), "submitted_at": isoOrNil(millis(d, "completedAt")),
			"overall_recommendation": recommendation(d),
		})
	})
}

// recommendation reads the form's overall rating.
func recommendation(d doc) any {
	if millis(d, "completedAt") == 0 {
		return nil
	}
	for _, f := range objects(d, "fields") {
		if value := str(f, "value"); str(f, "type") == "score-system" && value != "" {
			return rating(value, objects(f, "options"))
		}
	}
	return "NO_DECISION"
}

// rating reads a label by the digit that it starts with, or by its place among the options, best first. Between two verdicts
// stands the nearer one, in the very middle none; a label that is unknown is the verdict itself.
func rating(label string, options []doc) string {
	names := []string{"", "DEFINITELY_NO", "NO", "YES", "STRONG_YES"}
	if label[0] >= '1' && label[0] <= '4' && (len(label) == 1 || label[1] < '0' || label[1] > '9') {
		return names[label[0]-'0']
	}
	i := slices.IndexFunc(options, func(v doc) bool { return str(v, "text") == label })
	switch {
	case i < 0:
		return label
	case 2*i == len(options)-1 && i > 0:
		return "NO_DECISION"
	case i == 0:
		return names[4]
	}
	return names[int(math.Round(4-3*float64(i)/float64(len(options)-1)))]
}

func (o *oracle) offers(yield func(string, map[string]any) bool) {
	o.eachChild("offers", func(opportunity string, d doc) bool {
		var closed int64
		if str(d, "status") == "signed" {
			if closed = millis(d, "signatures", "candidate", "signedAt"); closed == 0 {
				all, _ := at(d, "signatures").(doc)
				for party := range all {
					closed = max(closed, millis(all, party, "signedAt"))
				}
			}
			if closed == 0 {
				closed = millis(d, "signedDocument", "uploadedAt")
			}
		}
		return yield(str(d, "id"), map[string]any{
			"application": Rel{"applications", opportunity}, "creator": o.rel("remote-users", str(d, "creator")),
			"remote_created_at": isoOrNil(millis(d, "createdAt")), "closed_at": isoOrNil(closed), "sent_at": isoOrNil(millis(d, "sentAt")),
			"start_date": offerStart(d), "status": textOrNil(strings.ToUpper(str(d, "status"))),
		})
	})
}

// numberText is a number as it was written; "" for what is none.
func numberText(v any) string {
	if n, ok := v.(interface{ String() string }); ok {
		return n.String()
	}
	return ""
}
