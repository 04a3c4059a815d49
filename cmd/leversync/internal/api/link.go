package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// LinkTokenCreate asks for a connector and the link to it.
type LinkTokenCreate struct {
	EndUserData EndUserData `json:"end_user_data" doc:"Whose account it is."`
	Category    string      `json:"category" enum:"HRIS,ATS,CUSTOM,LMS" doc:"ATS: there is no other here."`
	Integration string      `json:"integration" doc:"lever"`
}

// EndUserData is the company whose account is linked.
type EndUserData struct {
	OrgName  string  `json:"org_name" minLength:"2" maxLength:"200" doc:"The company's name, as its administrator is shown it."`
	OriginID string  `json:"origin_id" minLength:"2" maxLength:"200" doc:"Your own id of the company."`
	Email    *string `json:"email,omitempty" nullable:"true" format:"email" maxLength:"320" doc:"Of whoever is sent the link."`
}

// LinkTokenResponse is a link to a connector that waits to be linked.
type LinkTokenResponse struct {
	LinkToken   string       `json:"link_token" doc:"The end of the link."`
	MagicLink   string       `json:"magic_link" format:"uri" doc:"The page on which the account is linked."`
	ExpiresAt   unified.Time `json:"expires_at" format:"date-time" doc:"Until when the link works."`
	ConnectorID uuid.UUID    `json:"connector_id" format:"uuid" doc:"The connector, INCOMPLETE until then."`
}

func registerLinkToken(s *server, op huma.Operation) {
	type input struct{ Body LinkTokenCreate }
	register(s, op, func(ctx context.Context, in *input) (*bodyOutput[LinkTokenResponse], error) {
		n := store.NewLink{
			OrgName: strings.TrimSpace(in.Body.EndUserData.OrgName), OriginID: strings.TrimSpace(in.Body.EndUserData.OriginID),
			Category: in.Body.Category, Integration: in.Body.Integration,
		}
		for name, v := range map[string]string{"org_name": n.OrgName, "origin_id": n.OriginID} {
			if v == "" || strings.ContainsRune(v, 0) {
				e := invalid("body", "end_user_data", "value_error", "expected a text", nil)
				e.items[0].Loc = append(e.items[0].Loc, name)
				return nil, e
			}
		}
		if in.Body.EndUserData.Email != nil {
			n.Email = *in.Body.EndUserData.Email
		}
		lt, err := s.cfg.Store.CreateLinkToken(ctx, n)
		if errors.Is(err, store.ErrNotOffered) {
			return nil, refuse(http.StatusForbidden, "This integration is not enabled: there is lever, in the category ATS")
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "connector created", "connector_id", lt.Connector.ID, "request_id", requestID(ctx))
		return &bodyOutput[LinkTokenResponse]{Body: LinkTokenResponse{
			LinkToken: lt.Token, MagicLink: s.cfg.PublicURL + "/connect/" + lt.Token, ExpiresAt: unified.NewTime(lt.ExpiresAt), ConnectorID: lt.Connector.ID,
		}}, nil
	})
}

// ConnectorTokenResponse is a connector's token.
type ConnectorTokenResponse struct {
	ConnectorToken string    `json:"connector_token" doc:"For the header x-connector-token."`
	ConnectorID    uuid.UUID `json:"connector_id" format:"uuid"`
}

func registerTokenExchange(s *server, op huma.Operation) {
	type input struct {
		Token string `path:"temporary_token" maxLength:"200" doc:"As the page that linked the account gave it to the window that opened it."`
	}
	register(s, op, func(ctx context.Context, in *input) (*bodyOutput[ConnectorTokenResponse], error) {
		token, id, err := s.cfg.Store.ExchangeTemporaryToken(ctx, in.Token)
		if errors.Is(err, store.ErrNotFound) {
			return nil, refuse(http.StatusNotFound, "No such temporary token: it works once, and for 15 minutes")
		} else if err != nil {
			return nil, err
		}
		return &bodyOutput[ConnectorTokenResponse]{Body: ConnectorTokenResponse{ConnectorToken: token, ConnectorID: id}}, nil
	})
}

// ConnectorPath names a connector in the path.
type ConnectorPath struct {
	ID string `path:"connector_id" format:"uuid" doc:"The connector's id."`
}

func (p ConnectorPath) uuid() (uuid.UUID, error) { return pathID("connector_id", p.ID) }

// pathID reads an id of the path.
func pathID(name, s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return id, invalid("path", name, "uuid_parsing", "expected an id (UUID)", nil)
	}
	return id, nil
}

func registerTokenRegenerate(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *ConnectorPath) (*bodyOutput[ConnectorTokenResponse], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		token, err := s.cfg.Store.RegenerateConnectorToken(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "connector token regenerated", "connector_id", id, "request_id", requestID(ctx))
		return &bodyOutput[ConnectorTokenResponse]{Body: ConnectorTokenResponse{ConnectorToken: token, ConnectorID: id}}, nil
	})
}
