package lever

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"time"
)

// PostingOptions choose postings. The zero value lists all that are not confidential, in any state.
type PostingOptions struct {
	State               string    // published, internal, closed, draft, pending, rejected; "" is any
	DistributionChannel string    // public, internal; "" is any
	Confidentiality     string    // "" as non-confidential; confidential, non-confidential, all
	UpdatedSince        time.Time // inclusive; Lever takes it with Confidentiality only, not with the others
	Token               string    // where to go on; "" is the beginning
}

// Postings lists postings. Source: Lever API v1, "List all postings".
func (c *Client) Postings(ctx context.Context, o PostingOptions) iter.Seq2[Page[Posting], error] {
	if !o.UpdatedSince.IsZero() && (o.State != "" || o.DistributionChannel != "") {
		return failed[Posting](errors.New("lever: /postings: UpdatedSince goes with no State or DistributionChannel"))
	}
	q := url.Values{}
	setText(q, "state", o.State)
	setText(q, "distributionChannel", o.DistributionChannel)
	setText(q, "confidentiality", o.Confidentiality)
	setTime(q, "updated_at_start", o.UpdatedSince)
	return list[Posting](ctx, c, at("/postings"), q, o.Token)
}

// Posting gets one posting.
func (c *Client) Posting(ctx context.Context, id string) (Item[Posting], error) {
	return get[Posting](ctx, c, at("/postings/:id", id), nil)
}

// ApplicationForm gets what a posting asks its applicants. The form's ID is the posting's, and may be
// missing. Source: Lever API v1, "Retrieve posting application questions".
func (c *Client) ApplicationForm(ctx context.Context, postingID string) (Item[ApplicationForm], error) {
	return get[ApplicationForm](ctx, c, at("/postings/:id/apply", postingID), nil)
}
