package lever

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// maxErrorBody is how much of an answer that is an error is read.
const maxErrorBody = 64 << 10

// request is one GET, in the words of this package.
type request struct {
	endpoint
	query  url.Values
	target *url.URL // where a redirect led; nil: path and query below the base
	// decode reads the body of a good answer and says how many records it held. The body is its own to keep.
	decode func(body []byte) (records int, err error)
}

// do makes the one call that r is; it makes a second one after a 401 that a new token may cure, and to
// follow a redirect that stays on the same host. The Call is that of the last one sent.
func (c *Client) do(ctx context.Context, r request) (Call, error) {
	if r.err != nil {
		return Call{}, r.err
	}
	call, sent, err := c.once(ctx, r)
	if errors.Is(err, ErrUnauthorized) && sent.rejected != "" {
		if rerr := c.auth.Refresh(ctx, sent.rejected); rerr != nil {
			if errors.Is(rerr, ErrUnauthorized) {
				return call, err
			}
			return call, rerr
		}
		call, sent, err = c.once(ctx, r)
	}
	if sent.redirect != nil {
		r.target = sent.redirect
		call, _, err = c.once(ctx, r)
	}
	return call, err
}

// aftermath is what do needs to know of a call beside its error.
type aftermath struct {
	rejected string   // the credential that a 401 refused
	redirect *url.URL // where a redirect leads that may be followed
}

// once makes one call. The Call is zero if nothing was sent.
func (c *Client) once(ctx context.Context, r request) (Call, aftermath, error) {
	done, err := c.breaker.allow()
	if err != nil {
		return Call{}, aftermath{}, err
	}
	req, err := c.newRequest(ctx, r)
	if err != nil {
		done(errNotSent)
		return Call{}, aftermath{}, err
	}
	call := Call{Method: req.Method, PathTemplate: r.template, Query: redactQuery(req.URL.Query())}
	if c.limiter != nil {
		if call.Wait, err = c.limiter.Wait(ctx, laneOf(ctx)); err != nil {
			done(errNotSent)
			return Call{}, aftermath{}, err
		}
	}
	after, err := c.exchange(ctx, r, req, &call)
	done(err)
	c.report(ctx, &call, err)
	return call, after, err
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	u := r.target
	if u == nil {
		u = c.resolve(r.path, r.query)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	return req, c.auth.Authorize(ctx, req)
}

// resolve is path, escaped, below the base URL.
func (c *Client) resolve(path string, q url.Values) *url.URL {
	u := *c.base
	u.RawPath = u.EscapedPath() + path
	u.Path, _ = url.PathUnescape(u.RawPath) // at escaped it
	u.RawQuery = q.Encode()
	return &u
}

// exchange sends req, reads and decodes the answer, and fills in the rest of call.
func (c *Client) exchange(ctx context.Context, r request, req *http.Request, call *Call) (aftermath, error) {
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start := time.Now()
	call.StartedAt = start.UTC()
	read := func() { call.Duration = time.Since(start) }

	sent, traced := countSent(callCtx)
	resp, err := c.http.Do(req.WithContext(traced))
	c.reportLost(ctx, *call, sent.Load())
	if err != nil {
		read()
		return aftermath{}, transportError(ctx, r.template, err)
	}
	defer resp.Body.Close()
	call.Status = resp.StatusCode
	limit := c.maxBody
	if resp.StatusCode != http.StatusOK {
		limit = maxErrorBody
	}
	body, err := readBody(resp.Body, limit)
	read()
	call.Bytes = int64(len(body))
	if resp.StatusCode != http.StatusOK { // then even half a body will do
		return c.refused(r, req, resp, body)
	}
	if errors.Is(err, errTooLarge) {
		return aftermath{}, &BodyTooLargeError{Path: r.template, Limit: limit}
	}
	if err != nil {
		return aftermath{}, transportError(ctx, r.template, err)
	}
	call.Records, err = r.decode(body)
	return aftermath{}, err
}

// countSent counts how often the transport sends a request: it does so again, by itself, when a connection
// that it kept turns out to be closed.
func countSent(ctx context.Context) (*atomic.Int64, context.Context) {
	n := new(atomic.Int64)
	return n, httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			n.Add(1)
		}
	}})
}

// reportLost tells the log of the sends before the last: Lever may have counted them.
func (c *Client) reportLost(ctx context.Context, call Call, sent int64) {
	call.Err, call.Wait = "lever: "+call.PathTemplate+": connection closed before an answer came; sent again", 0
	for ; sent > 1 && c.onCall != nil; sent-- {
		c.onCall(ctx, call)
	}
}

// refused is what follows from an answer that is not 200.
func (c *Client) refused(r request, req *http.Request, resp *http.Response, body []byte) (aftermath, error) {
	var after aftermath
	err := statusError(r.template, resp, body, time.Now())
	switch {
	case err == nil: // 201, 204: no GET has such an answer
		err = &MalformedError{Path: r.template, Reason: "status " + resp.Status}
	case errors.Is(err, ErrUnauthorized):
		after.rejected = credential(req)
	case r.target == nil:
		after.redirect = sameOrigin(req.URL, resp)
	}
	return after, err
}

// sameOrigin is where a redirect of a GET leads, if it stays on the scheme, host and port of from.
func sameOrigin(from *url.URL, resp *http.Response) *url.URL {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	to, err := resp.Location()
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Host || to.User != nil {
		return nil
	}
	return to
}

// report tells the limiter and the log of a call that was sent.
func (c *Client) report(ctx context.Context, call *Call, err error) {
	if err != nil {
		call.Err = err.Error()
	}
	if c.limiter != nil {
		if limited, ok := errors.AsType[*RateLimitError](err); ok {
			c.limiter.Throttled(limited.RetryAfter)
		} else if call.Status > 0 && call.Status < 500 {
			c.limiter.Succeeded()
		}
	}
	if c.onCall != nil {
		c.onCall(ctx, *call)
	}
}

var errTooLarge = errors.New("lever: too large")

// bodies are buffers that bodies are read into before their size is known.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer kept for the next body.
const maxPooled = 4 << 20

// readBody reads at most limit bytes; with errTooLarge if there are more, with what there is on any error.
func readBody(body io.Reader, limit int64) ([]byte, error) {
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= maxPooled {
			bodies.Put(buf)
		}
	}()
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	if err == nil && n > limit {
		buf.Truncate(int(limit))
		err = errTooLarge
	}
	return bytes.Clone(buf.Bytes()), err
}
