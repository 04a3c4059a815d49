package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// DefaultRateLimit is how many requests a minute a connector token may make.
const DefaultRateLimit = 200

// Config is what the API is made of. Store, Queue, Log and PublicURL are needed.
type Config struct {
	Store     *store.Store
	Redis     redis.UniversalClient // counts requests over all processes; nil: each process counts by itself
	Queue     *task.Queue
	Log       *slog.Logger
	PublicURL string // by which others reach it, without a slash at its end
	Version   string // of leversync; "" means dev

	// RateLimitPerMinute is how many requests a minute a connector token may make, as may a key where no token
	// is needed, and an address where there is no valid key; 0 means DefaultRateLimit.
	RateLimitPerMinute int

	// Clients gives a connector's client, for downloads: one that shares the connector's budget. Its errors:
	// store.ErrNotFound for a connector without a credential. nil: files can't be downloaded.
	Clients func(ctx context.Context, connector uuid.UUID) (*lever.Client, error)

	// DailyCandidates is how many candidates may be written to one connector within 24 hours; 0: as many as one likes.
	DailyCandidates int

	// KeepDeleted is how long records that are gone stay in the feed of changes; 0: for ever.
	KeepDeleted time.Duration

	// Unhook takes a connector's webhooks back at Lever, before it is deleted; nil: nothing does.
	Unhook func(ctx context.Context, connector uuid.UUID) error

	// Writer writes to Lever; nil: nothing can be written through this process.
	Writer Writer

	// uploadWait is how long a file waits for its turn; 0: 50 s.
	uploadWait time.Duration
}

// server is the API.
type server struct {
	cfg     Config
	api     huma.API
	mux     *http.ServeMux
	limiter *limiter
}

// New makes the handler of /api/, /openapi.json, /openapi.yaml and /docs. It calls nobody.
func New(cfg Config) (http.Handler, error) {
	switch {
	case cfg.Store == nil, cfg.Queue == nil, cfg.Log == nil:
		return nil, errors.New("api: no store, queue or log")
	case cfg.PublicURL == "":
		return nil, errors.New("api: no public URL")
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.RateLimitPerMinute == 0 {
		cfg.RateLimitPerMinute = DefaultRateLimit
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	s := &server{cfg: cfg, mux: http.NewServeMux(), limiter: newLimiter(cfg.Redis, cfg.RateLimitPerMinute)}
	s.api = huma.NewAPI(humaConfig(cfg), humago.NewAdapter(s.mux, ""))
	for _, r := range routes {
		r.register(s, s.operation(r))
	}
	delete(s.api.OpenAPI().Components.Schemas.Map(), "Refusal") // huma adds it for errors; operation has named their real shapes
	s.mux.HandleFunc("/", s.unknown)
	s.serveDocs()
	return s.outermost(s.mux), nil
}

func humaConfig(cfg Config) huma.Config {
	c := huma.DefaultConfig("leversync unified ATS API", cfg.Version)
	// Served by serveDocs: huma's page loads its renderer from another host.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	c.AllowAdditionalPropertiesByDefault = true // a later release may add fields
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Info.Description = "One linked Lever account for each connector token, in the unified ATS model."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: cfg.PublicURL}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"HTTPBearer": {Type: "http", Scheme: "bearer", Description: "An API key: leversync apikey create --name NAME"},
	}
	for _, t := range tags {
		c.Tags = append(c.Tags, &huma.Tag{Name: t.name, Description: t.about})
	}
	return c
}

// schemaName names List[*Candidate] CandidateList, as the contract does.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if of, ok := strings.CutPrefix(name, "List"); ok && of != "" {
		return of + "List"
	}
	return name
}

// operation is a route as OpenAPI has it, guarded.
func (s *server) operation(r Route) huma.Operation {
	schema := func(v any, name string) *huma.Schema {
		return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, name)
	}
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, Description: r.Description, Tags: []string{r.Tag},
		Security:    []map[string][]string{{"HTTPBearer": {}}},
		Middlewares: huma.Middlewares{s.guard(r)},
		Responses:   map[string]*huma.Response{},
	}
	for _, status := range append([]int{401, 403, 422, 429, 500, 503}, r.Errors...) {
		body := schema(ErrorResponse{}, "ErrorResponse")
		if status == http.StatusUnprocessableEntity {
			body = schema(ValidationErrorResponse{}, "ValidationErrorResponse")
		}
		op.Responses[fmt.Sprint(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: body}},
		}
	}
	return op
}

// register is huma.Register with errors that are nobody's business kept in the log.
func register[I, O any](s *server, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		var e *refusal
		if err == nil || errors.As(err, &e) {
			return out, err
		}
		if store.Unstorable(err) { // nobody looked at it before
			return nil, invalid("body", "", "value_error", unstorable, nil)
		}
		if ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "request failed", "operation", op.OperationID, "error", err, "request_id", requestID(ctx))
		}
		return nil, unavailable(err)
	})
}

// unknown answers for a path, or a method of a path, that is not in the table.
func (s *server) unknown(w http.ResponseWriter, req *http.Request) {
	if e := s.limit(w, req, addressBucket(req)); e != nil {
		writeRefusal(w, e)
		return
	}
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := req.Clone(req.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); strings.HasPrefix(pattern, method+" ") {
			allow = append(allow, method)
		}
	}
	if allow != nil {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		writeRefusal(w, refuse(http.StatusMethodNotAllowed, "Method not allowed"))
		return
	}
	writeRefusal(w, errNotFound)
}

// document is the OpenAPI document as JSON.
func (s *server) document() ([]byte, error) {
	b, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("api: OpenAPI: %w", err)
	}
	return b, nil
}
