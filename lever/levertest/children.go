package levertest

import (
	"fmt"
	"slices"
	"strconv"
)

// children is what hangs on one opportunity.
type children struct {
	interviews []interview
	feedback   []feedback
	offers     []offer
	resumes    []resume
	files      []file
	notes      []note
	referrals  []referral
	nextSub    int // of the next id
}

// leverURL is the base of the URLs in bodies: Lever's own, wherever the server listens.
const leverURL = "https://api.lever.co/v1"

// scoreLabels are the ways in which accounts label the four ratings, best first.
var scoreLabels = [][]option{
	{{"4 - Strong Hire"}, {"3 - Hire"}, {"2 - No Hire"}, {"1 - Strong No Hire"}},
	{{"Strong yes"}, {"Yes"}, {"No"}, {"Strong no"}},
	{{"4"}, {"3"}, {"2"}, {"1"}},
	{{"4 – unbedingt einstellen"}, {"3 – einstellen"}, {"2 – eher nicht"}, {"1 – auf keinen Fall"}},
}

// generateChildren makes the children that opportunity o was made with.
func (g *generator) generateChildren(o *opportunity) *children {
	c := &children{nextSub: 1000}
	r := newRNG(g.seed, kindInterview, o.n)
	if o.interviewed {
		for i := range 1 + r.n(2)*r.n(3) {
			c.interviews = append(c.interviews, g.interview(&r, o, i))
		}
	}
	if o.rated {
		for i := range 1 + r.n(2) {
			c.feedback = append(c.feedback, g.feedback(&r, o, c, i))
		}
	}
	if o.app != nil && (o.stage >= stageOffer || o.reason == reasonHired) {
		for i := range 1 + r.n(2)*r.n(2) {
			c.offers = append(c.offers, g.offer(&r, o, i))
		}
	}
	if r.in(600) {
		for i := range 1 + r.n(5)/4 {
			c.resumes = append(c.resumes, g.resume(&r, o, i))
		}
	}
	if r.in(200) {
		for i := range 1 + r.n(3) {
			c.files = append(c.files, g.file(&r, o, i))
		}
	}
	if r.in(200) && o.interacted > o.created+2 {
		c.notes = append(c.notes, g.note(o, 0, pick(&r, notes), g.userRef(&r), ms(o.interacted)))
	}
	if o.app != nil && o.app.kind == "referral" {
		c.referrals = append(c.referrals, referral{
			ID: g.id(kindReferral, o.n, 0), Type: "referral", Text: "Referral", Fields: []formField{},
			BaseTemplateID: g.id(kindForm, 0, 2), User: o.app.user, Referrer: o.app.user,
			CreatedAt: ms(o.app.createdAt), CompletedAt: ms(o.app.createdAt),
		})
	}
	return c
}

func (g *generator) interview(r *rng, o *opportunity, sub int) interview {
	created := r.between(max(o.created, o.interacted-10*dayMillis), o.interacted)
	v := interview{
		ID: g.id(kindInterview, o.n, sub), Panel: g.id(kindPanel, o.n, sub), Subject: pick(r, subjects), Timezone: pick(r, timezones),
		CreatedAt: ms(created), Date: ms(created + r.between(1, 14)*dayMillis), Duration: 15 * (1 + r.n(6)),
		Location: text(pick(r, places)), FeedbackForms: []string{}, FeedbackReminder: "frequently", User: g.userRef(r),
		Postings: []string{}, Stage: g.stageID(o.stage),
	}
	switch r.n(4) {
	case 0:
		v.FeedbackTemplate = "no-feedback"
	case 1, 2:
		v.FeedbackTemplate = text(g.id(kindForm, 0, 0))
	}
	for range 1 + r.n(3) {
		u := r.n(g.userCount)
		id := g.id(kindUser, u, 0)
		if slices.ContainsFunc(v.Interviewers, func(i interviewer) bool { return i.ID == id }) {
			continue
		}
		i := interviewer{ID: id, Name: "Interviewer", Email: fmt.Sprintf("user%d@example.com", u), FeedbackTemplate: v.FeedbackTemplate}
		if v.FeedbackTemplate == "" && r.in(500) {
			i.FeedbackTemplate = "no-feedback"
		}
		v.Interviewers = append(v.Interviewers, i)
	}
	if o.posting >= 0 {
		v.Postings = []string{g.id(kindPosting, o.posting, 0)}
	}
	if r.in(100) {
		v.CanceledAt = ms(r.between(created, o.interacted))
	}
	return v
}

// stageID is the id of stage i as the account was made.
func (g *generator) stageID(i int) string {
	if w := stageNames[i].word; w != "" {
		return w
	}
	return g.id(kindStage, i, 0)
}

func (g *generator) feedback(r *rng, o *opportunity, c *children, sub int) feedback {
	at := ms(r.between(o.created, o.interacted))
	f := feedback{
		ID: g.id(kindFeedback, o.n, sub), Type: "interview", Text: "Interview feedback", BaseTemplateID: g.id(kindForm, 0, 0),
		User: g.userRef(r), CreatedAt: at, CompletedAt: at, UpdatedAt: at,
	}
	var on *interview
	if len(c.interviews) > 0 && r.in(800) {
		on = &c.interviews[r.n(len(c.interviews))]
		f.Interview, f.Panel, f.User = text(on.ID), text(on.Panel), text(on.Interviewers[0].ID)
	}
	labels := pick(r, scoreLabels)
	f.Fields = g.feedbackFields(labels)
	switch {
	case r.in(150): // not submitted
		f.CompletedAt, f.UpdatedAt = 0, 0
	case r.in(100): // submitted, unanswered
	default:
		f.Fields[0].Value = pick(r, labels).Text
	}
	if r.in(60) { // a form without a rating
		f.Fields = f.Fields[1:]
	}
	if r.in(60) {
		f.DeletedAt = ms(o.interacted)
	}
	if on != nil && f.DeletedAt == 0 {
		on.FeedbackForms = append(on.FeedbackForms, f.ID)
	}
	return f
}

func (g *generator) feedbackFields(labels []option) []formField {
	return []formField{
		{ID: g.id(kindForm, 1, 0), Type: "score-system", Text: "Overall rating", Prompt: "Select one", Options: labels},
		{ID: g.id(kindForm, 1, 1), Type: "textarea", Text: "Comments", Description: " ", Value: "1 strong, 2 weak points"},
	}
}

// offerStatuses are all there are.
var offerStatuses = []string{"draft", "approval-sent", "approved", "sent", "sent-manually", "opened", "denied", "signed"}

func (g *generator) offer(r *rng, o *opportunity, sub int) offer {
	v := offer{
		ID: g.id(kindOffer, o.n, sub), CreatedAt: ms(r.between(o.created, o.advanced)), Status: pick(r, offerStatuses),
		Creator: g.userRef(r),
	}
	if o.posting >= 0 {
		v.Posting = text(g.id(kindPosting, o.posting, 0))
	}
	if o.reason == reasonHired && sub == 0 {
		v.Status = "signed"
	}
	var start any
	switch day := int64(v.CreatedAt)/dayMillis + 30; r.n(3) {
	case 0:
		start = day * dayMillis
	case 1:
		start = isoDay(day * dayMillis)
	}
	v.Fields = []offerField{
		{"Job posting", "job_posting", o.app.id}, {"Candidate name", "candidate_name", o.name},
		{"Offered compensation amount", "salary_amount", 1000 + r.n(9000)}, {"Compensation currency", "compensation_currency", "EUR"},
		{"Today's date", "today_date", int64(v.CreatedAt)}, {"Direct manager", "direct_manager", nil},
		{"Anticipated start date", "anticipated_start_date", start},
	}
	g.advanceOffer(&v, o, v.Status)
	return v
}

// advanceOffer gives an offer a status and what comes with it.
func (g *generator) advanceOffer(v *offer, o *opportunity, status string) {
	v.Status = status
	v.Approved, v.ApprovedAt, v.SentAt, v.SentDocument, v.SignedDocument = nil, 0, 0, nil, nil
	sig := signature{Role: "candidate"}
	at := v.CreatedAt
	rank := slices.Index(offerStatuses, status)
	if rank >= 2 {
		v.Approved, v.ApprovedAt = true, at+3600_000
	}
	path := leverURL + "/opportunities/" + o.id + "/offers/" + v.ID + "/download?status="
	if rank >= 3 {
		v.SentAt = at + 7200_000
		if status != "sent-manually" {
			v.SentDocument = &offerDocument{"Offer.pdf", v.SentAt, path + "sent"}
		}
	}
	if status == "opened" || status == "signed" {
		sig.FirstOpenedAt = at + 8000_000
	}
	if status == "signed" {
		sig.Name, sig.SignedAt, sig.Signed = text(o.name), at+9000_000, true
		v.SignedDocument = &offerDocument{"Offer (signed).pdf", sig.SignedAt, path + "signed"}
	}
	v.Signatures = map[string]signature{"candidate": sig}
	if status == "draft" {
		v.Signatures = nil
	}
}

func (g *generator) resume(r *rng, o *opportunity, sub int) resume {
	v := resume{ID: g.id(kindResume, o.n, sub), CreatedAt: ms(o.created), ParsedData: map[string]any{"positions": []any{}, "schools": []any{}}}
	if r.in(950) {
		v.File = &file{
			Name: "resume " + strconv.Itoa(o.n) + ".pdf", Ext: ".pdf", UploadedAt: o.created, Status: "processed", Size: 1000 + r.n(40000),
			DownloadURL: leverURL + "/opportunities/" + o.id + "/resumes/" + v.ID + "/download",
		}
		if r.in(30) {
			v.File.Status = "error"
		}
	}
	return v
}

func (g *generator) file(r *rng, o *opportunity, sub int) file {
	name := pick(r, fileNames)
	v := g.newFile(o, sub, name, 100+r.n(40000), o.created)
	if r.in(400) { // older rows spell numbers as texts
		v.UploadedAt, v.Size = strconv.FormatInt(o.created, 10), strconv.Itoa(100+r.n(40000))
	}
	if r.in(50) {
		v.Status = "unsupported"
	}
	return v
}

func (g *generator) newFile(o *opportunity, sub int, name string, size int, at int64) file {
	id := g.id(kindFile, o.n, sub)
	ext := ""
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			ext = name[i:]
			break
		}
	}
	return file{
		ID: id, Name: name, Ext: ext, UploadedAt: at, Status: "processed", Size: size,
		DownloadURL: leverURL + "/opportunities/" + o.id + "/files/" + id + "/download",
	}
}

func (g *generator) note(o *opportunity, sub int, value string, by text, at ms) note {
	return note{
		ID: g.id(kindNote, o.n, sub), Text: "Note", User: by, CreatedAt: at, CompletedAt: at,
		Fields: []noteField{{CreatedAt: at, Stage: g.stageID(o.stage % len(stageNames)), Text: "Comment", Type: "note", User: by, Value: value}},
	}
}
