package levertest

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxUpload is the greatest body of a write: Lever takes files of up to 30 MB.
const maxUpload = 32 << 20

// writeRoutes registers the endpoints that change the account.
func (s *Server) writeRoutes() {
	s.mux.HandleFunc("POST /v1/opportunities", s.postOpportunity)
	s.mux.HandleFunc("PUT /v1/opportunities/{id}/stage", s.putStage)
	s.mux.HandleFunc("PUT /v1/opportunities/{id}/archived", s.putArchived)
	s.mux.HandleFunc("POST /v1/opportunities/{id}/notes", s.postNote)
	s.mux.HandleFunc("POST /v1/opportunities/{id}/files", s.postFile)
	for _, what := range []string{"Tags", "Sources", "Links"} {
		s.mux.HandleFunc("POST /v1/opportunities/{id}/add"+what, s.editList(what, true))
		s.mux.HandleFunc("POST /v1/opportunities/{id}/remove"+what, s.editList(what, false))
	}
}

// readJSON decodes a request's body.
func readJSON(r *http.Request, v any) *apiError {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(v); err != nil {
		return badRequest("The body is no JSON of the right shape")
	}
	return nil
}

// performer is the user that a write is made as.
func (s *Server) performer(r *http.Request, required bool) (string, *apiError) {
	id := r.URL.Query().Get("perform_as")
	if id == "" && !required {
		return s.gen.id(kindUser, 0, 0), nil
	}
	n, ok := s.gen.number(kindUser, id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !ok || n >= len(s.cat.users) || s.cat.users[n].gone || s.cat.users[n].DeactivatedAt != 0 {
		return "", badRequest("perform_as must be the id of an active user")
	}
	return id, nil
}

// postOpportunity serves POST /opportunities.
func (s *Server) postOpportunity(w http.ResponseWriter, r *http.Request) {
	by, bad := s.performer(r, true)
	var in newOpportunity
	if bad == nil {
		in, bad = newOpportunityOf(r)
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Query().Get("perform_as_posting_owner") == "true" && len(in.Postings) == 1 && in.Owner == "" {
		if n, ok := s.gen.number(kindPosting, in.Postings[0]); ok && n < len(s.cat.postings) {
			in.Owner = string(s.cat.postings[n].Owner)
		}
	}
	o, deduped, bad := s.create(in, by)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.answer(w, http.StatusCreated, map[string]any{
		"deduped": deduped, "data": json.RawMessage(s.appendOpportunity(nil, o, expansionOf(r), false)),
	})
}

func newOpportunityOf(r *http.Request) (newOpportunity, *apiError) {
	var in newOpportunity
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return in, readJSON(r, &in)
	}
	if err := r.ParseMultipartForm(maxUpload); err != nil {
		return in, badRequest("The form cannot be read")
	}
	return multipartOpportunity(r.MultipartForm)
}

var phoneKey = regexp.MustCompile(`^phones\[(\d+)\]\[(type|value)\]$`)

// multipartOpportunity reads emails[], phones[0][value], archived[reason] and the like, and the files.
func multipartOpportunity(f *multipart.Form) (newOpportunity, *apiError) {
	var in newOpportunity
	text := map[string]*string{
		"name": &in.Name, "headline": &in.Headline, "location": &in.Location, "stage": &in.Stage, "origin": &in.Origin,
		"owner": &in.Owner, "contact": &in.Contact, "opportunityLocation": &in.OpportunityLocation,
	}
	lists := map[string]*[]string{
		"emails": &in.Emails, "links": &in.Links, "tags": &in.Tags, "sources": &in.Sources, "followers": &in.Followers, "postings": &in.Postings,
	}
	for key, values := range f.Value {
		if p := text[key]; p != nil {
			*p = values[0]
			continue
		}
		if p := lists[strings.TrimSuffix(key, "[]")]; p != nil {
			*p = append(*p, values...)
			continue
		}
		if key == "createdAt" {
			at, err := strconv.ParseInt(values[0], 10, 64)
			if err != nil {
				return in, badRequest("createdAt must be a time in milliseconds")
			}
			in.CreatedAt = at
		}
		if m := phoneKey.FindStringSubmatch(key); m != nil {
			i, err := strconv.Atoi(m[1])
			if err != nil || i > 99 {
				return in, badRequest("too many phones")
			}
			for len(in.Phones) <= i {
				in.Phones = append(in.Phones, newPhone{})
			}
			if m[2] == "type" {
				in.Phones[i].Type = values[0]
			} else {
				in.Phones[i].Value = values[0]
			}
		}
	}
	for key, files := range f.File {
		for _, h := range files {
			in.files = append(in.files, upload{h.Filename, int(h.Size), key == "resumeFile"})
		}
	}
	slices.SortFunc(in.files, func(a, b upload) int { return strings.Compare(a.name, b.name) })
	return in, nil
}

// write applies a change to the opportunity of a request, and answers as Lever does: with the personal fields empty.
func (s *Server) write(w http.ResponseWriter, r *http.Request, do func(o *opportunity, at int64) (clocks, *apiError)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, bad := s.visible(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	_, _ = s.changeLocked(o, func(o *opportunity, at int64) (string, clocks, error) {
		var move clocks
		move, bad = do(o, at)
		return o.id, move, nil
	})
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.answerOne(w, http.StatusOK, json.RawMessage(s.appendOpportunity(nil, s.get(o.n), expansion{}, true)))
}

func (s *Server) putStage(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Stage string `json:"stage"`
	}
	by, bad := s.performer(r, false)
	if bad == nil {
		bad = readJSON(r, &in)
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.write(w, r, func(o *opportunity, at int64) (clocks, *apiError) {
		to := slices.IndexFunc(s.cat.stages, func(v stage) bool { return v.ID == in.Stage && !v.gone })
		if to < 0 {
			return 0, badRequest("The stage does not exist")
		}
		if to == o.stage {
			return 0, nil
		}
		return s.toStage(o, to, text(by), at), nil
	})
}

func (s *Server) putArchived(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Reason *string `json:"reason"`
	}
	_, bad := s.performer(r, false)
	if bad == nil {
		bad = readJSON(r, &in)
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.write(w, r, func(o *opportunity, at int64) (clocks, *apiError) {
		i := -1
		if in.Reason != nil {
			if i = slices.IndexFunc(s.cat.reasons, func(v reason) bool { return v.ID == *in.Reason && !v.gone }); i < 0 {
				return 0, badRequest("The archive reason does not exist")
			}
		}
		s.archive(o, i, at)
		return moveUpdated | moveInteracted | moveAdvanced, nil
	})
}

// editList serves addTags, removeTags and the like.
func (s *Server) editList(what string, add bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in := map[string][]string{}
		if bad := readJSON(r, &in); bad != nil {
			s.fail(w, bad)
			return
		}
		values := in[strings.ToLower(what)]
		s.write(w, r, func(o *opportunity, _ int64) (clocks, *apiError) {
			if what == "Tags" && add {
				s.addTags(o, values)
				return moveUpdated, nil
			}
			list := map[string]*[]string{"Tags": &o.tags, "Sources": &o.sources, "Links": &o.links}[what]
			if add {
				for _, v := range values {
					if !slices.Contains(*list, v) {
						*list = append(*list, v)
					}
				}
				return moveUpdated, nil
			}
			*list = slices.DeleteFunc(*list, func(v string) bool { return slices.Contains(values, v) })
			return moveUpdated, nil
		})
	}
}

// postNote serves POST /opportunities/:id/notes: lastInteractionAt moves, updatedAt only where it was not null.
func (s *Server) postNote(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Value     string `json:"value"`
		Secret    bool   `json:"secret"`
		CreatedAt int64  `json:"createdAt"`
	}
	by, bad := s.performer(r, false)
	if bad == nil {
		bad = readJSON(r, &in)
	}
	if bad == nil && in.Value == "" {
		bad = badRequest("value is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var o *opportunity
	if bad == nil {
		o, bad = s.visible(r)
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	var made note
	_, _ = s.changeLocked(o, func(o *opportunity, at int64) (string, clocks, error) {
		created := at
		if in.CreatedAt != 0 {
			created = in.CreatedAt
		}
		made = s.gen.note(o, o.children.sub(), in.Value, text(by), ms(created))
		made.Secret = in.Secret
		o.children.notes = append(o.children.notes, made)
		if o.updated != 0 {
			return made.ID, moveInteracted | moveUpdated, nil
		}
		return made.ID, moveInteracted, nil
	})
	s.answerOne(w, http.StatusCreated, struct {
		note
		NoteID string `json:"noteId"`
	}{made, made.ID})
}

// postFile serves POST /opportunities/:id/files: multipart, with perform_as; no clock moves.
func (s *Server) postFile(w http.ResponseWriter, r *http.Request) {
	_, bad := s.performer(r, true)
	if bad == nil && r.ParseMultipartForm(maxUpload) != nil {
		bad = badRequest("The form cannot be read")
	}
	if bad == nil && len(r.MultipartForm.File["file"]) != 1 {
		bad = badRequest("file is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var o *opportunity
	if bad == nil {
		o, bad = s.visible(r)
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	var made file
	h := r.MultipartForm.File["file"][0]
	_, _ = s.changeLocked(o, func(o *opportunity, at int64) (string, clocks, error) {
		made = s.attach(o, upload{name: h.Filename, size: int(h.Size)}, at)
		return made.ID, 0, nil
	})
	s.answerOne(w, http.StatusCreated, made)
}
