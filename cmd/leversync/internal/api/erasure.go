package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// ErasureRequest names who is to be erased.
type ErasureRequest struct {
	Candidate string `json:"candidate" minLength:"1" maxLength:"200" doc:"The candidate's id, Lever's id of the contact, or of one of its opportunities."`
	DryRun    bool   `json:"dry_run,omitempty" doc:"Say how much would be removed, and remove nothing."`
}

// Erasure is a receipt. It holds nothing of the person.
type Erasure struct {
	ID          uuid.UUID        `json:"id" format:"uuid" doc:"Of the receipt; nil for a dry run."`
	ConnectorID uuid.UUID        `json:"connector_id" format:"uuid"`
	ErasedAt    unified.Time     `json:"erased_at"`
	Counts      map[string]int64 `json:"counts" doc:"Rows that held something of the person, by table."`
	DryRun      bool             `json:"dry_run" doc:"Nothing was done."`
	Again       bool             `json:"again" doc:"It was done before: this is that receipt."`
}

func erasureFrom(e store.Erasure) Erasure {
	if e.DryRun {
		e.ID = uuid.Nil // no receipt has it
	}
	return Erasure{ID: e.ID, ConnectorID: e.ConnectorID, ErasedAt: unified.NewTime(e.ErasedAt), Counts: e.Counts, DryRun: e.DryRun, Again: e.Again}
}

func init() {
	routes = append(routes,
		Route{Method: http.MethodPost, Path: "/api/v1/connectors/{connector_id}/erasures", ID: "erase-candidate", Tag: "Connectors", Scope: store.KeyAdmin,
			Summary: "Remove a person from every table, for good",
			Description: "No sync and no write brings the candidate back, whatever Lever still has. The feed of changes tells that its records are gone. " +
				"Nothing changes in Lever.",
			Errors: []int{404}, register: registerErase},
		Route{Method: http.MethodGet, Path: "/api/v1/connectors/{connector_id}/erasures", ID: "list-erasures", Tag: "Connectors", Scope: store.KeyAdmin,
			Summary: "The receipts of erasures, newest first", Errors: []int{404}, register: registerErasures},
	)
}

func registerErase(s *server, op huma.Operation) {
	type input struct {
		ConnectorPath
		Body ErasureRequest
	}
	register(s, op, func(ctx context.Context, in *input) (*bodyOutput[Erasure], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		e, err := s.cfg.Store.Erase(ctx, id, in.Body.Candidate, in.Body.DryRun)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "candidate erased", "connector_id", id, "erasure_id", e.ID, "dry_run", e.DryRun, "again", e.Again, "request_id", requestID(ctx))
		return &bodyOutput[Erasure]{Body: erasureFrom(e)}, nil
	})
}

// Erasures are a connector's receipts.
type Erasures struct {
	Items []Erasure `json:"items" nullable:"false"`
}

func registerErasures(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *ConnectorPath) (*bodyOutput[Erasures], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		if _, err := s.cfg.Store.Connector(ctx, id); errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		list, err := s.cfg.Store.Erasures(ctx, id)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[Erasures]{Body: Erasures{Items: []Erasure{}}}
		for _, e := range list {
			out.Body.Items = append(out.Body.Items, erasureFrom(e))
		}
		return out, nil
	})
}
