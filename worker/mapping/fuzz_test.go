package mapping

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// FuzzMap decodes any JSON into each of Lever's types and maps it: no panic, and what comes out is sound.
func FuzzMap(f *testing.F) {
	for _, s := range []string{
		`{"id":"o1","contact":"c1","name":"Ada Lovelace","links":["x.com/a"],"archived":{"reason":"r1","archivedAt":1},"applications":["a1"]}`,
		`{"id":"i1","date":1783000000000,"duration":45,"interviewers":[{"id":"u1","feedbackTemplate":"no-feedback"}],"feedbackForms":["f1"]}`,
		`{"id":"f1","completedAt":1,"fields":[{"type":"score-system","value":"B","options":[{"text":"A"},{"text":"B"},{"text":"C"}]}]}`,
		`{"id":"f1","status":"signed","signatures":{"candidate":{"signedAt":1}},"fields":[{"identifier":"anticipated_start_date","value":1e12}],"sentDocument":{}}`,
		`{"id":"p1","text":"Job","categories":{"team":"T","location":"L","allLocations":["M"]},"requisitionCodes":["R"],"urls":{"show":"s"}}`,
		`{"id":"p1","customQuestions":[{"fields":[{"id":"q1","type":"dropdown","options":[{"text":"A"}]}]}]}`,
		`{"id":"a1","race":"Asian","gender":"x","veteran":"No","disability":"Yes","createdAt":-62135596800001}`,
		`{"text":"Hired","type":null,"count":1,"file":{"name":"Cover Letter.pdf"},"name":"cover letter"}`,
	} {
		f.Add([]byte(s))
	}
	for _, raw := range recordedRecords(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzOne(t, body, func(o lever.Opportunity) (unified.Record, error) { return mapper.Application(o) })
		fuzzOne(t, body, func(o lever.Opportunity) (unified.Record, error) {
			if d := Digest(o); len(d) != digestSize {
				t.Errorf("Digest is %d bytes, want %d", len(d), digestSize)
			}
			return mapper.Candidate([]lever.Opportunity{o, {ID: "o2", Contact: lever.Ref(ContactOf(o))}})
		})
		fuzzOne(t, body, func(p lever.Posting) (unified.Record, error) {
			soundAll(t, mapper.Departments(p))
			soundAll(t, mapper.Offices(p))
			return mapper.Job(p, body)
		})
		fuzzOne(t, body, func(s lever.Stage) (unified.Record, error) { return mapper.Stage(s, 1, body) })
		fuzzOne(t, body, func(r lever.ArchiveReason) (unified.Record, error) { return mapper.RejectReason(r, body) })
		fuzzOne(t, body, func(u lever.User) (unified.Record, error) { return mapper.User(u, body) })
		fuzzOne(t, body, func(g lever.Tag) (unified.Record, error) { return mapper.Tag(g, body) })
		fuzzOne(t, body, func(e lever.EEOResponse) (unified.Record, error) { return mapper.EEOC(e, body) })
		fuzzOne(t, body, func(i lever.Interview) (unified.Record, error) { return mapper.Interview("o1", i, body) })
		fuzzOne(t, body, func(s lever.Feedback) (unified.Record, error) { return mapper.Scorecard("o1", s, body) })
		fuzzOne(t, body, func(o lever.Offer) (unified.Record, error) {
			soundAll(t, mapper.OfferDocuments("o1", "c1", o))
			return mapper.Offer("o1", o, body)
		})
		fuzzOne(t, body, func(r lever.Resume) (unified.Record, error) { return mapper.Resume("o1", "c1", r, body) })
		fuzzOne(t, body, func(x lever.File) (unified.Record, error) { return mapper.File("o1", "c1", x, body) })
		fuzzOne(t, body, func(a lever.ApplicationForm) (unified.Record, error) {
			soundAll(t, mapper.ScreeningQuestions("p1", a))
			return nil, nil
		})
	})
}

// recordedRecords are a few records of each recorded answer; none where there are no recordings.
func recordedRecords(f *testing.F) [][]byte {
	names, err := filepath.Glob(filepath.Join(fixtures(), "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	var out [][]byte
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var list struct{ Data []json.RawMessage }
		var one struct{ Data json.RawMessage }
		if json.Unmarshal(body, &list) != nil && json.Unmarshal(body, &one) == nil {
			list.Data = []json.RawMessage{one.Data}
		}
		for _, raw := range list.Data[:min(len(list.Data), 3)] {
			out = append(out, raw)
		}
	}
	return out
}

// fuzzOne maps body where it decodes into a T.
func fuzzOne[T any](t *testing.T, body []byte, f func(T) (unified.Record, error)) {
	t.Helper()
	var v T
	if json.Unmarshal(body, &v) != nil {
		return
	}
	r, err := f(v)
	switch none := r == nil || reflect.ValueOf(r).IsNil(); {
	case err != nil && !none:
		t.Errorf("%T maps to a record and an error: %v", v, err)
	case err == nil && !none:
		sound(t, r)
	}
}

func soundAll[R unified.Record](t *testing.T, records []R) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range records {
		sound(t, r)
		if id := r.Base().RemoteID; seen[id] {
			t.Errorf("%s: %q twice", r.Scope(), id)
		} else {
			seen[id] = true
		}
	}
}

// sound wants a record to have its identity, no list that is nil, and no text that is empty.
func sound(t *testing.T, r unified.Record) {
	t.Helper()
	e := r.Base()
	if e.ID != unified.ID(connector, r.Scope(), e.RemoteID) || strings.TrimSpace(e.RemoteID) == "" {
		t.Errorf("%s: id %s of remote id %q is not its own", r.Scope(), e.ID, e.RemoteID)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("%s does not marshal: %v", r.Scope(), err)
	}
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			continue
		}
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice && f.IsNil():
			t.Errorf("%s.%s is a nil list", r.Scope(), field.Name)
		case f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().Kind() == reflect.String && strings.TrimSpace(f.Elem().String()) == "":
			t.Errorf("%s.%s is an empty text", r.Scope(), field.Name)
		}
	}
}
