package lever

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Time is a moment as Lever sends it: integer milliseconds since 1970, in some places a numeric string,
// an ISO 8601 string or a float. Null, "" and absence are the zero Time. It is UTC, in whole milliseconds.
type Time struct{ time.Time }

// MillisTime is the Time of ms milliseconds since 1970.
func MillisTime(ms int64) Time { return Time{time.UnixMilli(ms).UTC()} }

// Millis is t in milliseconds since 1970; 0 for the zero Time.
func (t Time) Millis() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// MarshalJSON writes milliseconds, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, t.UnixMilli(), 10), nil
}

// maxMillis is the last millisecond of the year 9999: beyond it neither Postgres' nor ISO's forms are safe.
const (
	maxMillis = 253402300799999
	minMillis = -62135596800000 // the first of the year 1
)

// UnmarshalJSON reads every form that Lever is known to use.
func (t *Time) UnmarshalJSON(b []byte) error {
	*t = Time{}
	s := string(bytes.TrimSpace(b))
	if s == "null" {
		return nil
	}
	if strings.HasPrefix(s, `"`) {
		if err := decodeText(b, &s); err != nil {
			return err
		}
		if s = strings.TrimSpace(s); s == "" {
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
			if p, err := time.Parse(layout, s); err == nil {
				*t = Time{p.UTC().Truncate(time.Millisecond)}
				return nil
			}
		}
	}
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || math.IsNaN(f) || f > maxMillis || f < minMillis {
			return fmt.Errorf("lever: %s is no time", kind(b))
		}
		ms = int64(f)
	}
	if ms > maxMillis || ms < minMillis {
		return fmt.Errorf("lever: %d ms is no time between the years 1 and 9999", ms)
	}
	*t = MillisTime(ms)
	return nil
}

// Ref is a reference to another object: its id. Where Lever was asked to expand it, it comes as an
// object, of which the id is kept; null is "".
type Ref string

// UnmarshalJSON reads an id, an object with one, or null.
func (r *Ref) UnmarshalJSON(b []byte) error {
	*r = ""
	switch b = bytes.TrimSpace(b); {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '{':
		var o struct {
			ID string `json:"id"`
		}
		if err := decodeJSON(b, &o); err != nil {
			return err
		}
		*r = Ref(o.ID)
		return nil
	case len(b) > 0 && b[0] == '"':
		return decodeText(b, (*string)(r))
	}
	return fmt.Errorf("lever: a reference must be an id or an object, not %s", kind(b))
}

// Scalar is a value that comes as a string, a number, a boolean or null: the text of it, "" for null.
type Scalar string

// UnmarshalJSON reads any scalar; arrays and objects are kept as their JSON text.
func (v *Scalar) UnmarshalJSON(b []byte) error {
	*v = ""
	switch b = bytes.TrimSpace(b); {
	case string(b) == "null":
		return nil
	case len(b) > 0 && b[0] == '"':
		return decodeText(b, (*string)(v))
	}
	*v = Scalar(b)
	return nil
}

// kind names the JSON type of b, for errors that must not repeat the value: it may be personal data.
func kind(b []byte) string {
	switch b = bytes.TrimSpace(b); {
	case len(b) == 0:
		return "nothing"
	case b[0] == '"':
		return "a string"
	case b[0] == '{':
		return "an object"
	case b[0] == '[':
		return "an array"
	case b[0] == 't' || b[0] == 'f':
		return "a boolean"
	case b[0] == 'n':
		return "null"
	}
	return "a number"
}
