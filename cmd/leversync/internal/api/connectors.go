package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Connector is one linked Lever account.
type Connector struct {
	ID                uuid.UUID     `json:"id" format:"uuid" doc:"Its id."`
	IsActive          bool          `json:"is_active" doc:"False while its syncs are paused."`
	Status            string        `json:"status" enum:"COMPLETE,INCOMPLETE,RELINK_NEEDED" doc:"INCOMPLETE: not linked yet. RELINK_NEEDED: Lever refuses its credential."`
	IntegrationSlug   string        `json:"integration_slug" doc:"lever"`
	EndUser           string        `json:"end_user" doc:"The company."`
	OriginID          *string       `json:"origin_id" doc:"Your own id of the company."`
	SyncStatus        *string       `json:"sync_status" doc:"Syncing, Done or Failed; null before the first sync."`
	LastSyncStartTime *unified.Time `json:"last_sync_start_time" format:"date-time" doc:"When the newest run began."`
	NextSyncStartTime *unified.Time `json:"next_sync_start_time" format:"date-time" doc:"When a scope falls due next."`
	ConnectorToken    string        `json:"connector_token" doc:"For the header x-connector-token."`
	Category          string        `json:"category" enum:"HRIS,ATS,LMS" doc:"ATS"`
	RelinkNeededAt    *unified.Time `json:"relink_needed_at" format:"date-time" doc:"Since when Lever refuses its credential."`
	IsTestConnector   bool          `json:"is_test_connector" doc:"Always false."`
	CompletedAt       *unified.Time `json:"completed_at" format:"date-time" doc:"When it was linked."`
	CreatedAt         unified.Time  `json:"created_at" format:"date-time" doc:"When it was made."`
}

type connectorsInput struct {
	PageParams
	Token    string `query:"connector_token" doc:"The one with this token."`
	IsActive string `query:"is_active" enum:"true,false" doc:"Those whose syncs are, or are not, paused."`
	OriginID string `query:"origin_id" doc:"Those with this id of yours."`
}

type bodyOutput[T any] struct{ Body T }

func registerConnectors(s *server, op huma.Operation) {
	const name = "connectors"
	register(s, op, func(ctx context.Context, in *connectorsInput) (*bodyOutput[List[Connector]], error) {
		after, err := s.position(name, in.Cursor)
		if err != nil {
			return nil, err
		}
		f := store.ConnectorFilter{Token: in.Token, OriginID: in.OriginID, After: after, Limit: in.PageSize + 1}
		if in.IsActive != "" {
			active := in.IsActive == "true"
			f.Active = &active
		}
		found, err := s.cfg.Store.ConnectorStates(ctx, f)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[List[Connector]]{Body: List[Connector]{Items: []Connector{}}}
		if len(found) > in.PageSize {
			found = found[:in.PageSize]
			last := found[in.PageSize-1]
			cursor := s.cfg.Store.Cursor(name, store.Position{At: last.CreatedAt, ID: last.ID})
			out.Body.Cursor = &cursor
		}
		for _, c := range found {
			out.Body.Items = append(out.Body.Items, connectorFrom(c))
		}
		out.Body.PageSize = len(out.Body.Items)
		return out, nil
	})
}

func connectorFrom(c store.ConnectorState) Connector {
	out := Connector{
		ID: c.ID, IsActive: !c.Paused, Status: c.Status, IntegrationSlug: c.IntegrationSlug, EndUser: c.OrgName, Category: c.Category,
		ConnectorToken: c.Token, SyncStatus: syncStatus(c), LastSyncStartTime: moment(c.LastSyncAt), NextSyncStartTime: moment(c.NextSyncAt),
		RelinkNeededAt: moment(c.RelinkNeededAt), CompletedAt: moment(c.CompletedAt), CreatedAt: unified.NewTime(c.CreatedAt),
	}
	if c.OriginID != "" {
		out.OriginID = &c.OriginID
	}
	return out
}

// syncStatus is the contract's one word for all scopes. A scope that Lever forbids does not fail the rest.
func syncStatus(c store.ConnectorState) *string {
	status := "Done"
	switch {
	case c.LastSyncAt == nil && c.Status != "COMPLETE":
		return nil
	case c.Status == "RELINK_NEEDED":
		status = "Failed"
	case c.Syncing > 0 || c.Waiting > 0:
		status = "Syncing"
	case c.Failed > 0:
		status = "Failed"
	}
	return &status
}

// SuccessMessage says that something was done.
type SuccessMessage struct {
	Message string `json:"message"`
}

func registerConnectorDelete(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *ConnectorPath) (*bodyOutput[SuccessMessage], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		if s.cfg.Unhook != nil {
			if err := s.cfg.Unhook(ctx, id); err != nil {
				s.cfg.Log.WarnContext(ctx, "webhooks not taken back", "connector_id", id, "error", err)
			}
		}
		if err := s.cfg.Store.DeleteConnector(ctx, id); errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "connector deleted", "connector_id", id, "request_id", requestID(ctx))
		return &bodyOutput[SuccessMessage]{Body: SuccessMessage{Message: "Connector deleted"}}, nil
	})
}

// Integration is a system that connectors are made for.
type Integration struct {
	ID              uuid.UUID `json:"id" format:"uuid"`
	IntegrationID   uuid.UUID `json:"integration_id" format:"uuid"`
	IsEnabled       bool      `json:"is_enabled"`
	IntegrationSlug string    `json:"integration_slug"`
	IntegrationType string    `json:"integration_type"`
	Category        string    `json:"category"`
	DisplayName     string    `json:"display_name"`
	IconURL         string    `json:"icon_url" format:"uri"`
	Description     *string   `json:"description"`
}

// leverIntegration is the same id in every installation.
var leverIntegration = uuid.MustParse("2f0f5a52-3b0e-5f5c-9a0b-4d6c1f1f7c15")

func registerIntegrations(s *server, op huma.Operation) {
	const name = "integrations"
	register(s, op, func(_ context.Context, in *PageParams) (*bodyOutput[List[Integration]], error) {
		after, err := s.position(name, in.Cursor)
		if err != nil {
			return nil, err
		}
		out := &bodyOutput[List[Integration]]{Body: List[Integration]{Items: []Integration{}}}
		if after == nil {
			about := "Lever, an applicant tracking system"
			out.Body.Items = append(out.Body.Items, Integration{
				ID: leverIntegration, IntegrationID: leverIntegration, IsEnabled: true, IntegrationSlug: "lever", IntegrationType: "API",
				Category: "ATS", DisplayName: "Lever", IconURL: s.cfg.PublicURL + "/docs/lever.svg", Description: &about,
			})
		}
		out.Body.PageSize = len(out.Body.Items)
		return out, nil
	})
}

// KeyCheck says nothing more: the status has said that the key is good.
type KeyCheck struct{}

func registerOrgCheck(s *server, op huma.Operation) {
	register(s, op, func(context.Context, *struct{}) (*bodyOutput[KeyCheck], error) {
		return &bodyOutput[KeyCheck]{}, nil
	})
}
