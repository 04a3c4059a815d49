package lever

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDownload(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("résumé ", 10_000)
	r := newRig(t, Config{MaxBody: 10}, func(w http.ResponseWriter, req *http.Request) {
		if user, _, _ := req.BasicAuth(); user == "" {
			t.Error("download without a credential")
		}
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(w, content)
	})
	for _, location := range []string{"/opportunities/o1/files/f%2F1/download", r.url + "/v1/opportunities/o1/files/f1/download", "/opportunities/o1/files/F/download?status=sent"} {
		body, header, err := r.Download(t.Context(), location)
		if err != nil {
			t.Errorf("Download(%q): %v", location, err)
			continue
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != content || header.Get("Content-Type") != "application/pdf" {
			t.Errorf("Download(%q): got %d bytes, %v, %v, want %d", location, len(got), header, err, len(content))
		}
		_, _ = body.Close(), body.Close()
	}
	calls := r.reported()
	if len(calls) != 3 || calls[0].PathTemplate != "/opportunities/:id/files/:id/download" || calls[0].Bytes != int64(len(content)) || calls[2].Query != "status=sent" {
		t.Errorf("calls: got %+v, want three with template and size", calls)
	}
}

func TestDownloadStaysBelowTheBase(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{}, func(_ http.ResponseWriter, req *http.Request) { t.Errorf("got a call to %s, want none", req.URL) })
	for _, location := range []string{
		"", "x", "https://evil.example/v1/opportunities/o/files/f/download", "//evil.example/v1/x", "/../v2/x", "/a/../../x", "/%2e%2e/%2e%2e/x",
		r.url + "/v1", r.url + "/v2/x", r.url + "/v1/../v2/x", r.url + "/v10/x", "http://u:p@" + strings.TrimPrefix(r.url, "http://") + "/v1/x", "/a//b", "file:///etc/passwd", "mailto:x",
	} {
		if body, _, err := r.Download(t.Context(), location); err == nil || Classify(err) != VerdictFatal {
			t.Errorf("Download(%q): got %v, %v, want it refused", location, body, err)
		}
	}
}

func TestDownloadErrors(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Verdict{404: VerdictGone, 403: VerdictForbidden, 401: VerdictRelink, 422: VerdictFatal, 429: VerdictThrottled, 503: VerdictTransient, 302: VerdictFatal, 204: VerdictMalformed} {
		r := newRig(t, Config{}, answer(status, ""))
		if _, _, err := r.Download(t.Context(), "/opportunities/o/resumes/r/download"); Classify(err) != want || len(r.reported()) != 1 || r.reported()[0].Status != status {
			t.Errorf("%d: got %v (%v), calls %+v, want %v", status, err, Classify(err), r.reported(), want)
		}
	}
	v := &vault{token: Token{Access: "old"}, renew: func(string) (Token, error) { return Token{Access: "new"}, nil }}
	r := newRig(t, Config{Auth: OAuth(v)}, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "Bearer old" {
			w.WriteHeader(401)
		}
	})
	body, _, err := r.Download(t.Context(), "/opportunities/o/resumes/r/download")
	if err != nil || len(v.asked) != 1 {
		t.Fatalf("an expired token: got %v after %d renewals, want the file", err, len(v.asked))
	}
	_ = body.Close()
}

// roundTrip is a transport of one function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stalling gives a chunk each time it is asked for one, after a wait, until its request ends.
type stalling struct {
	ctx   context.Context
	waits []time.Duration
}

func (s *stalling) Read(p []byte) (int, error) {
	if len(s.waits) == 0 {
		return 0, io.EOF
	}
	wait := s.waits[0]
	s.waits = s.waits[1:]
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return copy(p, "chunk"), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (*stalling) Close() error { return nil }

func TestDownloadIdleDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		open := func(waits ...time.Duration) (int, time.Duration, error) {
			c, err := New(Config{Auth: APIKey("k"), Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: &stalling{ctx: req.Context(), waits: waits}, Request: req}, nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			body, _, err := c.Download(t.Context(), "/opportunities/o/files/f/download")
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			b, err := io.ReadAll(body)
			return len(b), time.Since(start), err
		}
		slow := 25 * time.Second
		if n, took, err := open(slow, slow, slow, slow); n != 20 || err != nil {
			t.Errorf("a download that is slow, but alive: got %d bytes after %v, %v, want all 20", n, took, err)
		}
		if n, took, err := open(slow, time.Hour); n != 5 || took != slow+downloadIdle || Classify(err) != VerdictTransient || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a download that stalls: got %d bytes after %v, %v (%v), want it ended after 30 s of nothing", n, took, err, Classify(err))
		}
	})
}
