package mapping

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

var errDuration = errors.New("its duration is impossible")

// maxInterview is far longer than any interview and far from where durations overflow.
const maxInterview = 100 * 365 * 24 * time.Hour

// Interview maps an interview of an opportunity; nil, nil for a cancelled one, which Lever keeps and the
// unified model does not. Its status is derived when it is read, from FeedbackForms and FeedbackExpected.
func (m Mapper) Interview(opportunityID string, i lever.Interview, raw json.RawMessage) (*unified.ScheduledInterview, error) {
	if !i.CanceledAt.IsZero() {
		return nil, nil
	}
	env, err := m.child(unified.ScheduledInterviews, opportunityID, i.ID, raw)
	if err != nil {
		return nil, err
	}
	interviewers := make([]string, 0, len(i.Interviewers))
	for _, w := range i.Interviewers {
		interviewers = append(interviewers, w.ID)
	}
	c := clock{scope: unified.ScheduledInterviews}
	s := &unified.ScheduledInterview{
		Envelope:          env,
		Application:       m.ref(unified.Applications, opportunityID),
		JobInterviewStage: m.ref(unified.JobInterviewStages, string(i.Stage)),
		Organizer:         m.ref(unified.RemoteUsers, string(i.User)),
		Interviewers:      refs(m, unified.RemoteUsers, interviewers...),
		Location:          text(i.Location),
		StartAt:           c.at("date", i.Date),
		RemoteCreatedAt:   c.at("createdAt", i.CreatedAt),
		FeedbackForms:     refs(m, unified.Scorecards, i.FeedbackForms...),
		FeedbackExpected:  new(feedbackExpected(i)),
	}
	length, err := minutes(i.Duration)
	if err != nil {
		return nil, refuse(unified.ScheduledInterviews, err)
	}
	if s.StartAt != nil {
		s.EndAt = c.when("date and duration", s.StartAt.Add(length))
	}
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

// minutes is n minutes, rounded to whole milliseconds.
func minutes(n float64) (time.Duration, error) {
	if !(n >= 0 && n <= maxInterview.Minutes()) {
		return 0, errDuration
	}
	return time.Duration(math.Round(n*60_000)) * time.Millisecond, nil
}

// feedbackExpected is false where the interview asks for no feedback, or none of its interviewers is
// asked for any.
func feedbackExpected(i lever.Interview) bool {
	if i.FeedbackTemplate == lever.NoFeedback {
		return false
	}
	for _, w := range i.Interviewers {
		if w.FeedbackTemplate != lever.NoFeedback {
			return true
		}
	}
	return len(i.Interviewers) == 0
}
