package lever

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	defaultRetryAfter = time.Second      // where Lever says nothing, or nothing sensible
	maxRetryAfter     = 15 * time.Minute // more is not believed
	maxMessage        = 200              // bytes of Lever's message kept
)

// statusError is the error of an answer that is not 2xx; nil for one that is. body is at most its beginning.
func statusError(template string, resp *http.Response, body []byte, now time.Time) error {
	code, message := errorBody(body)
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s >= 300 && s < 400:
		return redirectError(template, resp)
	case s == http.StatusUnauthorized:
		return fmt.Errorf("%w (%s)", ErrUnauthorized, template)
	case s == http.StatusForbidden:
		return &ForbiddenError{Path: template, Code: code}
	case s == http.StatusNotFound, s == http.StatusGone:
		return &NotFoundError{Path: template}
	case s == http.StatusTooManyRequests:
		return &RateLimitError{RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), serverNow(resp.Header, now))}
	case s >= 500, s == http.StatusRequestTimeout:
		e := &ServerError{Path: template, Status: s}
		if v := resp.Header.Get("Retry-After"); v != "" {
			e.RetryAfter = parseRetryAfter(v, serverNow(resp.Header, now))
		}
		return e
	default:
		return &BadRequestError{Path: template, Status: s, Code: code, Message: message}
	}
}

func redirectError(template string, resp *http.Response) *RedirectError {
	e := &RedirectError{Path: template, Status: resp.StatusCode}
	if u, err := resp.Location(); err == nil {
		e.Host = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	}
	return e
}

// errorBody is the code and the scrubbed message of an error answer, "" where it has none.
func errorBody(body []byte) (code, message string) {
	var e struct {
		Code    Scalar `json:"code"`
		Message Scalar `json:"message"`
	}
	if decodeJSON(body, &e) != nil {
		return "", ""
	}
	return scrubCode(string(e.Code)), scrub(string(e.Message), maxMessage)
}

var (
	emailPattern = regexp.MustCompile(`[^\s"'<>()\[\]{},;:=]+@[^\s"'<>()\[\]{},;:=]+`)
	codePattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

	// digitsPattern is what may be a value in an error of decoding.
	digitsPattern = regexp.MustCompile(`[0-9]+`)
)

// scrub takes e-mail addresses and control characters out of s and cuts it to at most limit bytes.
func scrub(s string, limit int) string {
	if len(s) > 16<<10 { // nobody's message is that long; the pattern need not see it
		s = s[:16<<10]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = emailPattern.ReplaceAllString(s, "[e-mail]")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// scrubCode is s if it looks like a class name, as Lever's codes do, else "".
func scrubCode(s string) string {
	if codePattern.MatchString(s) {
		return s
	}
	return ""
}

// parseRetryAfter reads a Retry-After header: seconds, whole or not, or an HTTP date. The result is
// between 0 and 15 min; what is absent or cannot be read is 1 s.
func parseRetryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if f, err := strconv.ParseFloat(v, 64); err == nil || math.IsInf(f, 0) {
		switch {
		case math.IsNaN(f):
			return defaultRetryAfter
		case f <= 0:
			return 0
		case f >= maxRetryAfter.Seconds():
			return maxRetryAfter
		}
		return time.Duration(f * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return defaultRetryAfter
}

// serverNow is the time that the server thinks it is, so that a date of its own is not read by another
// clock; now, where it does not say.
func serverNow(h http.Header, now time.Time) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return now
}
