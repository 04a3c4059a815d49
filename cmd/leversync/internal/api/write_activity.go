package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// activityFields are those of CreateActivity.
var activityFields = []attribute{
	{"activity_type", "string", "NOTE: Lever takes no other."},
	{"candidate", "uuid", "Whom it is about."},
	{"user", "uuid", "The remote user in whose name it is written; null: whoever linked the account."},
	{"body", "string", "The text."},
	{"subject", "string", "Goes before the text."},
	{"visibility", "string", "ADMIN_ONLY and PRIVATE: for those alone who may see sensitive information. PUBLIC, or null: for all of the account."},
}

var activityRequired = []string{"user", "activity_type", "body", "visibility", "candidate"}

func registerActivity(s *server, op huma.Operation) {
	op = s.answers(withBody(op, maxBody), http.StatusCreated, "The note.", s.schemaOf(Activity{}))
	register(s, op, func(ctx context.Context, in *WriteHeaders) (*writeOutput, error) {
		writer, err := s.writer()
		if err != nil {
			return nil, err
		}
		f, err := readFields(bodyOf(ctx))
		if err != nil {
			return nil, err
		}
		n, err := s.note(ctx, f)
		if err != nil {
			return nil, err
		}
		w := newWrite(connectorOf(ctx).ID, op.OperationID, in.Key, bodyOf(ctx))
		reply, err := writer.AddNote(ctx, w, n.to, n.performAs, n.NewNote, n.fields)
		if err != nil {
			return nil, unwritten(w, err, "POST /opportunities/:id/notes")
		}
		return written(w, reply, *f.ignored), nil
	})
	s.documentBody(op, s.named(objectOf("CreateActivity", activityFields, activityRequired...)))
}

// newNote is a note in Lever's words.
type newNote struct {
	lever.NewNote
	to        store.WriteTarget
	performAs string
	fields    json.RawMessage // as the activity gives them back
}

func (s *server) note(ctx context.Context, f *fields) (*newNote, error) {
	for _, name := range activityRequired {
		if _, ok := f.values[name]; !ok {
			f.wrong([]any{name}, "missing", "Field required")
		}
	}
	kind, text, subject, visibility := f.text("activity_type"), f.text("body"), f.text("subject"), f.text("visibility")
	n := &newNote{NewNote: lever.NewNote{Value: text}}
	if subject != "" {
		n.Value = subject + "\n\n" + text
	}
	switch visibility {
	case "", "PUBLIC":
	case "ADMIN_ONLY", "PRIVATE":
		n.Secret = true
	default:
		f.wrong([]any{"visibility"}, "enum", "Input should be ADMIN_ONLY, PRIVATE or PUBLIC")
	}
	if text == "" && f.has("body") {
		f.wrong([]any{"body"}, "string_too_short", "Lever takes no empty note")
	}
	var err error
	if n.performAs, err = s.remote(ctx, f, unified.RemoteUsers, "remote user", "user"); err != nil {
		return nil, err
	}
	candidate, _ := f.id("candidate")
	if candidate != nil {
		n.to, err = s.cfg.Store.TargetOf(ctx, connectorOf(ctx).ID, *candidate)
		if errors.Is(err, store.ErrNotFound) {
			f.wrong([]any{"candidate"}, "value_error", "There is no candidate with this id")
		} else if err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"body", "candidate", "activity_type"} { // null is the contract's; Lever needs them
		if _, ok := f.values[name]; ok && !f.has(name) {
			f.wrong([]any{name}, "missing", "Lever takes no note without it")
		}
	}
	f.rest()
	if err := f.err(); err != nil {
		return nil, err
	}
	if kind != "NOTE" {
		return nil, refuse(http.StatusNotImplemented, "Lever takes activities of the type NOTE alone")
	}
	reply := map[string]json.RawMessage{"subject": json.RawMessage("null")}
	for _, a := range activityFields {
		if v, ok := f.values[a.name]; ok {
			reply[a.name] = v
		}
	}
	reply["candidate"], reply["user"] = json.RawMessage(`"`+candidate.String()+`"`), json.RawMessage("null")
	if user, _ := f.id("user"); user != nil { // however it was spelt
		reply["user"] = json.RawMessage(`"` + user.String() + `"`)
	}
	n.fields, err = json.Marshal(reply)
	return n, err
}
