package lever

import "context"

// Lever has no account-wide list of any of these: each is a call per opportunity. A *NotFoundError says
// that the opportunity is gone; a *ForbiddenError may be about this one alone, if it is confidential.

// Interviews gets all interviews of an opportunity, the canceled ones too.
func (c *Client) Interviews(ctx context.Context, opportunityID string) (Children[Interview], error) {
	return children[Interview](ctx, c, "/opportunities/:id/interviews", opportunityID)
}

// Feedback gets all feedback forms of an opportunity, the deleted ones too.
func (c *Client) Feedback(ctx context.Context, opportunityID string) (Children[Feedback], error) {
	return children[Feedback](ctx, c, "/opportunities/:id/feedback", opportunityID)
}

// Offers gets all offers of an opportunity.
func (c *Client) Offers(ctx context.Context, opportunityID string) (Children[Offer], error) {
	return children[Offer](ctx, c, "/opportunities/:id/offers", opportunityID)
}

// Resumes gets all resumes of an opportunity. They are not among its files.
func (c *Client) Resumes(ctx context.Context, opportunityID string) (Children[Resume], error) {
	return children[Resume](ctx, c, "/opportunities/:id/resumes", opportunityID)
}

// Files gets all files of an opportunity. Resumes are not among them.
func (c *Client) Files(ctx context.Context, opportunityID string) (Children[File], error) {
	return children[File](ctx, c, "/opportunities/:id/files", opportunityID)
}
