package lever

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"
)

// MaxDeletedWindow is the longest window that Lever's deleted lists take.
const MaxDeletedWindow = 30 * 24 * time.Hour

// DeletedOptions are the window of a deleted list, at most MaxDeletedWindow long.
type DeletedOptions struct {
	Since time.Time // inclusive
	Until time.Time // zero: now
	Token string    // where to go on; "" is the beginning
}

// DeletedOpportunities lists what was deleted in a window. Source: Lever API v1, "List deleted opportunities".
func (c *Client) DeletedOpportunities(ctx context.Context, o DeletedOptions) iter.Seq2[Page[Deleted], error] {
	return c.deleted(ctx, "/opportunities/deleted", o)
}

// DeletedPostings lists the postings deleted in a window. Since April 2026.
func (c *Client) DeletedPostings(ctx context.Context, o DeletedOptions) iter.Seq2[Page[Deleted], error] {
	return c.deleted(ctx, "/postings/deleted", o)
}

// DeletedApplications lists the applications deleted in a window, with their opportunities. Since April 2026.
func (c *Client) DeletedApplications(ctx context.Context, o DeletedOptions) iter.Seq2[Page[Deleted], error] {
	return c.deleted(ctx, "/applications/deleted", o)
}

func (c *Client) deleted(ctx context.Context, template string, o DeletedOptions) iter.Seq2[Page[Deleted], error] {
	if o.Until.IsZero() {
		o.Until = time.Now()
	}
	if w := o.Until.Sub(o.Since); o.Since.IsZero() || w < 0 || w > MaxDeletedWindow {
		return failed[Deleted](fmt.Errorf("lever: %s: the window must be between 0 and 30 days", template))
	}
	q := url.Values{}
	setTime(q, "deleted_at_start", o.Since)
	setTime(q, "deleted_at_end", o.Until)
	return list[Deleted](ctx, c, at(template), q, o.Token)
}
