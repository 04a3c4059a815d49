package mapping

import (
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// Departments maps the department of a posting, or its team where it has none: one at most. Lever has
// no id of it; its text is one.
func (m Mapper) Departments(p lever.Posting) []*unified.Department {
	var out []*unified.Department
	for _, name := range departments(p) {
		if env, err := m.envelope(unified.Departments, name, nil); err == nil {
			out = append(out, &unified.Department{Envelope: env, Name: &name})
		}
	}
	return out
}

// departments is the text of a posting's department.
func departments(p lever.Posting) []string {
	if d := firstText(p.Categories.Department, p.Categories.Team); d != nil {
		return []string{*d}
	}
	return nil
}
