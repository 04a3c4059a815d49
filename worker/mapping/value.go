package mapping

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// text is s trimmed; nil where nothing is left.
func text(s string) *string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return &s
}

// firstText is the first of its arguments that is not empty; nil where all are.
func firstText(s ...string) *string {
	for _, v := range s {
		if t := text(v); t != nil {
			return t
		}
	}
	return nil
}

// texts is the list of the non-empty ones, trimmed, each once, in order; never nil.
func texts(s ...string) []string {
	out := make([]string, 0, len(s))
	seen := make(map[string]bool, len(s))
	for _, v := range s {
		if v = strings.TrimSpace(v); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// enum is the known value's counterpart, whatever its case; an unknown value passes through.
func enum(v string, known map[string]string) *string {
	t := text(v)
	if t == nil {
		return nil
	}
	if k, ok := known[strings.ToLower(*t)]; ok {
		return &k
	}
	return t
}

// splitName cuts a name at its last space; a single word is a first name.
func splitName(name string) (first, last *string) {
	name = strings.TrimSpace(name)
	i := strings.LastIndexFunc(name, unicode.IsSpace)
	if i < 0 {
		return text(name), nil
	}
	_, width := utf8.DecodeRuneInString(name[i:])
	return text(name[:i]), text(name[i+width:])
}

// confidential says whether Lever calls a thing so; nil where it says nothing.
func confidential(c string) *bool {
	t := text(c)
	if t == nil {
		return nil
	}
	return new(*t == "confidential")
}

// clock turns Lever's times into ours, and keeps the first impossible one as its err.
type clock struct {
	scope unified.Scope
	err   error
}

// at is the time of the named field; nil where Lever gives none.
func (c *clock) at(field string, t lever.Time) *unified.Time {
	if t.IsZero() {
		return nil
	}
	return c.when(field, t.Time)
}

// when is at, of a time already computed. Neither ISO 8601 nor JSON has years of other than four digits.
func (c *clock) when(field string, t time.Time) *unified.Time {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		if c.err == nil {
			c.err = refuse(c.scope, fmt.Errorf("%s is not between the years 1 and 9999", field))
		}
		return nil
	}
	return new(unified.NewTime(t))
}
