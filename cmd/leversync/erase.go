package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

func (a *app) eraseCommand() *cobra.Command {
	var connector, candidate string
	var dry, yes bool
	c := &cobra.Command{
		Use:   "erase --connector ID --candidate ID",
		Short: "Remove a person from every table, for good",
		Long: `Remove a person from every table: records, raw payloads, what is in quarantine, what was written. It works in one
transaction, and no sync and no write brings the candidate back, whatever Lever still has. Whoever reads the feed of changes sees
the records deleted.

The candidate is named by its id here, by Lever's id of the contact, or by that of one of its opportunities. Where its records are
kept no longer, all goes that still names that id. What is printed, and
kept, is a receipt without personal data. Nothing changes in Lever, and backups that were made before still hold the person.

It asks for confirmation on a terminal, and needs --yes elsewhere.`,
		Example: `  leversync erase --connector 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --candidate 5b1f3f0e-2f5b-5a44-9d0a-6f2b7a1c9e10 --dry-run
  leversync erase --connector 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --candidate 5b1f3f0e-2f5b-5a44-9d0a-6f2b7a1c9e10 --yes`,
		Args: cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			if connector == "" || candidate == "" {
				return &usageError{errors.New("name both: --connector and --candidate")}
			}
			conn, err := a.connector(cmd.Context(), s, connector)
			if err != nil {
				return err
			}
			if !dry && !yes {
				if err := a.confirm("This removes a candidate of "+conn.OrgName+" for good. Type erase to go on: ", "erase"); err != nil {
					return err
				}
			}
			e, err := s.Erase(cmd.Context(), conn.ID, candidate, dry)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%w: %s has no such candidate: give its id here, Lever's id of the contact, or of an opportunity", errNotFound, conn.OrgName)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(e)
			}
			a.printErasure(e)
			return nil
		}, config.Keys),
	}
	c.Flags().StringVar(&connector, "connector", "", "the connector's id")
	c.Flags().StringVar(&candidate, "candidate", "", "the candidate's id, here or at Lever")
	c.Flags().BoolVar(&dry, "dry-run", false, "show how much would be removed, and remove nothing")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) printErasure(e store.Erasure) {
	switch {
	case e.DryRun:
		fmt.Fprintln(a.stdout, "This would be removed; nothing was done:")
	case e.Again:
		fmt.Fprintf(a.stdout, "This was done before. Receipt %s of %s:\n", e.ID, e.ErasedAt.UTC().Format("2006-01-02 15:04:05 MST"))
	default:
		fmt.Fprintf(a.stdout, "Erased. Receipt %s of %s:\n", e.ID, e.ErasedAt.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	t := table{head: []string{"TABLE", "ROWS"}, right: map[int]bool{1: true}}
	for _, name := range slices.Sorted(maps.Keys(e.Counts)) {
		if n := e.Counts[name]; n > 0 {
			t.add(name, number(n))
		}
	}
	t.print(a.stdout, a.style(a.stdout))
}
