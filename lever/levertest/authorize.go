package levertest

import (
	"crypto/subtle"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authRoutes registers the authorization server.
func (s *Server) authRoutes() {
	s.mux.HandleFunc("GET /authorize", s.consentPage)
	s.mux.HandleFunc("POST /authorize", s.consent)
	s.mux.HandleFunc("POST /oauth/token", s.token)
}

// consentTemplate is the page that a Super Admin sees. It works without scripts.
var consentTemplate = template.Must(template.New("consent").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Authorize access</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:3em auto;padding:0 1em}button{font:inherit;padding:.4em 1.2em;margin-right:.6em}</style>
</head><body><main><h1>Authorize access to your account</h1>
<p><strong>{{.Client}}</strong> asks for these permissions:</p>
<ul>{{range .Scopes}}<li><code>{{.}}</code></li>{{end}}</ul>
<form method="post" action="/authorize">
{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">
{{end}}<button type="submit" name="decision" value="accept">Accept</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form></main></body></html>
`))

// authRequest is what both steps of the consent are asked with.
type authRequest struct {
	redirect *url.URL
	values   url.Values
}

// authRequestOf checks the parameters; the message says what Lever would refuse.
func (s *Server) authRequestOf(q url.Values) (authRequest, string) {
	a := authRequest{values: q}
	if q.Get("client_id") != s.access.oauth.clientID {
		return a, "client_id is unknown"
	}
	u, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return a, "redirect_uri is not an absolute http(s) URL"
	}
	a.redirect = u
	switch {
	case q.Get("response_type") != "code":
		return a, "response_type must be code"
	case q.Get("state") == "":
		return a, "state is missing"
	case q.Get("scope") == "":
		return a, "scope is missing"
	case !strings.HasSuffix(q.Get("audience"), "/v1/"):
		return a, "audience must be the API's base URL with a slash at its end"
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		return a, "code_challenge_method must be S256"
	}
	return a, ""
}

func (s *Server) consentPage(w http.ResponseWriter, r *http.Request) {
	a, problem := s.authRequestOf(r.URL.Query())
	if problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	fields := map[string]string{}
	for name := range a.values {
		fields[name] = a.values.Get(name)
	}
	scopes := strings.Fields(a.values.Get("scope"))
	slices.Sort(scopes)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = consentTemplate.Execute(w, map[string]any{"Client": a.values.Get("client_id"), "Scopes": scopes, "Fields": fields})
}

// consent takes the decision and sends the browser back, with a code or with access_denied.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	a, problem := s.authRequestOf(r.PostForm)
	if problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	back := a.redirect.Query()
	back.Set("state", a.values.Get("state"))
	if a.values.Get("decision") == "accept" {
		back.Set("code", s.access.newCode(a.values, s.now()))
	} else {
		back.Set("error", "access_denied")
		back.Set("error_description", "User did not authorize the request")
	}
	a.redirect.RawQuery = back.Encode()
	http.Redirect(w, r, a.redirect.String(), http.StatusFound)
}

func (a *credentials) newCode(v url.Values, now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	code := a.oauth.secret()
	a.oauth.codes[code] = &authCode{
		redirectURI: v.Get("redirect_uri"), challenge: v.Get("code_challenge"), scope: v.Get("scope"), expires: now.Add(time.Minute),
	}
	return code
}

// token serves POST /oauth/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	var (
		t   tokenAnswer
		bad *oauthError
	)
	if err := r.ParseForm(); err != nil {
		bad = &oauthError{http.StatusBadRequest, "invalid_request", "The body must be a form"}
	} else if bad = s.clientError(r.PostForm); bad == nil {
		switch r.PostForm.Get("grant_type") {
		case "authorization_code":
			t, bad = s.access.exchange(r.PostForm.Get("code"), r.PostForm.Get("redirect_uri"), r.PostForm.Get("code_verifier"), s.now())
		case "refresh_token":
			t, bad = s.access.renew(r.PostForm.Get("refresh_token"), s.now())
		default:
			bad = &oauthError{http.StatusForbidden, "unsupported_grant_type", "Unsupported grant type"}
		}
	}
	if bad != nil {
		s.answer(w, bad.status, map[string]string{"error": bad.code, "error_description": bad.text})
		return
	}
	s.answer(w, http.StatusOK, t)
}

func (s *Server) clientError(v url.Values) *oauthError {
	o := &s.access.oauth
	if v.Get("client_id") != o.clientID || subtle.ConstantTimeCompare([]byte(v.Get("client_secret")), []byte(o.clientSecret)) != 1 {
		return &oauthError{http.StatusUnauthorized, "access_denied", "Unauthorized"}
	}
	return nil
}
