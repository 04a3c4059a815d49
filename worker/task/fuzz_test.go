package task

import (
	"testing"

	"github.com/google/uuid"
)

// FuzzSync reads any payload: what is taken names a connector, and makes a task that says the same.
func FuzzSync(f *testing.F) {
	for _, s := range []string{
		`{"connector_id":"0f5cc5de-5d1f-4cd1-a7c3-000000000001","scope":"tags","due_at":"2026-11-23T05:00:00.123456789+02:00"}`,
		`{"connector_id":"0f5cc5de-5d1f-4cd1-a7c3-000000000001"}`, `{"connector_id":""}`, `{}`, `[]`, `null`, `{"scope":"tags"}`, `{"connector_id":1}`, `{"extra":1}`, `{} {}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := ParseSync(payload)
		if err != nil {
			return
		}
		if p.ConnectorID == uuid.Nil {
			t.Errorf("ParseSync(%q) names no connector", payload)
		}
		made, err := NewSync(p)
		if err != nil {
			return // a time outside of the years that JSON has
		}
		again, err := ParseSync(made.Payload())
		same := again.ConnectorID == p.ConnectorID && again.Scope == p.Scope && (again.DueAt == nil) == (p.DueAt == nil)
		if err != nil || !same || p.DueAt != nil && !again.DueAt.Equal(*p.DueAt) {
			t.Errorf("ParseSync(NewSync(%q)) = %+v, %v; want %+v", payload, again, err, p)
		}
	})
}
