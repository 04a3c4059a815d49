package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) docsCommand() *cobra.Command {
	return group("docs", "Write the manual", "  leversync docs man /usr/local/share/man/man1", a.docsMan())
}

func (a *app) docsMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write a manual page for each command into a folder",
		Long:  "Write a manual page for each command into a folder, which is made where it is not there: leversync.1, leversync-sync.1 and so on.",
		Example: `  leversync docs man /usr/local/share/man/man1
  man leversync-sync`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			head := &doc.GenManHeader{Title: "LEVERSYNC", Section: "1", Source: "leversync " + readBuild().Version, Manual: "leversync", Date: manDate()}
			if err := doc.GenManTree(root, head, dir); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(dir, "leversync*.1"))
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"dir": dir, "pages": len(pages)})
			}
			fmt.Fprintf(a.stdout, "Wrote %s to %s.\n", plural(int64(len(pages)), "page"), dir)
			return nil
		},
	}
}

// manDate is the time of the commit that the binary was built from, so that the same source makes the same pages.
func manDate() *time.Time {
	t, err := time.Parse(time.RFC3339, readBuild().Time)
	if err != nil {
		t = time.Now()
	}
	return &t
}
