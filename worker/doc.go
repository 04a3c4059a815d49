// Package worker runs sync tasks: it claims a stream, pages through Lever, maps, and commits.
//
// # Streams
//
// Users think in scopes, Lever in lists. A stream is one traversal of a Lever list; the scopes that it feeds
// share it. A stream may need others first: children are read for what the list of opportunities found
// changed, and what an archived opportunity means hangs on the archive reasons.
//
// # A task's life
//
// handle finds the stream of the task's scope, brings the streams that it needs up to date first, takes the
// lease, and runs it for a bounded slice. Postgres says what is done: a stream that was traversed since the
// task fell due costs no call. What can't go on now (slice over, draining, budget far, breaker open, backoff)
// gives the lease back with the time it wants to go on, and leaves a successor in the queue; should that be
// lost, the reconciler makes another. A task therefore fails only when Postgres is away, and is archived
// only when its payload is bad.
//
// # Using the budget
//
// While there is work, Lever's allowance is to be used, however slow Lever is. Child lists are read side by side, as many
// as rate × latency and one more, in one flow without ends between batches. The list of opportunities is read by one cursor
// while that is enough; else it is cut into windows of created_at that are read side by side, if the list is so long that
// the calls this costs stay within a hundredth above the bound. Window, page token and what is done are part of the cursor:
// each page is committed with its own, the traversal is complete when all windows are, and only then the watermark moves. A
// slice that is over goes on in place while nobody waits for its slot. In a first sync the survey answers and the questions
// wait for the list of opportunities, and the children for its end: there is something to see after a call for each
// hundred opportunities, and some twenty more.
//
// Where no rate holds them up, pages of a first sync come faster than they are written. What a page brings that is not there yet
// (opportunities, applications, candidates) is written in a transaction of its own, while the one or two before it still are,
// but for what those have too: that has its turn, as have the fence, the cursor and the commit. See store.Ahead.
//
// # Scopes that are off
//
// What is off is not asked for, not even where another scope could use it: the documents of offers are
// attachments, but come with the list of offers, so that they are there only while offers is on. Lists that
// others hang on (opportunities, postings, archive reasons) are read for them, and nothing of them is kept but
// what finds the children again. Which scopes are on is read under the lease, and who changes them takes the lease back:
// a worker never writes by what was on before. What is turned on is fresh until a run has read it in full.
//
// # Evidence of deletion
//
// An absent record is a suspect. For opportunities and postings, whose lists are no snapshots, each suspect
// is asked for by its id, and only a 404 condemns it. For the lists that are stable (users, tags, stages,
// reasons, survey answers) a complete traversal that no worker died in is the evidence. A share of more than
// Config.DeleteBrake is held back until an operator accepts it.
package worker
