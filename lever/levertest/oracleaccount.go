package levertest

import (
	"cmp"
	"slices"
	"strings"
)

// jobStatuses are the states of postings in the unified model.
var jobStatuses = map[string]string{
	"published": "OPEN", "internal": "OPEN", "closed": "CLOSED", "draft": "DRAFT", "pending": "PENDING", "rejected": "ARCHIVED",
}

// departmentOf is the text that stands for a posting's department.
func departmentOf(posting doc) string {
	return cmp.Or(str(posting, "categories", "department"), str(posting, "categories", "team"))
}

// officesOf are the texts that stand for a posting's offices.
func officesOf(posting doc) []string {
	return union(union(nil, str(posting, "categories", "location")), texts(posting, "categories", "allLocations")...)
}

func (o *oracle) jobs(yield func(string, map[string]any) bool) {
	for _, d := range o.list("postings") {
		urls := []map[string]any{}
		for _, which := range []string{"show", "apply"} {
			if u := str(d, "urls", which); u != "" {
				urls = append(urls, map[string]any{"value": u, "url_type": "JOB_POSTING"})
			}
		}
		var status any
		if state := str(d, "state"); state != "" {
			status = cmp.Or(jobStatuses[state], state)
		}
		departments, offices := []Rel{}, []Rel{}
		if t := departmentOf(d); t != "" {
			departments = append(departments, Rel{"departments", t})
		}
		for _, t := range officesOf(d) {
			offices = append(offices, Rel{"offices", t})
		}
		code := str(d, "reqCode")
		if codes := texts(d, "requisitionCodes"); len(codes) > 0 {
			code = codes[0]
		}
		var private any
		if c := str(d, "confidentiality"); c != "" {
			private = c == "confidential"
		}
		r := map[string]any{
			"name": textOrNil(str(d, "text")), "code": textOrNil(code), "status": status, "job_posting_urls": urls,
			"description":       textOrNil(cmp.Or(str(d, "content", "descriptionHtml"), str(d, "content", "description"))),
			"remote_created_at": isoOrNil(millis(d, "createdAt")), "remote_updated_at": isoOrNil(millis(d, "updatedAt")),
			"confidential": private, "departments": departments, "offices": offices,
			"hiring_managers": o.rels("remote-users", str(d, "hiringManager")), "recruiters": o.rels("remote-users", str(d, "owner")),
		}
		if !yield(str(d, "id"), r) {
			return
		}
	}
}

func (o *oracle) departments(yield func(string, map[string]any) bool) {
	var seen []string
	for _, d := range o.list("postings") {
		seen = union(seen, departmentOf(d))
	}
	for _, t := range seen {
		if !yield(t, map[string]any{"name": t}) {
			return
		}
	}
}

func (o *oracle) offices(yield func(string, map[string]any) bool) {
	var seen []string
	for _, d := range o.list("postings") {
		seen = union(seen, officesOf(d)...)
	}
	for _, t := range seen {
		if !yield(t, map[string]any{"name": t, "location": t}) {
			return
		}
	}
}

func (o *oracle) stages(yield func(string, map[string]any) bool) {
	for i, d := range o.list("stages") {
		if !yield(str(d, "id"), map[string]any{"name": textOrNil(str(d, "text")), "job": nil, "stage_order": i}) {
			return
		}
	}
}

func (o *oracle) rejectReasons(yield func(string, map[string]any) bool) {
	for _, d := range o.list("archive_reasons") {
		if !o.hired[str(d, "id")] && !yield(str(d, "id"), map[string]any{"name": textOrNil(str(d, "text"))}) {
			return
		}
	}
}

// accessRoles are Lever's own roles; a custom one passes through.
var accessRoles = map[string]string{
	"super admin": "SUPER_ADMIN", "admin": "ADMIN", "team member": "TEAM_MEMBER", "limited team member": "LIMITED_TEAM_MEMBER",
	"interviewer": "INTERVIEWER",
}

func (o *oracle) users(yield func(string, map[string]any) bool) {
	for _, d := range o.list("users") {
		first, last := splitName(str(d, "name"))
		role := str(d, "accessRole")
		r := map[string]any{
			"first_name": first, "last_name": last, "email": textOrNil(str(d, "email")), "disabled": millis(d, "deactivatedAt") != 0,
			"remote_created_at": isoOrNil(millis(d, "createdAt")), "access_role": textOrNil(cmp.Or(accessRoles[role], role)),
		}
		if !yield(str(d, "id"), r) {
			return
		}
	}
}

// questionKinds are the field types of Lever's forms in the unified model.
var questionKinds = map[string]string{
	"dropdown": "SINGLE_SELECT", "multiple-choice": "SINGLE_SELECT", "university": "SINGLE_SELECT", "multiple-select": "MULTI_SELECT",
	"text": "SINGLE_LINE_TEXT", "textarea": "MULTI_LINE_TEXT", "yes-no": "BOOLEAN", "date": "DATE", "file-upload": "FILE",
	"score": "NUMERIC", "currency": "NUMERIC",
}

func (o *oracle) questions(yield func(string, map[string]any) bool) {
	for _, p := range o.list("postings") {
		id := str(p, "id")
		form, err := o.form(id)
		if err != nil {
			continue
		}
		for _, q := range objects(form, "customQuestions") {
			for _, f := range objects(q, "fields") {
				options := []map[string]any{}
				for _, v := range objects(f, "options") {
					options = append(options, map[string]any{"label": str(v, "text")})
				}
				required, _ := f["required"].(bool)
				kind := str(f, "type")
				r := map[string]any{
					"job": Rel{"jobs", id}, "title": textOrNil(str(f, "text")), "description": textOrNil(str(f, "description")),
					"type": textOrNil(cmp.Or(questionKinds[kind], kind)), "required": required, "options": options,
				}
				if !yield(id+":"+str(f, "id"), r) {
					return
				}
			}
		}
	}
}

// keyword maps a text that holds one of some words to a member of an enum; the first match counts.
type keyword struct{ word, member string }

var (
	raceWords = []keyword{
		{"decline", "PREFER_NOT_TO_DISCLOSE"}, {"wish", "PREFER_NOT_TO_DISCLOSE"}, {"two or more", "TWO_OR_MORE_RACES"},
		{"native hawaiian", "NATIVE_HAWAIIAN_OR_OTHER_PACIFIC_ISLANDER"}, {"american indian", "AMERICAN_INDIAN_OR_ALASKA_NATIVE"},
		{"black", "BLACK_OR_AFRICAN_AMERICAN"}, {"asian", "ASIAN_OR_INDIAN_SUBCONTINENT"}, {"white", "WHITE"},
		{"hispanic", "HISPANIC_OR_LATINO"},
	}
	genderWords = []keyword{
		{"decline", "PREFER_NOT_TO_DISCLOSE"}, {"wish", "PREFER_NOT_TO_DISCLOSE"}, {"non-binary", "NON-BINARY"}, {"female", "FEMALE"},
		{"male", "MALE"}, {"other", "OTHER"},
	}
	veteranWords = []keyword{
		{"decline", "I_DONT_WISH_TO_ANSWER"}, {"wish", "I_DONT_WISH_TO_ANSWER"}, {"not a protected veteran", "I_AM_NOT_A_PROTECTED_VETERAN"},
		{"not a veteran", "I_AM_NOT_A_PROTECTED_VETERAN"},
		{"one or more of the classifications", "I_IDENTIFY_AS_ONE_OR_MORE_OF_THE_CLASSIFICATIONS_OF_A_PROTECTED_VETERAN"},
	}
	disabilityWords = []keyword{
		{"decline", "I_DONT_WISH_TO_ANSWER"}, {"wish", "I_DONT_WISH_TO_ANSWER"}, {"want to answer", "I_DONT_WISH_TO_ANSWER"},
		{"yes", "YES_I_HAVE_A_DISABILITY_OR_PREVIOUSLY_HAD_A_DISABILITY"}, {"no,", "NO_I_DONT_HAVE_A_DISABILITY"},
	}
)

func byKeyword(answer string, words []keyword) any {
	lower := strings.ToLower(answer)
	for _, w := range words {
		if strings.Contains(lower, w.word) {
			return w.member
		}
	}
	return textOrNil(answer)
}

func (o *oracle) eeocs(yield func(string, map[string]any) bool) {
	contacts := map[string]bool{}
	for d := range o.opportunities() {
		contacts[contactOf(d)] = true
	}
	for _, d := range o.list("eeo") {
		var candidate any
		if c := str(d, "contact"); contacts[c] {
			candidate = Rel{"candidates", c}
		}
		r := map[string]any{
			"candidate": candidate, "submitted_at": isoOrNil(millis(d, "eeoSurveyRespondedAt")), "race": byKeyword(str(d, "race"), raceWords),
			"gender": byKeyword(str(d, "gender"), genderWords), "veteran_status": byKeyword(str(d, "veteran"), veteranWords),
			"disability_status": byKeyword(str(d, "disability"), disabilityWords),
		}
		if !yield(cmp.Or(str(d, "id"), str(d, "applicationId")), r) {
			return
		}
	}
}

// offerStart is the proposed start: a day from milliseconds, a text as it is.
func offerStart(offer doc) any {
	i := slices.IndexFunc(objects(offer, "fields"), func(f doc) bool { return str(f, "identifier") == "anticipated_start_date" })
	if i < 0 {
		return nil
	}
	f := objects(offer, "fields")[i]
	if _, ok := number(f["value"]); ok {
		return isoDay(millis(f, "value"))
	}
	return textOrNil(str(f, "value"))
}
