package mapping

import (
	"encoding/json"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// typeScoreSystem is the type of the field that holds a form's overall rating.
const typeScoreSystem = "score-system"

// noDecision is the recommendation of a form that was submitted without one.
const noDecision = "NO_DECISION"

// recommendations gives the verdict of a rating from 1 to 4.
var recommendations = [...]string{1: "DEFINITELY_NO", 2: "NO", 3: "YES", 4: "STRONG_YES"}

// Scorecard maps a feedback form of an opportunity; nil, nil for a deleted one.
func (m Mapper) Scorecard(opportunityID string, f lever.Feedback, raw json.RawMessage) (*unified.Scorecard, error) {
	if !f.DeletedAt.IsZero() {
		return nil, nil
	}
	env, err := m.child(unified.Scorecards, opportunityID, f.ID, raw)
	if err != nil {
		return nil, err
	}
	c := clock{scope: unified.Scorecards}
	s := &unified.Scorecard{
		Envelope:        env,
		Application:     m.ref(unified.Applications, opportunityID),
		Interview:       m.ref(unified.ScheduledInterviews, string(f.Interview)),
		Interviewer:     m.ref(unified.RemoteUsers, string(f.User)),
		RemoteCreatedAt: c.at("createdAt", f.CreatedAt),
		SubmittedAt:     c.at("completedAt", f.CompletedAt),
	}
	if c.err != nil {
		return nil, c.err
	}
	if s.SubmittedAt != nil {
		s.OverallRecommendation = new(recommendation(f.Fields))
	}
	return s, nil
}

// recommendation is the verdict of a submitted form.
func recommendation(fields []lever.FormField) string {
	for _, f := range fields {
		if label := text(string(f.Value)); f.Type == typeScoreSystem && label != nil {
			return verdict(*label, f.Options)
		}
	}
	return noDecision
}

// verdict reads a rating's label: by the number it starts with, else by its place among the options.
func verdict(label string, options []lever.Option) string {
	if n := leadingRating(label); n != 0 {
		return recommendations[n]
	}
	for i, o := range options {
		if strings.TrimSpace(o.Text) == label {
			return recommendationAt(i, len(options))
		}
	}
	return label
}

// leadingRating is the whole number that a label starts with, from 1 to 4; 0 for any other.
func leadingRating(label string) int {
	end := strings.IndexFunc(label, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(label)
	}
	if end != 1 || label[0] < '1' || label[0] > '4' {
		return 0
	}
	return int(label[0] - '0')
}

// recommendationAt is the verdict of option i of n, best first, scaled to 4 to 1; the exact middle is none.
func recommendationAt(i, n int) string {
	if n == 1 {
		return recommendations[4]
	}
	// The rating is 4 - 3i/(n-1); comparing halves of it in whole numbers rounds without error.
	switch twice, last := 8*(n-1)-6*i, n-1; {
	case twice == 5*last:
		return noDecision
	case twice >= 7*last:
		return recommendations[4]
	case twice > 5*last:
		return recommendations[3]
	case twice >= 3*last:
		return recommendations[2]
	}
	return recommendations[1]
}
