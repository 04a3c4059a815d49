package api

import (
	"context"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// APIKey is a key to this API, without its secret.
type APIKey struct {
	ID         uuid.UUID     `json:"id" format:"uuid"`
	Name       string        `json:"name" doc:"What it is for."`
	Scopes     []string      `json:"scopes" enum:"read,write,admin" nullable:"false" doc:"What it may do."`
	CreatedAt  unified.Time  `json:"created_at" format:"date-time"`
	LastUsedAt *unified.Time `json:"last_used_at" format:"date-time" doc:"To the minute; null: never."`
	RevokedAt  *unified.Time `json:"revoked_at" format:"date-time" doc:"Since when it is no good; null: it is."`
}

// NewAPIKey is a key with its secret, which is not shown again.
type NewAPIKey struct {
	Key string `json:"api_key" doc:"For Authorization: Bearer. Keep it: it is not shown again."`
	APIKey
}

func keyFrom(k store.APIKey) APIKey {
	return APIKey{ID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: unified.NewTime(k.CreatedAt), LastUsedAt: moment(k.LastUsedAt), RevokedAt: moment(k.RevokedAt)}
}

func registerKeys(s *server, op huma.Operation) {
	const name = "api-keys"
	register(s, op, func(ctx context.Context, in *PageParams) (*bodyOutput[List[APIKey]], error) {
		after, err := s.position(name, in.Cursor)
		if err != nil {
			return nil, err
		}
		keys, err := s.cfg.Store.APIKeys(ctx) // there are few
		if err != nil {
			return nil, err
		}
		if after != nil {
			for len(keys) > 0 && !comesAfter(keys[0], *after) {
				keys = keys[1:]
			}
		}
		out := &bodyOutput[List[APIKey]]{Body: List[APIKey]{Items: []APIKey{}}}
		if len(keys) > in.PageSize {
			keys = keys[:in.PageSize]
			last := keys[in.PageSize-1]
			cursor := s.cfg.Store.Cursor(name, store.Position{At: last.CreatedAt, ID: last.ID})
			out.Body.Cursor = &cursor
		}
		for _, k := range keys {
			out.Body.Items = append(out.Body.Items, keyFrom(k))
		}
		out.Body.PageSize = len(keys)
		return out, nil
	})
}

// comesAfter reports whether a key is behind a position in the list's order: (created_at, id).
func comesAfter(k store.APIKey, p store.Position) bool {
	if c := k.CreatedAt.Compare(p.At); c != 0 {
		return c > 0
	}
	return k.ID.String() > p.ID.String()
}

// APIKeyCreate asks for a key.
type APIKeyCreate struct {
	Name   string   `json:"name" minLength:"1" maxLength:"200" doc:"What it is for."`
	Scopes []string `json:"scopes" enum:"read,write,admin" minItems:"1" uniqueItems:"true" nullable:"false" doc:"What it may do."`
}

func registerKeyCreate(s *server, op huma.Operation) {
	type input struct{ Body APIKeyCreate }
	op.DefaultStatus = 201
	register(s, op, func(ctx context.Context, in *input) (*bodyOutput[NewAPIKey], error) {
		name := strings.TrimSpace(in.Body.Name)
		if name == "" || strings.ContainsRune(name, 0) {
			return nil, invalid("body", "name", "value_error", "expected a text", nil)
		}
		k, key, err := s.cfg.Store.CreateAPIKey(ctx, name, in.Body.Scopes...)
		if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "API key created", "key_id", k.ID, "request_id", requestID(ctx))
		return &bodyOutput[NewAPIKey]{Body: NewAPIKey{Key: key, APIKey: keyFrom(k)}}, nil
	})
}

type keyPath struct {
	ID string `path:"key_id" format:"uuid" doc:"The key's id."`
}

func registerKeyRegenerate(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *keyPath) (*bodyOutput[NewAPIKey], error) {
		id, err := pathID("key_id", in.ID)
		if err != nil {
			return nil, err
		}
		k, key, err := s.cfg.Store.RegenerateAPIKey(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "API key regenerated", "key_id", id, "request_id", requestID(ctx))
		return &bodyOutput[NewAPIKey]{Body: NewAPIKey{Key: key, APIKey: keyFrom(k)}}, nil
	})
}

func registerKeyRevoke(s *server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *keyPath) (*bodyOutput[SuccessMessage], error) {
		id, err := pathID("key_id", in.ID)
		if err != nil {
			return nil, err
		}
		if err := s.cfg.Store.RevokeAPIKey(ctx, id); errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		s.cfg.Log.InfoContext(ctx, "API key revoked", "key_id", id, "request_id", requestID(ctx))
		return &bodyOutput[SuccessMessage]{Body: SuccessMessage{Message: "API key revoked"}}, nil
	})
}
