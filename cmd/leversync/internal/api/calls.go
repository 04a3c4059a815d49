package api

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Call is one HTTP call to Lever.
type Call struct {
	ID          uuid.UUID    `json:"id" format:"uuid"`
	ConnectorID uuid.UUID    `json:"connector_id" format:"uuid"`
	RunID       *string      `json:"run_id" format:"uuid"`
	Stream      string       `json:"stream" doc:"The traversal it was part of."`
	Scope       string       `json:"scope"`
	Method      string       `json:"method"`
	Path        string       `json:"path" doc:"A template: /opportunities/:id/offers."`
	Query       string       `json:"query" doc:"Redacted."`
	Status      int          `json:"status" doc:"0: no answer came."`
	Attempt     int          `json:"attempt"`
	StartedAt   unified.Time `json:"started_at" format:"date-time"`
	DurationMS  float64      `json:"duration_ms"`
	WaitMS      float64      `json:"wait_ms" doc:"For the budget."`
	Bytes       int64        `json:"bytes" doc:"Of the decoded body."`
	Records     int          `json:"records"`
	Error       string       `json:"error"`
}

type callsInput struct {
	PageParams
	Connector string `query:"connector" format:"uuid" doc:"Id of a connector."`
	Scope     string `query:"scope" doc:"One of the 15 scopes."`
	Status    string `query:"status" pattern:"^[0-9]{1,3}$" doc:"HTTP status; 0: no answer came."`
	Since     Moment `query:"since" doc:"From this moment on."`
	Until     Moment `query:"until" doc:"Before this moment."`
}

func registerCalls(s *server, op huma.Operation) {
	const name = "calls"
	register(s, op, func(ctx context.Context, in *callsInput) (*bodyOutput[List[Call]], error) {
		q, err := in.query()
		if err != nil {
			return nil, err
		}
		if q.After, err = s.position(name, in.Cursor); err != nil {
			return nil, err
		}
		found, err := s.cfg.Store.CallPage(ctx, q)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[List[Call]]{Body: List[Call]{Items: []Call{}}}
		if len(found) > in.PageSize {
			found = found[:in.PageSize]
			last := found[in.PageSize-1]
			cursor := s.cfg.Store.Cursor(name, store.Position{At: last.StartedAt, ID: last.ID})
			out.Body.Cursor = &cursor
		}
		for _, c := range found {
			out.Body.Items = append(out.Body.Items, callFrom(c))
		}
		out.Body.PageSize = len(out.Body.Items)
		return out, nil
	})
}

func (in *callsInput) query() (store.CallQuery, error) {
	q := store.CallQuery{Scope: in.Scope, Since: in.Since.Time, Until: in.Until.Time, Limit: in.PageSize + 1}
	if in.Connector != "" {
		ids, err := uuids("connector", []string{in.Connector})
		if err != nil {
			return q, err
		}
		q.Connector = ids[0]
	}
	if in.Scope != "" {
		if _, err := unified.ParseScope(in.Scope); err != nil {
			return q, invalid("query", "scope", "enum", err.Error(), nil)
		}
	}
	if in.Status != "" {
		n, err := strconv.Atoi(in.Status)
		if err != nil {
			return q, invalid("query", "status", "int_parsing", "invalid integer", nil)
		}
		q.Status = &n
	}
	return q, nil
}

func callFrom(c store.Call) Call {
	out := Call{
		ID: c.ID, ConnectorID: c.ConnectorID, Stream: c.Stream, Scope: c.Scope, Method: c.Method, Path: c.Path, Query: c.Query, Status: c.Status,
		Attempt: c.Attempt, StartedAt: unified.NewTime(c.StartedAt), DurationMS: c.DurationMS, WaitMS: c.WaitMS, Bytes: c.Bytes, Records: c.Records, Error: c.Error,
	}
	if c.RunID != nil {
		id := c.RunID.String()
		out.RunID = &id
	}
	return out
}
