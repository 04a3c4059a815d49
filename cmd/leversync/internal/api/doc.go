// Package api serves the unified ATS model over HTTP: what integrators read by an API key and a connector's token.
//
// All routes are one table (see routes). The OpenAPI document at /openapi.json is generated from the Go types of
// the routes' inputs and outputs, and the page at /docs from that document: neither can say other than what is
// served.
//
// # Who may
//
// A key says what may be done (read, write, admin), a connector's token whose records. A request through one
// token never sees another's record: the token is resolved once, before any parameter is looked at, and every
// query names the connector that it gave, and runs behind a wall that shows no other's rows (store.Wall). Keys and
// tokens are looked up by their SHA-256. For lists, records and the feed that is remembered for store.RecognizedFor,
// one second: so long may a key still read that another process has revoked.
//
// # Choices where the contract is silent
//
// An unknown connector token is a 401. A list's order is (modified_at, id): paging meets every record that stays
// as it is exactly once, and one that changes meanwhile at least once. A cursor is good for one connector and
// scope; any other is a 422, as is an unknown parameter, relation or field. Relations lead to what can be read
// now, else they are null. custom_fields is an empty object where it is asked for: none are mapped. raw_data of
// a candidate is {"opportunities": […]}, for a person is made of all of theirs.
//
// # Writing
//
// A write is answered when Lever has it and it can be read here; see Writer for how nothing is made twice. The key
// of a write is the client's X-Idempotency-Key, or one made for it, which the answer and every retry can name.
// Our ids are translated to Lever's; an id of another connector is unknown, a 422 with its place. What Lever
// refuses is a 422 where the request is to blame, else a 502, with integration_status_code, _endpoint and
// _response. A 503 says that it is not known yet, or that nothing was written for want of budget: Retry-After says
// when to ask again. What Lever's API can't take is a 501 with a sentence.
package api
