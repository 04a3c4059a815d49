package mapping

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

var (
	errNoOpportunity = errors.New("it has no opportunity")
	errTwoContacts   = errors.New("its opportunities are of different contacts")
)

// Candidate maps all opportunities of one contact, each given once, in any order, to the person. It
// carries no raw: that stays with the opportunities.
func (m Mapper) Candidate(opps []lever.Opportunity) (*unified.Candidate, error) {
	if len(opps) == 0 {
		return nil, refuse(unified.Candidates, errNoOpportunity)
	}
	opps = newestFirst(opps)
	newest := opps[0]
	env, err := m.envelope(unified.Candidates, ContactOf(newest), nil)
	if err != nil {
		return nil, err
	}
	var all struct{ locations, phones, emails, links, tags []string }
	for _, o := range opps {
		if ContactOf(o) != env.RemoteID {
			return nil, refuse(unified.Candidates, errTwoContacts)
		}
		all.locations = append(all.locations, o.Location)
		for _, p := range o.Phones {
			all.phones = append(all.phones, p.Value)
		}
		all.emails = append(all.emails, o.Emails...)
		all.links = append(all.links, o.Links...)
		all.tags = append(all.tags, o.Tags...)
	}
	c := &unified.Candidate{
		Envelope:       env,
		Company:        company(opps),
		Title:          text(newest.Headline),
		IsPrivate:      anyConfidential(opps),
		CanEmail:       canEmail(opps),
		Locations:      texts(all.locations...),
		PhoneNumbers:   texts(all.phones...),
		EmailAddresses: texts(all.emails...),
		URLs:           urls(all.links),
		Tags:           texts(all.tags...),
	}
	c.FirstName, c.LastName = splitName(newest.Name)
	if err := candidateTimes(c, opps); err != nil {
		return nil, err
	}
	return c, nil
}

// candidateTimes sets the newest and oldest times of the opportunities.
func candidateTimes(c *unified.Candidate, opps []lever.Opportunity) error {
	var created, interacted, updated lever.Time
	for _, o := range opps {
		interacted = later(interacted, o.LastInteractionAt)
		updated = later(updated, touched(o))
		if created.IsZero() || !o.CreatedAt.IsZero() && o.CreatedAt.Before(created.Time) {
			created = o.CreatedAt
		}
	}
	k := clock{scope: unified.Candidates}
	c.RemoteCreatedAt = k.at("createdAt", created)
	c.LastInteractionAt = k.at("lastInteractionAt", interacted)
	c.RemoteUpdatedAt = k.at("updatedAt, lastInteractionAt or lastAdvancedAt", updated)
	return k.err
}

// newestFirst sorts a copy: the most recently touched first, the greater id among equals.
func newestFirst(opps []lever.Opportunity) []lever.Opportunity {
	when := func(o lever.Opportunity) lever.Time {
		if t := touched(o); !t.IsZero() {
			return t
		}
		return o.CreatedAt
	}
	opps = slices.Clone(opps)
	slices.SortFunc(opps, func(a, b lever.Opportunity) int {
		return cmp.Or(when(b).Compare(when(a).Time), strings.Compare(b.ID, a.ID))
	})
	return opps
}

// touched is the newest of an opportunity's three clocks; zero where none is known.
func touched(o lever.Opportunity) lever.Time {
	return later(o.UpdatedAt, later(o.LastInteractionAt, o.LastAdvancedAt))
}

// later is the later of two times; the zero time is no time, so it never wins over one.
func later(a, b lever.Time) lever.Time {
	if a.IsZero() || !b.IsZero() && b.After(a.Time) {
		return b
	}
	return a
}

// company is the first that an application names.
func company(opps []lever.Opportunity) *string {
	for _, o := range opps {
		for _, a := range o.Applications {
			if c := text(a.Company); c != nil {
				return c
			}
		}
	}
	return nil
}

// canEmail is the first consent, or refusal, that Lever states.
func canEmail(opps []lever.Opportunity) *bool {
	for _, o := range opps {
		if d := o.DataProtection; d != nil && d.Contact != nil && d.Contact.Allowed != nil {
			return new(*d.Contact.Allowed)
		}
	}
	return nil
}

// anyConfidential is true where one opportunity is confidential; nil where none says.
func anyConfidential(opps []lever.Opportunity) *bool {
	var found *bool
	for _, o := range opps {
		if c := confidential(o.Confidentiality); c != nil && (found == nil || *c) {
			found = c
		}
	}
	return found
}
