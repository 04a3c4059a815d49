package levertest

import (
	"net/url"
	"slices"
)

// filter is what a list of opportunities is narrowed by.
type filter struct {
	created, updated, advanced, archivedAt window

	archived, snoozed *bool
	confidentiality   string // non-confidential, confidential, all
	stages            []int
	postings          []int
	reasons           []int
	contacts          []int
	emails            []string
	tags, origins     []string
	sources           []string
	locations         []string
}

func (s *Server) filterOf(q url.Values) (filter, *apiError) {
	f := filter{confidentiality: q.Get("confidentiality")}
	for name, w := range map[string]*window{
		"created_at": &f.created, "updated_at": &f.updated, "advanced_at": &f.advanced, "archived_at": &f.archivedAt,
	} {
		var bad *apiError
		if *w, bad = windowOf(q, name); bad != nil {
			return f, bad
		}
	}
	for name, v := range map[string]**bool{"archived": &f.archived, "snoozed": &f.snoozed} {
		switch q.Get(name) {
		case "":
		case "true", "false":
			b := q.Get(name) == "true"
			*v = &b
		default:
			return f, badRequest("%s must be true or false", name)
		}
	}
	switch f.confidentiality {
	case "":
		f.confidentiality = "non-confidential"
	case "all", "confidential", "non-confidential":
	default:
		return f, badRequest("confidentiality must be all, confidential or non-confidential")
	}
	f.emails, f.tags, f.origins, f.sources, f.locations = q["email"], q["tag"], q["origin"], q["source"], q["location"]
	for _, id := range q["stage_id"] {
		f.stages = append(f.stages, slices.IndexFunc(s.cat.stages, func(v stage) bool { return v.ID == id }))
	}
	for _, id := range q["archive_reason_id"] {
		f.reasons = append(f.reasons, slices.IndexFunc(s.cat.reasons, func(v reason) bool { return v.ID == id }))
	}
	for _, id := range append(slices.Clone(q["posting_id"]), q["archived_posting_id"]...) {
		n, ok := s.gen.number(kindPosting, id)
		if !ok {
			n = -2
		}
		f.postings = append(f.postings, n)
	}
	for _, id := range q["contact_id"] {
		n, ok := s.gen.number(kindContact, id)
		if !ok {
			n = -2
		}
		f.contacts = append(f.contacts, n)
	}
	return f, nil
}

// holds tells whether an opportunity passes; full gives the rest of it where the core does not decide.
func (f *filter) holds(c *core, full func() *opportunity) bool {
	switch {
	case f.confidentiality == "non-confidential" && c.confidential,
		f.confidentiality == "confidential" && !c.confidential,
		!f.created.holds(c.created), !f.updated.holds(c.updated), !f.advanced.holds(c.advanced), !f.archivedAt.holds(c.archivedAt),
		f.archived != nil && *f.archived != (c.archivedAt != 0),
		len(f.stages) > 0 && !slices.Contains(f.stages, c.stage),
		len(f.postings) > 0 && !slices.Contains(f.postings, c.posting),
		len(f.reasons) > 0 && (c.reason < 0 || !slices.Contains(f.reasons, c.reason)),
		len(f.contacts) > 0 && !slices.Contains(f.contacts, c.contact):
		return false
	}
	if f.snoozed == nil && len(f.emails)+len(f.tags)+len(f.origins)+len(f.sources)+len(f.locations) == 0 {
		return true
	}
	o := full()
	return (f.snoozed == nil || *f.snoozed == (o.snoozedUntil != 0)) &&
		overlaps(f.emails, o.emails) && overlaps(f.tags, o.tags) && overlaps(f.sources, o.sources) &&
		overlaps(f.origins, []string{o.origin}) && overlaps(f.locations, []string{o.location})
}

// overlaps tells whether some wanted value is there; nothing wanted is always there.
func overlaps(want, have []string) bool {
	return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
}

// few are the only numbers that can pass, where e-mail or contact say so; false: all may. The caller holds s.mu.
func (s *Server) few(f *filter) ([]row, bool) {
	if len(f.emails) == 0 && len(f.contacts) == 0 {
		return nil, false
	}
	contacts := f.contacts
	if len(f.emails) > 0 {
		contacts = nil
		for _, e := range f.emails {
			if n, ok := s.gen.emailContact(e); ok {
				contacts = append(contacts, n)
			}
		}
	}
	seen := map[int]bool{}
	var rows []row
	add := func(o *opportunity) {
		if o != nil && !seen[o.n] {
			seen[o.n] = true
			r := rowOf(o.core)
			_, r.changed = s.overlay[o.n]
			rows = append(rows, r)
		}
	}
	for _, c := range contacts {
		for _, o := range s.ofContact(c) {
			add(o)
		}
	}
	if len(f.emails) > 0 {
		for _, o := range s.overlay {
			add(o)
		}
	}
	slices.SortFunc(rows, s.index.compare)
	return rows, true
}
