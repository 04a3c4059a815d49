package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

// createFlags are what connector create is told.
type createFlags struct {
	org, origin, keyFile string
	scopes               []string
	interval, linkTTL    time.Duration
	rate                 float64
}

func (a *app) connectorCreate() *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create --org-name NAME --origin-id ID [--lever-api-key-file PATH]",
		Short: "Link a Lever account by its API key, or make a link for its administrator",
		Long: `Link a Lever account by an API key that its administrator made (Lever: Settings, Integrations and API,
Lever API). The first sync starts by itself, as soon as a scheduler and a worker run.

Without a key, it prints a magic link to send to the account's administrator: a page of leversync serve on which
they allow the access, by Lever's own authorization or with a key. The link works once, for --link-ttl.

The key is read from a file, or from standard input with "-", never from the command line, where other
users of the machine could see it. It is stored sealed with LEVERSYNC_ENCRYPTION_KEY.`,
		Example: `  leversync connector create --org-name "Acme" --origin-id acme-1 --lever-api-key-file key.txt
  pass lever/acme | leversync connector create --org-name "Acme" --origin-id acme-1 --lever-api-key-file - --json
  leversync connector create --org-name "Acme" --origin-id acme-1 --lever-api-key-file key.txt --scopes jobs,candidates,applications`,
		Args: cobra.NoArgs,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, _ []string) error {
			n, err := a.newConnector(f)
			if err != nil {
				return err
			}
			c, token, err := s.CreateConnector(cmd.Context(), n)
			if err != nil {
				return err
			}
			var link string
			if n.APIKey == "" {
				if link, err = a.magicLink(cmd, s, c.ID, f.linkTTL); err != nil {
					return err
				}
			}
			return a.printCreated(cmd, s, c, token, link)
		}, config.Keys, config.Serve),
	}
	c.Flags().StringVar(&f.org, "org-name", "", "the company's name")
	c.Flags().StringVar(&f.origin, "origin-id", "", "your own id of the company")
	c.Flags().StringVar(&f.keyFile, "lever-api-key-file", "", `file that holds the key; "-" is standard input`)
	c.Flags().StringSliceVar(&f.scopes, "scopes", nil, "what to sync (default: all scopes but eeocs)")
	c.Flags().DurationVar(&f.linkTTL, "link-ttl", store.LinkFor, "how long a magic link works")
	c.Flags().DurationVar(&f.interval, "sync-interval", 0, "time between two syncs (default: LEVERSYNC_SYNC_INTERVAL)")
	c.Flags().Float64Var(&f.rate, "rate-limit", 0, "calls to Lever a second (default: LEVERSYNC_RATE_LIMIT)")
	_ = c.MarkFlagRequired("org-name")
	_ = c.MarkFlagRequired("origin-id")
	_ = c.MarkFlagFilename("lever-api-key-file")
	completeScopes(c, "scopes")
	return c
}

// newConnector checks the flags, and reads the key.
func (a *app) newConnector(f createFlags) (store.NewConnector, error) {
	n := store.NewConnector{OrgName: strings.TrimSpace(f.org), OriginID: strings.TrimSpace(f.origin), SyncInterval: f.interval, RateLimit: f.rate}
	var err error
	if n.Scopes, err = parseScopes("scopes", f.scopes); err != nil {
		return n, err
	}
	switch {
	case n.OrgName == "":
		err = errors.New("--org-name is empty")
	case n.OriginID == "":
		err = errors.New("--origin-id is empty")
	case f.interval < 0 || f.interval > 0 && f.interval < time.Second:
		err = fmt.Errorf("--sync-interval %s is too short: at least 1s", f.interval)
	case f.rate < 0 || math.IsNaN(f.rate) || math.IsInf(f.rate, 0):
		err = fmt.Errorf("--rate-limit %g: give calls a second, above 0", f.rate)
	case f.linkTTL < time.Minute:
		err = fmt.Errorf("--link-ttl %s is too short: at least 1m", f.linkTTL)
	}
	if err != nil {
		return n, &usageError{err}
	}
	if f.keyFile == "" {
		return n, nil
	}
	n.APIKey, err = a.readKey(f.keyFile)
	return n, err
}

// magicLink makes a link on which a connector is linked, or linked again.
func (a *app) magicLink(cmd *cobra.Command, s *store.Store, id uuid.UUID, ttl time.Duration) (string, error) {
	cfg, err := a.load(config.Serve)
	if err != nil {
		return "", err
	}
	token, _, err := s.CreateLink(cmd.Context(), id, ttl)
	if err != nil {
		return "", err
	}
	return publicURL(cfg) + "/connect/" + token, nil
}

// maxKey is longer than any key: what is longer is another file.
const maxKey = 4096

// readKey reads the key of a Lever account.
func (a *app) readKey(path string) (string, error) { return a.readSecret("lever-api-key-file", path) }

// readSecret reads a secret from the file that a flag names. Its errors hold nothing of what was read.
func (a *app) readSecret(flag, path string) (string, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", &usageError{fmt.Errorf("--%s: %w", flag, err)}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxKey+1))
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	key := strings.TrimSpace(string(b))
	switch {
	case key == "":
		return "", &usageError{fmt.Errorf("--%s: it is empty", flag)}
	case len(b) > maxKey, strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", &usageError{fmt.Errorf("--%s: it does not hold a key alone: want one line without blanks", flag)}
	}
	return key, nil
}

func (a *app) printCreated(cmd *cobra.Command, s *store.Store, c store.Connector, token, link string) error {
	if a.json {
		v := viewOf(c)
		v.ConnectorToken, v.MagicLink = token, link
		var err error
		if v.Scopes, err = s.Scopes(cmd.Context(), c.ID); err != nil {
			return err
		}
		return a.printJSON(v)
	}
	fmt.Fprintf(a.stdout, "connector  %s\ntoken      %s\n", c.ID, token)
	if link != "" {
		fmt.Fprintf(a.stdout, "link       %s\n\nSend the link to %s's Lever administrator. It works once; the first sync starts when they have allowed it.\n", link, c.OrgName)
		return nil
	}
	fmt.Fprintln(a.stdout)
	fmt.Fprintf(a.stdout, `Its first sync starts as soon as a scheduler and a worker run (leversync serve).
Watch it:  leversync sync %[1]s --wait
Later:     leversync status %[1]s
`, c.ID)
	return nil
}
