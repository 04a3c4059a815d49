package lever

import "log/slog"

const redacted = "[redacted]"

// Secret is a text that no log, error, %v or JSON may show; string(s) gives it.
type Secret string

// String hides it.
func (Secret) String() string { return redacted }

// GoString hides it.
func (Secret) GoString() string { return redacted }

// MarshalJSON hides it.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides it.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides it.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
