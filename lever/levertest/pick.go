package levertest

import "slices"

// Situation is a state that an opportunity is in.
type Situation string

// The situations there are.
const (
	Active              Situation = "active" // not archived
	Rejected            Situation = "rejected"
	Hired               Situation = "hired"
	InOfferStage        Situation = "in_offer_stage"
	RecentlyInterviewed Situation = "recently_interviewed" // an interview that was not cancelled, within 14 days before or after now
	OldInterviews       Situation = "old_interviews"       // has interviews, none of them in the last or next 30 days
	WithApplication     Situation = "with_application"
	WithoutApplication  Situation = "without_application"
	WithInterview       Situation = "with_interview" // not cancelled
	WithFeedback        Situation = "with_feedback"  // not deleted
	WithOffer           Situation = "with_offer"
	WithFile            Situation = "with_file"
	WithResume          Situation = "with_resume"
	WithChildren        Situation = "with_children"
	WithoutChildren     Situation = "without_children" // no interview, feedback, offer, resume or file
	SharedContact       Situation = "shared_contact"   // its person has other opportunities
	Confidential        Situation = "confidential"
	NotConfidential     Situation = "not_confidential"
	NullUpdatedAt       Situation = "null_updated_at"
)

// Pick is the id of the first opportunity, in Lever's order, that is in all the situations; false when there is none.
func (s *Server) Pick(in ...Situation) (string, bool) {
	ids := s.PickN(1, in...)
	if len(ids) == 0 {
		return "", false
	}
	return ids[0], true
}

// PickN are the ids of the first n opportunities that are in all the situations. Confidential ones are picked only when asked for.
func (s *Server) PickN(n int, in ...Situation) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !slices.Contains(in, Confidential) {
		in = append(slices.Clone(in), NotConfidential)
	}
	var out []string
	for _, r := range s.index.rows {
		if len(out) == n {
			break
		}
		o := s.get(int(r.n))
		if !slices.ContainsFunc(in, func(v Situation) bool { return !s.in(o, v) }) {
			out = append(out, o.id)
		}
	}
	return out
}

// in tells whether an opportunity is in a situation.
func (s *Server) in(o *opportunity, v Situation) bool {
	switch v {
	case Active:
		return o.archivedAt == 0
	case Rejected:
		return o.archivedAt != 0 && o.reason != reasonHired
	case Hired:
		return o.archivedAt != 0 && o.reason == reasonHired
	case InOfferStage:
		return o.stage == stageOffer
	case WithApplication:
		return o.app != nil
	case WithoutApplication:
		return o.app == nil
	case SharedContact:
		return len(s.ofContact(o.contact)) > 1
	case Confidential:
		return o.confidential
	case NotConfidential:
		return !o.confidential
	case NullUpdatedAt:
		return o.updated == 0
	}
	return s.childrenIn(s.childrenOf(o), v)
}

func (s *Server) childrenIn(c *children, v Situation) bool {
	now := s.now().UnixMilli()
	near := func(days int64) bool {
		return slices.ContainsFunc(c.interviews, func(i interview) bool {
			away := int64(i.Date) - now
			return i.CanceledAt == 0 && away < days*dayMillis && away > -days*dayMillis
		})
	}
	switch v {
	case RecentlyInterviewed:
		return near(14)
	case OldInterviews:
		return len(c.interviews) > 0 && !near(30)
	case WithInterview:
		return c.latestInterview() != nil
	case WithFeedback:
		return c.latestFeedback() != nil
	case WithOffer:
		return len(c.offers) > 0
	case WithFile:
		return len(c.files) > 0
	case WithResume:
		return len(c.resumes) > 0
	}
	n := len(c.interviews) + len(c.feedback) + len(c.offers) + len(c.resumes) + len(c.files)
	return v == WithChildren && n > 0 || v == WithoutChildren && n == 0
}

// Records are the ids of the account's postings, users or stages ("postings", "users", "stages", "archive_reasons") that are
// there, in the order they were made.
func (s *Server) Records(kind string) []string {
	var out []string
	for _, d := range s.account.list(kind) {
		out = append(out, str(d, "id"))
	}
	return out
}

// Len is the number of opportunities that are there, confidential ones included.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.index.rows)
}
