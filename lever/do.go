package lever

import (
	"bytes"
	"cmp"
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

// request is one call, in the words of this package.
type request struct {
	endpoint
	query   url.Values
	target  *url.URL      // where a redirect led; nil: path and query below the base
	write   *payload      // nil: a GET
	timeout time.Duration // of the whole call; 0: the client's
	// decode reads the body of a good answer and says how many records it held. The body is its own to keep.
	decode func(body []byte) (records int, err error)
}

// do makes the one call that r is; it makes another one after a 401 that a new token may cure, and to
// follow a redirect that stays on the same host. The Call is that of the last one sent.
func (c *Client) do(ctx context.Context, r request) (Call, error) {
	if r.err != nil {
		return Call{}, r.err
	}
	var call Call
	var sent aftermath
	err := c.renewing(ctx, func() (_ string, err error) {
		call, sent, err = c.once(ctx, r)
		return sent.rejected, err
	})
	if sent.redirect != nil {
		r.target = sent.redirect
		call, _, err = c.once(ctx, r)
	}
	return call, err
}

// good reports whether status is one that the call's answer is read at.
func (r request) good(status int) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusCreated:
		return r.write != nil
	case http.StatusNoContent:
		return r.write != nil && r.write.method == http.MethodDelete
	}
	return false
}

// aftermath is what do needs to know of a call beside its error.
type aftermath struct {
	rejected string   // the credential that a 401 refused
	redirect *url.URL // where a redirect leads that may be followed
	reached  bool     // Lever may have seen the call
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
	if r.write != nil && after.reached {
		err = asOutcome(r.template, err)
	}
	done(err)
	c.report(ctx, &call, err)
	return call, after, err
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	u := r.target
	if u == nil {
		u = c.resolve(r.path, r.query)
	}
	method, body, contentType := r.write.open()
	req, err := http.NewRequestWithContext(ctx, method, "", body)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
		req.ContentLength = cmp.Or(r.write.length, req.ContentLength)
	}
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
	callCtx, cancel := context.WithTimeout(ctx, cmp.Or(r.timeout, c.timeout))
	defer cancel()
	start := time.Now()
	call.StartedAt = start.UTC()
	read := func() { call.Duration = time.Since(start) }

	sent, traced := countSent(callCtx)
	resp, err := c.http.Do(req.WithContext(traced))
	c.reportLost(ctx, *call, sent.n.Load())
	if err != nil {
		read()
		return aftermath{reached: sent.begun.Load()}, transportError(ctx, r.template, err)
	}
	defer resp.Body.Close()
	call.Status = resp.StatusCode
	limit := c.maxBody
	if !r.good(resp.StatusCode) {
		limit = maxErrorBody
	}
	body, err := readBody(resp.Body, limit)
	read()
	call.Bytes = int64(len(body))
	if !r.good(resp.StatusCode) { // then even half a body will do
		return c.refused(r, req, resp, body)
	}
	after := aftermath{reached: true}
	if errors.Is(err, errTooLarge) {
		return after, &BodyTooLargeError{Path: r.template, Limit: limit}
	}
	if err != nil {
		return after, transportError(ctx, r.template, err)
	}
	call.Records, err = r.decode(body)
	return after, err
}

// sends is what is known of how the transport sent a request.
type sends struct {
	n     atomic.Int64 // how often, as a whole
	begun atomic.Bool  // some of it may have left
}

// countSent counts how often the transport sends a request: it does so again, by itself, when a connection
// that it kept turns out to be closed. A write it sends again only where not a byte of it had left.
func countSent(ctx context.Context) (*sends, context.Context) {
	s := &sends{}
	return s, httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { s.begun.Store(true) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				s.n.Add(1)
			}
		},
	})
}

// reportLost tells the log of the sends before the last: Lever may have counted them.
func (c *Client) reportLost(ctx context.Context, call Call, sent int64) {
	call.Err, call.Wait = "lever: "+call.PathTemplate+": connection closed before an answer came; sent again", 0
	for ; sent > 1 && c.onCall != nil; sent-- {
		c.onCall(ctx, call)
	}
}

// refused is what follows from an answer that is not a good one.
func (c *Client) refused(r request, req *http.Request, resp *http.Response, body []byte) (aftermath, error) {
	after := aftermath{reached: true}
	err := statusError(r.template, resp, withoutCredential(body, req), time.Now())
	switch {
	case err == nil: // 204, or a GET's 201: nobody answers so
		err = &MalformedError{Path: r.template, Reason: "status " + resp.Status}
	case errors.Is(err, ErrUnauthorized):
		after.rejected = credential(req)
	case r.target == nil && r.write == nil:
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
