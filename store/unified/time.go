package unified

import (
	"fmt"
	"time"
)

// TimeLayout is how a time leaves: ISO 8601, UTC, milliseconds, Z.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment in UTC, truncated to milliseconds; it reads and writes JSON as TimeLayout.
type Time struct{ time.Time }

// NewTime returns t in UTC, truncated to milliseconds.
func NewTime(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// MarshalJSON writes t as TimeLayout.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(TimeLayout) + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	p, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return fmt.Errorf("unified: time: %w", err)
	}
	*t = NewTime(p)
	return nil
}
