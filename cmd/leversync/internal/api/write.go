package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// Writer carries writes to Lever through the outbox, so that none is made twice. Its replies are the records
// as this API gives them, but for what it adds of its own. Its errors are those of lever and store:
// *store.UnsettledError, *store.UnreadableError, store.ErrWriteRunning, ErrWriteKeyTaken, ErrNotLinked,
// ErrScopeOff.
type Writer interface {
	CreateCandidate(ctx context.Context, in store.NewWrite, performAs string, o lever.NewOpportunity, opts lever.CreateOptions) (json.RawMessage, error)
	AddAttachment(ctx context.Context, in store.NewWrite, to store.WriteTarget, performAs string, u lever.Upload) (json.RawMessage, error)
	AddNote(ctx context.Context, in store.NewWrite, to store.WriteTarget, performAs string, n lever.NewNote, fields json.RawMessage) (json.RawMessage, error)
}

// WriteHeaders are the headers of a write. Its body is read by withBody.
type WriteHeaders struct {
	TokenHeader
	Key string `header:"X-Idempotency-Key" maxLength:"255" doc:"Names this write: asked again with the same body it gives the same answer, and nothing is made twice. Kept 24 hours."`
}

// writeOutput is the answer to a write.
type writeOutput struct {
	ContentType string `header:"Content-Type"`
	Key         string `header:"X-Idempotency-Key" doc:"The key of this write, also where the request gave none."`
	Ignored     string `header:"X-Ignored-Fields" doc:"Fields of the body that Lever has no place for, or that are unknown, separated by commas."`
	Body        []byte
}

const bodyKey contextKey = 100

// sent is a request's body, until somebody takes it.
type sent struct{ body []byte }

// bodyOf is the request's body. Routes with withBody have one.
func bodyOf(ctx context.Context) []byte {
	if s, ok := ctx.Value(bodyKey).(*sent); ok {
		return s.body
	}
	return nil
}

// takeBody is bodyOf for once: a large one is not held for as long as the request lasts.
func takeBody(ctx context.Context) []byte {
	b := bodyOf(ctx)
	if s, ok := ctx.Value(bodyKey).(*sent); ok {
		s.body = nil
	}
	return b
}

// bodyTimeout is how long a client may take to send its body.
const bodyTimeout = time.Minute

// withBody reads bodies of up to limit bytes. They are not validated by huma: the contract has bodies of
// either of two shapes, and takes unknown fields. Their schema is added by documentBody.
func withBody(op huma.Operation, limit int64) huma.Operation {
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		req, w := humago.Unwrap(hc)
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not every server has one
		b, err := io.ReadAll(io.LimitReader(req.Body, limit+1))
		switch {
		case err != nil:
			writeRefusal(w, refuse(http.StatusBadRequest, "The body could not be read"))
		case int64(len(b)) > limit:
			writeRefusal(w, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes", limit)))
		default:
			next(huma.WithValue(hc, bodyKey, &sent{b}))
		}
	})
	return op
}

// documentBody adds the schema of a registered operation's body to the document. Set before, huma would read
// and validate the body by it.
func (s *server) documentBody(op huma.Operation, schema *huma.Schema) {
	s.api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// named puts a schema among the document's components under its title, so that a generated client has a type of
// that name, and returns the reference to it.
func (s *server) named(schema *huma.Schema) *huma.Schema {
	s.api.OpenAPI().Components.Schemas.Map()[schema.Title] = schema
	return &huma.Schema{Ref: "#/components/schemas/" + schema.Title}
}

// writer is who writes, or why nobody does.
func (s *server) writer() (Writer, error) {
	if s.cfg.Writer == nil {
		return nil, refuse(http.StatusServiceUnavailable, "Nothing can be written through this process")
	}
	return s.cfg.Writer, nil
}

// newWrite is the write that a request asks for.
func newWrite(connector uuid.UUID, op, key string, body []byte, more ...string) store.NewWrite {
	if key == "" {
		key = uuid.NewString()
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", op, strings.Join(more, "\n"))
	var v any
	if json.Unmarshal(body, &v) == nil { // the same, whatever its white space and order
		body, _ = json.Marshal(v)
	}
	_, _ = h.Write(body)
	return store.NewWrite{Connector: connector, Key: key, Fingerprint: h.Sum(nil)}
}

// written is the answer to a write that was carried out.
func written(in store.NewWrite, reply []byte, ignored []string) *writeOutput {
	return &writeOutput{ContentType: "application/json", Key: in.Key, Ignored: strings.Join(ignored, ","), Body: reply}
}

// answers documents the success of a write.
func (s *server) answers(op huma.Operation, status int, about string, schema *huma.Schema) huma.Operation {
	op.DefaultStatus = status
	op.Responses[strconv.Itoa(status)] = &huma.Response{
		Description: about, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
	return op
}

// integrationError is a refusal of Lever, with what Lever said.
type integrationError struct {
	*refusal
	code     int // Lever's status; 0: it gave none
	endpoint string
	response map[string]string // nil: none
}

// Unwrap lets register see a refusal.
func (e *integrationError) Unwrap() error { return e.refusal }

// MarshalJSON is the refusal's body and what Lever said.
func (e *integrationError) MarshalJSON() ([]byte, error) {
	b, err := e.refusal.MarshalJSON()
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, err
	}
	out["integration_status_code"], out["integration_endpoint"], out["integration_response"] = nil, e.endpoint, nil
	if e.code != 0 {
		out["integration_status_code"] = e.code
	}
	if e.response != nil {
		out["integration_response"] = e.response
	}
	return json.Marshal(out)
}

// unwritten is the answer to a write that failed, with its key: a client that gave none can ask again by it.
func unwritten(in store.NewWrite, err error, endpoint string) error {
	err = writeError(err, endpoint)
	if !is[*refusal](err) {
		return err
	}
	return huma.ErrorWithHeaders(err, http.Header{"X-Idempotency-Key": {in.Key}})
}

// writeError is what a write's failure is to our client.
func writeError(err error, endpoint string) error {
	switch {
	case errors.Is(err, store.ErrWriteRunning):
		return refuse(http.StatusConflict, "Request with this idempotency key is already in progress.")
	case errors.Is(err, store.ErrWriteKeyTaken):
		return refuse(http.StatusConflict, "Idempotency key already exists with a different payload.")
	case errors.Is(err, store.ErrNotLinked):
		return refuse(http.StatusConflict, "The connector must be linked first, or again: Lever has no credential of it that it accepts")
	case errors.Is(err, store.ErrScopeOff):
		return refuse(http.StatusForbidden, "What would be written is not synced for this connector: turn its scope on first")
	case errors.Is(err, lever.ErrUpload):
		return invalid("body", "file_content", "value_error", "Lever takes files of 1 byte to 30 MB", nil)
	}
	if l, ok := errors.AsType[*store.WriteLimitError](err); ok {
		return dailyLimit(l)
	}
	if _, ok := errors.AsType[*store.UnreadableError](err); ok {
		return refuse(http.StatusBadGateway, "Lever has taken it, but does not show the new record to the connector's credential")
	}
	code, response := said(err)
	e := &integrationError{code: code, endpoint: endpoint, response: response}
	if u, ok := errors.AsType[*store.UnsettledError](err); ok {
		if u.Err != nil && store.Away(u.Err) {
			e.endpoint = ""
		}
		e.refusal = refuse(http.StatusServiceUnavailable, unsettledSentence(u))
		return retryLater(e, u.RetryAfter)
	}
	switch lever.Classify(err) {
	case lever.VerdictThrottled:
		e.refusal = refuse(http.StatusServiceUnavailable, "Lever is busy, or the connector's budget of calls is spent: nothing was written, try again later")
		return retryLater(e, lever.RetryAfter(err))
	case lever.VerdictRelink:
		e.refusal = refuse(http.StatusBadGateway, "Lever refuses the connector's credential: it must be linked again")
	case lever.VerdictForbidden:
		e.refusal = refuse(http.StatusBadGateway, "The connector's credential may not write this in Lever")
	case lever.VerdictTransient:
		e.refusal = refuse(http.StatusBadGateway, "Lever can't be reached: nothing was written, try again later")
	case lever.VerdictGone:
		e.refusal = invalid("body", "data", "integration_error", "Lever does not know something that the request names", nil)
	default:
		if code == 0 {
			return err // none of Lever's
		}
		e.refusal = invalid("body", "data", "integration_error", "Lever refused the request: see integration_response", nil)
	}
	return e
}

// dailyLimit is a 429 that tells the day's limit from the minute's.
func dailyLimit(l *store.WriteLimitError) error {
	seconds := max(1, int(math.Ceil(l.RetryAfter.Seconds())))
	return huma.ErrorWithHeaders(refuse(http.StatusTooManyRequests, fmt.Sprintf("This connector's %d candidates within 24 hours are used up: nothing was written", l.Limit)), http.Header{
		"Retry-After": {strconv.Itoa(seconds)}, "X-DailyLimit-Limit": {strconv.Itoa(l.Limit)}, "X-DailyLimit-Remaining": {"0"},
		"X-DailyLimit-Reset": {strconv.FormatInt(time.Now().Unix()+int64(seconds), 10)},
	})
}

func unsettledSentence(u *store.UnsettledError) string {
	if u.Made {
		return "Lever has taken it, but it could not be read back yet. Send the same request with the same X-Idempotency-Key again: nothing is made twice"
	}
	return "It is not known yet whether Lever has taken it. Send the same request with the same X-Idempotency-Key again: nothing is made twice"
}

func retryLater(err error, after time.Duration) error {
	seconds := strconv.Itoa(max(1, int(math.Ceil(after.Seconds()))))
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {seconds}})
}

// said is the status and the words of Lever in err: its code and message, which hold no e-mail address.
func said(err error) (int, map[string]string) {
	if e, ok := errors.AsType[*lever.BadRequestError](err); ok {
		return e.Status, map[string]string{"code": e.Code, "message": e.Message}
	}
	if e, ok := errors.AsType[*lever.ForbiddenError](err); ok {
		return http.StatusForbidden, map[string]string{"code": e.Code}
	}
	if e, ok := errors.AsType[*lever.ServerError](err); ok {
		return e.Status, nil
	}
	switch {
	case errors.Is(err, lever.ErrUnauthorized):
		return http.StatusUnauthorized, nil
	case is[*lever.NotFoundError](err):
		return http.StatusNotFound, nil
	case is[*lever.RateLimitError](err):
		return http.StatusTooManyRequests, nil
	}
	return 0, nil
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
