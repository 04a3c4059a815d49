package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// app is one invocation: the world, and the flags that all commands share.
type app struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer

	forced  *style // how what is printed to a buffer is coloured; nil: as its writer is
	oneLine bool   // JSON documents take one line each

	json    bool
	running bool // a command has begun: what cobra finds wrong, it finds before
}

const rootLong = `leversync keeps companies' Lever accounts in Postgres: 15 kinds of record as one unified ATS model,
kept fresh with as few calls as can be, every call logged, queryable in SQL (schema ats).

It needs two services, named by DATABASE_URL and REDIS_URL. To see it at work with neither, in a checkout: make demo

Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  what was named does not exist
  4  a sync ended, but a scope failed or is forbidden, or the account must be linked again
doctor has codes of its own: 1 something to look at, 2 something that does not work.`

const rootExample = `  leversync migrate
  leversync connector create --org-name "Acme" --origin-id acme-1 --lever-api-key-file key.txt
  leversync serve
  leversync sync CONNECTOR_ID --wait
  leversync status`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "leversync",
		Short:         "Keep Lever accounts in Postgres",
		Long:          rootLong,
		Example:       rootExample,
		Version:       readBuild().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("leversync {{.Version}}\n")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON: one document, or one a line when following")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run it:"},
		&cobra.Group{ID: "use", Title: "Use it:"},
		&cobra.Group{ID: "care", Title: "Look after it:"},
		&cobra.Group{ID: "try", Title: "Try it:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.serveCommand(), a.apiCommand(), a.workerCommand(), a.schedulerCommand(), a.migrateCommand(), a.operatorCommand(), a.healthcheckCommand())
	add("use", a.connectorCommand(), a.syncCommand(), a.statusCommand(), a.callsCommand(), a.apikeyCommand())
	add("care", a.doctorCommand(), a.whyCommand(), a.supportBundleCommand(), a.quarantineCommand(), a.eraseCommand(), a.keysCommand())
	add("try", a.demoCommand(), a.fakeleverCommand())
	root.AddCommand(a.versionCommand(), a.docsCommand())
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(plainFlag)
	a.noteStart(root)
	plainArgs(root)
	return root
}

// noteStart has every command note that it has begun.
func (a *app) noteStart(c *cobra.Command) {
	if f := c.RunE; f != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			a.running = true
			return f(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		a.noteStart(sub)
	}
}

// plainArgs has every command that got too few or too many arguments say which it takes.
func plainArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil || !strings.HasPrefix(err.Error(), "accepts ") { // cobra's own
				return err
			}
			_, takes, _ := strings.Cut(cmd.Use, " ")
			return fmt.Errorf("%q takes %s, and %s given: %q shows examples", cmd.CommandPath(), takes, were(len(args)), cmd.CommandPath()+" --help")
		}
	}
	for _, sub := range c.Commands() {
		plainArgs(sub)
	}
}

func were(n int) string {
	if n == 1 {
		return "1 argument was"
	}
	return fmt.Sprintf("%d arguments were", n)
}

// badValue is what cobra says of a flag whose value can't be parsed.
var badValue = regexp.MustCompile(`^invalid argument (".*") for "(?:-\w, )?--([\w-]+)" flag: `)

// plainFlag says what a flag's value should have been, in place of how its parsing failed.
func plainFlag(c *cobra.Command, err error) error {
	m := badValue.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	flag := c.Flags().Lookup(m[2])
	if flag == nil {
		return err
	}
	want := map[string]string{
		"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false", "duration": "a duration such as 30s or 2h",
	}[flag.Value.Type()]
	if want == "" {
		return err
	}
	return fmt.Errorf("--%s %s: give %s", m[2], m[1], want)
}

// group makes a command that only holds others.
func group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(subs...)
	return c
}

// noCommand refuses what is left of the arguments when no command of that name was found.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += ": did you mean " + strings.Join(near, " or ") + "?"
	} else {
		text += fmt.Sprintf(": %q lists them", cmd.CommandPath()+" --help")
	}
	return fmt.Errorf("%s", text)
}
