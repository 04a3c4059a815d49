package task_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/worker/task"
)

func TestPayloads(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	due := time.Date(2026, 7, 2, 9, 0, 0, 0, time.FixedZone("east", 3600))
	for name, p := range map[string]task.Sync{
		"all":   {ConnectorID: id},
		"scope": {ConnectorID: id, Scope: "tags"},
		"due":   {ConnectorID: id, Scope: "tags", DueAt: &due},
	} {
		made, err := task.NewSync(p)
		if err != nil {
			t.Fatal(err)
		}
		if made.Type() != "lever:sync" || strings.Contains(string(made.Payload()), "+01:00") {
			t.Errorf("%s: task %s %s; want lever:sync, times in UTC", name, made.Type(), made.Payload())
		}
		got, err := task.ParseSync(made.Payload())
		if err != nil || got.ConnectorID != p.ConnectorID || got.Scope != p.Scope || (got.DueAt == nil) != (p.DueAt == nil) || got.DueAt != nil && !got.DueAt.Equal(due) {
			t.Errorf("%s: ParseSync = %+v, %v; want %+v", name, got, err, p)
		}
	}
	for _, bad := range []string{``, `null`, `[]`, `{}`, `{"connector_id":"acme"}`, `{"connector_id":"` + id.String() + `","scopes":["tags"]}`, `{"connector_id":5}`} {
		if _, err := task.ParseSync([]byte(bad)); err == nil || !strings.Contains(err.Error(), `want {"connector_id":"<uuid>"`) {
			t.Errorf("ParseSync(%s): %v; want an error that shows a good payload", bad, err)
		}
	}
}

func TestSlotIDs(t *testing.T) {
	t.Parallel()
	a := task.SlotID(uuid.MustParse("11111111-2222-4333-8444-555555555555"), "job-interview-stages", 255)
	if want := "job_interview_stages:11111111222243338444555555555555:ff"; a != want {
		t.Errorf("SlotID = %q, want %q: asynqmon cuts ids at their first dash", a, want)
	}
}
