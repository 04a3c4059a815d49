package levertest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"sync"
)

// buffers are kept for rendering pages.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 256<<10); return &b }}

func expansionOf(r *http.Request) expansion {
	v := r.URL.Query()["expand"]
	return expansion{
		applications: slices.Contains(v, "applications"), stage: slices.Contains(v, "stage"), owner: slices.Contains(v, "owner"),
		contact: slices.Contains(v, "contact"), sourcedBy: slices.Contains(v, "sourcedBy"), followers: slices.Contains(v, "followers"),
	}
}

// listOpportunities serves GET /opportunities.
func (s *Server) listOpportunities(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, bad := limitOf(q)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, bad := s.filterOf(q)
	if bad == nil && f.confidentiality != "non-confidential" && !confidential(r.Context()) {
		bad = forbidden("The credential has no access to confidential data")
	}
	rows, first := s.index.rows, 0
	if bad == nil {
		if few, ok := s.few(&f); ok {
			rows = few
		}
		if token := q.Get("offset"); token != "" {
			first, bad = s.resume(token, rows)
		}
	}
	if bad != nil {
		s.fail(w, bad)
		return
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = s.appendPage((*buf)[:0], rows[first:], &f, expansionOf(r), limit, q["include"])
	s.answerBytes(w, http.StatusOK, *buf)
}

// resume finds where the rows go on from a page token.
func (s *Server) resume(token string, rows []row) (int, *apiError) {
	at, ok := s.index.position(token)
	if !ok || !s.tokens.valid(token, s.now()) {
		return 0, errOffset
	}
	if len(rows) == len(s.index.rows) {
		return at, nil
	}
	if at == len(s.index.rows) {
		return len(rows), nil
	}
	from := s.index.rows[at]
	return sort.Search(len(rows), func(i int) bool { return s.index.compare(rows[i], from) >= 0 }), nil
}

// appendPage appends the page that starts with the first of rows to pass f.
func (s *Server) appendPage(b []byte, rows []row, f *filter, x expansion, limit int, include []string) []byte {
	b = append(b, `{"data":[`...)
	n := 0
	for _, r := range rows {
		if len(f.stages) > 0 && !slices.Contains(f.stages, int(r.stage)) {
			continue // the row tells, without its core
		}
		c := s.coreOf(r)
		if !f.holds(&c, func() *opportunity { return s.whole(r, c) }) {
			continue
		}
		if n == limit {
			b = append(b, `],"hasNext":true,"next":"`...)
			b = append(b, s.tokens.issue(s.index.token(r), s.now())...)
			return append(b, `"}`...)
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		start := len(b)
		b = s.appendOpportunity(b, s.whole(r, c), x, false)
		if len(include) > 0 {
			b = append(b[:start], onlyFields(b[start:], include, x)...)
		}
	}
	return append(b, `],"hasNext":false}`...)
}

// onlyFields keeps the fields of an object that were asked for; an expanded one is always kept.
func onlyFields(object []byte, include []string, x expansion) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(object, &m) != nil {
		return object
	}
	expanded := map[string]bool{
		"applications": x.applications, "stage": x.stage, "owner": x.owner, "contact": x.contact, "sourcedBy": x.sourcedBy,
		"followers": x.followers,
	}
	for k := range m {
		if !expanded[k] && !slices.Contains(include, k) {
			delete(m, k)
		}
	}
	b, _ := marshal(m)
	return b
}

// visible is the opportunity that a request names in its path; the error says why it may not be seen.
func (s *Server) visible(r *http.Request) (*opportunity, *apiError) {
	o := s.byID(r.PathValue("id"))
	switch {
	case o == nil:
		return nil, notFound("The opportunity")
	case o.confidential && !confidential(r.Context()):
		return nil, forbidden("The opportunity is confidential")
	}
	return o, nil
}

// getOpportunity serves GET /opportunities/:id.
func (s *Server) getOpportunity(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, bad := s.visible(r)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	x := expansionOf(r)
	b := s.appendOpportunity(nil, o, x, false)
	if include := r.URL.Query()["include"]; len(include) > 0 {
		b = onlyFields(b, include, x)
	}
	s.answerOne(w, http.StatusOK, json.RawMessage(b))
}

// getContact serves GET /contacts/:id.
func (s *Server) getContact(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n, ok := s.gen.number(kindContact, r.PathValue("id")); ok {
		if all := s.ofContact(n); len(all) > 0 {
			s.answerOne(w, http.StatusOK, json.RawMessage(s.appendContact(nil, all[0])))
			return
		}
	}
	s.fail(w, notFound("The contact"))
}
