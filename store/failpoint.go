package store

import "github.com/google/uuid"

// The failpoints: the instructions at which the end of the process could hurt, in the order in which a sync meets
// them. Tests end the process there (Config.Failpoint); in life they cost a comparison with nil.
const (
	PointClaimed   = "claimed"   // scheduler: what is due is claimed in Postgres, and not in the queue yet
	PointEnqueued  = "enqueued"  // scheduler: it is in the queue
	PointAcquired  = "acquired"  // worker: the lease is taken, its fence has risen, no run has begun
	PointBegun     = "begun"     // worker: the run is in Postgres, and Lever was not asked yet
	PointFetched   = "fetched"   // worker: Lever's answer is here, and nothing of it written
	PointWritten   = "written"   // store: the rows are sent, the transaction is open
	PointSwept     = "swept"     // store: tombstones are sent, the transaction is open
	PointFinishing = "finishing" // store: the run's end is sent, the transaction is open
	PointCommitted = "committed" // store: the transaction is through, and its worker does not know yet
	PointFinished  = "finished"  // worker: the run has ended, and the lease is still held
	PointReleased  = "released"  // worker: the lease is free, and who waits for the stream was not woken
	PointSuccessor = "successor" // worker: the rest was handed on, and the task is not done yet
	PointAck       = "ack"       // worker: all is done but telling the queue

	PointRenewing = "renewing" // store: the credential's row is locked, and Lever was not asked for a token
	PointRenewed  = "renewed"  // store: Lever's new tokens are here, and not saved
	PointSaved    = "saved"    // store: the new tokens are saved, and their worker does not know yet

	PointWriteClaimed   = "write-claimed"   // worker: the outbox has the write, and nothing was sent
	PointWriteSending   = "write-sending"   // worker: that it is sent is committed, and it is not
	PointWriteAnswered  = "write-answered"  // worker: Lever has made the record, and the outbox does not know
	PointWriteNoted     = "write-noted"     // worker: the outbox knows the record, and it is not stored
	PointWriteConfirmed = "write-confirmed" // worker: the record is stored with the reply, and the client has none
)

// Failpoint tells a test that has asked for it (Config.Failpoint) that the process has come to a point in the work
// on a connector. of is the stream, or for the scheduler the scope; "" where it is neither.
func (s *Store) Failpoint(point string, connector uuid.UUID, of string) {
	if s.failpoint != nil {
		s.failpoint(point, connector, of)
	}
}
