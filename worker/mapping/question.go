package mapping

import (
	"encoding/json"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// questionTypes gives the kind of answer of a field's type.
var questionTypes = map[string]string{
	"dropdown":        "SINGLE_SELECT",
	"multiple-choice": "SINGLE_SELECT",
	"university":      "SINGLE_SELECT",
	"multiple-select": "MULTI_SELECT",
	"text":            "SINGLE_LINE_TEXT",
	"textarea":        "MULTI_LINE_TEXT",
	"yes-no":          "BOOLEAN",
	"date":            "DATE",
	"file-upload":     "FILE",
	"score":           "NUMERIC",
	"currency":        "NUMERIC",
}

// ScreeningQuestions maps the custom questions of a posting's application form, each once. A field
// without an id is left out: there is no answer that could point at it.
func (m Mapper) ScreeningQuestions(postingID string, f lever.ApplicationForm) []*unified.ScreeningQuestion {
	var out []*unified.ScreeningQuestion
	seen := map[string]bool{}
	for _, group := range f.CustomQuestions {
		for _, field := range group.Fields {
			if q := m.question(postingID, field); q != nil && !seen[q.RemoteID] {
				seen[q.RemoteID] = true
				out = append(out, q)
			}
		}
	}
	return out
}

// question maps one field of a posting's form; nil where it can be given no identity.
func (m Mapper) question(postingID string, f lever.FormField) *unified.ScreeningQuestion {
	if text(f.ID) == nil {
		return nil
	}
	raw, err := json.Marshal(f)
	if err != nil {
		raw = nil // the question stands without it
	}
	env, err := m.child(unified.ScreeningQuestions, postingID, postingID+":"+f.ID, raw)
	if err != nil {
		return nil
	}
	return &unified.ScreeningQuestion{
		Envelope:    env,
		Job:         m.ref(unified.Jobs, postingID),
		Description: text(f.Description),
		Title:       text(f.Text),
		Type:        enum(f.Type, questionTypes),
		Required:    new(f.Required),
		Options:     questionOptions(f.Options),
	}
}

// questionOptions maps the choices of a field; never nil.
func questionOptions(options []lever.Option) []unified.Option {
	labels := make([]string, 0, len(options))
	for _, o := range options {
		labels = append(labels, o.Text)
	}
	out := make([]unified.Option, 0, len(labels))
	for _, l := range texts(labels...) {
		out = append(out, unified.Option{Label: l})
	}
	return out
}
