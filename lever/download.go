package lever

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// downloadIdle is how long a download may give nothing.
const downloadIdle = 30 * time.Second

// Download opens a file: location is a path below the base URL, as /opportunities/…/files/…/download,
// or a whole URL below it, as DownloadURL is. The caller must close the body. It streams, of any size and
// for any time, but fails when nothing comes for 30 s; the call is reported when the body is closed.
//
// Errors are those of any call; *BadRequestError with Status 422: Lever could not process the file.
func (c *Client) Download(ctx context.Context, location string) (io.ReadCloser, http.Header, error) {
	target, template, err := c.downloadTarget(location)
	if err != nil {
		return nil, nil, err
	}
	r := request{endpoint: endpoint{template: template}, target: target}
	var body *download
	var header http.Header
	err = c.renewing(ctx, func() (rejected string, err error) {
		body, header, rejected, err = c.openOnce(ctx, r)
		return rejected, err
	})
	if err != nil {
		return nil, nil, err
	}
	return body, header, nil
}

// openOnce makes one call up to its header.
func (c *Client) openOnce(ctx context.Context, r request) (_ *download, _ http.Header, rejected string, err error) {
	done, err := c.breaker.allow()
	if err != nil {
		return nil, nil, "", err
	}
	callCtx, cancel := context.WithCancel(ctx)
	d := &download{client: c, ctx: ctx, cancel: cancel, template: r.template}
	req, err := c.newRequest(callCtx, r)
	if err == nil && c.limiter != nil {
		d.call.Wait, err = c.limiter.Wait(ctx, laneOf(ctx))
	}
	if err != nil {
		done(errNotSent)
		cancel()
		return nil, nil, "", err
	}
	req.Header.Set("Accept", "*/*")
	d.call.Method, d.call.PathTemplate, d.call.Query = req.Method, r.template, redactQuery(req.URL.Query())
	resp, err := d.send(req)
	done(err)
	if err != nil {
		if errors.Is(err, ErrUnauthorized) {
			rejected = credential(req)
		}
		d.finish(err)
		return nil, nil, rejected, err
	}
	return d, resp.Header, "", nil
}

// downloadTarget is the URL of location, which must be below the base, and its template.
func (c *Client) downloadTarget(location string) (*url.URL, string, error) {
	outside := errors.New("lever: download: not a path below the API URL")
	u, err := url.Parse(location)
	if err != nil || u.Opaque != "" || u.User != nil {
		return nil, "", outside
	}
	base := c.base.EscapedPath()
	rel := u.EscapedPath()
	if u.IsAbs() || u.Host != "" {
		below, ok := strings.CutPrefix(rel, base+"/")
		if u.Scheme != c.base.Scheme || u.Host != c.base.Host || !ok {
			return nil, "", outside
		}
		rel = "/" + below
	}
	plain, err := url.PathUnescape(rel)
	if err != nil || !strings.HasPrefix(plain, "/") || path.Clean(plain) != plain {
		return nil, "", outside // dots would climb out, escaped ones too
	}
	return c.resolve(rel, u.Query()), downloadTemplate(rel), nil
}

// downloadNouns are the segments of a download's path that are not ids.
var downloadNouns = map[string]bool{
	"opportunities": true, "candidates": true, "files": true, "resumes": true, "offers": true, "download": true,
}

func downloadTemplate(rel string) string {
	var t strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(rel, "/"), "/") {
		if !downloadNouns[segment] {
			segment = ":id"
		}
		t.WriteString("/" + segment)
	}
	return t.String()
}

// download is the body of an open download. Its deadline runs only while a read waits.
type download struct {
	client   *Client
	ctx      context.Context // the caller's
	cancel   context.CancelFunc
	template string
	body     io.ReadCloser
	start    time.Time
	call     Call
	err      error // the first of a read, but for io.EOF
	once     sync.Once
}

// send gets the answer's header, within the time of any call.
func (d *download) send(req *http.Request) (*http.Response, error) {
	d.start = time.Now()
	d.call.StartedAt = d.start.UTC()
	timer := time.AfterFunc(d.client.timeout, d.cancel)
	defer timer.Stop()
	resp, err := d.client.http.Do(req)
	if err != nil {
		return nil, d.failure(err)
	}
	d.call.Status, d.body = resp.StatusCode, resp.Body
	if resp.StatusCode != http.StatusOK {
		body, _ := readBody(resp.Body, maxErrorBody) // half a body will do
		if err := statusError(d.template, resp, body, time.Now()); err != nil {
			return nil, err
		}
		return nil, &MalformedError{Path: d.template, Reason: "status " + resp.Status}
	}
	return resp, nil
}

// Read reads on. An error that is not io.EOF is a *TransportError, or the context's.
func (d *download) Read(p []byte) (int, error) {
	timer := time.AfterFunc(downloadIdle, d.cancel)
	n, err := d.body.Read(p)
	timer.Stop()
	d.call.Bytes += int64(n)
	if err != nil && err != io.EOF {
		err = d.failure(err)
		if d.err == nil {
			d.err = err
		}
	}
	return n, err
}

// failure tells a deadline of ours from the caller's end: both cancel the same context.
func (d *download) failure(err error) error {
	if d.ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = context.DeadlineExceeded
	}
	return transportError(d.ctx, d.template, err)
}

// Close ends the download and reports the call.
func (d *download) Close() error {
	d.finish(d.err)
	return nil
}

func (d *download) finish(err error) {
	d.once.Do(func() {
		d.cancel()
		if d.body != nil {
			_ = d.body.Close() // nothing is left to lose
		}
		d.call.Duration = time.Since(d.start)
		d.client.report(d.ctx, &d.call, err)
	})
}
