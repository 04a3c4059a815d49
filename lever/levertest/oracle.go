package levertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scopes are the 15 scopes that [Server.Expected] knows.
var Scopes = []string{
	"applications", "attachments", "candidates", "departments", "eeocs", "job-interview-stages", "jobs", "offers", "offices",
	"reject-reasons", "remote-users", "scheduled-interviews", "scorecards", "screening-questions", "tags",
}

// Rel is a relation to a record that is there.
type Rel struct {
	Scope    string `json:"scope"`
	RemoteID string `json:"remote_id"`
}

// Expected yields the unified records of a scope by remote id, as they must be after a complete sync of the account in its present
// state by a client with the permissions of [Config]. A record is a map of the model's fields with values string, bool, int, nil, []string,
// []map[string]any, Rel and []Rel; times are texts in ISO 8601 with milliseconds and Z. Envelope fields and the attachments'
// file_url are left out; a candidate's applications and attachments are sorted by remote id. An unknown scope yields nothing.
//
// The status of interviews is that of Config.Now. The order of records is the account's, and no part of what is expected.
func (s *Server) Expected(scope string) iter.Seq2[string, map[string]any] {
	return s.ExpectedAt(scope, s.now())
}

// ExpectedAt is [Server.Expected] with the status of interviews as of now.
func (s *Server) ExpectedAt(scope string, now time.Time) iter.Seq2[string, map[string]any] {
	makers := map[string]func(*oracle, func(string, map[string]any) bool){
		"applications": (*oracle).applications, "attachments": (*oracle).attachments, "candidates": (*oracle).candidates,
		"departments": (*oracle).departments, "eeocs": (*oracle).eeocs, "job-interview-stages": (*oracle).stages, "jobs": (*oracle).jobs,
		"offers": (*oracle).offers, "offices": (*oracle).offices, "reject-reasons": (*oracle).rejectReasons,
		"remote-users": (*oracle).users, "scheduled-interviews": (*oracle).interviews, "scorecards": (*oracle).scorecards,
		"screening-questions": (*oracle).questions, "tags": (*oracle).tags,
	}
	return func(yield func(string, map[string]any) bool) {
		if m := makers[scope]; m != nil {
			m(newOracle(s.account, now.UnixMilli()), yield)
		}
	}
}

// oracle maps an account to the unified model.
type oracle struct {
	account
	now   int64
	there map[Rel]bool    // of users, jobs, stages and reject reasons
	hired map[string]bool // archive reasons
}

func newOracle(a account, now int64) *oracle {
	o := &oracle{account: a, now: now, there: map[Rel]bool{}, hired: map[string]bool{}}
	for kind, scope := range map[string]string{"users": "remote-users", "postings": "jobs", "stages": "job-interview-stages"} {
		for _, d := range a.list(kind) {
			o.there[Rel{scope, str(d, "id")}] = true
		}
	}
	for _, d := range a.list("archive_reasons") {
		if str(d, "type") == "hired" || str(d, "type") == "" && strings.EqualFold(str(d, "text"), "hired") {
			o.hired[str(d, "id")] = true
		} else {
			o.there[Rel{"reject-reasons", str(d, "id")}] = true
		}
	}
	return o
}

// rel is the relation to a record, or nil when it is not there.
func (o *oracle) rel(scope, id string) any {
	if r := (Rel{scope, id}); o.there[r] {
		return r
	}
	return nil
}

func (o *oracle) rels(scope string, ids ...string) []Rel {
	out := []Rel{}
	for _, id := range ids {
		if r := (Rel{scope, id}); o.there[r] && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// at follows a path of keys into nested objects; nil where it ends early.
func at(d doc, path ...string) any {
	var v any = d
	for _, key := range path {
		m, ok := v.(doc)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// str is the text of a field, trimmed; "" for null and for what is no text.
func str(d doc, path ...string) string {
	switch v := at(d, path...).(type) {
	case string:
		return strings.TrimSpace(v)
	case doc:
		return str(v, "id") // an expanded reference
	}
	return ""
}

// textOrNil is a free text: nil when it is empty.
func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// millis is a time field; 0 for null.
func millis(d doc, path ...string) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(at(d, path...)), 10, 64)
	return n
}

// isoOrNil is how a time goes out.
func isoOrNil(at int64) any {
	if at == 0 {
		return nil
	}
	return time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z")
}

// isoDay is the day of a time.
func isoDay(at int64) string { return time.UnixMilli(at).UTC().Format(time.DateOnly) }

func objects(d doc, key string) []doc {
	list, _ := d[key].([]any)
	var out []doc
	for _, v := range list {
		if m, ok := v.(doc); ok {
			out = append(out, m)
		}
	}
	return out
}

// texts are the strings of a list, trimmed, without empty ones.
func texts(d doc, path ...string) []string {
	list, _ := at(d, path...).([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
			out = append(out, strings.TrimSpace(s))
		}
	}
	return out
}

// union adds to have what of more is not in it yet.
func union(have []string, more ...string) []string {
	for _, m := range more {
		if m != "" && !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	return have
}

// splitName splits at the last space; a single word is a first name.
func splitName(name string) (first, last any) {
	if i := strings.LastIndex(name, " "); i >= 0 {
		return textOrNil(strings.TrimSpace(name[:i])), textOrNil(name[i+1:])
	}
	return textOrNil(name), nil
}

// application is the application of an opportunity, or nil.
func applicationOf(opportunity doc) doc {
	if list := objects(opportunity, "applications"); len(list) > 0 {
		return list[0]
	}
	return nil
}

// contactOf is the remote id of an opportunity's candidate.
func contactOf(opportunity doc) string {
	return cmp.Or(str(opportunity, "contact"), str(opportunity, "id"))
}

// newest is the moment of an opportunity's last change, by its clocks.
func newest(opportunity doc) int64 {
	return max(millis(opportunity, "updatedAt"), millis(opportunity, "lastInteractionAt"), millis(opportunity, "lastAdvancedAt"))
}

func (o *oracle) applications(yield func(string, map[string]any) bool) {
	for d := range o.opportunities() {
		app := applicationOf(d)
		r := map[string]any{
			"candidate": Rel{"candidates", contactOf(d)}, "job": nil, "applied_at": isoOrNil(millis(d, "createdAt")), "rejected_at": nil,
			"source": nil, "credited_to": nil, "current_stage": o.rel("job-interview-stages", str(d, "stage")), "reject_reason": nil,
		}
		if s := texts(d, "sources"); len(s) > 0 {
			r["source"] = s[0]
		}
		by := str(d, "sourcedBy")
		if app != nil {
			r["job"] = o.rel("jobs", str(app, "posting"))
			if at := millis(app, "createdAt"); at != 0 {
				r["applied_at"] = isoOrNil(at)
			}
			if by == "" && str(app, "type") == "referral" {
				by = str(app, "user")
			}
		}
		r["credited_to"] = o.rel("remote-users", by)
		if reason := str(d, "archived", "reason"); reason != "" && !o.hired[reason] {
			r["rejected_at"] = isoOrNil(millis(d, "archived", "archivedAt"))
			r["reject_reason"] = o.rel("reject-reasons", reason)
		}
		if !yield(str(d, "id"), r) {
			return
		}
	}
}

func (o *oracle) candidates(yield func(string, map[string]any) bool) {
	members := map[string][]string{}
	var order []string
	for d := range o.opportunities() {
		c := contactOf(d)
		if members[c] == nil {
			order = append(order, c)
		}
		members[c] = append(members[c], str(d, "id"))
	}
	for _, contact := range order {
		var all []doc
		for _, id := range members[contact] {
			if d := o.opportunity(id); d != nil {
				all = append(all, d)
			}
		}
		if len(all) > 0 && !yield(contact, o.candidate(all)) {
			return
		}
	}
}

// candidate makes a person of all opportunities of a contact.
func (o *oracle) candidate(all []doc) map[string]any {
	slices.SortFunc(all, func(a, b doc) int {
		return cmp.Or(cmp.Compare(newest(b), newest(a)), cmp.Compare(str(b, "id"), str(a, "id")))
	})
	var company, canEmail any
	var interacted, updated int64
	created := millis(all[0], "createdAt")
	private := false
	locations, phones, emails, tags, links := []string{}, []string{}, []string{}, []string{}, []string{}
	applications, attachments := []Rel{}, []Rel{}
	for _, d := range all {
		if company == nil {
			company = textOrNil(str(applicationOf(d), "company"))
		}
		if canEmail == nil {
			canEmail = at(d, "dataProtection", "contact", "allowed")
		}
		interacted, updated = max(interacted, millis(d, "lastInteractionAt")), max(updated, newest(d))
		created = min(created, millis(d, "createdAt"))
		private = private || str(d, "confidentiality") == "confidential"
		locations, emails, tags = union(locations, str(d, "location")), union(emails, texts(d, "emails")...), union(tags, texts(d, "tags")...)
		links = union(links, texts(d, "links")...)
		for _, p := range objects(d, "phones") {
			phones = union(phones, str(p, "value"))
		}
		applications = append(applications, Rel{"applications", str(d, "id")})
		for id := range o.attachmentsOf(d) {
			attachments = append(attachments, Rel{"attachments", id})
		}
	}
	byID := func(a, b Rel) int { return cmp.Compare(a.RemoteID, b.RemoteID) }
	slices.SortFunc(applications, byID)
	slices.SortFunc(attachments, byID)
	urls := []map[string]any{}
	for _, l := range links {
		urls = append(urls, map[string]any{"value": l, "url_type": urlType(l)})
	}
	first, last := splitName(str(all[0], "name"))
	return map[string]any{
		"first_name": first, "last_name": last, "company": company, "title": textOrNil(str(all[0], "headline")),
		"last_interaction_at": isoOrNil(interacted), "is_private": private, "can_email": canEmail, "locations": locations,
		"phone_numbers": phones, "email_addresses": emails, "urls": urls, "tags": tags, "applications": applications,
		"attachments": attachments, "remote_created_at": isoOrNil(created), "remote_updated_at": isoOrNil(updated), "avatar": nil,
	}
}

// urlTypes are the hosts that say what a link is.
var urlTypes = map[string]string{
	"linkedin.com": "SOCIAL_MEDIA", "twitter.com": "SOCIAL_MEDIA", "x.com": "SOCIAL_MEDIA", "facebook.com": "SOCIAL_MEDIA",
	"github.com": "PORTFOLIO", "github.io": "PORTFOLIO", "gitlab.com": "PORTFOLIO", "behance.net": "PORTFOLIO", "dribbble.com": "PORTFOLIO",
	"medium.com": "BLOG", "substack.com": "BLOG", "wordpress.com": "BLOG", "blogspot.com": "BLOG",
}

func urlType(link string) string {
	if _, rest, ok := strings.Cut(link, "://"); ok {
		link = rest
	}
	host := strings.ToLower(link)
	if i := strings.IndexAny(host, "/?#:"); i >= 0 {
		host = host[:i]
	}
	for domain, t := range urlTypes {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return t
		}
	}
	return "OTHER"
}

// attachmentsOf yields the attachments of an opportunity.
func (o *oracle) attachmentsOf(d doc) iter.Seq2[string, map[string]any] {
	id := str(d, "id")
	record := func(name, kind string) map[string]any {
		return map[string]any{"file_name": textOrNil(name), "attachment_type": kind, "candidate": Rel{"candidates", contactOf(d)}}
	}
	return func(yield func(string, map[string]any) bool) {
		for _, v := range o.children(id, "resumes") {
			if !yield(str(v, "id"), record(str(v, "file", "name"), "RESUME")) {
				return
			}
		}
		for _, v := range o.children(id, "files") {
			kind := "OTHER"
			if strings.Contains(strings.ToLower(str(v, "name")), "cover") {
				kind = "COVER_LETTER"
			}
			if !yield(str(v, "id"), record(str(v, "name"), kind)) {
				return
			}
		}
		for _, v := range o.children(id, "offers") {
			for _, which := range []string{"sent", "signed"} {
				if at(v, which+"Document") != nil && !yield(str(v, "id")+"/"+which, record(str(v, which+"Document", "fileName"), "OFFER_LETTER")) {
					return
				}
			}
		}
	}
}

func (o *oracle) attachments(yield func(string, map[string]any) bool) {
	for d := range o.opportunities() {
		for id, r := range o.attachmentsOf(d) {
			if !yield(id, r) {
				return
			}
		}
	}
}

func (o *oracle) tags(yield func(string, map[string]any) bool) {
	for _, d := range o.list("tags") {
		if t := str(d, "text"); t != "" && !yield(t, map[string]any{"name": t}) {
			return
		}
	}
}

// number is a JSON number as an int.
func number(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}
