package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ConnectorState is a connector as the API lists it: with its token, and how its syncs stand.
type ConnectorState struct {
	Connector
	IntegrationSlug string
	Category        string
	Token           string `db:"-"`
	TokenSealed     []byte
	LastSyncAt      *time.Time // start of the newest run
	NextSyncAt      *time.Time // nil: none is scheduled
	// Of the scopes that are on:
	Waiting, Syncing, Failed int
}

// ConnectorFilter narrows ConnectorStates; zero fields do not.
type ConnectorFilter struct {
	Token    string
	OriginID string
	Active   *bool // not paused
	After    *Position
	Limit    int
}

// ConnectorStates lists connectors in the order they were made, from After on.
func (s *Store) ConnectorStates(ctx context.Context, f ConnectorFilter) ([]ConnectorState, error) {
	var hash []byte
	if f.Token != "" {
		sum := sha256.Sum256([]byte(f.Token))
		hash = sum[:]
	}
	var at *time.Time
	var id *uuid.UUID
	if f.After != nil {
		at, id = &f.After.At, &f.After.ID
	}
	list, err := many[ConnectorState](ctx, s.pool, `SELECT `+prefixed("c", connectorColumns)+`, c.integration_slug, c.category, c.token_sealed, r.last_sync_at,
    CASE WHEN c.status = 'COMPLETE' AND NOT c.paused THEN n.next_sync_at END AS next_sync_at, n.waiting, n.syncing, n.failed
FROM connectors c
CROSS JOIN LATERAL (SELECT max(started_at) AS last_sync_at FROM runs WHERE connector_id = c.id) r
CROSS JOIN LATERAL (SELECT min(next_run_at) AS next_sync_at, count(*) FILTER (WHERE state = 'pending') AS waiting,
    count(*) FILTER (WHERE state = 'syncing') AS syncing, count(*) FILTER (WHERE state = 'failed') AS failed
    FROM connector_scopes WHERE connector_id = c.id AND enabled) n
WHERE ($1::bytea IS NULL OR c.token_hash = $1) AND ($2 = '' OR c.origin_id = $2) AND ($3::boolean IS NULL OR c.paused <> $3)
  AND ($4::timestamptz IS NULL OR (c.created_at, c.id) > ($4, $5::uuid))
ORDER BY c.created_at, c.id LIMIT $6`, hash, f.OriginID, f.Active, at, id, f.Limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		c := &list[i]
		token, err := s.keys.open(c.ID.String(), "connector token", c.TokenSealed)
		if err != nil {
			return nil, fmt.Errorf("connector %s: %w", c.ID, err)
		}
		c.Token, c.TokenSealed = string(token), nil
	}
	return list, nil
}

// LastRuns are the newest runs of a connector's scopes, by id.
func (s *Store) LastRuns(ctx context.Context, connector uuid.UUID) (map[uuid.UUID]Run, error) {
	list, err := manyBehind[Run](ctx, s, connector, `SELECT `+runColumns+`
FROM runs WHERE connector_id = $1 AND id = ANY(ARRAY(SELECT last_run_id FROM connector_scopes WHERE connector_id = $1))`, connector)
	out := make(map[uuid.UUID]Run, len(list))
	for _, r := range list {
		out[r.ID] = r
	}
	return out, err
}

// DownloadPath is where Lever has the file of an attachment, below the API's base URL. ErrNotFound: there is no
// such attachment, it is gone, or it has no file.
func (s *Store) DownloadPath(ctx context.Context, connector, attachment uuid.UUID) (path, fileName string, err error) {
	type file struct{ DownloadPath, FileName string }
	f, err := oneBehind[file](ctx, s, connector, `SELECT download_path, coalesce(file_name, '') AS file_name FROM attachments
WHERE id = $2 AND connector_id = $1 AND deleted_at IS NULL AND download_path IS NOT NULL`, connector, attachment)
	return f.DownloadPath, f.FileName, err
}
