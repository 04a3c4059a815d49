package mapping

import (
	"encoding/json"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// EEOC maps a row of the EEO responses. Its remote id is the row's, which is the application's.
func (m Mapper) EEOC(e lever.EEOResponse, raw json.RawMessage) (*unified.EEOC, error) {
	env, err := m.envelope(unified.EEOCs, e.RecordID(), raw)
	if err != nil {
		return nil, err
	}
	env.Parent = e.OpportunityID
	person := ContactOf(lever.Opportunity{ID: e.OpportunityID, Contact: e.Contact})
	c := clock{scope: unified.EEOCs}
	u := &unified.EEOC{
		Envelope:         env,
		Candidate:        m.ref(unified.Candidates, person),
		SubmittedAt:      c.at("eeoSurveyRespondedAt", e.EEOSurveyRespondedAt),
		Race:             answer(e.Race, race),
		Gender:           answer(e.Gender, gender),
		VeteranStatus:    answer(e.Veteran, veteranStatus),
		DisabilityStatus: answer(e.Disability, disabilityStatus),
	}
	if c.err != nil {
		return nil, c.err
	}
	return u, nil
}

// answer reads an answer of the survey: onto the enum where it can be told, else as it is.
func answer(a string, read func(phrase) string) *string {
	t := text(a)
	if t == nil {
		return nil
	}
	if known := read(newPhrase(*t)); known != "" {
		return &known
	}
	return t
}
