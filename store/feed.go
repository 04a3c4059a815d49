package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// goOn readies a new connection: it sees to it that the feed of changes goes on where it was, and that nobody goes on from
// what they remember, if the server has started since, and so may have been restored to an earlier moment: see migration
// 0045. Every connection is readied before its first use, whoever restarts or restores the server under which processes.
func goOn(ctx context.Context, conn *pgx.Conn) error {
	for try := 1; ; try++ {
		_, err := conn.Exec(ctx, `SELECT continue_feed()`)
		var pe *pgconn.PgError
		switch {
		case err == nil, errors.As(err, &pe) && pe.Code == undefinedFunction: // before the migrations
			return nil
		case !retryable(err) || try == 6: // it may meet a writer that holds one table and wants another
			return fmt.Errorf("store: feed of changes: %w", err)
		}
	}
}

const undefinedFunction = "42883"
