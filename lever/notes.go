package lever

import (
	"cmp"
	"context"
	"net/url"
	"strings"
)

// NewNote is a note to be added to an opportunity. Source: Lever API v1, "Add a note".
type NewNote struct {
	Value  string `json:"value"`
	Secret bool   `json:"secret,omitempty"` // for those with access to sensitive information alone
}

// Note is a note on an opportunity. A deleted one stays readable with DeletedAt set.
type Note struct {
	ID        string      `json:"id"`
	NoteID    string      `json:"noteId"` // of a write's answer, which may hold nothing else
	Fields    []FormField `json:"fields"`
	User      Ref         `json:"user"`
	Secret    bool        `json:"secret"`
	CreatedAt Time        `json:"createdAt"`
	DeletedAt Time        `json:"deletedAt"`
}

// RecordID is the note's id.
func (n Note) RecordID() string { return cmp.Or(n.ID, n.NoteID) }

// Value is the note's text.
func (n Note) Value() string {
	var texts []string
	for _, f := range n.Fields {
		texts = append(texts, string(f.Value))
	}
	return strings.Join(texts, "\n")
}

// AddNote adds a note to an opportunity, in the name of a user; performAs "" is who made the API key or
// authorized the app. Each call adds one. Of the answer only RecordID is sure. *OutcomeError: it may have
// been added.
func (c *Client) AddNote(ctx context.Context, opportunityID, performAs string, n NewNote) (Item[Note], error) {
	body, err := jsonPayload(n)
	if err != nil {
		return Item[Note]{}, err
	}
	q := url.Values{}
	setText(q, "perform_as", performAs)
	return post[Note](ctx, c, request{endpoint: at("/opportunities/:id/notes", opportunityID), query: q, write: body}, nil)
}

// Notes gets all notes of an opportunity, the deleted ones too.
func (c *Client) Notes(ctx context.Context, opportunityID string) (Children[Note], error) {
	return children[Note](ctx, c, "/opportunities/:id/notes", opportunityID)
}
