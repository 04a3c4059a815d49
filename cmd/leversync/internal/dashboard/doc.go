// Package dashboard serves the operator's pages, at /: connectors and their scopes, runs, calls, quarantine, keys, queues.
//
// # Who may see them
//
// One operator, by a password that is kept as an argon2id hash. Signing in makes a session in Postgres, of which the
// browser's cookie holds the secret and we its hash; it ends after 8 hours without use, after 7 days, when it is signed
// out here or from another browser, and when the password changes. What a page asks for by itself keeps none alive.
// Every route but signing in and the assets needs a session: see routes. Tries of passwords are limited by address.
//
// # What a browser may do
//
// Pages are made on the server and work without JavaScript; a script of our own, some 100 lines, brings them up to date while they
// can be seen. The Content-Security-Policy allows our own files alone, with no script or style in a page. Nothing
// changes on GET, and a POST that another site makes a browser send is refused by its Origin or Sec-Fetch-Site.
//
// Names, reasons and raw records come from others and are escaped by html/template, always.
//
// # Secrets
//
// A magic link, an API key and a generated password are shown once, in the answer to the POST that made them. The
// connector's token is on a page of its own.
package dashboard
