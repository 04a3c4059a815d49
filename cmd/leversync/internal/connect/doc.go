// Package connect is where a customer connects their Lever account: the page behind a magic link, the round trip to
// Lever's authorization, and the page that shows the first sync.
//
// # The way through
//
//	GET  /connect/{token}                 who asks, what is read and why; changes nothing: mail scanners follow links
//	POST /connect/{token}                 consumes the link, and sends the browser to Lever
//	POST /connect/{token}/key             an API key instead; consumes the link once Lever takes the key
//	GET  /connect/callback                Lever sends the browser back
//	GET  /connect/permissions/{session}   permissions that were not granted: go on without them, or go back
//	POST /connect/permissions/{session}/continue
//	GET  /connect/session/{session}       the first page again, for the browser that has used the link
//	POST /connect/session/{session}/allow, …/key
//	GET  /connect/done/{session}          the first sync's progress
//	POST /connect/done/{session}/token    a temporary token, for the window that opened this one
//	GET  /connect/assets/{file}
//
// # Who may do what
//
// A link works once. The browser that consumed it holds a secret in a cookie, named after the session, and may try again
// for an hour, until the account is linked: a refusal at Lever, or a wrong key, does not cost a new link. It may watch the
// first sync for a day. No other browser may do either. A key is tried at most 20 times on one link.
//
// The state of an authorization names its session, holds 256 bits, works once and for ten minutes. PKCE's verifier is
// derived from it and from the cookie's secret, so that Postgres never has what it takes to redeem a code.
//
// A credential with too few permissions is not linked before its owner says so.
//
// # Choices
//
//   - Asked for is what the connector's scopes need, the right to write candidates, notes and files (unless
//     [Config].ReadOnly), and offline_access; nothing that is not used, so no requisitions:read.
//   - A write permission that is not granted is logged, and is no reason to stop: reading does not need it.
//   - Whoever opened the window is told the temporary token wherever it comes from: without an API key of this installation
//     it is worth nothing.
package connect
