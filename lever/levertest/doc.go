// Package levertest is a fake Lever: an http.Handler with the endpoints, the order, the tokens, the
// nulls, the permissions, the rate limit, the OAuth server, the writes and the webhooks of Lever's API v1,
// and faults that can be switched on. Tests, the demo and benchmarks run against it. It imports no
// testing package.
//
// # The account
//
// An account is a pure function of (seed, number of opportunities, epoch): opportunity n and all that hangs on
// it are generated when they are asked for, so that a million of them cost 16 bytes each, the index in
// Lever's order. What was changed, created or deleted since lies in an overlay. An id is reversible: it holds
// the kind and the number of what it names (see [ids]), so no map from ids to numbers is needed. All
// personal data is invented; all addresses end in example.com.
//
// # Clocks
//
// A mutation moves updatedAt, lastInteractionAt and lastAdvancedAt of an opportunity exactly as Lever was
// observed to do: an interview moves lastInteractionAt alone, an edited feedback form and an offer move nothing.
// The account's clock never stands still between two mutations, even when Config.Now does.
//
// # Choices where Lever's behaviour is not known
//
//   - A page token must come back in the percent-encoded form it was given out in.
//   - Without the confidential grant, confidential records are absent from lists and answer 403 by id.
//   - updated_at filters leave out opportunities whose updatedAt is null.
//   - The unfiltered list of postings leaves out those published on the internal channel alone.
//   - A deleted feedback form leaves the feedbackForms of its interview.
//   - The token endpoint answers as Auth0 does: 403 {"error":"invalid_grant"} for a spent refresh token.
//
// # The oracle
//
// [Server.Expected] yields the unified records that a complete sync of the account must end in. It is a second
// implementation of the mapping, written on its own: it decodes what the server would answer and shares no
// code with the package that it checks.
package levertest
