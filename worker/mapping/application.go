package mapping

import (
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// typeReferral is the application type of which the user is the one who referred.
const typeReferral = "referral"

// Application maps an opportunity, with or without an application to a posting (without: a lead, of no
// job). It carries no raw: that stays with the opportunity.
func (m Mapper) Application(o lever.Opportunity) (*unified.Application, error) {
	env, err := m.envelope(unified.Applications, o.ID, nil)
	if err != nil {
		return nil, err
	}
	var applied lever.Application
	if len(o.Applications) > 0 {
		applied = o.Applications[0]
	}
	c := clock{scope: unified.Applications}
	a := &unified.Application{
		Envelope:     env,
		Candidate:    m.ref(unified.Candidates, ContactOf(o)),
		Job:          m.ref(unified.Jobs, string(applied.Posting)),
		AppliedAt:    c.at("createdAt of the application", applied.CreatedAt),
		Source:       firstText(o.Sources...),
		CreditedTo:   m.ref(unified.RemoteUsers, string(o.SourcedBy)),
		CurrentStage: m.ref(unified.JobInterviewStages, string(o.Stage)),
	}
	if a.AppliedAt == nil {
		a.AppliedAt = c.at("createdAt", o.CreatedAt)
	}
	if a.CreditedTo == nil && applied.Type == typeReferral {
		a.CreditedTo = m.ref(unified.RemoteUsers, string(applied.User))
	}
	if m.rejected(o.Archived) {
		a.RejectedAt = c.at("archivedAt", o.Archived.ArchivedAt)
		a.RejectReason = m.ref(unified.RejectReasons, string(o.Archived.Reason))
	}
	if c.err != nil {
		return nil, c.err
	}
	return a, nil
}

// rejected tells a rejection from a hire, and from an opportunity that is open.
func (m Mapper) rejected(a *lever.Archived) bool {
	return a != nil && a.Reason != "" && !m.Hired[string(a.Reason)]
}
