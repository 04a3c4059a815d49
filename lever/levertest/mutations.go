package levertest

import "fmt"

// mixture is what [Server.Mutate] is given in turn when many different changes are wanted.
var mixture = []string{
	"advance_stage", "edit_contact", "add_interview", "add_feedback", "add_offer", "add_file", "archive", "add_tag", "edit_feedback",
	"add_opportunity", "cancel_interview", "change_offer_status", "delete_opportunity", "add_resume", "unarchive", "delete_feedback",
	"delete_file", "delete_application", "anonymize",
}

// mutation is a change by name: what it needs of an opportunity, and how it is made.
type mutation struct {
	needs []Situation
	do    func(s *Server, id string) (Touched, error)
}

var mutations = map[string]mutation{
	"advance_stage":       {[]Situation{Active}, (*Server).AdvanceStage},
	"archive":             {[]Situation{Active}, func(s *Server, id string) (Touched, error) { return s.Archive(id, false) }},
	"hire":                {[]Situation{Active, WithApplication}, func(s *Server, id string) (Touched, error) { return s.Archive(id, true) }},
	"unarchive":           {[]Situation{Rejected}, (*Server).Unarchive},
	"edit_contact":        {[]Situation{}, (*Server).EditContact},
	"add_tag":             {[]Situation{}, func(s *Server, id string) (Touched, error) { return s.AddTag(id, "changed") }},
	"add_interview":       {[]Situation{Active}, (*Server).AddInterview},
	"move_interview":      {[]Situation{WithInterview}, (*Server).MoveInterview},
	"cancel_interview":    {[]Situation{WithInterview}, (*Server).CancelInterview},
	"add_feedback":        {[]Situation{Active}, (*Server).AddFeedback},
	"edit_feedback":       {[]Situation{WithFeedback, RecentlyInterviewed}, (*Server).EditFeedback},
	"edit_old_feedback":   {[]Situation{WithFeedback, OldInterviews}, (*Server).EditFeedback},
	"delete_feedback":     {[]Situation{WithFeedback}, (*Server).DeleteFeedback},
	"add_offer":           {[]Situation{InOfferStage, Active, WithApplication}, (*Server).AddOffer},
	"change_offer_status": {[]Situation{InOfferStage, Active, WithOffer}, func(s *Server, id string) (Touched, error) { return s.ChangeOfferStatus(id, "") }},
	"add_file":            {[]Situation{}, (*Server).AddFile},
	"delete_file":         {[]Situation{WithFile}, (*Server).DeleteFile},
	"add_resume":          {[]Situation{}, (*Server).AddResume},
	"delete_opportunity":  {[]Situation{}, (*Server).DeleteOpportunity},
	"delete_application":  {[]Situation{WithApplication}, (*Server).DeleteApplication},
	"anonymize":           {[]Situation{}, (*Server).AnonymizeOpportunity},
	"add_opportunity":     {nil, func(s *Server, _ string) (Touched, error) { return s.AddOpportunity() }},
	"rename_posting":      {nil, onRecord("postings", func(s *Server, id string) (Touched, error) { return s.RenamePosting(id, "Renamed "+id[:8]) })},
	"delete_posting":      {nil, onRecord("postings", (*Server).DeletePosting)},
	"deactivate_user":     {nil, onRecord("users", (*Server).DeactivateUser)},
	"delete_user":         {nil, onRecord("users", (*Server).DeleteUser)},
	"remove_stage":        {nil, onRecord("stages", (*Server).RemoveStage)},
	"remove_reason":       {nil, onRecord("archive_reasons", (*Server).RemoveReason)},
	"add_tag_to_account":  {nil, func(s *Server, id string) (Touched, error) { return s.AddTagToAccount("extra tag " + id) }},
	"remove_tag":          {nil, func(s *Server, id string) (Touched, error) { return s.RemoveTag(id) }},
}

// onRecord applies a mutation to the record with an id, or to the account's last one of a kind.
func onRecord(kind string, do func(*Server, string) (Touched, error)) func(*Server, string) (Touched, error) {
	return func(s *Server, id string) (Touched, error) {
		if all := s.Records(kind); id == "" && len(all) > 0 {
			id = all[len(all)-1]
		}
		return do(s, id)
	}
}

// Mutate makes the change of a name (advance_stage, add_interview, …) to a record, or to one that suits it when id is "". Changes
// in a row choose different opportunities as long as there are some.
func (s *Server) Mutate(name, id string) (Touched, error) {
	m, ok := mutations[name]
	if !ok {
		return Touched{}, fmt.Errorf("levertest: there is no mutation %q", name)
	}
	if m.needs != nil && id == "" {
		id = s.choose(m.needs)
	}
	return m.do(s, id)
}

// choose picks an opportunity that was not changed yet, or else any.
func (s *Server) choose(needs []Situation) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var changed string
	rows, stride := s.index.rows, 7919
	if len(rows)%stride == 0 {
		stride = 1
	}
	for i := range rows {
		// In strides, so that changes spread over all stages.
		r := rows[(i*stride+len(s.overlay)*104729)%len(rows)]
		if r.changed && changed != "" {
			continue
		}
		o := s.get(int(r.n))
		fits := !o.confidential
		for _, v := range needs {
			fits = fits && s.in(o, v)
		}
		switch {
		case fits && !r.changed:
			return o.id
		case fits:
			changed = o.id
		}
	}
	return changed
}
