package levertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// listChildren serves a list that hangs on an opportunity.
func listChildren[T any](s *Server, of func(*children) []T, id func(T) (string, ms)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		o, bad := s.visible(r)
		if bad != nil {
			s.fail(w, bad)
			return
		}
		uploaded, bad := windowOf(r.URL.Query(), "uploaded_at")
		if bad != nil {
			s.fail(w, bad)
			return
		}
		items := of(s.childrenOf(o))
		if uploaded.set {
			items = slices.DeleteFunc(slices.Clone(items), func(t T) bool { _, at := id(t); return !uploaded.holds(int64(at)) })
		}
		answerList(s, w, r, items, func(t T) place { id, at := id(t); return place{int64(at), id} })
	}
}

// getChild serves one of a list that hangs on an opportunity.
func getChild[T any](s *Server, what string, of func(*children) []T, id func(T) (string, ms)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		o, bad := s.visible(r)
		if bad != nil {
			s.fail(w, bad)
			return
		}
		for _, t := range of(s.childrenOf(o)) {
			if got, _ := id(t); got == r.PathValue("child") {
				s.answerOne(w, http.StatusOK, t)
				return
			}
		}
		s.fail(w, notFound(what))
	}
}

// childRoutes registers what hangs on an opportunity.
func (s *Server) childRoutes() {
	addChild(s, "interviews", "The interview", func(c *children) []interview { return c.interviews }, func(v interview) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "feedback", "The feedback form", func(c *children) []feedback { return c.feedback }, func(v feedback) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "offers", "The offer", func(c *children) []offer { return c.offers }, func(v offer) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "resumes", "The resume", func(c *children) []resume { return c.resumes }, func(v resume) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "files", "The file", func(c *children) []file { return c.files }, func(v file) (string, ms) { return v.ID, uploadedAt(v) })
	addChild(s, "notes", "The note", func(c *children) []note { return c.notes }, func(v note) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "referrals", "The referral", func(c *children) []referral { return c.referrals }, func(v referral) (string, ms) { return v.ID, v.CreatedAt })
	addChild(s, "panels", "The panel", panelsOf, func(v map[string]any) (string, ms) { return v["id"].(string), v["createdAt"].(ms) })
	s.mux.HandleFunc("GET /v1/opportunities/{id}/applications", s.listApplications)
	s.mux.HandleFunc("GET /v1/opportunities/{id}/applications/{child}", s.getApplication)
	s.mux.HandleFunc("GET /v1/opportunities/{id}/files/{child}/download", s.downloadFile)
	s.mux.HandleFunc("GET /v1/opportunities/{id}/resumes/{child}/download", s.downloadResume)
	s.mux.HandleFunc("GET /v1/opportunities/{id}/offers/{child}/download", s.downloadOffer)
}

func addChild[T any](s *Server, name, what string, of func(*children) []T, id func(T) (string, ms)) {
	s.mux.HandleFunc("GET /v1/opportunities/{id}/"+name, listChildren(s, of, id))
	s.mux.HandleFunc("GET /v1/opportunities/{id}/"+name+"/{child}", getChild(s, what, of, id))
}

func uploadedAt(f file) ms {
	switch v := f.UploadedAt.(type) {
	case int64:
		return ms(v)
	case string:
		var at ms
		_ = json.Unmarshal([]byte(v), &at)
		return at
	}
	return 0
}

// panelsOf makes a panel of each interview.
func panelsOf(c *children) []map[string]any {
	out := []map[string]any{}
	for _, v := range c.interviews {
		out = append(out, map[string]any{
			"id": v.Panel, "applications": []string{}, "canceledAt": v.CanceledAt, "createdAt": v.CreatedAt, "start": v.Date,
			"end": v.Date + ms(v.Duration*60_000), "timezone": v.Timezone, "feedbackReminder": v.FeedbackReminder, "user": v.User,
			"stage": v.Stage, "externallyManaged": true,
			"interviews": []map[string]any{{
				"id": v.ID, "date": v.Date, "duration": v.Duration, "feedbackTemplate": v.FeedbackTemplate, "interviewers": v.Interviewers,
				"location": v.Location, "note": v.Note, "subject": v.Subject,
			}},
		})
	}
	return out
}

func (s *Server) listApplications(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, bad := s.visible(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	var all []json.RawMessage
	if o.app != nil {
		all = append(all, s.appendApplication(nil, o))
	}
	answerList(s, w, r, all, func(json.RawMessage) place { return place{} })
}

func (s *Server) getApplication(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, bad := s.visible(r)
	if bad == nil && (o.app == nil || o.app.id != r.PathValue("child")) {
		bad = notFound("The application")
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.answerOne(w, http.StatusOK, json.RawMessage(s.appendApplication(nil, o)))
}

func (s *Server) downloadFile(w http.ResponseWriter, r *http.Request) {
	s.download(w, r, func(c *children) *file {
		for i := range c.files {
			if c.files[i].ID == r.PathValue("child") {
				return &c.files[i]
			}
		}
		return nil
	})
}

func (s *Server) downloadResume(w http.ResponseWriter, r *http.Request) {
	s.download(w, r, func(c *children) *file {
		for _, v := range c.resumes {
			if v.ID == r.PathValue("child") {
				return v.File
			}
		}
		return nil
	})
}

func (s *Server) downloadOffer(w http.ResponseWriter, r *http.Request) {
	s.download(w, r, func(c *children) *file {
		for _, v := range c.offers {
			if v.ID != r.PathValue("child") {
				continue
			}
			doc := v.SentDocument
			if r.URL.Query().Get("status") == "signed" {
				doc = v.SignedDocument
			}
			if doc != nil {
				return &file{Name: doc.FileName, Ext: ".pdf", Size: 2048, Status: "processed"}
			}
		}
		return nil
	})
}

// download answers with the generated bytes of a file, or 422 when Lever could not process it.
func (s *Server) download(w http.ResponseWriter, r *http.Request, find func(*children) *file) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, bad := s.visible(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	f := find(s.childrenOf(o))
	switch {
	case f == nil:
		s.fail(w, notFound("The file"))
		return
	case f.Status == "error" || f.Status == "unsupported":
		s.fail(w, &apiError{http.StatusUnprocessableEntity, "UnprocessableEntityError", "The file could not be processed"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "file"+f.Ext))
	_, _ = w.Write(contents(r.URL.Path, f.Size))
}

// contents are the bytes of the file at a path: lines that repeat to its size.
func contents(path string, size any) []byte {
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(size), &n); err != nil || n < 0 {
		n = 0
	}
	line := []byte("invented contents of " + path + "\n")
	b := make([]byte, 0, n+len(line))
	for len(b) < n {
		b = append(b, line...)
	}
	return b[:n]
}
