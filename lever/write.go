package lever

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// payload is the body of a write.
type payload struct {
	method      string // "": POST
	contentType string
	length      int64            // bytes; 0: the request finds out by itself
	body        func() io.Reader // anew for each send: a 401 that a new token cures makes two
}

// open is the method, body and content type of a request; of a nil payload, a GET's.
func (p *payload) open() (method string, body io.Reader, contentType string) {
	if p == nil {
		return http.MethodGet, nil, ""
	}
	if p.body != nil {
		body = p.body()
	}
	return cmp.Or(p.method, http.MethodPost), body, p.contentType
}

// jsonPayload is v as JSON.
func jsonPayload(v any) (*payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &payload{contentType: "application/json", body: func() io.Reader { return bytes.NewReader(b) }}, nil
}

// OutcomeError says that a write was, or may have been, sent, and that no answer tells what became of it:
// Lever may have carried it out, or may yet. It must be looked up before it is sent again. Err is what
// went wrong; Classify sees through to it.
type OutcomeError struct {
	Path string // template
	Err  error
}

func (e *OutcomeError) Error() string {
	return e.Err.Error() + " (the write may have been carried out)"
}

// Unwrap is what went wrong.
func (e *OutcomeError) Unwrap() error { return e.Err }

// asOutcome is the error of a write that Lever may have seen: an *OutcomeError, unless err tells that it was refused.
func asOutcome(template string, err error) error {
	switch Classify(err) {
	case VerdictTransient, VerdictMalformed, VerdictCanceled:
		return &OutcomeError{Path: template, Err: err}
	}
	return err
}

// post makes a write whose answer is a single object with an id; beside, if not nil, reads what the envelope
// holds beside it. The errors of writes are those of any
// call, and *OutcomeError; with any other error Lever has not carried it out.
func post[T any](ctx context.Context, c *Client, r request, beside any) (Item[T], error) {
	var item Item[T]
	r.decode = func(body []byte) (int, error) {
		var err error
		if item, err = decodeOne[T](body); err != nil {
			return 0, malformedError(r.endpoint, err)
		}
		if item.Err != nil { // it was made, but which one it is, is not known
			return 0, &MalformedError{Path: r.template, Reason: "the record does not decode"}
		}
		if beside != nil {
			_ = decodeJSON(body, beside) // it is JSON; what is missing or odd stays zero
		}
		return 1, nil
	}
	if _, err := c.do(ctx, r); err != nil {
		return Item[T]{}, err
	}
	return item, nil
}
