package api

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// weighing is a writer that weighs the heap while it has a file.
type weighing struct {
	Writer
	held uint64
}

func (w *weighing) AddAttachment(ctx context.Context, _ store.NewWrite, _ store.WriteTarget, _ string, u lever.Upload) (json.RawMessage, error) {
	w.held = heap()
	runtime.KeepAlive(ctx) // as a writer has them to its end
	runtime.KeepAlive(u)
	return json.RawMessage(`{}`), nil
}

// heap is how many bytes are in use, once what is garbage was collected.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold is let go of by the second
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A file is held once while it is written, of however many readings its request took. It runs alone: it weighs the process.
func TestAFileIsHeldOnce(t *testing.T) {
	w := &weighing{}
	d := newDesk(t, func(c *Config) { w.Writer = c.Writer; c.Writer = w })
	made := d.post(candidatesPath, d.person(1))
	if made.status != http.StatusOK {
		t.Fatalf("POST candidates = %d %s", made.status, made.body)
	}
	path := candidatesPath + "/" + made.json(t)["id"].(string) + "/attachments"
	const size = 16 << 20
	body := `{"file_name":"a","remote_user_id":"` + d.user() + `","file_content":"` + strings.Repeat("AAAA", size/4) + `"}`
	before := heap()
	if a := d.post(path, body); a.status != http.StatusOK {
		t.Fatalf("POST attachments = %d %s; want 200", a.status, a.body)
	}
	if held := int64(w.held - before); held < size/2 || held > size*3/2 {
		t.Errorf("%d bytes are held of a file whose text has %d: want it once", held, size)
	}
	runtime.KeepAlive(body)
}

// The same file is the same request, however its JSON and its base64 are written, and another is another.
func TestAFileIsKnownByItsContent(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.post(candidatesPath, d.person(1)).json(t)["id"].(string)
	path, user := candidatesPath+"/"+id+"/attachments", d.user()
	post := func(body string) answer { return d.post(path, body, "X-Idempotency-Key", "k") }
	first := post(`{"file_name":"a.txt","file_content":"aGVsbG8/","remote_user_id":"` + user + `"}`)
	if first.status != http.StatusOK {
		t.Fatalf("POST = %d %s; want 200", first.status, first.body)
	}
	if a := post(` { "remote_user_id":"` + user + `", "file_content":"aGVs\nbG8\/", "file_name":"a.txt" }`); a.status != http.StatusOK || string(a.body) != string(first.body) {
		t.Errorf("the same file, written otherwise = %d %s; want %s", a.status, a.body, first.body)
	}
	for name, other := range map[string]string{
		"another file": `{"file_name":"a.txt","file_content":"aGVsbG8h","remote_user_id":"` + user + `"}`,
		"another name": `{"file_name":"b.txt","file_content":"aGVsbG8/","remote_user_id":"` + user + `"}`,
	} {
		if a := post(other); a.status != http.StatusConflict {
			t.Errorf("%s under the same key = %d %s; want 409", name, a.status, a.body)
		}
	}
}
