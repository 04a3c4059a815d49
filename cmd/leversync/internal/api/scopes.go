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

// ConnectorScopes are what is synced of a connector.
type ConnectorScopes struct {
	ConnectorID uuid.UUID        `json:"connector_id" format:"uuid"`
	Scopes      []ConnectorScope `json:"scopes" doc:"All 15."`
}

// ConnectorScope is one of them.
type ConnectorScope struct {
	Scope       string `json:"scope" doc:"Its name."`
	Enabled     bool   `json:"enabled" doc:"False: it is not asked of Lever."`
	Records     int64  `json:"records" doc:"How many are stored."`
	Quarantined int64  `json:"quarantined" doc:"How many could not be mapped or stored."`
	Removing    bool   `json:"removing" doc:"What is stored of it is being removed, and is not gone yet."`
}

// ScopesPatch turns scopes on and off.
type ScopesPatch struct {
	Scopes     map[string]bool `json:"scopes" doc:"By name: true is on, false is off. What is not named stays as it is." example:"{\"eeocs\":true,\"tags\":false}"`
	RemoveData bool            `json:"remove_data,omitempty" doc:"Remove what is stored of the scopes that are false, at once. Without it, it stays as it is."`
}

// scopeRoutes are those by which a connector's scopes are seen and changed.
var scopeRoutes = []Route{
	{Method: http.MethodGet, Path: "/api/v1/connectors/{connector_id}/scopes", ID: "list-connector-scopes", Tag: "Connectors", Scope: store.KeyRead,
		Summary: "What is synced of a connector", Errors: []int{404}, register: registerScopes},
	{Method: http.MethodPatch, Path: "/api/v1/connectors/{connector_id}/scopes", ID: "change-connector-scopes", Tag: "Connectors", Scope: store.KeyAdmin,
		Summary: "Turn scopes of a connector on and off",
		Description: "What is on falls due at once, and is read in full. What is off is not asked for any more. What is removed shows in the feed of changes " +
			"as deletions; of each record its id is all that stays.",
		Errors: []int{404}, register: registerScopesChange},
}

func init() { routes = append(routes, scopeRoutes...) }

func registerScopes(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *ConnectorPath) (*bodyOutput[ConnectorScopes], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		return s.connectorScopes(ctx, id)
	})
}

func (s *server) connectorScopes(ctx context.Context, id uuid.UUID) (*bodyOutput[ConnectorScopes], error) {
	list, err := s.cfg.Store.Scopes(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errNotFound
	}
	out := &bodyOutput[ConnectorScopes]{Body: ConnectorScopes{ConnectorID: id}}
	for _, st := range list {
		out.Body.Scopes = append(out.Body.Scopes, ConnectorScope{Scope: st.Scope, Enabled: st.Enabled, Records: st.Records, Quarantined: st.Quarantined, Removing: st.Removing})
	}
	return out, nil
}

func registerScopesChange(s *server, op huma.Operation) {
	type input struct {
		ConnectorPath
		Body ScopesPatch
	}
	register(s, op, func(ctx context.Context, in *input) (*bodyOutput[ConnectorScopes], error) {
		id, err := in.uuid()
		if err != nil {
			return nil, err
		}
		ch := store.ScopeChange{Enabled: map[unified.Scope]bool{}, Remove: in.Body.RemoveData}
		for name, on := range in.Body.Scopes {
			sc, err := unified.ParseScope(name)
			if err != nil {
				e := invalid("body", "scopes", "enum", "expected one of: "+scopeNames(), name)
				return nil, e
			}
			ch.Enabled[sc] = on
		}
		if err := s.cfg.Store.ChangeScopes(ctx, id, ch); errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "scopes changed", "connector_id", id, "remove_data", ch.Remove, "request_id", requestID(ctx))
		if ch.Remove { // it is marked: should this be broken off, the scheduler finishes it
			if err := s.cfg.Store.FinishRemovals(ctx, id); err != nil {
				s.cfg.Log.WarnContext(ctx, "removal not finished: the scheduler will", "connector_id", id, "error", err)
			}
		}
		return s.connectorScopes(ctx, id)
	})
}

func scopeNames() string {
	names := make([]string, len(unified.Scopes))
	for i, sc := range unified.Scopes {
		names[i] = string(sc)
	}
	return strings.Join(names, ", ")
}
