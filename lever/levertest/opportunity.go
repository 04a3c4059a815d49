package levertest

import (
	"strconv"
	"strings"
	"time"
)

const dayMillis = int64(24 * time.Hour / time.Millisecond)

// generator is the account as it was made: pure functions of the seed and a number.
type generator struct {
	ids
	count        int   // opportunities
	userCount    int   // users
	postingCount int   // postings
	start, epoch int64 // ms: the account's first and last moment

	postingTags [][]string // what each posting adds to the tags of its opportunities
	userIDs     []text
}

// core is what an opportunity is listed, sorted and filtered by; it costs no allocation.
type core struct {
	n            int
	contact      int
	stage        int // into catalog.stages
	posting      int // into catalog.postings; -1: no application
	reason       int // into catalog.reasons; -1: not archived
	created      int64
	advanced     int64
	interacted   int64
	updated      int64 // 0: null
	archivedAt   int64 // 0: not archived
	confidential bool
	interviewed  bool // has interviews
	rated        bool // has feedback
}

// opportunity is one, whole. children is nil as long as they are as generated.
type opportunity struct {
	core
	id, contactID            string
	name, headline, location string
	emails, links, tags      []string
	phones                   []phone
	sources, followers       []string
	changes                  []stageChange
	origin                   string
	sourcedBy, owner         text
	app                      *application
	snoozedUntil             int64
	anonymized               bool
	canContact               int // dataProtection: 0 null, 1 allowed, -1 not allowed
	children                 *children
}

type phone struct {
	kind  string // "": null; "-": the key is missing
	value string
}

type stageChange struct {
	stage int
	at    int64
	user  text
}

type application struct {
	id         string
	kind       string // posting, user, referral
	createdAt  int64
	name       string // "" is null, as are the next ones
	email      string
	phone      *phone
	company    string
	comments   string
	user       text
	answers    []customQuestion
	archivedAt int64
}

// contactOf is the contact of opportunity n: its own, or that of an earlier one. It never chains.
func (g *generator) contactOf(n int) int {
	switch n % 33 {
	case 32:
		return n - 1 - int(mix(g.seed^uint64(n))%16)
	case 31:
		if n%99 == 31 {
			return n - 1 - int(mix(g.seed^uint64(n))%8)
		}
	}
	return n
}

// createdAt rises with n: bounded windows of creation can be cut without reading the rest.
func (g *generator) createdAt(n int) int64 {
	span := g.epoch - g.start
	step := span / int64(g.count)
	return g.start + span*int64(n)/int64(g.count) + int64(mix(g.seed+uint64(n))%uint64(max(1, step)))
}

func (g *generator) core(n int) core {
	r := newRNG(g.seed, kindOpportunity, n)
	c := core{n: n, contact: g.contactOf(n), reason: -1, posting: r.n(g.postingCount), created: g.createdAt(n)}
	if n%30 == 7 { // about 3 in 100: a lead without an application
		c.posting = -1
	}
	c.confidential = c.posting >= 0 && confidentialPosting(c.posting)
	c.stage = g.stageOf(&r, c.posting < 0)
	c.advanced, c.interacted = c.created, c.created
	switch r.n(20) { // most were never touched since
	case 8:
		c.interacted++
	case 9:
		c.interacted += 2
	}
	if c.stage != stageApplicantNew && c.stage != 0 && r.in(400) { // others were put there when they were made
		c.advanced = r.between(c.created, min(g.epoch, c.created+60*dayMillis))
	}
	if at := c.advanced/(5*dayMillis)*(5*dayMillis) + 5*dayMillis; r.in(50) && at < g.epoch {
		c.advanced = at // rows that were moved together share a moment
	}
	late := min(g.epoch, c.created+60*dayMillis)
	c.interviewed = r.in(250)
	c.rated = c.interviewed && r.in(700) || r.in(90)
	switch {
	case c.interviewed && (r.in(250) || n%50 == 3): // lately
		c.interacted = r.between(max(c.created, g.epoch-20*dayMillis), g.epoch)
	case c.interviewed || c.rated:
		c.interacted = r.between(c.advanced, late)
	}
	if r.in(350) {
		g.archive(&r, &c)
	}
	c.interacted = max(c.interacted, c.advanced)
	if r.in(40) {
		c.updated = min(max(c.interacted, c.advanced)+int64(r.n(50)), g.epoch)
	}
	return c
}

func (g *generator) stageOf(r *rng, lead bool) int {
	if lead {
		return r.n(3)
	}
	switch p := r.n(100); {
	case p < 8:
		return r.n(3)
	case p < 55:
		return stageApplicantNew
	case p < 92:
		return 4 + r.n(6)
	case p < 97:
		return stageOffer
	}
	return stageAfterOffer
}

func (g *generator) archive(r *rng, c *core) {
	c.reason = r.n(reasonHired)
	if c.stage >= stageOffer && r.in(600) {
		c.reason = reasonHired
	}
	c.archivedAt = r.between(c.interacted, min(g.epoch, c.interacted+30*dayMillis))
	if r.in(500) { // imported as archived: no clock moved
		return
	}
	c.advanced, c.interacted = c.archivedAt, c.archivedAt
}

// opportunity generates opportunity n.
func (g *generator) opportunity(n int) *opportunity { return g.dress(g.core(n)) }

// dress adds the texts to a core.
func (g *generator) dress(c core) *opportunity {
	r := newRNG(g.seed, kindText, c.n)
	o := &opportunity{core: c, id: g.id(kindOpportunity, c.n, 0), contactID: g.id(kindContact, c.contact, 0)}
	g.person(o)
	if c.n != c.contact { // not all opportunities of a person say the same
		if r.in(500) {
			o.headline = pick(&r, headlines)
		}
		if r.in(500) {
			o.location = pick(&r, cities)
		}
		if r.in(500) {
			o.emails = append(o.emails, "other"+strconv.Itoa(c.contact)+"@example.com")
		}
	}
	o.origin = pick(&r, origins)
	o.sources = []string{}
	for range []int{1, 1, 1, 1, 0, 2}[r.n(6)] {
		o.sources = append(o.sources, pick(&r, sourceWords))
	}
	if r.in(70) || o.origin == "sourced" && r.in(300) {
		o.sourcedBy = g.userRef(&r)
	}
	o.owner = g.userRef(&r)
	o.followers = []string{string(o.owner)}
	if r.in(50) {
		o.snoozedUntil = g.epoch + r.between(1, 30)*dayMillis
	}
	if r.in(100) {
		o.canContact = 1 - 2*r.n(2)
	}
	g.changes(&r, o)
	if c.posting >= 0 {
		o.app = g.application(&r, o)
	}
	g.tags(&r, o)
	return o
}

// person fills in what the contact says of itself.
func (g *generator) person(o *opportunity) {
	r := newRNG(g.seed, kindPerson, o.contact)
	switch {
	case r.in(12):
		o.name = ""
	case r.in(20):
		o.name = pick(&r, oddNames)
	default:
		o.name = pick(&r, firstNames) + " " + pick(&r, lastNames)
	}
	o.headline = pick(&r, headlines)
	if r.in(700) {
		o.location = pick(&r, cities)
	}
	o.emails, o.phones, o.links = []string{}, []phone{}, []string{}
	if !r.in(40) {
		o.emails = append(o.emails, g.email(o.contact))
	}
	if r.in(80) {
		o.emails = append(o.emails, "Private."+strconv.Itoa(o.contact)+"@mail.example.com")
	}
	for range []int{1, 1, 0, 1, 2}[r.n(5)] {
		o.phones = append(o.phones, phone{pick(&r, phoneKinds), "+44 20 7946 " + strconv.Itoa(1000+r.n(9000))})
	}
	for range []int{0, 1, 0, 2}[r.n(4)] {
		form := pick(&r, linkForms)
		o.links = append(o.links, form[0]+strconv.Itoa(o.contact)+form[1])
	}
}

// email is a contact's first address; emailContact reads it back.
func (g *generator) email(contact int) string {
	return "p" + strconv.Itoa(contact) + "@example.com"
}

// emailContact is the contact whose generated address this is; false for others.
func (g *generator) emailContact(email string) (int, bool) {
	email = strings.ToLower(email)
	for _, form := range [][2]string{{"p", "@example.com"}, {"other", "@example.com"}, {"private.", "@mail.example.com"}} {
		if s, ok := strings.CutPrefix(email, form[0]); ok {
			if s, ok = strings.CutSuffix(s, form[1]); ok {
				if n, err := strconv.Atoi(s); err == nil && n >= 0 {
					return n, true
				}
			}
		}
	}
	return 0, false
}

func (g *generator) changes(r *rng, o *opportunity) {
	first := stageApplicantNew
	if o.stage < stageApplicantNew {
		first = 0
	}
	o.changes = []stageChange{{stage: first, at: o.created}}
	if o.stage != first {
		o.changes = append(o.changes, stageChange{stage: o.stage, at: o.advanced})
	}
	for i := range o.changes {
		if r.in(240) {
			o.changes[i].user = g.userRef(r)
		}
	}
}

func (g *generator) application(r *rng, o *opportunity) *application {
	a := &application{id: g.id(kindApplication, o.n, 0), kind: "posting", createdAt: o.created}
	if r.in(100) {
		a.createdAt = r.between(o.created, o.advanced)
	}
	if o.archivedAt != 0 {
		a.archivedAt = o.archivedAt + int64(r.n(3)*7)
	}
	switch p := r.n(100); {
	case p < 30:
		a.kind, a.user = "user", g.userRef(r)
		return a
	case p < 38:
		a.kind, a.user = "referral", g.userRef(r)
	}
	a.name = o.name
	if len(o.emails) > 0 {
		a.email = o.emails[0]
	}
	if len(o.phones) > 0 {
		a.phone = &phone{"", o.phones[0].value}
	}
	if r.in(400) {
		a.company = pick(r, companies)
	}
	if r.in(50) {
		a.comments = "Line one\nline \"two\""
	}
	if r.in(100) {
		q := g.formTemplate(r.n(formTemplates))
		for i := range q.Fields {
			q.Fields[i].Value = "an answer"
		}
		a.answers = []customQuestion{q}
	}
	return a
}

func (g *generator) tags(r *rng, o *opportunity) {
	o.tags = []string{}
	for range []int{0, 0, 0, 1, 2}[r.n(5)] {
		o.tags = append(o.tags, pick(r, tagWords))
	}
	if o.posting >= 0 {
		o.tags = append(o.tags, g.postingTags[o.posting]...)
	}
}
