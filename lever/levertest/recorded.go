package levertest

import (
	"cmp"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// recording is an account made of recorded answers of Lever.
type recording struct {
	all    []doc                       // opportunities, applications expanded
	hung   map[string]map[string][]doc // kind → opportunity → children
	lists  map[string][]doc            // by kind
	forms  map[string]doc              // by posting
	reason []doc                       // stages and archive reasons in one
}

// recordedLists are the account's own lists and the files that hold them.
var recordedLists = map[string]string{
	"postings": "nango__postings_list.json", "stages": "nango__stages_list.json", "archive_reasons": "nango__archive_reasons_list.json",
	"users": "nango__users_list.json", "tags": "nango__tags_list.json", "eeo": "nango__eeo_responses_pii.json",
	"requisitions": "nango__requisitions_list.json", "applications": "airbyte__applications_list.json",
	"opportunities": "nango__opportunities_list_page01.json",
}

// recordedChildren are the files with what hangs on opportunities. The recordings are of several accounts: each record goes to the
// opportunity that it names, or to the next one in turn.
var recordedChildren = map[string][]string{
	"interviews": {"nango-mapped__interviews_list.json", "airbyte__interviews_list.json", "nango__interview_get.json"},
	"feedback":   {"nango-mapped__feedback_list.json", "nango__feedback_get.json", "nango__feedback_get_deleted.json"},
	"offers":     {"airbyte__offers_list.json"},
	"notes":      {"airbyte__notes_list.json", "nango__note_get.json"},
	"referrals":  {"airbyte__referrals_list.json"},
	"panels":     {"nango-mapped__panels_list.json"},
	"resumes":    {"nango__resumes_list_empty.json"},
	"files":      {},
}

// NewRecorded serves the recorded answers in fsys: one page of opportunities and the account around it. Its limits, credentials,
// faults and counters are those of New; it takes no mutations and no writes. It fails when a recording is missing.
func NewRecorded(fsys fs.FS, cfg Config) (*Server, error) {
	rec := &recording{hung: map[string]map[string][]doc{}, lists: map[string][]doc{}, forms: map[string]doc{}}
	if err := rec.load(fsys); err != nil {
		return nil, fmt.Errorf("levertest: recordings: %w", err)
	}
	s := newServer(cfg.withDefaults())
	s.account = rec
	rec.routes(s)
	return s, nil
}

// records reads the records of a file: {data:[…]}, {data:{…}} or [{data:{…}}, …].
func records(fsys fs.FS, name string) ([]doc, error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		return objects(toDoc(append(append([]byte(`{"data":`), b...), '}')), "data"), nil
	}
	d := toDoc(b)
	if one, ok := d["data"].(doc); ok {
		return []doc{one}, nil
	}
	return objects(d, "data"), nil
}

func (rec *recording) load(fsys fs.FS) error {
	for kind, name := range recordedLists {
		list, err := records(fsys, name)
		if err != nil {
			return err
		}
		rec.lists[kind] = list
	}
	rec.all = rec.lists["opportunities"]
	for kind, names := range recordedChildren {
		rec.hung[kind] = map[string][]doc{}
		var seen []string
		for _, name := range names {
			list, err := records(fsys, name)
			if err != nil {
				return err
			}
			for _, d := range list {
				if slices.Contains(seen, str(d, "id")) {
					continue
				}
				owner := rec.all[len(seen)%len(rec.all)]
				if named := rec.opportunity(str(d, "opportunityId")); named != nil {
					owner = named
				}
				seen = append(seen, str(d, "id"))
				rec.hung[kind][str(owner, "id")] = append(rec.hung[kind][str(owner, "id")], d)
			}
		}
	}
	rec.reunite()
	forms, err := records(fsys, "nango__posting_apply_questions.json")
	if err != nil {
		return err
	}
	for _, d := range forms {
		if inner, ok := d["data"].(doc); ok {
			d = inner
		}
		rec.forms[str(d, "id")] = d
	}
	if rec.reason, err = records(fsys, "nango__disposition_stages.json"); err != nil {
		return err
	}
	one, err := records(fsys, "nango__application_get.json")
	if err != nil {
		return err
	}
	rec.expand(append(one, rec.lists["applications"]...))
	return nil
}

// expand turns application ids into objects: recorded ones as far as they go, then plain ones.
func (rec *recording) expand(apps []doc) {
	next := 1
	for _, o := range rec.all {
		list, _ := o["applications"].([]any)
		for i, id := range list {
			app := doc{
				"type": "user", "posting": rec.postingByTags(o), "name": nil, "company": nil, "phone": nil, "email": nil, "links": []any{},
				"user": o["owner"], "customQuestions": []any{}, "createdAt": o["createdAt"], "archived": o["archived"],
			}
			switch {
			case str(apps[0], "id") == id:
				app = apps[0]
			case next < len(apps):
				app = apps[next]
				next++
			}
			app["id"], app["opportunityId"], app["candidateId"] = id, o["id"], o["id"]
			list[i] = app
		}
	}
}

// postingByTags is the id of the posting whose title an opportunity bears as a tag, or nil.
func (rec *recording) postingByTags(o doc) any {
	for _, p := range rec.lists["postings"] {
		if slices.Contains(texts(o, "tags"), str(p, "text")) {
			return p["id"]
		}
	}
	return nil
}

func (rec *recording) opportunities() iter.Seq[doc] { return slices.Values(rec.all) }

func (rec *recording) ids() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, d := range rec.all {
			if !yield(str(d, "id")) {
				return
			}
		}
	}
}

// reunite puts feedback where the interview that it is about is.
func (rec *recording) reunite() {
	at := map[string]string{} // interview → opportunity
	for opportunity, list := range rec.hung["interviews"] {
		for _, d := range list {
			at[str(d, "id")] = opportunity
		}
	}
	feedback := map[string][]doc{}
	for _, o := range rec.all {
		for _, d := range rec.hung["feedback"][str(o, "id")] {
			owner := cmp.Or(at[str(d, "interview")], str(o, "id"))
			feedback[owner] = append(feedback[owner], d)
		}
	}
	rec.hung["feedback"] = feedback
}

func (rec *recording) opportunity(id string) doc { return byID(rec.all, id) }

func (rec *recording) children(id, kind string) []doc { return rec.hung[kind][id] }

func (rec *recording) list(kind string) []doc { return rec.lists[kind] }

func (rec *recording) form(postingID string) (doc, error) {
	if f := rec.forms[postingID]; f != nil {
		return f, nil
	}
	return nil, ErrNoSuch
}

func byID(list []doc, id string) doc {
	if i := slices.IndexFunc(list, func(d doc) bool { return str(d, "id") == id }); i >= 0 {
		return list[i]
	}
	return nil
}

// routes registers the endpoints of a recorded account.
func (rec *recording) routes(s *Server) {
	serve := func(path string, of func(r *http.Request) []doc) {
		s.mux.HandleFunc("GET /v1"+path, func(w http.ResponseWriter, r *http.Request) {
			list := of(r)
			answerList(s, w, r, list, func(d doc) place {
				return place{int64(-slices.IndexFunc(list, func(o doc) bool { return sameDoc(o, d) })), cmp.Or(str(d, "id"), str(d, "text"))}
			})
		})
	}
	one := func(path, what string, of func(r *http.Request) doc) {
		s.mux.HandleFunc("GET /v1"+path, func(w http.ResponseWriter, r *http.Request) {
			if d := of(r); d != nil {
				s.answerOne(w, http.StatusOK, d)
				return
			}
			s.fail(w, notFound(what))
		})
	}
	serve("/opportunities", rec.filtered)
	one("/opportunities/{id}", "The opportunity", func(r *http.Request) doc {
		return shape(rec.opportunity(r.PathValue("id")), r.URL.Query())
	})
	for kind := range recordedChildren {
		serve("/opportunities/{id}/"+kind, func(r *http.Request) []doc { return rec.hung[kind][r.PathValue("id")] })
	}
	serve("/opportunities/{id}/applications", func(r *http.Request) []doc {
		return objects(rec.opportunity(r.PathValue("id")), "applications")
	})
	for path, kind := range map[string]string{
		"/postings": "postings", "/stages": "stages", "/archive_reasons": "archive_reasons", "/users": "users", "/tags": "tags",
		"/requisitions": "requisitions",
	} {
		serve(path, func(r *http.Request) []doc { return matching(rec.lists[kind], r.URL.Query()) })
		if kind != "tags" {
			one(path+"/{id}", "The record", func(r *http.Request) doc { return byID(rec.lists[kind], r.PathValue("id")) })
		}
	}
	one("/postings/{id}/apply", "The posting", func(r *http.Request) doc { return rec.forms[r.PathValue("id")] })
	one("/disposition_stages", "", func(*http.Request) doc { return rec.reason[0] })
	serve("/eeo/responses/pii", func(r *http.Request) []doc {
		since, bad := windowOf(r.URL.Query(), "created_at")
		if bad != nil || !r.URL.Query().Has("created_at_start") {
			since = window{start: s.now().Add(-7 * 24 * time.Hour).UnixMilli(), set: true}
		}
		return slices.DeleteFunc(slices.Clone(rec.lists["eeo"]), func(d doc) bool { return !since.holds(millis(d, "appliedAt")) })
	})
	for _, path := range []string{"/opportunities/deleted", "/applications/deleted", "/postings/deleted", "/sources", "/webhooks"} {
		serve(path, func(*http.Request) []doc { return nil })
	}
}

// sameDoc tells whether two records of a list are the same one.
func sameDoc(a, b doc) bool {
	return str(a, "id") == str(b, "id") && str(a, "text") == str(b, "text")
}

// filtered are the opportunities that pass a request's filters.
func (rec *recording) filtered(r *http.Request) []doc {
	q := r.URL.Query()
	created, _ := windowOf(q, "created_at")
	updated, _ := windowOf(q, "updated_at")
	var out []doc
	for _, d := range rec.all {
		archived := fmt.Sprint(at(d, "archived") != nil)
		if created.holds(millis(d, "createdAt")) && updated.holds(millis(d, "updatedAt")) &&
			overlaps(q["archived"], []string{archived}) && overlaps(q["contact_id"], []string{str(d, "contact")}) &&
			overlaps(q["email"], texts(d, "emails")) && overlaps(q["stage_id"], []string{str(d, "stage")}) &&
			q.Get("confidentiality") != "confidential" {
			out = append(out, shape(d, q))
		}
	}
	return out
}

// shape is an opportunity with its applications as ids, unless they are to be expanded.
func shape(d doc, q url.Values) doc {
	if d == nil || slices.Contains(q["expand"], "applications") {
		return d
	}
	out := doc{}
	for k, v := range d {
		out[k] = v
	}
	ids := []string{}
	for _, a := range objects(d, "applications") {
		ids = append(ids, str(a, "id"))
	}
	out["applications"] = ids
	return out
}

// matching are the records of one of the account's own lists that pass a request's filters.
func matching(list []doc, q url.Values) []doc {
	updated, _ := windowOf(q, "updated_at")
	return slices.DeleteFunc(slices.Clone(list), func(d doc) bool {
		channel := q.Get("distributionChannel")
		return !overlaps(q["state"], []string{str(d, "state")}) || !overlaps(q["type"], []string{str(d, "type")}) ||
			updated.set && !updated.holds(millis(d, "updatedAt")) || channel != "" && !slices.Contains(texts(d, "distributionChannels"), channel) ||
			q.Get("confidentiality") == "confidential" && d["confidentiality"] != "confidential"
	})
}
