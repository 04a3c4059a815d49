package storetest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

const (
	nemesisEnv = "LEVERSYNC_NEMESIS"       // make nemesis
	noMountEnv = "LEVERSYNC_TEST_NO_MOUNT" // no disk can be mounted here, and that is known
)

// Disk is a small file system, in memory, that a test may fill.
type Disk struct {
	Path string

	t testing.TB
}

// NewDisk mounts a disk of so many bytes on a folder of its own until t ends. Where the process may not mount, the test is
// skipped; in CI's run of the nemesis it fails, unless LEVERSYNC_TEST_NO_MOUNT is set.
func NewDisk(t testing.TB, bytes int64) *Disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "leversync-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) }) // not what is on it: it is unmounted before
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0755,size="+strconv.FormatInt(bytes, 10), "leversync-test", dir).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "" && os.Getenv(nemesisEnv) != "" && os.Getenv(noMountEnv) == "":
		t.Fatalf("a disk can't be mounted here (%v: %s): %s=1 leaves out what needs one", err, out, noMountEnv)
	default:
		t.Skipf("a disk can't be mounted here (%v: %s)", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("storetest: umount: %v: %s", err, out)
		}
	})
	return &Disk{Path: dir, t: t}
}

// Folder makes a folder on the disk.
func (d *Disk) Folder(name string) string {
	d.t.Helper()
	dir := filepath.Join(d.Path, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// Fill leaves no byte free.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.Create(d.ballast())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case err == nil:
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		default:
			d.t.Fatal(err)
		}
	}
}

// Free takes away what Fill has put there.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) ballast() string { return filepath.Join(d.Path, "ballast") }
