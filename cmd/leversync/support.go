package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// bundleFile is one file of a support bundle.
type bundleFile struct {
	name, what string
	content    []byte
}

func (a *app) supportBundleCommand() *cobra.Command {
	var yes, show bool
	c := &cobra.Command{
		Use:   "support-bundle [FILE]",
		Short: "Write a file for whoever helps: what runs and how it stands, without secrets or personal data",
		Long: `Write a file for whoever helps: the version, the configuration with its secrets hidden, what the doctor finds, how accounts
and queues stand, sizes of tables, and recent errors of runs and calls. It holds no record, no body, no name of an account and no
credential; addresses and keys in error texts are blotted out. What is in it is listed before it is written; --show prints all of it
and writes nothing. It asks on a terminal, and needs --yes elsewhere.`,
		Example: `  leversync support-bundle --show | less
  leversync support-bundle --yes leversync-support.tar.gz`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "leversync-support-" + time.Now().UTC().Format("20060102-150405") + ".tar.gz"
			if len(args) == 1 {
				path = args[0]
			}
			return a.supportBundle(cmd.Context(), path, yes, show)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&show, "show", false, "print all of it, and write nothing")
	return c
}

func (a *app) supportBundle(ctx context.Context, path string, yes, show bool) error {
	files, err := a.gather(ctx)
	if err != nil {
		return err
	}
	if show {
		for _, f := range files {
			fmt.Fprintf(a.stdout, "==> %s\n%s\n", f.name, f.content)
		}
		return nil
	}
	listing := make([]map[string]any, len(files))
	t := table{head: []string{"FILE", "BYTES", "HOLDS"}, right: map[int]bool{1: true}}
	for i, f := range files {
		listing[i] = map[string]any{"name": f.name, "bytes": len(f.content), "holds": f.what}
		t.add(f.name, number(int64(len(f.content))), f.what)
	}
	if !a.json {
		t.print(a.stdout, a.style(a.stdout))
	}
	if !yes {
		if err := a.confirm(fmt.Sprintf("\nThis will be in %s (--show prints it). Type yes to write it: ", path), "yes"); err != nil {
			return err
		}
	}
	if err := writeBundle(path, files); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"path": path, "files": listing})
	}
	fmt.Fprintf(a.stdout, "\nWritten: %s\n", path)
	return nil
}

// writeBundle writes a new file that only its owner may read; it replaces none.
func writeBundle(path string, files []bundleFile) error {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	now := time.Now().UTC().Truncate(time.Second)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Name: "leversync-support/" + f.name, Mode: 0o600, Size: int64(len(f.content)), ModTime: now}); err != nil {
			return err
		}
		if _, err := tw.Write(f.content); err != nil {
			return err
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: give another name, or remove it", path)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return errors.Join(err, out.Close())
}
