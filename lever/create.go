package lever

import (
	"context"
	"net/url"
)

// NewOpportunity is what an opportunity is made of; all of it is optional. Source: Lever API v1, "Create
// an opportunity".
type NewOpportunity struct {
	Name                string       `json:"name,omitempty"`
	Headline            string       `json:"headline,omitempty"`
	Location            string       `json:"location,omitempty"`
	OpportunityLocation string       `json:"opportunityLocation,omitempty"`
	Stage               string       `json:"stage,omitempty"` // "": lead-new
	Phones              []NewPhone   `json:"phones,omitempty"`
	Emails              []string     `json:"emails,omitempty"` // of a known contact: its data wins over what is given here
	Links               []string     `json:"links,omitempty"`
	Tags                []string     `json:"tags,omitempty"` // unknown ones are made, as are sources
	Sources             []string     `json:"sources,omitempty"`
	Origin              string       `json:"origin,omitempty"`    // agency, applied, internal, referred, sourced, university
	Owner               string       `json:"owner,omitempty"`     // user; "": who it is performed as
	Followers           []string     `json:"followers,omitempty"` // users; who it is performed as is one in any case
	Postings            []string     `json:"postings,omitempty"`  // at most one
	CreatedAt           Time         `json:"createdAt,omitzero"`  // in the past; zero: now
	Archived            *NewArchived `json:"archived,omitempty"`
}

// NewPhone is a telephone number of a new opportunity.
type NewPhone struct {
	Type  string `json:"type,omitempty"` // mobile, home, work, skype, other
	Value string `json:"value"`
}

// NewArchived makes a new opportunity an archived one. Without a reason Lever ignores it.
type NewArchived struct {
	Reason     string `json:"reason"`
	ArchivedAt Time   `json:"archivedAt,omitzero"` // zero: now
}

// CreateOptions say how an opportunity is created.
type CreateOptions struct {
	PostingOwner bool // the posting's owner owns it, not who it is performed as; it needs a posting
}

// CreateOpportunity creates an opportunity in the name of a user, and returns it as Lever answers, without
// its application: get it anew before it is stored. It is a new one on each call, also where the contact
// is known by an e-mail address; deduped says that it is. *OutcomeError: it may have been created.
func (c *Client) CreateOpportunity(ctx context.Context, performAs string, in NewOpportunity, o CreateOptions) (item Item[Opportunity], deduped bool, err error) {
	body, err := jsonPayload(in)
	if err != nil {
		return Item[Opportunity]{}, false, err
	}
	q := url.Values{"perform_as": {performAs}}
	if o.PostingOwner {
		q.Set("perform_as_posting_owner", "true")
	}
	var envelope struct {
		Deduped bool `json:"deduped"`
	}
	item, err = post[Opportunity](ctx, c, request{endpoint: at("/opportunities"), query: q, write: body}, &envelope)
	return item, envelope.Deduped, err
}
