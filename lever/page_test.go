package lever

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func ids[T interface{ RecordID() string }](items []Item[T]) string {
	var s []string
	for _, it := range items {
		if it.Err != nil {
			s = append(s, "!")
		} else {
			s = append(s, it.Value.RecordID())
		}
	}
	return strings.Join(s, " ")
}

func TestDecodePage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		body, ids, next, malformed string
	}{
		{body: `{"data":[{"id":"a"},{"id":"b"}],"hasNext":true,"next":"t"}`, ids: "a b", next: "t"},
		{body: `{"hasNext":true,"next":"t","more":{"data":[1]},"data":[{"id":"a"}]}`, ids: "a", next: "t"},
		{body: `{"data":[],"hasNext":false}`},
		{body: `{"data":[{"id":"a"}]}`, ids: "a"},
		{body: `{"data":[{"id":"a"}],"next":"t"}`, ids: "a", next: "t"},
		{body: `{"data":[{"id":"a"}],"hasNext":null,"next":null}`, ids: "a"},
		{body: `[{"id":"a"},{"id":"b"}]`, ids: "a b"},
		{body: "\xEF\xBB\xBF {\"data\":[{\"id\":\"a\"}]}\n", ids: "a"},
		{body: `{"data":{"eeoResponses":[{"id":"a"}],"x":[]},"hasNext":true,"next":"t"}`, ids: "a", next: "t"},
		{body: `{"data":{"eeoResponses":[]}}`},
		{body: `{"data":[{"id":"a"},{"id":1},null,7,"x",[],{},{"id":"b"}]}`, ids: "a ! ! ! ! ! ! b"},
		{body: `{"data":[{"id":"a","x":1e200000},{"id":"b","x":tru},{"id":"c\u0000"}]}`, ids: "! ! c"},
		{body: `{"data":[{"id":"a","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `},{"id":"b"}]}`, ids: "! b"},

		{body: ``, malformed: "empty"},
		{body: `<!DOCTYPE html><html><body>Sign in</body></html>`, malformed: notJSON},
		{body: `"text"`, malformed: notJSON},
		{body: `{}`, malformed: noData},
		{body: `{"code":"X","message":"y"}`, malformed: noData},
		{body: `{"data":7}`, malformed: wrongData},
		{body: `{"data":{}}`, malformed: wrongData},
		{body: `{"data":null,"hasNext":false}`, malformed: wrongData},
		{body: `{"data":{"eeoResponses":null}}`, malformed: wrongData},
		{body: `{"data":"x"}`, malformed: wrongData},
		{body: `{"data":[],"hasNext":true}`, malformed: missingNext},
		{body: `{"data":[],"next":{}}`, malformed: wrongNext},
		{body: `{"data":[],"hasNext":"yes"}`, malformed: wrongNext},
		{body: `{"data":[{"id":"a"},]}`, malformed: invalidJSON},
		{body: `{"data":[{"id":"a"} {"id":"b"}]}`, malformed: invalidJSON},
		{body: `{"data":[]} {"data":[]}`, malformed: trailingBytes},
	} {
		items, env, err := decodePage[Opportunity]([]byte(tc.body))
		reason, _ := errors.AsType[malformed](err)
		if string(reason) != tc.malformed || err == nil && (ids(items) != tc.ids || env.next != tc.next) {
			t.Errorf("decodePage(%.80q): got %q, next %q, %v; want %q, %q, %q", tc.body, ids(items), env.next, err, tc.ids, tc.next, tc.malformed)
		}
	}
}

func TestDecodePageCutOffAnywhere(t *testing.T) {
	t.Parallel()
	body := fixture(t, "nango__opportunities_list_page01.json")
	short := []byte(`{"data":[{"id":"a","name":"\u00e9é","stageChanges":[{"toStageId":"s","updatedAt":1}],"isAnonymized":false},{"id":"b"}],"hasNext":true,"next":"%5B1%5D"}`)
	for _, b := range [][]byte{short, body[len(body)-4096:], body[:4096]} {
		for n := range len(b) {
			if _, _, err := decodePage[Opportunity](b[:n]); err == nil {
				t.Errorf("decodePage of %d of %d bytes: got no error, want one", n, len(b))
			}
		}
	}
}

// wrongTypes are values of every JSON type.
var wrongTypes = []string{`"x"`, `1`, `-1.5`, `9223372036854775808`, `1e400`, `true`, `null`, `[]`, `[{}]`, `[[1]]`, `{}`, `{"id":[]}`}

// everyField puts wrong values into every field of a record that has them all, beside a good record.
func everyField[T interface{ RecordID() string }](t *testing.T, full T) {
	t.Helper()
	b, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name, good := range fields {
		for _, wrong := range wrongTypes {
			fields[name] = json.RawMessage(wrong)
			record, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Sprintf(`{"data":[{"id":"before","text":"before"},%s,{"id":"after","text":"after"}]}`, record)
			items, _, err := decodePage[T]([]byte(body))
			if err != nil || len(items) != 3 || items[0].Err != nil || items[2].Err != nil {
				t.Errorf("%T with %s = %s: got %q, %v, want its neighbours to stand", full, name, wrong, ids(items), err)
			}
			if err == nil && items[1].Err != nil && strings.ContainsAny(items[1].Err.Error(), "0123456789") {
				t.Errorf("%T with %s = %s: got error %v, want one without values", full, name, wrong, items[1].Err)
			}
		}
		fields[name] = good
	}
}

func TestWrongTypesSpoilOneRecordOnly(t *testing.T) {
	t.Parallel()
	everyField(t, Opportunity{ID: "x"})
	everyField(t, Posting{ID: "x"})
	everyField(t, Interview{ID: "x"})
	everyField(t, Feedback{ID: "x"})
	everyField(t, Offer{ID: "x"})
	everyField(t, Resume{ID: "x"})
	everyField(t, File{ID: "x"})
	everyField(t, User{ID: "x"})
	everyField(t, Stage{ID: "x"})
	everyField(t, ArchiveReason{ID: "x"})
	everyField(t, EEOResponse{ID: "x"})
	everyField(t, Tag{Text: "x"})
	everyField(t, Deleted{ID: "x"})
}

func TestTypeTraps(t *testing.T) {
	t.Parallel()
	one := func(body string, v any) {
		t.Helper()
		if err := decodeJSON([]byte(body), v); err != nil {
			t.Errorf("%T from %s: got %v, want no error", v, body, err)
		}
	}
	for _, size := range []string{`2048`, `"2048"`} {
		for _, at := range []string{`1750000000000`, `"1750000000000"`, `"2025-06-15T15:06:40.000Z"`, `1750000000000.0`} {
			var f File
			one(`{"id":"f","size":`+size+`,"uploadedAt":`+at+`}`, &f)
			if f.Size != "2048" || f.UploadedAt.Millis() != 1750000000000 {
				t.Errorf("file with size %s, uploadedAt %s: got %q, %d", size, at, f.Size, f.UploadedAt.Millis())
			}
		}
	}
	for stage, want := range map[string]Ref{`"lead-new"`: "lead-new", `{"id":"lead-new","text":"New lead"}`: "lead-new", `null`: ""} {
		var o Opportunity
		one(`{"id":"o","stage":`+stage+`,"owner":`+stage+`,"applications":["a1",{"id":"a2","posting":`+stage+`}],"updatedAt":null,"archived":null}`, &o)
		if o.Stage != want || o.Owner != want || len(o.Applications) != 2 || o.Applications[0].ID != "a1" || o.Applications[1].Posting != want || !o.UpdatedAt.IsZero() {
			t.Errorf("opportunity with stage %s: got %+v, want %q everywhere", stage, o, want)
		}
	}
	for value, want := range map[string]Scalar{`"USD"`: "USD", `5000`: "5000", `5000.5`: "5000.5", `null`: "", `true`: "true", `"unlimited"`: "unlimited", `["a"]`: `["a"]`} {
		var f OfferField
		one(`{"identifier":"x","value":`+value+`}`, &f)
		if f.Value != want {
			t.Errorf("offer field with value %s: got %q, want %q", value, f.Value, want)
		}
	}
	var in Interview
	one(`{"id":"i","feedbackTemplate":"no-feedback","feedbackForms":[{"id":"f1","text":"x"},"f2"],"unknown":{"a":[1]}}`, &in)
	if in.FeedbackTemplate != NoFeedback || len(in.FeedbackForms) != 2 || in.FeedbackForms[0] != "f1" {
		t.Errorf("interview: got %+v, want no-feedback and two forms", in)
	}
}

// A time that nothing can hold spoils its record; one in seconds, where milliseconds belong, is an early one, and harmless:
// nothing is decided by Lever's times.
func TestTimesOutOfRange(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		`253402300799999`: "9999-12-31T23:59:59.999Z", `253402300800000`: "", `1750000000000000`: "", `-62135596800001`: "", `"10000-01-01T00:00:00Z"`: "", `1e300`: "",
		`1750000000`: "1970-01-21T06:06:40Z", `0`: "1970-01-01T00:00:00Z",
	} {
		items, _, err := decodePage[Opportunity]([]byte(`{"data":[{"id":"a","createdAt":` + at + `},{"id":"b"}]}`))
		if err != nil || len(items) != 2 || items[1].Err != nil || (items[0].Err == nil) != (want != "") {
			t.Errorf("createdAt %s: got %+v, %v; want %q, and its neighbour to stand", at, items, err, want)
			continue
		}
		if got := items[0].Value.CreatedAt.Time.Format(time.RFC3339Nano); want != "" && got != want {
			t.Errorf("createdAt %s: got %s, want %s", at, got, want)
		}
	}
}

func TestRecordErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	for _, record := range []string{
		`{"id":"a","name":12345}`, `{"id":"a","emails":["x",{"mail":"ada@example.com"}]}`, `{"id":"a","createdAt":"ada@example.com"}`,
		`{"id":"a","createdAt":99999999999999999}`, `{"id":"a","owner":77}`, `{"id":"a","isAnonymized":"ada"}`,
	} {
		items, _, err := decodePage[Opportunity]([]byte(`[` + record + `]`))
		if err != nil || len(items) != 1 || items[0].Err == nil {
			t.Errorf("%s: got %v, %v, want an error of the record", record, items, err)
			continue
		}
		if msg := items[0].Err.Error(); strings.Contains(msg, "ada") || strings.ContainsAny(msg, "0123456789@") || items[0].Value.ID != "" {
			t.Errorf("%s: got error %q, value %+v, want no values", record, msg, items[0].Value)
		}
	}
}

// idOnly is what a Sketch is, as the JSON library reads it.
type idOnly struct {
	ID string `json:"id"`
}

func (o idOnly) RecordID() string { return o.ID }

// sketchesAgree holds that the sketches of a page have the ids, the bytes and the errors that decoding its records gives.
func sketchesAgree(t *testing.T, body []byte) {
	t.Helper()
	want, _, wantErr := decodePage[idOnly](body)
	got, _, err := decodePage[Sketch](body)
	if (err == nil) != (wantErr == nil) || len(got) != len(want) {
		t.Fatalf("sketches of %q: %d, %v; want %d, %v", body, len(got), err, len(want), wantErr)
	}
	for i := range got {
		if g, w := got[i], want[i]; g.Value.ID != w.Value.ID || (g.Err == nil) != (w.Err == nil) || !bytes.Equal(g.Raw, w.Raw) {
			t.Errorf("sketch of %q: %q, %v; want %q, %v", g.Raw, g.Value.ID, g.Err, w.Value.ID, w.Err)
		}
	}
}

func TestSketchesReadTheIDThatDecodingReads(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[{"id":"a"},{"x":{"id":"b"},"id":"c"}]`, `[{"id":"a","id":"b"},{"id":"a","\u0069d":"b"},{"\u0069d":"b"}]`, `[{"id":7},{"id":null},{"id":"a","id":null},{"id":{}}]`,
		`[{},{"ID":"a"},7,"x",null,[1]]`, `[{"id":"a\u0041\n"},{"id":"\ud800"},{ "id" : "a" }, {"id":""}]`, "[{\"id\":\"a\x00b\"},{\"i\x00d\":\"a\"}]", `[{"id":"a`,
	} {
		sketchesAgree(t, []byte(body))
	}
	for _, name := range recordings(t) {
		sketchesAgree(t, fixture(t, name))
	}
}

func FuzzPage(f *testing.F) {
	for _, s := range []string{
		`{"data":[{"id":"a"}],"hasNext":true,"next":"t"}`, `[{"id":"a"}]`, `{"data":{"eeoResponses":[{"id":"a"}]}}`, `{"data":null}`,
		`{"data":[{"id":"a","stage":{"id":"s"},"applications":["x"]}]}`, "\xEF\xBB\xBF{\"data\":[]}", `{"data":[{"id":"a\u0000"},`, `[1,"]",{"a":"}"}]`,
	} {
		f.Add([]byte(s))
	}
	for _, name := range recordings(f) {
		if b := fixture(f, name); len(b) < 20_000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		items, _, err := decodePage[Opportunity](body)
		if _, ok := errors.AsType[malformed](err); err != nil && !ok {
			t.Errorf("decodePage(%q): got error %v, want a reason", body, err)
		}
		if err != nil {
			return
		}
		for i, it := range items {
			if it.Err == nil && storable(it.Raw) != nil {
				t.Errorf("decodePage(%q): record %d is %q: %v", body, i, it.Raw, storable(it.Raw))
			}
		}
		sketchesAgree(t, body)
		_, _ = decodeOne[Opportunity](body)
	})
}
