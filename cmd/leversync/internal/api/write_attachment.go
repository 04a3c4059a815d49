package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

const (
	// maxFileBody is the largest body, in bytes, with a file in it: base64 takes four for three.
	maxFileBody = lever.MaxUpload/3*4 + maxBody
	// uploadSlots is how many files are held in memory at once.
	uploadSlots = 2
	// uploadWait is how long a file waits for its turn: less than a server leaves before it must have asked for the body.
	uploadWait = 50 * time.Second
)

var errUploads = refuse(http.StatusServiceUnavailable, "Other files are being uploaded: nothing was sent to Lever, try again shortly")

// attachmentFields are those of AttachmentWrite.
var attachmentFields = []attribute{
	{"file_content", "string", "The file in base64; or give file_url."},
	{"file_url", "string", "Where to get the file: http or https, at a public address, without credentials or redirects, up to 30 MB."},
	{"file_name", "string", "Its name; default: that of the URL."},
	{"content_type", "string", "Its media type."},
	{"attachment_type", "string", "Ignored: Lever keeps none. A cover letter is known by its name."},
	{"remote_user_id", "uuid", "The user in whose name it is uploaded. Required; remote_user is taken in its place."},
	{"candidate", "uuid", "If given, the candidate of the path."},
}

type attachmentInput struct {
	WriteHeaders
	Candidate string `path:"candidate_id" format:"uuid" doc:"The candidate's id."`
}

func registerAttachment(s *server, op huma.Operation) {
	get := newFetcher(public, nil)
	slots, own := make(chan struct{}, uploadSlots), sync.Map{}
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		// One a connector: whoever sends theirs slowly holds up nobody else's.
		wait := time.NewTimer(cmp.Or(s.cfg.uploadWait, uploadWait))
		defer wait.Stop()
		mine, _ := own.LoadOrStore(connectorOf(hc.Context()).ID, make(chan struct{}, 1))
		for _, slot := range []chan struct{}{mine.(chan struct{}), slots} {
			select {
			case slot <- struct{}{}:
				defer func() { <-slot }()
			case <-wait.C:
				_, w := humago.Unwrap(hc)
				writeRefusal(w, errUploads)
				return
			case <-hc.Context().Done():
				return
			}
		}
		next(hc)
	})
	op = s.answers(withBody(op, maxFileBody), http.StatusOK, "The attachment.", s.schemaOf(Attachment{}))
	register(s, op, func(ctx context.Context, in *attachmentInput) (*writeOutput, error) {
		writer, err := s.writer()
		if err != nil {
			return nil, err
		}
		id, to, err := s.target(ctx, in.Candidate)
		if err != nil {
			return nil, err
		}
		f, err := readFields(takeBody(ctx))
		if err != nil {
			return nil, err
		}
		file, err := s.file(ctx, f, id)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(f.values)
		if err != nil {
			return nil, err
		}
		w := newWrite(connectorOf(ctx).ID, op.OperationID, in.Key, body, id.String())
		w.Kind = store.WriteAttachment
		reply, done, err := s.cfg.Store.WriteReply(ctx, w) // before the file is fetched: its URL may be good for once
		if err != nil {
			return nil, unwritten(w, err, "")
		}
		if !done {
			if file.url != "" {
				if err := file.fetch(ctx, get, f); err != nil {
					return nil, err
				}
			}
			reply, err = writer.AddAttachment(ctx, w, to, file.performAs, file.Upload)
			if err != nil {
				return nil, unwritten(w, err, "POST /opportunities/:id/files")
			}
		}
		if reply, err = s.withURL(reply); err != nil {
			return nil, err
		}
		return written(w, reply, *f.ignored), nil
	})
	s.documentBody(op, s.named(objectOf("AttachmentWrite", attachmentFields)))
}

// target is the candidate of a path, and the opportunity that its files and notes go to.
func (s *server) target(ctx context.Context, candidate string) (uuid.UUID, store.WriteTarget, error) {
	id, err := uuid.Parse(candidate)
	if err != nil {
		return id, store.WriteTarget{}, invalid("path", "candidate_id", "uuid_parsing", "expected an id (UUID)", nil)
	}
	to, err := s.cfg.Store.TargetOf(ctx, connectorOf(ctx).ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return id, to, errNotFound
	}
	return id, to, err
}

// newFile is a file to be uploaded; one with a URL is still to be fetched.
type newFile struct {
	lever.Upload
	performAs string
	url       string
}

func (s *server) file(ctx context.Context, f *fields, candidate uuid.UUID) (*newFile, error) {
	file := &newFile{Upload: lever.Upload{Name: f.text("file_name"), ContentType: f.text("content_type")}, url: f.text("file_url")}
	var err error
	if file.performAs, err = s.remote(ctx, f, unified.RemoteUsers, "remote user", "remote_user_id", "remote_user"); err != nil {
		return nil, err
	}
	if !f.has("remote_user_id") && !f.has("remote_user") {
		f.wrong([]any{"remote_user_id"}, "missing", "Field required: Lever needs to know in whose name it is uploaded")
	}
	if id, _ := f.id("candidate"); id != nil && *id != candidate {
		f.wrong([]any{"candidate"}, "value_error", "It is another candidate than the path's")
	}
	content := f.text("file_content")
	switch {
	case content == "" && file.url == "":
		f.wrong([]any{"file_content"}, "missing", "Field required: file_content or file_url")
	case content != "" && file.url != "":
		f.wrong([]any{"file_url"}, "value_error", "Give file_content or file_url, not both")
	case content != "":
		file.setBase64(f, content)
	}
	f.rest()
	return file, f.err()
}

// setBase64 makes the file of its base64, which is decoded as it is sent, and held once: the field has the file's SHA-256 from
// then on, by which the request is known.
func (n *newFile) setBase64(f *fields, content string) {
	n.Open = func() (io.Reader, error) {
		return base64.NewDecoder(base64.StdEncoding, strings.NewReader(content)), nil
	}
	r, _ := n.Open()
	var err error
	h := sha256.New()
	n.Size, err = io.Copy(h, r)
	f.values["file_content"] = fmt.Appendf(nil, `"%x"`, h.Sum(nil))
	switch {
	case err != nil:
		f.wrong([]any{"file_content"}, "value_error", "Input should be base64")
	case n.Size == 0, n.Size > lever.MaxUpload:
		f.wrong([]any{"file_content"}, "value_error", "Lever takes files of 1 byte to 30 MB")
	}
	if n.Name == "" {
		f.wrong([]any{"file_name"}, "missing", "Field required")
	}
}

// fetch gets the file from its URL.
func (n *newFile) fetch(ctx context.Context, get *fetcher, f *fields) error {
	got, err := get.get(ctx, n.url)
	if err != nil {
		f.wrong([]any{"file_url"}, "value_error", err.Error())
		return f.err()
	}
	n.Size, n.Open = int64(len(got.body)), func() (io.Reader, error) { return bytes.NewReader(got.body), nil }
	if n.ContentType == "" {
		n.ContentType = got.contentType
	}
	if n.Name == "" {
		n.Name = path.Base(got.path)
	}
	if n.Name == "." || n.Name == "/" {
		n.Name = "file"
	}
	return nil
}

// withURL adds to an attachment where its file is to be had.
func (s *server) withURL(reply []byte) ([]byte, error) {
	var a map[string]any
	if err := json.Unmarshal(reply, &a); err != nil {
		return nil, err
	}
	if id, ok := a["id"].(string); ok {
		a["file_url"] = s.cfg.PublicURL + "/api/ats/v1/attachments/" + id + "/download"
	}
	return json.Marshal(a)
}
