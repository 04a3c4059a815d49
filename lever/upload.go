package lever

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

const (
	// MaxUpload is the largest file that Lever takes, in bytes.
	MaxUpload = 30 << 20
	// uploadTimeout is how long an upload may take: Lever itself answers 408 to a slow one.
	uploadTimeout = 2 * time.Minute
)

// Upload is a file to be uploaded.
type Upload struct {
	Name        string // of the file
	ContentType string // "": application/octet-stream
	Size        int64  // bytes, 1 to MaxUpload
	// Open gives the file from its beginning; it is called once for each send.
	Open func() (io.Reader, error)
}

// ErrUpload says that a file is not one that Lever takes: it is empty, too large, or has no name.
var ErrUpload = errors.New("lever: upload: want a file with a name, of 1 to 31457280 bytes")

// UploadFile adds a file to an opportunity, in the name of a user. It streams. Each call adds one.
// ErrUpload: it was not sent; *OutcomeError: it may have been added.
func (c *Client) UploadFile(ctx context.Context, opportunityID, performAs string, u Upload) (Item[File], error) {
	if u.Name == "" || u.Size <= 0 || u.Size > MaxUpload {
		return Item[File]{}, ErrUpload
	}
	form, err := newForm(u)
	if err != nil {
		return Item[File]{}, err
	}
	return post[File](ctx, c, request{
		endpoint: at("/opportunities/:id/files", opportunityID), query: url.Values{"perform_as": {performAs}},
		write: form, timeout: uploadTimeout,
	}, nil)
}

var quoteEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A")

// newForm is a form with one file, whose length is known beforehand.
func newForm(u Upload) (*payload, error) {
	var head, tail bytes.Buffer
	w := multipart.NewWriter(&head)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename="%s"`, quoteEscaper.Replace(u.Name)))
	h.Set("Content-Type", "application/octet-stream")
	if u.ContentType != "" {
		h.Set("Content-Type", strings.Map(oneLine, u.ContentType))
	}
	if _, err := w.CreatePart(h); err != nil {
		return nil, err
	}
	fmt.Fprintf(&tail, "\r\n--%s--\r\n", w.Boundary())
	return &payload{
		contentType: w.FormDataContentType(),
		length:      int64(head.Len()+tail.Len()) + u.Size,
		body: func() io.Reader {
			return io.MultiReader(bytes.NewReader(head.Bytes()), &lazyReader{open: u.Open}, bytes.NewReader(tail.Bytes()))
		},
	}, nil
}

func oneLine(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// lazyReader opens its file when it is first read.
type lazyReader struct {
	open func() (io.Reader, error)
	r    io.Reader
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.r == nil {
		r, err := l.open()
		if err != nil {
			return 0, err
		}
		l.r = r
	}
	return l.r.Read(p)
}
