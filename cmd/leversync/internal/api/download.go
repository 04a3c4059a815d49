package api

import (
	"context"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

type downloadInput struct {
	TokenHeader
	IDParam
}

// writeTimeout is how long a client may take to read a piece of a file.
const writeTimeout = time.Minute

func registerDownload(s *server, op huma.Operation) {
	op.Responses["200"] = &huma.Response{
		Description: "The file.",
		Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	register(s, op, func(ctx context.Context, in *downloadInput) (*huma.StreamResponse, error) {
		id, err := uuid.Parse(in.ID)
		if err != nil {
			return nil, invalid("path", "id", "uuid_parsing", "expected an id (UUID)", nil)
		}
		connector := connectorOf(ctx)
		path, fileName, err := s.cfg.Store.DownloadPath(ctx, connector.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNotFound
		}
		if err != nil {
			return nil, err
		}
		body, header, err := s.open(ctx, connector, path)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer body.Close()
			_, w := humago.Unwrap(hc)
			fileHeaders(w.Header(), header, fileName)
			if err := copyFile(w, body); err != nil {
				s.cfg.Log.WarnContext(ctx, "download cut off", "connector_id", connector.ID, "error", err, "request_id", requestID(ctx))
				panic(http.ErrAbortHandler) // what has been sent must not look whole
			}
		}}, nil
	})
}

// open opens the file at Lever, or says why not.
func (s *server) open(ctx context.Context, c *store.Connector, path string) (io.ReadCloser, http.Header, error) {
	if s.cfg.Clients == nil {
		return nil, nil, refuse(http.StatusServiceUnavailable, "Files can't be downloaded from this process")
	}
	client, err := s.cfg.Clients(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, refuse(http.StatusConflict, "The connector is not linked")
	}
	if err != nil {
		return nil, nil, err
	}
	body, header, err := client.Download(lever.WithLane(ctx, lever.LaneWebhook), path) // somebody waits for it
	if err != nil {
		return nil, nil, downloadError(err)
	}
	return body, header, nil
}

// downloadError is what a refusal of Lever is to our client.
func downloadError(err error) error {
	switch lever.Classify(err) {
	case lever.VerdictGone:
		return errNotFound
	case lever.VerdictRelink:
		return refuse(http.StatusConflict, "Lever refuses the connector's credential: it must be linked again")
	case lever.VerdictForbidden:
		return refuse(http.StatusConflict, "The connector's credential may not read this file in Lever")
	case lever.VerdictThrottled:
		after := strconv.Itoa(max(1, int(math.Ceil(lever.RetryAfter(err).Seconds()))))
		return huma.ErrorWithHeaders(refuse(http.StatusServiceUnavailable, "The connector's budget of calls to Lever is spent: try again later"), http.Header{"Retry-After": {after}})
	case lever.VerdictCanceled:
		return err
	}
	if bad, ok := errors.AsType[*lever.BadRequestError](err); ok && bad.Status == http.StatusUnprocessableEntity {
		return refuse(http.StatusConflict, "Lever could not process this file")
	}
	return refuse(http.StatusBadGateway, "Lever did not give the file: try again later")
}

// fileHeaders tell the client what it gets. The file is somebody's upload: no browser shall take it for a page of ours.
func fileHeaders(h, from http.Header, fileName string) {
	h.Set("Content-Type", "application/octet-stream")
	if kind, _, err := mime.ParseMediaType(from.Get("Content-Type")); err == nil {
		h.Set("Content-Type", kind)
	}
	if n := from.Get("Content-Length"); n != "" && from.Get("Content-Encoding") == "" {
		h.Set("Content-Length", n)
	}
	disposition := "attachment"
	if fileName = fileName[strings.LastIndexAny(fileName, `/\`)+1:]; fileName != "" { // what names a file says nothing of folders
		if d := mime.FormatMediaType("attachment", map[string]string{"filename": fileName}); d != "" {
			disposition = d
		}
	}
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

// copyFile copies in pieces, with a deadline for each: a file takes as long as it takes, a client that stands
// still does not.
func copyFile(w http.ResponseWriter, body io.Reader) error {
	rc := http.NewResponseController(w)
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
