module github.com/leversync/leversync

go 1.26.8

toolchain go1.26.11 // what releases and the image are built with: make vuln finds faults of Go before 1.26.10

require (
	github.com/chromedp/cdproto v0.159.0 // tests only: the browser protocol of chromedp
	github.com/chromedp/chromedp v0.23.0 // tests only: pages are clicked through in a real Chromium
	github.com/danielgtaylor/huma/v2 v2.37.2 // the OpenAPI document is made from the types that are served, so it cannot drift
	github.com/go-json-experiment/json v1.27.2 // encoding/json/v2 before Go has it by default: Lever's records decode in half the time
	github.com/google/uuid v1.6.0 // record ids are UUIDv5, run and call ids UUIDv7
	github.com/hibiken/asynq v0.26.0 // the queue, its CLI and asynqmon are what operators know
	github.com/hibiken/asynqmon v0.7.2 // the tool that operators look into queues with, mounted in the dashboard; its pages weigh 1.4 MB of the binary, and 5 MB more without deploy/slim.sh
	github.com/jackc/pgx/v5 v5.13.0 // Postgres: binary arrays, COPY, a pool
	github.com/pressly/goose/v3 v3.29.0 // migrations: embedded, forward-only, under an advisory lock
	github.com/prometheus/client_golang v1.25.0 // the metrics format that everybody scrapes
	github.com/redis/go-redis/v9 v9.23.0 // Redis: the rate budget is a Lua script in it
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests only: records are held to the published schema
	github.com/sony/gobreaker/v2 v2.4.0 // the circuit breaker around each account's calls
	github.com/spf13/cobra v1.10.2 // the command line, with completion and help
	github.com/vbauerster/mpb/v8 v8.9.3 // progress bars of sync --wait
	go.opentelemetry.io/otel v1.47.0 // traces, for whoever sets the OTEL variables
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0 // turns spans into OTLP; the ready-made HTTP client would add gRPC, 6 MB of the binary
	go.opentelemetry.io/otel/sdk v1.47.0 // samples and batches spans, by the standard variables
	go.opentelemetry.io/otel/trace v1.47.0 // what worker makes spans with
	go.opentelemetry.io/proto/otlp v1.11.0 // what is sent of them
	go.uber.org/goleak v1.3.0 // tests only: no goroutine is left behind
	go.yaml.in/yaml/v3 v3.0.5 // tests only: compose.yaml, alerts and values are held to the code
	golang.org/x/crypto v0.59.0 // argon2id, for the operator's password
	golang.org/x/sync v0.25.0 // errgroup: the roles of a process end together
	golang.org/x/term v0.48.0 // whether there is a terminal, and how wide
	golang.org/x/time v0.16.0 // the limiter inside a process
	google.golang.org/protobuf v1.36.12 // how spans travel
)

require (
	github.com/VividCortex/ewma v1.2.0 // indirect
	github.com/acarl005/stripansi v0.0.0-20180116102854-5a71ef0e047d // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/gorilla/mux v1.8.1 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/mattn/go-runewidth v0.0.20 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/robfig/cron/v3 v3.0.1 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	github.com/spf13/cast v1.10.0 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)
