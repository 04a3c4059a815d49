package levertest

import (
	"fmt"
	"slices"
	"strings"
)

// catalog is what the account has but once: stages, archive reasons, users, postings, tags, sources. Its slices only
// grow; what was removed is marked gone, so that numbers stay valid.
type catalog struct {
	stages       []stage
	reasons      []reason
	users        []user
	postings     []posting
	tags         []string
	sources      []string
	requisitions []requisition
}

// The numbers of some stages and reasons.
const (
	stageApplicantNew = 3
	stageOffer        = 10
	stageAfterOffer   = 11
	reasonHired       = 10
)

// stageNames are the account's 12 stages, by pipeline; those without a word id get a UUID.
var stageNames = []struct{ word, text, pipeline string }{
	{"lead-new", "New lead", "lead"}, {"lead-reached-out", "Reached out", "lead"}, {"lead-responded", "Responded", "lead"},
	{"applicant-new", "New applicant", "applicant"}, {"", "HM Review", "applicant"},
	{"", "Recruiter screen", "screen"}, {"", "HM Screen", "screen"}, {"", "Technical interview", "onsite"},
	{"", "On-site interview", "onsite"}, {"", "Reference check", "onsite"},
	{"offer", "Offer", "offer"}, {"", "Background Check", "offer"},
}

// reasonNames are the archive reasons; number reasonHired is the only hired one.
var reasonNames = []string{
	"Position filled", "Comp", "Better for another role", "Future hire", "Under- qualified", "No Response - OLD", "Timing",
	"Withdrew", "Offer declined", "Position closed", "Hired", "No Response",
}

func (g *generator) catalog(users, postings, tags int) *catalog {
	c := &catalog{sources: slices.Clone(sourceWords)}
	for i, s := range stageNames {
		id := s.word
		if id == "" {
			id = g.id(kindStage, i, 0)
		}
		c.stages = append(c.stages, stage{ID: id, Text: s.text, pipeline: s.pipeline})
	}
	for i, name := range reasonNames {
		r := reason{ID: g.id(kindReason, i, 0), Text: name, Status: "active", Type: "non-hired"}
		if i == reasonHired {
			r.Type = "hired"
		}
		if strings.HasSuffix(name, "OLD") {
			r.Status = "inactive"
		}
		c.reasons = append(c.reasons, r)
	}
	for i := range users {
		c.users = append(c.users, g.user(i))
	}
	for i := range postings {
		c.postings = append(c.postings, g.posting(i))
	}
	for i := range min(tags, 4*len(tagWords)) {
		t := tagWords[i%len(tagWords)]
		if i >= len(tagWords) {
			t = fmt.Sprintf("%s %d", t, i/len(tagWords)+1)
		}
		c.tags = append(c.tags, t)
	}
	for i := len(c.tags); i < tags; i++ {
		c.tags = append(c.tags, fmt.Sprintf("tag-%d", i))
	}
	for _, p := range c.postings {
		for _, t := range p.ownTags() {
			if !slices.Contains(c.tags, t) {
				c.tags = append(c.tags, t)
			}
		}
	}
	for i := range min(postings, 25) {
		c.requisitions = append(c.requisitions, g.requisition(i))
	}
	return c
}

func (g *generator) user(i int) user {
	r := newRNG(g.seed, kindUser, i)
	first, last := pick(&r, firstNames), pick(&r, lastNames)
	u := user{
		ID: g.id(kindUser, i, 0), Name: first + " " + last, Username: fmt.Sprintf("user%d", i),
		Email: fmt.Sprintf("user%d@example.com", i), AccessRole: pick(&r, roles),
	}
	if i == 0 {
		u.AccessRole = "super admin"
	}
	if r.in(20) {
		u.Name = first
	}
	u.CreatedAt = ms(g.start - int64(g.userCount-i)*dayMillis - r.between(0, dayMillis/2))
	if i > 0 && r.in(80) {
		u.DeactivatedAt = ms(r.between(g.start, g.epoch))
	}
	if r.in(300) {
		u.Photo = text("https://example.com/photos/" + u.Username + ".jpg")
	}
	return u
}

// postingStates gives posting i the state postingStates[i%20]; "hidden" is published, on the internal channel alone.
var postingStates = []string{
	"published", "hidden", "internal", "published", "closed", "published", "draft", "published", "published", "pending",
	"published", "closed", "rejected", "published", "hidden", "published", "closed", "published", "internal", "published",
}

// confidentialPosting tells whether posting i is confidential; its opportunities are so too.
func confidentialPosting(i int) bool { return i%29 == 11 }

func (g *generator) posting(i int) posting {
	r := newRNG(g.seed, kindPosting, i)
	p := posting{
		ID: g.id(kindPosting, i, 0), Text: pick(&r, levels) + pick(&r, titles), State: postingStates[i%len(postingStates)],
		User: g.userRef(&r), Owner: g.userRef(&r), Confidentiality: "non-confidential", WorkplaceType: "unspecified",
		Followers: []string{}, RequisitionCodes: []string{}, Tags: []string{},
	}
	p.CreatedAt = ms(g.start + (g.epoch-g.start)*int64(i)/int64(g.postingCount) + r.between(0, 3600_000))
	p.UpdatedAt = ms(r.between(int64(p.CreatedAt), g.epoch))
	if confidentialPosting(i) {
		p.Confidentiality = "confidential"
	}
	switch p.State {
	case "hidden":
		p.State, p.DistributionChannels = "published", []string{"internal"}
	case "published":
		p.DistributionChannels = []string{"public", "internal"}
	}
	if p.State == "published" || p.State == "internal" {
		base := "https://jobs.example.com/example/" + p.ID
		p.URLs = &postingURLs{List: "https://jobs.example.com/example", Show: base, Apply: base + "/apply"}
	}
	if r.in(500) {
		p.HiringManager = g.userRef(&r)
	}
	if r.in(50) {
		p.Owner = ""
	}
	g.postingTexts(&r, &p)
	p.forms = g.postingForms(&r)
	return p
}

func (g *generator) postingTexts(r *rng, p *posting) {
	p.Categories = categories{Commitment: pick(r, commitments), Team: pick(r, teams), Location: pick(r, cities)}
	if r.in(800) {
		p.Categories.Department = text(pick(r, departments))
	}
	p.Categories.AllLocations = []string{p.Categories.Location}
	for range r.n(3) {
		if c := pick(r, cities); !slices.Contains(p.Categories.AllLocations, c) {
			p.Categories.AllLocations = append(p.Categories.AllLocations, c)
		}
	}
	switch {
	case r.in(60):
		p.Categories.Location += " " // the same office, with a blank behind it
	case r.in(60):
		p.Categories.Location, p.Categories.AllLocations = "", []string{}
	}
	p.Content = postingContent{Description: "We look for a " + p.Text + ".", Lists: []option{}}
	if r.in(850) {
		p.Content.DescriptionHTML = "<div>We look for a <b>" + p.Text + "</b> &amp; more.</div>"
	}
	if r.in(400) {
		p.RequisitionCodes = []string{fmt.Sprintf("REQ-%d", r.n(1000)), "REQ-X"}
	}
	if r.in(200) {
		p.ReqCode = text(fmt.Sprintf("OLD-%d", r.n(1000)))
	}
}

// ownTags are the tags that a posting's opportunities get from it.
func (p posting) ownTags() []string {
	var out []string
	for _, t := range []string{p.Text, string(p.Categories.Department), p.Categories.Team, strings.TrimSpace(p.Categories.Location), p.Categories.Commitment} {
		if t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// questionTypes are the types of the fields of the shared form templates.
var questionTypes = []string{
	"text", "textarea", "dropdown", "multiple-choice", "multiple-select", "yes-no", "date", "file-upload", "score",
	"currency", "university",
}

const formTemplates = 8

// postingForms gives a posting up to two of the account's shared templates: the same field ids turn up in many postings.
func (g *generator) postingForms(r *rng) []customQuestion {
	out := []customQuestion{}
	first := r.n(formTemplates)
	for i := range r.n(3) {
		out = append(out, g.formTemplate((first+i)%formTemplates))
	}
	return out
}

func (g *generator) formTemplate(t int) customQuestion {
	r := newRNG(g.seed, kindTemplate, t)
	q := customQuestion{ID: g.id(kindTemplate, t, 0), Text: fmt.Sprintf("Questions %d", t+1)}
	for i := range 1 + r.n(4) {
		f := formField{
			ID: g.id(kindField, t, i), Type: questionTypes[(t*3+i)%len(questionTypes)], Text: fmt.Sprintf("Question %d.%d?", t+1, i+1),
			Required: r.in(500),
		}
		if r.in(300) {
			f.Description = "Please answer in <b>one</b> sentence."
		}
		if strings.HasPrefix(f.Type, "multiple-") || f.Type == "dropdown" {
			f.Options = []option{{"Yes & no"}, {"Größer als 3"}, {"Other"}}
		}
		q.Fields = append(q.Fields, f)
	}
	return q
}

func (g *generator) requisition(i int) requisition {
	r := newRNG(g.seed, kindRequisition, i)
	q := requisition{
		ID: g.id(kindRequisition, i, 0), RequisitionCode: fmt.Sprintf("REQ-%d", i), Name: "Requisition " + pick(&r, titles),
		Confidentiality: "non-confidential", CreatedAt: ms(r.between(g.start, g.epoch)), Creator: g.userRef(&r),
		HeadcountTotal: 1 + r.n(4), Status: pick(&r, []string{"open", "onHold", "closed", "draft"}), Owner: g.userRef(&r),
		Postings: []string{g.id(kindPosting, i, 0)},
	}
	if r.in(200) {
		q.HeadcountTotal = "unlimited"
	}
	q.UpdatedAt = q.CreatedAt
	return q
}

// userRef is the id of some user; users that were deactivated are referred to like others.
func (g *generator) userRef(r *rng) text { return g.userIDs[r.n(g.userCount)] }
