package store

import (
	"encoding/hex"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// The hashes of bodies are stored: whoever makes them otherwise writes every record once more, and moves modified_at.
func TestBodyHashesStay(t *testing.T) {
	t.Parallel()
	id, yes, order := uuid.MustParse("8d0c2f8e-70f4-5b0e-9c57-6a1a5f0e4b11"), true, 7
	for _, tt := range []struct {
		rec  unified.Record
		want string
	}{
		{&unified.Application{Candidate: &id}, "4e4beed1387578127ecf849aeb9b7d92"},
		{&unified.Candidate{IsPrivate: &yes, Tags: []string{`a "b"`, "c"}}, "4cd7e6eb20842bbad8a5ab74eaaaa741"},
		{&unified.JobInterviewStage{StageOrder: &order}, "81895e3f60f30d766a933ee922411034"},
	} {
		row, err := tables[tt.rec.Scope()].row(tt.rec)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(row.bodyHash); got != tt.want {
			t.Errorf("%T: %s, want %s", tt.rec, got, tt.want)
		}
	}
}
