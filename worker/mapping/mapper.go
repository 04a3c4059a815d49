package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// Mapper maps the records of one connector. It is safe for concurrent use while Hired is not written.
type Mapper struct {
	// Connector makes the ids; see [unified.ID].
	Connector uuid.UUID
	// Hired holds the archive reasons by id: true where the reason means hired. A reason that is
	// not there counts as a rejection.
	Hired map[string]bool
}

// maxRemoteID is the longest remote id, in bytes, that is sure to fit a database index.
const maxRemoteID = 1024

var (
	errNoID   = errors.New("it has no id")
	errLongID = fmt.Errorf("its id is longer than %d bytes", maxRemoteID)
	errNoHome = errors.New("the id of what it belongs to is missing")
)

// ContactOf names the person behind an opportunity: its contact or, where Lever gives none, the
// opportunity itself.
func ContactOf(o lever.Opportunity) string {
	if o.Contact != "" {
		return string(o.Contact)
	}
	return o.ID
}

// envelope identifies the record of a scope that Lever calls remoteID.
func (m Mapper) envelope(s unified.Scope, remoteID string, raw json.RawMessage) (unified.Envelope, error) {
	switch {
	case strings.TrimSpace(remoteID) == "":
		return unified.Envelope{}, refuse(s, errNoID)
	case len(remoteID) > maxRemoteID:
		return unified.Envelope{}, refuse(s, errLongID)
	}
	return unified.Envelope{ID: unified.ID(m.Connector, s, remoteID), RemoteID: remoteID, Raw: raw}, nil
}

// child is an envelope with a parent, without which there is none.
func (m Mapper) child(s unified.Scope, parent, remoteID string, raw json.RawMessage) (unified.Envelope, error) {
	if strings.TrimSpace(parent) == "" {
		return unified.Envelope{}, refuse(s, errNoHome)
	}
	e, err := m.envelope(s, remoteID, raw)
	e.Parent = parent
	return e, err
}

// ref is the id of the record that another points at; nil where it points at none.
func (m Mapper) ref(s unified.Scope, remoteID string) *uuid.UUID {
	if strings.TrimSpace(remoteID) == "" {
		return nil
	}
	return new(unified.ID(m.Connector, s, remoteID))
}

// refs is ref for a list: never nil, without empties and repetitions.
func refs[S ~string](m Mapper, s unified.Scope, remoteIDs ...S) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(remoteIDs))
	seen := make(map[uuid.UUID]bool, len(remoteIDs))
	for _, r := range remoteIDs {
		if id := m.ref(s, string(r)); id != nil && !seen[*id] {
			seen[*id] = true
			out = append(out, *id)
		}
	}
	return out
}

// refuse says why a record of a scope cannot be mapped.
func refuse(s unified.Scope, why error) error {
	return fmt.Errorf("mapping: a record of %s is refused: %w", s, why)
}
