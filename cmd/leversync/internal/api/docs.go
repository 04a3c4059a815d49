package api

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs
var docFiles embed.FS

// docsPolicy lets the page load its own style sheet and nothing else: no script, no other host.
const docsPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs serves the OpenAPI document, and the page that is made of it.
func (s *server) serveDocs() {
	type file struct {
		kind string
		body func() ([]byte, error)
	}
	// Made when they are first asked for: they are large, and most processes are never asked.
	files := map[string]file{
		"/openapi.json": {"application/openapi+json", sync.OnceValues(s.document)},
		"/openapi.yaml": {"application/openapi+yaml", sync.OnceValues(func() ([]byte, error) { return s.api.OpenAPI().YAML() })},
		"/docs":         {"text/html; charset=utf-8", sync.OnceValues(s.page)},
	}
	for path, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "lever.svg": "image/svg+xml"} {
		files["/docs/"+path] = file{kind, func() ([]byte, error) { return docFiles.ReadFile("docs/" + path) }}
	}
	for path, f := range files {
		s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := f.body()
			if err != nil {
				s.cfg.Log.ErrorContext(r.Context(), "documentation", "path", path, "error", err)
				http.Error(w, "The documentation could not be made: see the log.", http.StatusInternalServerError)
				return
			}
			h := w.Header()
			h.Set("Content-Type", f.kind)
			h.Set("Cache-Control", "public, max-age=300")
			h.Set("Content-Security-Policy", docsPolicy)
			h.Set("Referrer-Policy", "no-referrer")
			_, _ = w.Write(body) // the client has gone away: nothing to do
		})
	}
}

// What the page shows.
type (
	docPage struct {
		Title, Version, Description, URL string
		RateLimit                        int
		Groups                           []docGroup
		Models                           []docModel
	}
	docGroup struct {
		Name, About string
		Operations  []docOperation
	}
	docOperation struct {
		ID, Method, Path, Summary, Description, Key, Curl string
		Params                                            []docParam
		Responses                                         []docResponse
	}
	docParam struct {
		Name, In, Type, About string
		Required              bool
	}
	docResponse struct{ Status, About, Model string }
	docModel    struct {
		Name   string
		Fields []docParam
	}
)

// page renders the documentation.
func (s *server) page() ([]byte, error) {
	t, err := template.ParseFS(docFiles, "docs/page.html")
	if err != nil {
		return nil, fmt.Errorf("api: docs: %w", err)
	}
	o := s.api.OpenAPI()
	p := docPage{Title: o.Info.Title, Version: o.Info.Version, Description: o.Info.Description, URL: s.cfg.PublicURL, RateLimit: s.cfg.RateLimitPerMinute}
	for _, tag := range tags {
		g := docGroup{Name: tag.name, About: tag.about}
		for _, r := range routes {
			if r.Tag == tag.name {
				g.Operations = append(g.Operations, s.docOperation(r, operationOf(o, r)))
			}
		}
		p.Groups = append(p.Groups, g)
	}
	for name, schema := range o.Components.Schemas.Map() {
		m := docModel{Name: name}
		for field, f := range schema.Properties {
			m.Fields = append(m.Fields, docParam{Name: field, Type: typeText(f), About: f.Description, Required: slices.Contains(schema.Required, field)})
		}
		slices.SortFunc(m.Fields, func(a, b docParam) int { return strings.Compare(a.Name, b.Name) })
		p.Models = append(p.Models, m)
	}
	slices.SortFunc(p.Models, func(a, b docModel) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("api: docs: %w", err)
	}
	return b.Bytes(), nil
}

func operationOf(o *huma.OpenAPI, r Route) *huma.Operation {
	item := o.Paths[r.Path]
	switch r.Method {
	case http.MethodPost:
		return item.Post
	case http.MethodDelete:
		return item.Delete
	}
	return item.Get
}

func (s *server) docOperation(r Route, op *huma.Operation) docOperation {
	d := docOperation{ID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, Description: r.Description, Key: r.Scope, Curl: s.curl(r)}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, docParam{Name: p.Name, In: p.In, Type: typeText(p.Schema), About: p.Description, Required: p.Required})
	}
	for status, resp := range op.Responses {
		out := docResponse{Status: status, About: resp.Description}
		for _, media := range resp.Content {
			if media.Schema != nil {
				out.Model = typeText(media.Schema)
			}
		}
		d.Responses = append(d.Responses, out)
	}
	slices.SortFunc(d.Responses, func(a, b docResponse) int { return strings.Compare(a.Status, b.Status) })
	return d
}

// curl is a line that can be copied: the secrets come from the environment.
func (s *server) curl(r Route) string {
	var b strings.Builder
	b.WriteString("curl -sS")
	if r.Method != http.MethodGet {
		b.WriteString(" -X " + r.Method)
	}
	b.WriteString(` -H "Authorization: Bearer $API_KEY"`)
	if r.Token {
		b.WriteString(` -H "x-connector-token: $CONNECTOR_TOKEN"`)
	}
	path := r.Path
	for _, name := range []string{"id", "connector_id"} {
		path = strings.ReplaceAll(path, "{"+name+"}", "$"+strings.ToUpper(name))
	}
	if strings.HasSuffix(path, "/download") {
		b.WriteString(" -OJ")
	}
	fmt.Fprintf(&b, ` "%s%s"`, s.cfg.PublicURL, path)
	return b.String()
}

// typeText is a schema in a few words.
func typeText(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case len(s.AnyOf) > 0:
		var parts []string
		for _, a := range s.AnyOf {
			parts = append(parts, typeText(a))
		}
		return strings.Join(parts, " or ")
	case s.Type == huma.TypeArray:
		return "list of " + typeText(s.Items)
	}
	t := s.Type
	if s.Format != "" {
		t = s.Format
	}
	if len(s.Enum) > 0 {
		t = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.Enum)), " | "), "[]")
	}
	if s.Nullable {
		t += " or null"
	}
	return t
}
