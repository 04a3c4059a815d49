package levertest

import "slices"

// newOpportunity is what an opportunity is made from; the zero value is a nameless lead.
type newOpportunity struct {
	Name                string     `json:"name"`
	Headline            string     `json:"headline"`
	Location            string     `json:"location"`
	OpportunityLocation string     `json:"opportunityLocation"`
	Stage               string     `json:"stage"`
	Phones              []newPhone `json:"phones"`
	Emails              []string   `json:"emails"`
	Links               []string   `json:"links"`
	Tags                []string   `json:"tags"`
	Sources             []string   `json:"sources"`
	Origin              string     `json:"origin"`
	Owner               string     `json:"owner"`
	Followers           []string   `json:"followers"`
	Postings            []string   `json:"postings"`
	CreatedAt           int64      `json:"createdAt"`
	Archived            *struct {
		ArchivedAt int64  `json:"archivedAt"`
		Reason     string `json:"reason"`
	} `json:"archived"`
	Contact string `json:"contact"`

	files []upload
}

type newPhone struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type upload struct {
	name   string
	size   int
	resume bool
}

// AddOpportunity adds an opportunity of a new contact, who applied to the first posting that is open to the public.
func (s *Server) AddOpportunity() (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := newOpportunity{Origin: "applied", Stage: "applicant-new", Tags: []string{"Test"}, Sources: []string{"Posting"}}
	var p opportunity
	p.contact = s.next
	s.gen.person(&p)
	in.Name, in.Headline, in.Location, in.Emails, in.Links = p.name, p.headline, p.location, p.emails, p.links
	for i := range s.cat.postings {
		if q := &s.cat.postings[i]; !q.gone && q.State == "published" && q.Confidentiality == "non-confidential" {
			in.Postings = []string{q.ID}
			break
		}
	}
	o, _, bad := s.create(in, s.gen.id(kindUser, 0, 0))
	if bad != nil {
		return Touched{}, bad
	}
	return Touched{o.id, []string{o.id}}, nil
}

// create makes an opportunity as POST /opportunities does: always a new one, of the contact with one of the e-mail addresses if
// there is one. The caller holds s.mu.
func (s *Server) create(in newOpportunity, performAs string) (o *opportunity, deduped bool, bad *apiError) {
	if len(in.Postings) > 1 {
		return nil, false, badRequest("postings must hold at most one id")
	}
	posting := -1
	if len(in.Postings) == 1 {
		n, ok := s.gen.number(kindPosting, in.Postings[0])
		if !ok || n >= len(s.cat.postings) || s.cat.postings[n].gone {
			return nil, false, badRequest("The posting does not exist")
		}
		posting = n
	}
	stageAt := 0
	if in.Stage != "" {
		stageAt = slices.IndexFunc(s.cat.stages, func(v stage) bool { return v.ID == in.Stage && !v.gone })
		if stageAt < 0 {
			return nil, false, badRequest("The stage does not exist")
		}
	}
	at := s.tick()
	if in.CreatedAt > at {
		return nil, false, badRequest("createdAt must lie in the past")
	}
	twin, bad := s.contactFor(in)
	if bad != nil {
		return nil, false, bad
	}
	n := s.next
	s.next++
	o = &opportunity{
		core: core{
			n: n, contact: n, stage: stageAt, posting: posting, reason: -1, created: at, advanced: at, interacted: at + 2, updated: at + 5,
			confidential: posting >= 0 && s.cat.postings[posting].Confidentiality == "confidential",
		},
		id: s.gen.id(kindOpportunity, n, 0), name: in.Name, headline: in.Headline, location: in.Location,
		emails: emptied(in.Emails), links: emptied(in.Links), tags: []string{}, sources: emptied(in.Sources), phones: []phone{},
		origin: in.Origin, owner: text(in.Owner), followers: emptied(in.Followers), children: &children{nextSub: 1000},
	}
	if in.CreatedAt != 0 {
		o.created = in.CreatedAt
	}
	for _, p := range in.Phones {
		o.phones = append(o.phones, phone{p.Type, p.Value})
	}
	if o.origin == "" {
		o.origin = "sourced"
	}
	if o.owner == "" {
		o.owner = text(performAs)
	}
	if o.origin == "sourced" {
		o.sourcedBy = text(performAs)
	}
	if !slices.Contains(o.followers, performAs) {
		o.followers = append(o.followers, performAs)
	}
	o.changes = []stageChange{{o.stage, o.created, text(performAs)}}
	if twin != nil {
		s.join(o, twin, in)
	}
	o.contactID = s.gen.id(kindContact, o.contact, 0)
	s.finish(o, in, at)
	return o, twin != nil, nil
}

// contactFor finds an opportunity of the contact that a new one belongs to, or nil.
func (s *Server) contactFor(in newOpportunity) (*opportunity, *apiError) {
	if in.Contact != "" {
		if n, ok := s.gen.number(kindContact, in.Contact); ok {
			if all := s.ofContact(n); len(all) > 0 {
				return all[0], nil
			}
		}
		return nil, badRequest("The contact does not exist")
	}
	if len(in.Emails) == 0 {
		return nil, nil
	}
	f := filter{emails: in.Emails}
	rows, _ := s.few(&f)
	for _, r := range rows {
		if o := s.get(int(r.n)); overlaps(in.Emails, o.emails) {
			return o, nil
		}
	}
	return nil, nil
}

// join gives o the contact of twin, whose data wins; further addresses, phones and links are added.
func (s *Server) join(o, twin *opportunity, in newOpportunity) {
	o.contact, o.name, o.headline, o.location = twin.contact, twin.name, twin.headline, twin.location
	add := func(have, more []string) []string {
		have = slices.Clone(have)
		for _, m := range more {
			if !slices.Contains(have, m) {
				have = append(have, m)
			}
		}
		return have
	}
	o.emails, o.links = add(twin.emails, in.Emails), add(twin.links, in.Links)
	o.phones = append(slices.Clone(twin.phones), o.phones...)
	s.extra[o.contact] = append(s.extra[o.contact], o.n)
}

// finish adds application, tags, archived state and files, and lists the opportunity.
func (s *Server) finish(o *opportunity, in newOpportunity, at int64) {
	if o.posting >= 0 {
		o.app = &application{id: s.gen.id(kindApplication, o.n, 0), kind: "user", createdAt: at, user: o.owner}
		o.tags = append(o.tags, s.gen.postingTags[o.posting]...)
	}
	s.addTags(o, in.Tags)
	for _, v := range o.sources {
		if !slices.Contains(s.cat.sources, v) {
			s.cat.sources = append(slices.Clone(s.cat.sources), v)
		}
	}
	if in.Archived != nil && in.Archived.Reason != "" {
		if i := slices.IndexFunc(s.cat.reasons, func(r reason) bool { return r.ID == in.Archived.Reason }); i >= 0 {
			o.reason, o.archivedAt = i, at
			if in.Archived.ArchivedAt != 0 {
				o.archivedAt = in.Archived.ArchivedAt
			}
		}
	}
	for _, f := range in.files {
		s.attach(o, f, at)
	}
	s.overlay[o.n] = o
	s.put(o, o.updated-1, moveUpdated)
	if o.contact == o.n {
		s.hooks.emit("contactCreated", at, map[string]any{"contactId": o.contactID, "createdAt": at})
	}
	if o.app != nil {
		s.emit("applicationCreated", o, at, map[string]any{"applicationId": o.app.id})
	}
}

// attach adds an uploaded file to o, and returns it.
func (s *Server) attach(o *opportunity, f upload, at int64) file {
	sub := o.children.sub()
	v := s.gen.newFile(o, sub, f.name, f.size, at)
	if !f.resume {
		o.children.files = append(o.children.files, v)
		return v
	}
	r := resume{ID: s.gen.id(kindResume, o.n, sub), CreatedAt: ms(at), ParsedData: map[string]any{}}
	v.ID, v.DownloadURL = "", leverURL+"/opportunities/"+o.id+"/resumes/"+r.ID+"/download"
	r.File = &v
	o.children.resumes = append(o.children.resumes, r)
	return v
}

// emptied is list, but never nil: lists go out as [].
func emptied(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
