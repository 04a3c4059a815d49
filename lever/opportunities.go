package lever

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// OpportunityOptions choose opportunities. The zero value lists all that are not confidential, archived
// or not. Times are inclusive, in whole milliseconds; zero is no bound.
type OpportunityOptions struct {
	UpdatedSince, UpdatedUntil time.Time // most live rows have no updatedAt, and do not pass such a filter
	CreatedSince, CreatedUntil time.Time
	Archived                   *bool  // nil: both
	Confidentiality            string // "" as non-confidential; confidential, non-confidential, all
	ExpandApplications         bool   // applications as objects, not as ids alone
	Email                      string
	PostingID                  string
	ContactID                  string
	Token                      string // where to go on; "" is the beginning
	PageSize                   int    // records per call, 1 to 100; anything else means 100
}

// Opportunities lists opportunities, in the order of their stage and last advance: not by time, and not
// as of one moment. Source: Lever API v1, "List all opportunities".
func (c *Client) Opportunities(ctx context.Context, o OpportunityOptions) iter.Seq2[Page[Opportunity], error] {
	return list[Opportunity](ctx, c, at("/opportunities"), o.query(), o.Token)
}

// OpportunitySketches is Opportunities, of each of which only the id is read.
func (c *Client) OpportunitySketches(ctx context.Context, o OpportunityOptions) iter.Seq2[Page[Sketch], error] {
	return list[Sketch](ctx, c, at("/opportunities"), o.query(), o.Token)
}

func (o OpportunityOptions) query() url.Values {
	q := url.Values{}
	setTime(q, "updated_at_start", o.UpdatedSince)
	setTime(q, "updated_at_end", o.UpdatedUntil)
	setTime(q, "created_at_start", o.CreatedSince)
	setTime(q, "created_at_end", o.CreatedUntil)
	if o.Archived != nil {
		q.Set("archived", strconv.FormatBool(*o.Archived))
	}
	setText(q, "confidentiality", o.Confidentiality)
	if o.ExpandApplications {
		q.Set("expand", "applications")
	}
	setText(q, "email", o.Email)
	setText(q, "posting_id", o.PostingID)
	setText(q, "contact_id", o.ContactID)
	if o.PageSize > 0 && o.PageSize < maxPageSize {
		q.Set("limit", strconv.Itoa(o.PageSize))
	}
	return q
}

// Opportunity gets one opportunity, its applications expanded. *NotFoundError: it was deleted.
func (c *Client) Opportunity(ctx context.Context, id string) (Item[Opportunity], error) {
	return get[Opportunity](ctx, c, at("/opportunities/:id", id), url.Values{"expand": {"applications"}})
}
