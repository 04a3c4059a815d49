package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp sends spans by OTLP over HTTP, as protobuf. It is otlptrace's Client. The ready-made one brings gRPC along,
// which is 6 MB of the binary, unused.
type otlp struct {
	endpoint *url.URL
	headers  http.Header
	gzip     bool
	timeout  time.Duration // of one upload, its retries included
	http     *http.Client
}

// newOTLP follows the standard variables; nil: they ask for no traces. OTEL_EXPORTER_OTLP_TRACES_X goes before
// OTEL_EXPORTER_OTLP_X, and an endpoint of all signals has /v1/traces below it.
func newOTLP(getenv func(string) string) (*otlp, error) {
	of := func(name string) string {
		return strings.TrimSpace(cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), getenv("OTEL_EXPORTER_OTLP_"+name)))
	}
	endpoint := of("ENDPOINT")
	if endpoint == "" || getenv("OTEL_TRACES_EXPORTER") == "none" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil
	}
	if p := of("PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, &usageError{fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q can't be spoken: set http/protobuf, and the port of that, mostly 4318", p)}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &usageError{errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: is no URL: set one such as http://collector:4318")}
	}
	if getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		u = u.JoinPath("v1", "traces")
	}
	c := &otlp{endpoint: u, headers: http.Header{}, gzip: of("COMPRESSION") == "gzip", timeout: 10 * time.Second, http: &http.Client{}}
	if ms, err := strconv.Atoi(of("TIMEOUT")); err == nil && ms > 0 {
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	for pair := range strings.SplitSeq(of("HEADERS"), ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			value, err := url.PathUnescape(strings.TrimSpace(value))
			if err != nil {
				return nil, &usageError{errors.New("OTEL_EXPORTER_OTLP_HEADERS: is no list of name=value: escape what is special with %")}
			}
			c.headers.Set(strings.TrimSpace(name), value)
		}
	}
	return c, nil
}

// Start has nothing to start.
func (*otlp) Start(context.Context) error { return nil }

// Stop ends idle connections.
func (c *otlp) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// otlpRetry is the pause before the first retry; it doubles.
const otlpRetry = 500 * time.Millisecond

// UploadTraces sends spans, again while the receiver is overloaded or away, until the timeout.
func (c *otlp) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans}) // on the wire this is the request
	if err != nil {
		return err
	}
	if c.gzip {
		body = gzipped(body)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := otlpRetry; ; pause *= 2 {
		again, err := c.upload(ctx, body)
		if err == nil || !again {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
	}
}

// upload sends once; again says whether another try may help.
func (c *otlp) upload(ctx context.Context, body []byte) (again bool, _ error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header = c.headers.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	if c.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	switch {
	case resp.StatusCode < 300:
		return false, nil
	case resp.StatusCode == 429, resp.StatusCode == 502, resp.StatusCode == 503, resp.StatusCode == 504:
		again = true
	}
	return again, fmt.Errorf("the receiver of traces answers %d", resp.StatusCode)
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // into memory: neither can fail
	_ = w.Close()
	return out.Bytes()
}
