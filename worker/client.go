package worker

import (
	"context"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
)

// Client is a connector's client: it shares the connector's budget and breaker with its syncs, and its calls are in the sync
// log soon after, at the latest when Shutdown returns. Its errors: store.ErrNotFound where there is no such connector, or it
// has no credential.
func (w *Worker) Client(ctx context.Context, connector uuid.UUID) (*lever.Client, error) {
	c, err := w.store.Connector(ctx, connector)
	if err != nil {
		return nil, err
	}
	k, err := w.conn(ctx, c)
	if err != nil {
		return nil, err
	}
	return k.client, nil
}
