package mapping

import (
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// Offices maps the places of a posting, its main one first. Lever has no ids of them; their texts are.
func (m Mapper) Offices(p lever.Posting) []*unified.Office {
	var out []*unified.Office
	for _, name := range offices(p) {
		if env, err := m.envelope(unified.Offices, name, nil); err == nil {
			out = append(out, &unified.Office{Envelope: env, Name: &name, Location: &name})
		}
	}
	return out
}

// offices is the texts of a posting's places.
func offices(p lever.Posting) []string {
	places := append([]string{p.Categories.Location}, p.Categories.AllLocations...)
	return texts(places...)
}
