package lever

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"net/url"
	"slices"
	"strconv"
)

// maxPageSize is the most records that Lever gives per call, and what is asked for.
const maxPageSize = 100

// list traverses a list, page by page, from token on; "" is its beginning. After an error it ends: the
// traversal can be taken up again at the token of the last good page's Next.
//
// The end is a page without a next token. Lever leaves hasNext out in places, so a token that is new
// counts for more than a missing hasNext; one that was there before, since token, is a *LoopError.
func list[T any](ctx context.Context, c *Client, ep endpoint, query url.Values, token string) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		seed := maphash.MakeSeed()
		seen := map[uint64]int{maphash.String(seed, token): 0} // the page at each token, by its hash: lists are long
		for n := 1; ; n++ {
			page, hasNext, err := fetch[T](ctx, c, ep, query, token)
			if err != nil {
				yield(Page[T]{Token: token, Call: page.Call}, err)
				return
			}
			if page.Next == token && !hasNext {
				page.Next = ""
			}
			if page.Next != "" {
				h := maphash.String(seed, page.Next)
				if first, again := seen[h]; again {
					yield(Page[T]{Token: token, Call: page.Call}, &LoopError{Path: ep.template, Pages: n - first})
					return
				}
				seen[h] = n
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			token = page.Next
		}
	}
}

// fetch gets the page at token.
func fetch[T any](ctx context.Context, c *Client, ep endpoint, query url.Values, token string) (Page[T], bool, error) {
	q := url.Values{"limit": {strconv.Itoa(maxPageSize)}}
	for k, v := range query {
		q[k] = slices.Clone(v)
	}
	if token != "" {
		q.Set("offset", token)
	}
	page := Page[T]{Token: token}
	var env envelope
	call, err := c.do(ctx, request{endpoint: ep, query: q, decode: func(body []byte) (n int, err error) {
		page.Items, env, err = decodePage[T](body)
		return len(page.Items), malformedError(ep, err)
	}})
	page.Call, page.Next = call, env.next
	return page, env.hasNext, err
}

// get gets a single object.
func get[T any](ctx context.Context, c *Client, ep endpoint, query url.Values) (item Item[T], err error) {
	_, err = c.do(ctx, request{endpoint: ep, query: query, decode: func(body []byte) (int, error) {
		var err error
		if item, err = decodeOne[T](body); err != nil {
			return 0, malformedError(ep, err)
		}
		return 1, nil
	}})
	if err != nil {
		return Item[T]{}, err
	}
	return item, nil
}

// maxChildPages is how many pages of one list of one opportunity are read: nobody has 10,000 interviews.
const maxChildPages = 100

// Children are all records of one list of one opportunity.
type Children[T any] struct {
	Items []Item[T]
	Calls int // pages fetched, a failed one included
}

// children gathers all pages of a list that is short; one that comes to no end is a *MalformedError. With an
// error, Items are not to be used: a part of them would look as if the rest was gone.
func children[T any](ctx context.Context, c *Client, template, opportunityID string) (Children[T], error) {
	var all Children[T]
	for page, err := range list[T](ctx, c, at(template, opportunityID), nil, "") {
		if page.Call.Status != 0 || err == nil {
			all.Calls++
		}
		if err != nil {
			return Children[T]{Calls: all.Calls}, err
		}
		all.Items = append(all.Items, page.Items...)
		if page.Next != "" && all.Calls >= maxChildPages {
			return Children[T]{Calls: all.Calls}, &MalformedError{Path: template, Reason: "more than " + strconv.Itoa(maxChildPages) + " pages"}
		}
	}
	return all, nil
}

func failed[T any](err error) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) { yield(Page[T]{}, err) }
}

func malformedError(ep endpoint, err error) error {
	if reason, ok := errors.AsType[malformed](err); ok {
		return &MalformedError{Path: ep.template, Reason: string(reason)}
	}
	return err
}
