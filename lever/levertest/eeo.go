package levertest

import (
	"net/http"
	"strconv"
	"time"
)

// The answers of EEO surveys, as Lever's own forms word them.
var (
	eeoGenders = []string{"Female", "Male", "Decline to self-identify", "Non-binary"}
	eeoRaces   = []string{
		"Hispanic or Latino", "White (Not Hispanic or Latino)", "Black or African American (Not Hispanic or Latino)",
		"Native Hawaiian or Other Pacific Islander (Not Hispanic or Latino)", "Asian (Not Hispanic or Latino)",
		"American Indian or Alaska Native (Not Hispanic or Latino)", "Two or More Races (Not Hispanic or Latino)",
		"Decline to self-identify",
	}
	eeoVeterans = []string{
		"I am not a protected veteran", "I identify as one or more of the classifications of a protected veteran", "I don't wish to answer",
	}
	eeoDisabilities = []string{
		"Yes, I have a disability, or have had one in the past", "No, I do not have a disability and have not had one in the past",
		"I do not want to answer",
	}
)

// eeoRow is the survey row of an opportunity's application, or nil.
func (s *Server) eeoRow(o *opportunity) map[string]any {
	r := newRNG(s.gen.seed, kindEEO, o.n)
	if !r.in(300) || o.app == nil || o.n >= s.gen.count {
		return nil
	}
	row := map[string]any{
		"id": o.app.id, "applicationId": o.app.id, "applicationTitle": s.cat.postings[o.posting].Text,
		"applicationArchivedAt": ms(o.app.archivedAt), "applicationArchivedBy": nil, "applicationArchiveReason": nil,
		"appliedAt": o.app.createdAt, "currentStage": s.cat.stages[o.stage].ID, "contact": o.contactID, "eeoResponseSource": "api",
		"eeoSurveyRespondedAt": o.app.createdAt + 60, "hiredDate": nil, "hiringManager": nil, "opportunityId": o.id,
		"opportunityOwner": o.owner, "origin": o.origin, "posting": s.cat.postings[o.posting].ID, "sources": o.sources,
	}
	if r.in(100) {
		row["eeoSurveyRespondedAt"] = nil
		return row
	}
	for key, answers := range map[string][]string{
		"gender": eeoGenders, "race": eeoRaces, "veteran": eeoVeterans, "disability": eeoDisabilities,
	} {
		pickOf := newRNG(s.gen.seed^uint64(len(key)), kindEEO, o.n)
		if pickOf.in(800) {
			row[key] = pick(&pickOf, answers)
		}
	}
	return row
}

// listEEO serves GET /eeo/responses/pii: without created_at_start, the last week alone.
func (s *Server) listEEO(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, bad := limitOf(q)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	created, bad := windowOf(q, "created_at")
	if bad != nil {
		s.fail(w, bad)
		return
	}
	if !q.Has("created_at_start") {
		created.start, created.set = s.now().Add(-7*24*time.Hour).UnixMilli(), true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	from := s.next - 1
	if token := q.Get("offset"); token != "" {
		var id string
		if !parseToken(token, &from, &id) || !s.tokens.valid(token, s.now()) {
			s.fail(w, errOffset)
			return
		}
	}
	rows, next := []map[string]any{}, ""
	for row, n := range s.eeoRows(from, confidential(r.Context())) {
		if !created.holds(row["appliedAt"].(int64)) {
			continue
		}
		if len(rows) == limit {
			next = s.tokens.issue("%5B"+strconv.Itoa(n)+"%2C%22"+row["id"].(string)+"%22%5D", s.now())
			break
		}
		rows = append(rows, row)
	}
	page := map[string]any{"data": rows, "hasNext": next != ""}
	if next != "" {
		page["next"] = next
	}
	s.answer(w, http.StatusOK, page)
}

// eeoRows yields all rows and their numbers, from one down; the caller holds s.mu.
func (s *Server) eeoRows(from int, all bool) func(yield func(map[string]any, int) bool) {
	return func(yield func(map[string]any, int) bool) {
		for n := min(from, s.gen.count-1); n >= 0; n-- {
			if r := newRNG(s.gen.seed, kindEEO, n); !r.in(300) {
				continue
			}
			o := s.get(n)
			if o == nil || o.confidential && !all {
				continue
			}
			if row := s.eeoRow(o); row != nil && !yield(row, n) {
				return
			}
		}
	}
}

// listAnonymousEEO serves GET /eeo/responses, whose rows name nobody.
func (s *Server) listAnonymousEEO(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := []map[string]any{}
	since := s.now().Add(-7 * 24 * time.Hour).UnixMilli()
	for row := range s.eeoRows(s.next-1, confidential(r.Context())) {
		if row["appliedAt"].(int64) < since {
			continue
		}
		for _, key := range []string{"id", "applicationId", "contact", "opportunityId", "opportunityOwner", "posting"} {
			delete(row, key)
		}
		if rows = append(rows, row); len(rows) == 100 {
			break
		}
	}
	s.answer(w, http.StatusOK, map[string]any{"data": rows, "hasNext": false})
}
