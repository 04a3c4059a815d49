package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/leversync/leversync/lever"
)

type runKey struct{}

// TraceID is the trace of the run that ctx works on; false: it works on none. Every slice of a run, whichever
// process works on it, is in the same trace: its id comes from the run's. It is a hash of that, because
// samplers take the last bytes of a trace id for evenly spread, and some bits of a UUID are fixed.
func TraceID(ctx context.Context) (trace.TraceID, bool) {
	run, ok := ctx.Value(runKey{}).(uuid.UUID)
	if !ok {
		return trace.TraceID{}, false
	}
	sum := sha256.Sum256(run[:])
	return trace.TraceID(sum[:16]), true
}

// traced opens the span of a slice, the root of what is called in it. end closes it.
func (s *slice) traced(ctx context.Context) (_ context.Context, end func(error)) {
	if s.w.cfg.Tracer == nil {
		return ctx, func(error) {}
	}
	ctx = context.WithValue(ctx, runKey{}, s.lease.RunID)
	ctx, span := s.w.cfg.Tracer.Start(ctx, "sync "+s.stream.name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("leversync.connector_id", s.connector.ID.String()),
			attribute.String("leversync.run_id", s.lease.RunID.String()),
			attribute.String("leversync.stream", s.stream.name),
			attribute.StringSlice("leversync.scopes", s.scopes()),
			attribute.Int64("leversync.fence", s.lease.Fence),
		))
	if span.IsRecording() {
		s.log = s.log.With("trace_id", span.SpanContext().TraceID())
	}
	return ctx, func(err error) {
		var y *yield
		switch {
		case err == nil:
		case errors.As(err, &y):
			span.SetAttributes(attribute.Bool("leversync.handed_on", true))
		default: // the verdict alone: an error's text is for the log
			span.SetStatus(codes.Error, lever.Classify(err).String())
		}
		span.End()
	}
}

// traceCall makes the span of a call that was made: no id, no value of its query, no text of an answer.
func (w *Worker) traceCall(ctx context.Context, c lever.Call) {
	if w.cfg.Tracer == nil {
		return
	}
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", c.Method),
		attribute.String("url.template", c.PathTemplate),
		attribute.String("leversync.scope", string(scopeOf(ctx))),
		attribute.Int("leversync.records", c.Records),
		attribute.Int64("http.response.body.size", c.Bytes),
		attribute.Float64("leversync.wait_seconds", c.Wait.Seconds()),
	}
	if c.Status > 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", c.Status))
	}
	_, span := w.cfg.Tracer.Start(ctx, c.Method+" "+c.PathTemplate, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(c.StartedAt), trace.WithAttributes(attrs...))
	switch {
	case c.Status == 0:
		span.SetAttributes(attribute.String("error.type", "no_answer"))
		span.SetStatus(codes.Error, "")
	case c.Status >= 400:
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(c.Status)))
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(c.StartedAt.Add(c.Duration)))
}
