// Package lever is a client of the Lever Data API, version 1. It knows nothing of who uses it.
//
// Every call takes one way, Client.do: breaker, credential, budget, send, read, classify. It never
// retries: an error says by its Verdict what there is to do, and whoever queues the work decides when.
// Lists are iterators of pages, not of records, because a page is what a caller commits at once; each
// page carries the token that it was fetched with, so that a traversal can be taken up again there.
//
// Lever is decoded leniently, record by record: one that cannot be read has its Item's Err set and the
// rest of its page stands. The raw bytes of every record are cleaned of what Postgres' jsonb refuses.
//
// Errors, log texts and Call values hold no credential and nothing of a candidate: paths are templates,
// query values are redacted unless they are known to be harmless, messages are scrubbed.
package lever
