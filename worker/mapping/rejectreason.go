package mapping

import (
	"encoding/json"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// The type and the name of the one archive reason that every account has.
const (
	typeHired = "hired"
	nameHired = "Hired"
)

// RejectReason maps an archive reason; nil, nil for one that means hired.
func (m Mapper) RejectReason(r lever.ArchiveReason, raw json.RawMessage) (*unified.RejectReason, error) {
	if IsHired(r) {
		return nil, nil
	}
	env, err := m.envelope(unified.RejectReasons, r.ID, raw)
	if err != nil {
		return nil, err
	}
	return &unified.RejectReason{Envelope: env, Name: text(r.Text)}, nil
}

// IsHired tells whether a reason means hired: by its type or, where Lever gives none, by its name.
func IsHired(r lever.ArchiveReason) bool {
	if t := text(r.Type); t != nil {
		return strings.EqualFold(*t, typeHired)
	}
	return strings.EqualFold(strings.TrimSpace(r.Text), nameHired)
}
