package mapping

import (
	"encoding/json"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// Stage maps a stage; order is its position in Lever's list, from 0. Stages are the account's: job is null.
func (m Mapper) Stage(s lever.Stage, order int, raw json.RawMessage) (*unified.JobInterviewStage, error) {
	env, err := m.envelope(unified.JobInterviewStages, s.ID, raw)
	if err != nil {
		return nil, err
	}
	return &unified.JobInterviewStage{Envelope: env, Name: text(s.Text), StageOrder: &order}, nil
}
