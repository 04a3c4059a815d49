package lever

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// Stages lists the account's stages from token on, in the order of its pipeline.
func (c *Client) Stages(ctx context.Context, token string) iter.Seq2[Page[Stage], error] {
	return list[Stage](ctx, c, at("/stages"), nil, token)
}

// ArchiveReasons lists the reasons of both types from token on.
func (c *Client) ArchiveReasons(ctx context.Context, token string) iter.Seq2[Page[ArchiveReason], error] {
	return list[ArchiveReason](ctx, c, at("/archive_reasons"), nil, token)
}

// Tags lists the account's tags from token on.
func (c *Client) Tags(ctx context.Context, token string) iter.Seq2[Page[Tag], error] {
	return list[Tag](ctx, c, at("/tags"), nil, token)
}

// Users lists the account's users from token on, the deactivated ones too: records still point to them.
func (c *Client) Users(ctx context.Context, token string) iter.Seq2[Page[User], error] {
	return list[User](ctx, c, at("/users"), url.Values{"includeDeactivated": {"true"}}, token)
}

// User gets one user.
func (c *Client) User(ctx context.Context, id string) (Item[User], error) {
	return get[User](ctx, c, at("/users/:id", id), nil)
}

// EEOOptions choose EEO responses by when the application was made; inclusive.
type EEOOptions struct {
	CreatedSince time.Time // zero: all there are
	CreatedUntil time.Time // zero: until now
	Token        string    // where to go on; "" is the beginning
}

// EEOResponses lists the EEO responses with personal data. Without a start Lever would give the last
// week's only, so there always is one. Source: Lever API v1, "EEO responses (PII)".
func (c *Client) EEOResponses(ctx context.Context, o EEOOptions) iter.Seq2[Page[EEOResponse], error] {
	if o.CreatedSince.UnixMilli() < 1 {
		o.CreatedSince = time.UnixMilli(1) // a 0 might be read as no start
	}
	q := url.Values{}
	setTime(q, "created_at_start", o.CreatedSince)
	setTime(q, "created_at_end", o.CreatedUntil)
	return list[EEOResponse](ctx, c, at("/eeo/responses/pii"), q, o.Token)
}
