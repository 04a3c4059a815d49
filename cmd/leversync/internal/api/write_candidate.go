package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// maxBody is the largest body, in bytes, of a write without a file.
const maxBody = 1 << 20

func registerCreateCandidate(s *server, op huma.Operation) {
	op = s.answers(withBody(op, maxBody), http.StatusOK, "The candidate, which can be read from now on, as can its application.", s.schemaOf(Candidate{}))
	register(s, op, func(ctx context.Context, in *WriteHeaders) (*candidateOutput, error) {
		writer, err := s.writer()
		if err != nil {
			return nil, err
		}
		f, err := readFields(bodyOf(ctx))
		if err != nil {
			return nil, err
		}
		c, err := s.candidate(ctx, f)
		if err != nil {
			return nil, err
		}
		if err := f.err(); err != nil {
			return nil, err
		}
		w := newWrite(connectorOf(ctx).ID, op.OperationID, in.Key, bodyOf(ctx))
		w.Daily = s.cfg.DailyCandidates
		reply, err := writer.CreateCandidate(ctx, w, c.performAs, c.opportunity, c.options)
		if err != nil {
			return nil, unwritten(w, err, "POST /opportunities")
		}
		done := written(w, reply, *f.ignored)
		out := &candidateOutput{ContentType: done.ContentType, Key: done.Key, Ignored: done.Ignored, Body: done.Body}
		if w.Daily > 0 {
			left, err := s.cfg.Store.WritesLeft(ctx, w.Connector, store.WriteCandidate, w.Daily)
			if err == nil { // else it is not said: the candidate was written
				out.DailyLimit, out.DailyRemaining = strconv.Itoa(w.Daily), strconv.Itoa(left)
			}
		}
		return out, nil
	})
	s.documentBody(op, s.candidateSchema())
}

// candidateOutput is the answer to a candidate that was written: a writeOutput, and how many more there may be.
type candidateOutput struct {
	ContentType    string `header:"Content-Type"`
	Key            string `header:"X-Idempotency-Key" doc:"The key of this write, also where the request gave none."`
	Ignored        string `header:"X-Ignored-Fields" doc:"Fields of the body that Lever has no place for, or that are unknown, separated by commas."`
	DailyLimit     string `header:"X-DailyLimit-Limit" doc:"How many candidates may be written to this connector within 24 hours."`
	DailyRemaining string `header:"X-DailyLimit-Remaining" doc:"How many of them are left."`
	Body           []byte
}

// newCandidate is a candidate in Lever's words.
type newCandidate struct {
	performAs   string
	opportunity lever.NewOpportunity
	options     lever.CreateOptions
}

// candidate reads either body: {data, remote_user, …}, told by its data, or the flat one.
//
// Lever has no place for some of the contract's fields. Its headline holds title and company ("title at
// company"), its location the first of locations. is_private is refused where it is true, as ignoring it
// would publish a person: Lever makes an opportunity confidential by its posting alone. custom_fields,
// job_requisition_id and everything else that Lever can't take is ignored, and named in X-Ignored-Fields.
func (s *server) candidate(ctx context.Context, f *fields) (c newCandidate, err error) {
	data := f
	if f.has("data") {
		data = f.object("data")
	}
	if c.performAs, err = s.remote(ctx, f, unified.RemoteUsers, "remote user", "remote_user", "remote_user_id"); err != nil {
		return c, err
	}
	if !f.has("remote_user") && !f.has("remote_user_id") {
		f.wrong([]any{"remote_user"}, "missing", "Field required: Lever needs to know in whose name it is written. GET /api/ats/v1/remote-users lists them")
	}
	o := &c.opportunity
	o.Name = strings.TrimSpace(data.text("first_name") + " " + data.text("last_name"))
	o.Headline = headline(data.text("title"), data.text("company"))
	o.Emails, o.Tags, o.Links = data.texts("email_addresses"), data.texts("tags"), data.urls("urls")
	for _, p := range data.texts("phone_numbers") {
		o.Phones = append(o.Phones, lever.NewPhone{Value: p})
	}
	if places := data.texts("locations"); len(places) > 0 {
		o.Location = places[0]
	}
	if data.flag("is_private") {
		data.wrong([]any{"is_private"}, "value_error", "Lever can't make a candidate private: choose a confidential job")
	}
	job, err := s.remote(ctx, data, unified.Jobs, "job", "job_id", "job")
	if err != nil {
		return c, err
	}
	if job != "" {
		o.Postings = []string{job}
	}
	if o.Stage, err = s.remote(ctx, data, unified.JobInterviewStages, "job interview stage", "job_interview_stage_id"); err != nil {
		return c, err
	}
	if err := s.attributes(ctx, f.object("additional_attributes"), &c); err != nil {
		return c, err
	}
	if data != f {
		data.rest()
	}
	f.rest()
	return c, nil
}

func headline(title, company string) string {
	if title != "" && company != "" {
		return title + " at " + company
	}
	return title + company
}
