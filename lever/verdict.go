package lever

import (
	"context"
	"errors"
	"net"
	"time"
)

// Verdict is what an error asks for.
type Verdict int

// The verdicts.
const (
	VerdictOK        Verdict = iota // there is no error
	VerdictRelink                   // the credential is dead: only a person can help
	VerdictForbidden                // not granted: the scope, or one record
	VerdictGone                     // the object is not there, or no more
	VerdictThrottled                // come back after RetryAfter; not a failure
	VerdictTransient                // try again, with backoff
	VerdictMalformed                // try again a few times, then keep the evidence
	VerdictBadToken                 // start the traversal again
	VerdictFatal                    // the same call will fail the same way: a mistake of ours, or of the settings
	VerdictCanceled                 // the caller stopped
)

var verdictNames = [...]string{"ok", "relink", "forbidden", "gone", "throttled", "transient", "malformed", "bad_token", "fatal", "canceled"}

// String is the verdict's name, for logs and metrics.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return "unknown"
	}
	return verdictNames[v]
}

// Classify says what err, as a method of Client returned it, asks for. It is the only place that decides.
func Classify(err error) Verdict {
	switch {
	case err == nil:
		return VerdictOK
	case is[*TransportError](err): // before the context's errors: it may wrap one, of a deadline of ours
		return VerdictTransient
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return VerdictCanceled
	case errors.Is(err, ErrUnauthorized):
		return VerdictRelink
	case is[*ForbiddenError](err):
		return VerdictForbidden
	case is[*NotFoundError](err):
		return VerdictGone
	case is[*RateLimitError](err), is[*BudgetError](err), is[*BreakerOpenError](err):
		return VerdictThrottled
	case is[*ServerError](err):
		return VerdictTransient
	case is[*MalformedError](err), is[*BodyTooLargeError](err):
		return VerdictMalformed
	}
	if loop, ok := errors.AsType[*LoopError](err); ok {
		if loop.Pages == 1 { // nothing but that page was read in vain
			return VerdictMalformed
		}
		return VerdictBadToken
	}
	if bad, ok := errors.AsType[*BadRequestError](err); ok && bad.InvalidOffset() {
		return VerdictBadToken
	}
	if is[net.Error](err) {
		return VerdictTransient
	}
	return VerdictFatal
}

// RetryAfter is how long err asks to wait, 0 if it does not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*RateLimitError](err); ok {
		return e.RetryAfter
	}
	if e, ok := errors.AsType[*BudgetError](err); ok {
		return e.RetryAfter
	}
	if e, ok := errors.AsType[*BreakerOpenError](err); ok {
		return e.RetryAfter
	}
	if e, ok := errors.AsType[*ServerError](err); ok {
		return e.RetryAfter
	}
	return 0
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
