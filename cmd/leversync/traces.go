package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/leversync/leversync/worker"
)

// traces sends the traces of runs and of calls to Lever to whom the standard variables of OpenTelemetry name.
// Nil sends none, and costs nothing.
type traces struct{ provider *sdktrace.TracerProvider }

// traces is nil unless OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. It errs when the
// variables are set and can't be followed.
func (a *app) traces(ctx context.Context, log *slog.Logger) (*traces, error) {
	client, err := newOTLP(a.getenv)
	if err != nil || client == nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	// The SDK reads the rest by itself: OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_*.
	res, err := resource.Merge(resource.NewSchemaless(
		attribute.String("service.name", "leversync"), attribute.String("service.version", readBuild().Version)), resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", "error", cause(err)) }))
	log.InfoContext(ctx, "traces are sent", "endpoint", client.endpoint.Redacted())
	return &traces{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res), sdktrace.WithIDGenerator(ids{}))}, nil
}

// tracer is nil where there are none.
func (t *traces) tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("github.com/leversync/leversync", trace.WithInstrumentationVersion(readBuild().Version))
}

// close sends what is left, for five seconds at most.
func (t *traces) close(log *slog.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		log.Warn("the last traces were not sent", "error", cause(err))
	}
}

// ids names traces by their runs, so that the slices of a run, whoever works on them, are one trace.
type ids struct{}

// NewIDs are those of a span without a parent.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, ok := worker.TraceID(ctx)
	for !id.IsValid() || !ok {
		id, ok = trace.TraceID(randomBytes(16)), true
	}
	return id, ids{}.NewSpanID(ctx, id)
}

// NewSpanID is that of a span in a trace.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	for {
		if id := trace.SpanID(randomBytes(8)); id.IsValid() {
			return id
		}
	}
}

// randomBytes need not be secret.
func randomBytes(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		x := rand.Uint64()
		for range 8 {
			b, x = append(b, byte(x)), x>>8
		}
	}
	return b[:n]
}
