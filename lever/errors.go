package lever

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrUnauthorized says that the credential is not accepted, and that a refresh did not help: the
// connector must be linked again.
var ErrUnauthorized = errors.New("lever: unauthorized")

// ErrNoID is the Err of an item whose record has no id: it cannot be told from others.
var ErrNoID = errors.New("lever: record has no id")

// ForbiddenError says that the credential may not read this path, or this one record of it.
type ForbiddenError struct {
	Path string // template
	Code string // Lever's, as NotGrantedError; may be ""
}

func (e *ForbiddenError) Error() string {
	return "lever: " + e.Path + ": forbidden" + inParens(e.Code)
}

// NotFoundError says that there is no such object, or no more.
type NotFoundError struct {
	Path string // template
}

func (e *NotFoundError) Error() string { return "lever: " + e.Path + ": not found" }

// RateLimitError says that Lever answered 429: come back after RetryAfter, at the same token.
type RateLimitError struct {
	RetryAfter time.Duration // 0 to 15 min
}

func (e *RateLimitError) Error() string {
	return "lever: rate limit exceeded, retry after " + e.RetryAfter.String()
}

// ServerError says that Lever failed, or that it is too busy: 5xx and 408.
type ServerError struct {
	Path       string // template
	Status     int
	RetryAfter time.Duration // 0: Lever did not say
}

func (e *ServerError) Error() string {
	return "lever: " + e.Path + ": server error " + strconv.Itoa(e.Status)
}

// BadRequestError says that Lever refuses the call as it is: any 4xx without a type of its own.
type BadRequestError struct {
	Path    string // template
	Status  int
	Code    string // Lever's
	Message string // Lever's, for who asked alone: at most 200 bytes, without e-mail addresses and the credential
}

// Error leaves Lever's message out: it may repeat what it was sent of a person, and errors come to be logged.
func (e *BadRequestError) Error() string {
	return "lever: " + e.Path + ": status " + strconv.Itoa(e.Status) + inParens(e.Code)
}

// InvalidOffset says that the page token is not, or no longer, accepted: the list must start again.
func (e *BadRequestError) InvalidOffset() bool {
	return e.Status == 400 && strings.Contains(strings.ToLower(e.Message), "invalid offset token")
}

// MalformedError says that an answer with a good status is not what it should be: HTML, truncated or
// otherwise invalid JSON, an envelope that is not one.
type MalformedError struct {
	Path   string // template
	Reason string // without anything of the body
}

func (e *MalformedError) Error() string {
	return "lever: " + e.Path + ": malformed answer: " + e.Reason
}

// BodyTooLargeError says that a decoded body went over the cap; it was not read further.
type BodyTooLargeError struct {
	Path  string // template
	Limit int64  // bytes
}

func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("lever: %s: body is larger than %d bytes", e.Path, e.Limit)
}

// TransportError says that no whole answer came: a timeout, a reset, a name that does not resolve.
type TransportError struct {
	Path string // template
	Err  error
}

func (e *TransportError) Error() string { return "lever: " + e.Path + ": " + e.Err.Error() }

// Unwrap is the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// BudgetError says that the connector's budget has no room soon; nothing was sent.
type BudgetError struct {
	RetryAfter time.Duration
}

func (e *BudgetError) Error() string {
	return "lever: no budget for the call, retry after " + e.RetryAfter.String()
}

// BreakerOpenError says that too many calls failed lately; nothing was sent.
type BreakerOpenError struct {
	RetryAfter time.Duration
}

func (e *BreakerOpenError) Error() string {
	return "lever: breaker is open, retry after " + e.RetryAfter.String()
}

// LoopError says that a listing came back to a page token it had already been at.
type LoopError struct {
	Path  string // template
	Pages int    // of the circle; 1: the page that was asked for names itself as the next one, and may not when asked again
}

func (e *LoopError) Error() string {
	return "lever: " + e.Path + ": the page tokens go in a circle of " + strconv.Itoa(e.Pages)
}

// RedirectError says that Lever points elsewhere. It is not followed: the credential belongs to one host.
type RedirectError struct {
	Path   string // template
	Status int
	Host   string // scheme and host of the target, "" if there is none
}

func (e *RedirectError) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("lever: %s: redirected (%d) to nowhere", e.Path, e.Status)
	}
	return fmt.Sprintf("lever: %s: redirected (%d) to %s, not followed; "+
		"if the account is hosted there, as EU accounts may be, set the API URL to it", e.Path, e.Status, e.Host)
}

func inParens(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
