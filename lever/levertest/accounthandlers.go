package levertest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// routes registers the endpoints of a generated account.
func (s *Server) routes() {
	s.mux.HandleFunc("GET /v1/opportunities", s.listOpportunities)
	s.mux.HandleFunc("GET /v1/opportunities/{id}", s.getOpportunity)
	s.mux.HandleFunc("GET /v1/contacts/{id}", s.getContact)
	s.mux.HandleFunc("GET /v1/opportunities/deleted", s.listDeleted(func(d *deletions) []deletion { return d.opportunities }, false))
	s.mux.HandleFunc("GET /v1/applications/deleted", s.listDeleted(func(d *deletions) []deletion { return d.applications }, true))
	s.mux.HandleFunc("GET /v1/postings/deleted", s.listDeleted(func(d *deletions) []deletion { return d.postings }, false))
	s.childRoutes()
	s.mux.HandleFunc("GET /v1/postings", s.listPostings)
	s.mux.HandleFunc("GET /v1/postings/{id}", s.getPosting)
	s.mux.HandleFunc("GET /v1/postings/{id}/apply", s.getForm)
	s.mux.HandleFunc("GET /v1/stages", s.listStages)
	s.mux.HandleFunc("GET /v1/archive_reasons", s.listReasons)
	s.mux.HandleFunc("GET /v1/disposition_stages", s.dispositionStages)
	s.mux.HandleFunc("GET /v1/users", s.listUsers)
	s.mux.HandleFunc("GET /v1/users/{id}", s.getUser)
	s.mux.HandleFunc("GET /v1/tags", s.listTags)
	s.mux.HandleFunc("GET /v1/sources", s.listSources)
	s.mux.HandleFunc("GET /v1/requisitions", s.listRequisitions)
	s.mux.HandleFunc("GET /v1/eeo/responses", s.listAnonymousEEO)
	s.mux.HandleFunc("GET /v1/eeo/responses/pii", s.listEEO)
	s.writeRoutes()
	s.hookRoutes()
}

// deletion is a row of a deleted list.
type deletion struct {
	ID            string `json:"id"`
	DeletedAt     ms     `json:"deletedAt"`
	DeletedBy     text   `json:"deletedBy,omitempty"`
	OpportunityID string `json:"opportunityId,omitempty"`
	PostingID     string `json:"postingId,omitempty"`

	confidential bool
}

type deletions struct{ opportunities, applications, postings []deletion }

// listDeleted serves a deleted list: windows of at most 30 days, by default the last 30.
func (s *Server) listDeleted(of func(*deletions) []deletion, required bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		span, bad := windowOf(q, "deleted_at")
		if bad == nil && required && (span.start == 0 || span.end == 0) {
			bad = badRequest("deleted_at_start and deleted_at_end are required")
		}
		if span.end == 0 {
			span.end = s.now().UnixMilli() + 1
		}
		if span.start == 0 {
			span.start = span.end - 30*dayMillis
		}
		if bad == nil && span.end-span.start > 30*dayMillis {
			bad = badRequest("The window must not be longer than 30 days")
		}
		if bad != nil {
			s.fail(w, bad)
			return
		}
		span.set = true
		s.mu.RLock()
		defer s.mu.RUnlock()
		all := confidential(r.Context())
		rows := slices.DeleteFunc(slices.Clone(of(&s.deleted)), func(d deletion) bool {
			return !span.holds(int64(d.DeletedAt)) || d.confidential && !all
		})
		answerList(s, w, r, rows, func(d deletion) place { return place{int64(d.DeletedAt), d.ID} })
	}
}

// listPostings serves GET /postings.
func (s *Server) listPostings(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	keep, bad := s.postingFilter(q)
	if bad == nil && q.Get("confidentiality") != "" && q.Get("confidentiality") != "non-confidential" && !confidential(r.Context()) {
		bad = forbidden("The credential has no access to confidential data")
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*posting
	for i := range s.cat.postings {
		if p := &s.cat.postings[i]; !p.gone && keep(p) {
			out = append(out, p)
		}
	}
	answerList(s, w, r, out, func(p *posting) place { return place{int64(p.CreatedAt), p.ID} })
}

// postingFilter reads the filters of postings; updated_at goes together with confidentiality alone.
func (s *Server) postingFilter(q url.Values) (func(*posting) bool, *apiError) {
	updated, bad := windowOf(q, "updated_at")
	if bad != nil {
		return nil, bad
	}
	others := []string{"state", "distributionChannel", "group", "team", "department", "location", "commitment", "level", "tag"}
	for _, o := range others {
		if updated.set && q.Has(o) {
			return nil, badRequest("updated_at filters cannot be combined with %s", o)
		}
	}
	channel, confidentiality := q.Get("distributionChannel"), q.Get("confidentiality")
	if confidentiality == "" {
		confidentiality = "non-confidential"
	}
	return func(p *posting) bool {
		hidden := p.State == "published" && !slices.Contains(p.DistributionChannels, "public")
		switch {
		case confidentiality != "all" && p.Confidentiality != confidentiality,
			!updated.holds(int64(p.UpdatedAt)),
			channel != "" && !slices.Contains(p.DistributionChannels, channel),
			channel == "" && hidden && !s.cfg.ListInternal:
			return false
		}
		return overlaps(q["state"], []string{p.State}) && overlaps(q["team"], []string{p.Categories.Team}) &&
			overlaps(q["department"], []string{string(p.Categories.Department)}) &&
			overlaps(q["location"], []string{p.Categories.Location}) && overlaps(q["commitment"], []string{p.Categories.Commitment})
	}, nil
}

// postingOf is the posting that a request names in its path.
func (s *Server) postingOf(r *http.Request) (*posting, *apiError) {
	n, ok := s.gen.number(kindPosting, r.PathValue("id"))
	if !ok || n >= len(s.cat.postings) || s.cat.postings[n].gone {
		return nil, notFound("The posting")
	}
	p := &s.cat.postings[n]
	if p.Confidentiality == "confidential" && !confidential(r.Context()) {
		return nil, forbidden("The posting is confidential")
	}
	return p, nil
}

func (s *Server) getPosting(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, bad := s.postingOf(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.answerOne(w, http.StatusOK, p)
}

// form is a posting's application form as /postings/:id/apply sends it.
func (p *posting) form() map[string]any {
	return map[string]any{
		"id": p.ID, "text": p.Text, "customQuestions": p.forms,
		"personalInformation": []map[string]any{
			{"text": "Full name", "name": "fullName", "type": "text", "required": true, "value": nil},
			{"text": "Email", "name": "email", "type": "text", "required": true, "value": nil},
		},
		"urls": []map[string]any{{"text": "LinkedIn", "name": "LinkedIn", "type": "text", "required": false, "value": nil}},
	}
}

func (s *Server) getForm(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, bad := s.postingOf(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.answerOne(w, http.StatusOK, p.form())
}

// liveStages are the stages there are, in the order of the pipeline.
func (s *Server) liveStages() []stage {
	return slices.DeleteFunc(slices.Clone(s.cat.stages), func(v stage) bool { return v.gone })
}

func (s *Server) listStages(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	answerList(s, w, r, s.liveStages(), func(v stage) place {
		return place{int64(-slices.IndexFunc(s.cat.stages, func(o stage) bool { return o.ID == v.ID })), v.ID}
	})
}

func (s *Server) listReasons(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := r.URL.Query().Get("type")
	out := slices.DeleteFunc(slices.Clone(s.cat.reasons), func(v reason) bool { return v.gone || t != "" && v.Type != t })
	answerList(s, w, r, out, func(v reason) place {
		return place{int64(-slices.Index(s.cat.reasons, v)), v.ID}
	})
}

// dispositionStages serves stages and archive reasons in one; the type of a reason that is not hired is null there.
func (s *Server) dispositionStages(w http.ResponseWriter, _ *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stages, reasons := []map[string]any{}, []map[string]any{}
	for i, v := range s.liveStages() {
		stages = append(stages, map[string]any{"id": v.ID, "text": v.Text, "pipeline": v.pipeline, "rank": float64(i)*10 + 0.5, "hasInterview": i > 4})
	}
	for _, v := range s.cat.reasons {
		if v.gone {
			continue
		}
		m := map[string]any{"id": v.ID, "text": v.Text, "status": v.Status, "type": nil}
		if v.Type == "hired" {
			m["type"] = v.Type
		}
		reasons = append(reasons, m)
	}
	s.answerOne(w, http.StatusOK, map[string]any{"stages": stages, "archiveReasons": reasons})
}

func (s *Server) listUsers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := slices.DeleteFunc(slices.Clone(s.cat.users), func(u user) bool {
		return u.gone || u.DeactivatedAt != 0 && q.Get("includeDeactivated") != "true" ||
			!overlaps(q["accessRole"], []string{u.AccessRole}) ||
			q.Get("email") != "" && !strings.EqualFold(u.Email, q.Get("email"))
	})
	answerList(s, w, r, out, func(u user) place { return place{int64(u.CreatedAt), u.ID} })
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.gen.number(kindUser, r.PathValue("id"))
	if !ok || n >= len(s.cat.users) || s.cat.users[n].gone {
		s.fail(w, notFound("The user"))
		return
	}
	s.answerOne(w, http.StatusOK, s.cat.users[n])
}

func (s *Server) listTags(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.answerCounted(w, r, s.cat.tags)
}

func (s *Server) listSources(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.answerCounted(w, r, s.cat.sources)
}

func (s *Server) answerCounted(w http.ResponseWriter, r *http.Request, words []string) {
	out := make([]tag, len(words))
	for i, t := range words {
		out[i] = tag{Text: t, Count: 1 + len(t)%7}
	}
	answerList(s, w, r, out, func(t tag) place { return place{id: t.Text} })
}

func (s *Server) listRequisitions(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	created, bad := windowOf(r.URL.Query(), "created_at")
	if bad != nil {
		s.fail(w, bad)
		return
	}
	out := slices.DeleteFunc(slices.Clone(s.cat.requisitions), func(v requisition) bool { return !created.holds(int64(v.CreatedAt)) })
	answerList(s, w, r, out, func(v requisition) place { return place{int64(v.CreatedAt), v.ID} })
}

// tick is the account's clock: now, but later than at the last mutation. The caller holds s.mu.
func (s *Server) tick() int64 {
	s.clock = max(s.now().Truncate(time.Millisecond).UnixMilli(), s.clock+1)
	return s.clock
}
