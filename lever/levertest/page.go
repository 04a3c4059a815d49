package levertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parseToken reads a percent-encoded JSON array into the values that dest points to.
func parseToken(token string, dest ...any) bool {
	if !strings.HasPrefix(token, "%5B") {
		return false
	}
	plain, err := url.QueryUnescape(token)
	if err != nil {
		return false
	}
	var parts []json.RawMessage
	if json.Unmarshal([]byte(plain), &parts) != nil || len(parts) != len(dest) {
		return false
	}
	for i, p := range parts {
		if json.Unmarshal(p, dest[i]) != nil {
			return false
		}
	}
	return true
}

// apiError is an error answer of Lever: a flat object with a code and a message.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func badRequest(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "BadRequestError", fmt.Sprintf(format, args...)}
}

func notFound(what string) *apiError {
	return &apiError{http.StatusNotFound, "ResourceNotFound", what + " was not found"}
}

func forbidden(message string) *apiError {
	return &apiError{http.StatusForbidden, "ForbiddenError", message}
}

var errOffset = badRequest("Invalid offset token")

// limitOf reads the limit of a list: 1 to 100, 100 by default.
func limitOf(q url.Values) (int, *apiError) {
	s := q.Get("limit")
	if s == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 100 {
		return 0, badRequest("limit must be a number from 1 to 100")
	}
	return n, nil
}

// place orders the records of a list: n descending, then id ascending.
type place struct {
	n  int64
	id string
}

func (p place) compare(o place) int { return cmp.Or(cmp.Compare(o.n, p.n), cmp.Compare(p.id, o.id)) }

func (p place) token() string {
	id, _ := json.Marshal(p.id)
	return url.QueryEscape("[" + strconv.FormatInt(p.n, 10) + "," + string(id) + "]")
}

// answerList answers with one page of a list that is small enough to be sorted at each call.
func answerList[T any](s *Server, w http.ResponseWriter, r *http.Request, items []T, at func(T) place) {
	q := r.URL.Query()
	limit, bad := limitOf(q)
	if bad != nil {
		s.fail(w, bad)
		return
	}
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b T) int { return at(a).compare(at(b)) })
	if token := q.Get("offset"); token != "" {
		var p place
		if !s.tokens.valid(token, s.now()) || !parseToken(token, &p.n, &p.id) {
			s.fail(w, errOffset)
			return
		}
		i := slices.IndexFunc(items, func(t T) bool { return at(t).compare(p) >= 0 })
		if i < 0 {
			i = len(items)
		}
		items = items[i:]
	}
	page := struct {
		Data    []T    `json:"data"`
		HasNext bool   `json:"hasNext"`
		Next    string `json:"next,omitempty"`
	}{Data: items}
	if page.Data == nil {
		page.Data = []T{}
	}
	if len(items) > limit {
		page.Data, page.HasNext = items[:limit], true
		page.Next = s.tokens.issue(at(items[limit]).token(), s.now())
	}
	s.answer(w, http.StatusOK, page)
}

// window is a span of time from two query parameters, both ends included; 0 is open.
type window struct {
	start, end int64
	set        bool
}

func windowOf(q url.Values, name string) (window, *apiError) {
	var v window
	for suffix, at := range map[string]*int64{"_start": &v.start, "_end": &v.end} {
		s := q.Get(name + suffix)
		if s == "" {
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return v, badRequest("%s%s must be a time in milliseconds", name, suffix)
		}
		*at, v.set = n, true
	}
	return v, nil
}

// holds tells whether the moment at lies in the window; a null moment lies in none but the one that was not set.
func (v window) holds(at int64) bool {
	return !v.set || at != 0 && at >= v.start && (v.end == 0 || at <= v.end)
}
