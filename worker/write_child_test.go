package worker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
	"github.com/leversync/leversync/store/unified"
	"github.com/leversync/leversync/worker"
)

// insistOn asks for a write until there is a reply, over the deaths of whoever does it.
func (p *pen) insistOn(key string, write func() (json.RawMessage, error)) json.RawMessage {
	p.t.Helper()
	for range 50 {
		reply, crashed, err := p.guarded(key, write)
		if err == nil && !crashed {
			return reply
		}
	}
	p.t.Fatalf("%s: no reply after 50 tries", key)
	return nil
}

// target is where a new candidate's files and notes go.
func (p *pen) target() store.WriteTarget {
	p.t.Helper()
	reply, _, err := p.write("new", person(1, p.jobs[0]))
	if err != nil {
		p.t.Fatal(err)
	}
	var c unified.Candidate
	if err := json.Unmarshal(reply, &c); err != nil {
		p.t.Fatal(err)
	}
	to, err := p.db.Store.TargetOf(p.t.Context(), p.conn.ID, c.ID)
	if err != nil || to.Person != c.RemoteID {
		p.t.Fatalf("TargetOf = %+v, %v; want one of person %s", to, err, c.RemoteID)
	}
	return to
}

func TestInterruptedUploadsMakeNoDuplicates(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	to := p.target()
	for n, w := range wrongs[:3] {
		key, name := fmt.Sprint("file-", n), fmt.Sprintf("letter %d.pdf", n)
		write := func() (json.RawMessage, error) {
			return p.writer.AddAttachment(t.Context(), p.ask(key), to, p.user, lever.Upload{
				Name: name, Size: 5, Open: func() (io.Reader, error) { return strings.NewReader("hello"), nil },
			})
		}
		p.wire.set(firstTime(w.match, w.wrong))
		first := p.insistOn(key, write)
		p.wire.set(nil)
		var a unified.Attachment
		if err := json.Unmarshal(first, &a); err != nil || a.FileName == nil || *a.FileName != name || a.Candidate == nil {
			t.Errorf("%s: reply %s, %v; want an attachment %q with its candidate", w.name, first, err, name)
		}
		if again, err := write(); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%s: asked again = %s, %v; want %s", w.name, again, err, first)
		}
		files, err := p.plain.Files(t.Context(), to.Opportunity)
		if err != nil || len(files.Items) != n+1 {
			t.Errorf("%s: Lever has %d files, %v; want %d", w.name, len(files.Items), err, n+1)
		}
	}
	if n := len(p.records(unified.Attachments)); n != 3 {
		t.Errorf("%d attachments stored; want 3", n)
	}
}

// Files are uploaded while the list that they are missing from, read before, is on its way to Postgres: it proves nothing of them.
func TestAFileUploadedWhileItsListIsReadStays(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	to := p.target()
	var uploaded atomic.Int64
	p.start(worker.Config{RateLimit: fast, Store: p.doomedStore(func(point string, _ uuid.UUID, stream string) {
		if point != store.PointFetched || stream != "opportunity-children" || uploaded.Load() == 20 { // else its files are read for ever
			return
		}
		key := fmt.Sprint("beside-", uploaded.Add(1))
		if _, err := p.writer.AddAttachment(t.Context(), p.ask(key), to, p.user, lever.Upload{
			Name: key + ".txt", Size: 5, Open: func() (io.Reader, error) { return strings.NewReader("hello"), nil },
		}); err != nil {
			t.Errorf("AddAttachment while lists are on their way: %v", err)
		}
	})})
	p.sync(true)
	gone := storetest.Column[string](p.db, `SELECT file_name FROM attachments WHERE connector_id = $1 AND source = 'files' AND parent = $2 AND deleted_at IS NOT NULL`, p.conn.ID, to.Opportunity)
	if n := uploaded.Load(); n == 0 || len(gone) > 0 {
		t.Errorf("of %d files that were uploaded while lists were on their way, these are taken for gone: %q", n, gone)
	}
}

func TestInterruptedNotesMakeNoDuplicates(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{Settle: time.Nanosecond})
	to := p.target()
	for n, w := range wrongs[:2] {
		key, text := fmt.Sprint("note-", n), fmt.Sprint("called them, ", n)
		write := func() (json.RawMessage, error) {
			return p.writer.AddNote(t.Context(), p.ask(key), to, p.user, lever.NewNote{Value: text}, json.RawMessage(`{"activity_type":"NOTE"}`))
		}
		p.wire.set(firstTime(w.match, w.wrong))
		first := p.insistOn(key, write)
		p.wire.set(nil)
		if again, err := write(); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%s: asked again = %s, %v; want %s", w.name, again, err, first)
		}
		notes, err := p.plain.Notes(t.Context(), to.Opportunity)
		if err != nil || len(notes.Items) != n+1 {
			t.Errorf("%s: Lever has %d notes, %v; want %d", w.name, len(notes.Items), err, n+1)
		}
	}
}

func TestWritesNeedTheirScope(t *testing.T) {
	t.Parallel()
	p := newPen(t, worker.WriterConfig{})
	p.db.Exec(`UPDATE connector_scopes SET enabled = false WHERE scope = 'candidates'`)
	if _, _, err := p.write("k", person(1, p.jobs[0])); !errors.Is(err, store.ErrScopeOff) {
		t.Errorf("with the scope off: %v; want ErrScopeOff", err)
	}
}
