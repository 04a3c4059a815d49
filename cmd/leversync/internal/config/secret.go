package config

import "log/slog"

// Secret is a text that no log, error, %v or JSON shows; Reveal gives it.
type Secret string

const redacted = "[redacted]"

// Reveal is the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides it; an empty one is shown as such.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides it.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
