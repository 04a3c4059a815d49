package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// attribute is one of Lever's own fields that additional_attributes may hold.
type attribute struct{ name, kind, about string }

// attributes are all that is forwarded to Lever; another one is a 422.
var attributes = []attribute{
	{"headline", "string", "Instead of title and company."},
	{"origin", "string", "agency, applied, internal, referred, sourced or university."},
	{"sources", "list", "Names of sources; unknown ones are made."},
	{"owner", "uuid", "The remote user who owns it; default: who it is written as."},
	{"followers", "list", "Remote users who follow it."},
	{"createdAt", "datetime", "When it was created: in the past, ISO 8601 or milliseconds since 1970."},
	{"archived", "object", "{reason, archivedAt}: creates it archived, for a reject reason."},
	{"opportunityLocation", "string", "Where the job is."},
	{"perform_as_posting_owner", "boolean", "The job's owner owns it; needs a job."},
}

var origins = []string{"agency", "applied", "internal", "referred", "sourced", "university"}

// attributes reads additional_attributes.
func (s *server) attributes(ctx context.Context, f *fields, c *newCandidate) error {
	o := &c.opportunity
	if h := f.text("headline"); h != "" {
		o.Headline = h
	}
	if o.Origin = f.text("origin"); o.Origin != "" && !slices.Contains(origins, o.Origin) {
		f.wrong([]any{"origin"}, "enum", "Input should be one of "+strings.Join(origins, ", "))
	}
	o.Sources, o.OpportunityLocation = f.texts("sources"), f.text("opportunityLocation")
	o.CreatedAt = moments(f, "createdAt")
	if o.CreatedAt.After(time.Now()) {
		f.wrong([]any{"createdAt"}, "value_error", "Input should be in the past")
	}
	if c.options.PostingOwner = f.flag("perform_as_posting_owner"); c.options.PostingOwner && len(o.Postings) == 0 {
		f.wrong([]any{"perform_as_posting_owner"}, "value_error", "It needs a job")
	}
	var err error
	if owner := f.text("owner"); owner != "" {
		if o.Owner, err = s.either(ctx, f, unified.RemoteUsers, "remote user", owner, "owner"); err != nil {
			return err
		}
	}
	for i, v := range f.texts("followers") {
		id, err := s.either(ctx, f, unified.RemoteUsers, "remote user", v, "followers", i)
		if err != nil {
			return err
		}
		o.Followers = append(o.Followers, id)
	}
	if f.has("archived") {
		if o.Archived, err = s.archived(ctx, f.object("archived")); err != nil {
			return err
		}
	}
	var unknown []string
	for name := range f.values {
		if !f.read[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		f.wrong([]any{name}, "extra_forbidden", "This is not forwarded to Lever: GET /api/ats/v1/candidates/create/meta lists what is")
	}
	return nil
}

func (s *server) archived(ctx context.Context, f *fields) (*lever.NewArchived, error) {
	reason := f.text("reason")
	if reason == "" {
		f.wrong([]any{"reason"}, "missing", "Field required: without a reason Lever archives nothing")
		return nil, nil
	}
	id, err := s.either(ctx, f, unified.RejectReasons, "reject reason", reason, "reason")
	return &lever.NewArchived{Reason: id, ArchivedAt: moments(f, "archivedAt")}, err
}

// either is Lever's id of a record that is named by our id, or by Lever's own: these are Lever's fields.
func (s *server) either(ctx context.Context, f *fields, sc unified.Scope, what, value string, at ...any) (string, error) {
	connector := connectorOf(ctx).ID
	if id, err := uuid.Parse(value); err == nil {
		if remote, err := s.cfg.Store.RemoteID(ctx, connector, sc, id); err == nil {
			return remote, nil
		}
	}
	known, err := s.cfg.Store.HasRemote(ctx, connector, sc, value)
	if err != nil {
		return "", err
	}
	if !known {
		f.wrong(at, "value_error", "There is no "+what+" with this id")
	}
	return value, nil
}

// moments is a time in one of the forms that Lever's fields may have.
func moments(f *fields, name string) lever.Time {
	var t lever.Time
	f.get(name, &t, "datetime_parsing", "Input should be ISO 8601, or milliseconds since 1970")
	return t
}
