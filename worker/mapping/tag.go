package mapping

import (
	"encoding/json"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// Tag maps a tag. Lever has no id of it; its text is one, and its case matters.
func (m Mapper) Tag(t lever.Tag, raw json.RawMessage) (*unified.Tag, error) {
	name := strings.TrimSpace(t.Text)
	env, err := m.envelope(unified.Tags, name, raw)
	if err != nil {
		return nil, err
	}
	return &unified.Tag{Envelope: env, Name: &name}, nil
}
