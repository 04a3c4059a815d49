package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker"
)

type webhookFlags struct {
	enable, byHand, disable bool
	tokenFile               string
}

func (a *app) connectorWebhooks() *cobra.Command {
	var f webhookFlags
	c := &cobra.Command{
		Use:   "webhooks CONNECTOR_ID",
		Short: "Show whether an account's changes are told of by webhooks, and turn that on and off",
		Long: `Show whether Lever tells of an account's changes by webhooks, and turn that on and off. A change that is told of is read
within seconds; without webhooks, and for what they do not tell of, the next sync finds it. They are off by default.

--enable registers them with Lever, which takes the permission webhooks:write:admin. Once they are on, a link made by
"connector relink" asks for it. Where Lever does not give it, or with --by-hand, the URL that is printed is to be registered in
Lever's settings, and the signature token that Lever shows for each webhook given with --signing-token-file. In either case a
Super Admin must switch the groups of events on there. --enable again registers all of them anew, with new tokens.`,
		Example: `  leversync connector webhooks 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --enable
  leversync connector webhooks 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --signing-token-file token.txt
  leversync connector webhooks 0d4f7b2e-6c1a-4f5e-8f5c-2f8f3f0f9c11 --disable`,
		Args: oneConnector,
		RunE: a.withStore(func(cmd *cobra.Command, s *store.Store, args []string) error {
			c, err := a.connector(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			err = a.changeWebhooks(cmd.Context(), s, c, f)
			if _, usage := errors.AsType[*usageError](err); usage {
				return err
			}
			return errors.Join(a.showWebhooks(cmd.Context(), s, c), err)
		}, config.Keys, config.Serve),
	}
	c.Flags().BoolVar(&f.enable, "enable", false, "take webhooks, and register them with Lever")
	c.Flags().BoolVar(&f.byHand, "by-hand", false, "with --enable: register nothing, and print the URL to register")
	c.Flags().BoolVar(&f.disable, "disable", false, "take none, and take back what is registered with Lever")
	c.Flags().StringVar(&f.tokenFile, "signing-token-file", "", `file that holds a webhook's signature token; "-" is standard input`)
	c.MarkFlagsMutuallyExclusive("enable", "disable")
	c.MarkFlagsMutuallyExclusive("disable", "signing-token-file")
	_ = c.MarkFlagFilename("signing-token-file")
	return c
}

func (a *app) changeWebhooks(ctx context.Context, s *store.Store, c store.Connector, f webhookFlags) error {
	if f.byHand && !f.enable {
		return &usageError{errors.New("--by-hand goes with --enable")}
	}
	var token string
	if f.tokenFile != "" {
		var err error
		if token, err = a.readSecret("signing-token-file", f.tokenFile); err != nil {
			return err
		}
	}
	switch {
	case f.enable && f.byHand:
		if err := s.EnableWebhooks(ctx, c.ID); err != nil {
			return err
		}
	case f.enable:
		if err := a.registerWebhooks(ctx, s, c); err != nil {
			return err
		}
	case f.disable:
		return a.disableWebhooks(ctx, s, c)
	}
	if token == "" {
		return nil
	}
	err := s.AddWebhookTokens(ctx, c.ID, false, store.NewWebhookToken{Secret: token})
	if errors.Is(err, store.ErrNotFound) {
		return &usageError{errors.New("the connector takes no webhooks yet: add --enable --by-hand")}
	}
	return err
}

func (a *app) registerWebhooks(ctx context.Context, s *store.Store, c store.Connector) error {
	cfg, err := a.load(config.Serve)
	if err != nil {
		return err
	}
	public := publicURL(cfg)
	if !strings.HasPrefix(public, "https://") {
		fmt.Fprintf(a.stderr, "Lever sends webhooks to https alone, and must reach %s: LEVERSYNC_PUBLIC_URL names another.\n", public)
	}
	return a.withLever(ctx, s, func(client clientOf) error {
		lc, err := client(ctx, c.ID)
		if err != nil {
			return err
		}
		return registerProblem(connect.Register(ctx, s, lc, c.ID, public))
	})
}

// registerProblem says what to do where webhooks could not be registered.
func registerProblem(err error) error {
	if lever.Classify(err) == lever.VerdictForbidden {
		return fmt.Errorf("this credential may not register webhooks with Lever: register the URL by hand, and give the signature tokens; or give the credential the permission %s, and try again",
			connect.WebhookPermission)
	}
	if err != nil {
		return fmt.Errorf("not all webhooks could be registered with Lever, try again: %w", err)
	}
	return nil
}

func (a *app) disableWebhooks(ctx context.Context, s *store.Store, c store.Connector) error {
	cfg, err := a.load(config.Serve)
	if err != nil {
		return err
	}
	err = a.withLever(ctx, s, func(client clientOf) error { return connect.Unregister(ctx, s, client, c.ID, publicURL(cfg)) })
	if errors.Is(err, store.ErrNotFound) {
		return nil // it is off
	}
	return err
}

// unhook takes back what is registered with Lever before a connector is deleted. It needs keys and Redis only where there is
// something to take back.
func (a *app) unhook(ctx context.Context, s *store.Store, c store.Connector) error {
	registered, err := s.RegisteredWebhooks(ctx, c.ID)
	if err != nil || registered == 0 {
		return err
	}
	cfg, err := a.load(config.Database, config.Keys)
	if err != nil {
		return err
	}
	open, err := a.store(ctx, cfg)
	if err != nil {
		return err
	}
	defer open.Close()
	return a.disableWebhooks(ctx, open, c)
}

// clientOf gives a connector's client, which shares its budget with its syncs.
type clientOf func(context.Context, uuid.UUID) (*lever.Client, error)

// withLever does something for which Lever is asked.
func (a *app) withLever(ctx context.Context, s *store.Store, do func(clientOf) error) error {
	cfg, err := a.load(config.Redis, config.Lever)
	if err != nil {
		return err
	}
	rdb, err := a.redis(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer rdb.Close()
	w := worker.New(worker.Config{Store: s, Redis: rdb, Log: discard, LeverURL: cfg.LeverAPIURL, OAuth: oauthOf(cfg), RateLimit: cfg.RateLimit})
	defer w.Shutdown() // it logs what was called
	return do(w.Client)
}

// webhooksView is how a connector takes webhooks, as it is printed in JSON.
type webhooksView struct {
	ConnectorID uuid.UUID  `json:"connector_id"`
	Enabled     bool       `json:"enabled"`
	URL         string     `json:"url,omitempty"`
	EnabledAt   *time.Time `json:"enabled_at"`
	ReceivedAt  *time.Time `json:"received_at"` // the last genuine one
	Events      []string   `json:"events"`      // registered with Lever
	ByHand      int        `json:"tokens_by_hand"`
	Hints       int64      `json:"hints"` // not looked at yet
}

func (a *app) showWebhooks(ctx context.Context, s *store.Store, c store.Connector) error {
	cfg, err := a.load(config.Serve)
	if err != nil {
		return err
	}
	v := webhooksView{ConnectorID: c.ID, Events: []string{}}
	w, err := s.Webhooks(ctx, c.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		v.Enabled, v.URL, v.EnabledAt, v.ReceivedAt, v.Hints = true, connect.WebhookURL(publicURL(cfg), w.Secret), &w.EnabledAt, w.ReceivedAt, w.Hints
	}
	for _, t := range w.Tokens {
		if t.RemoteID == "" {
			v.ByHand++
		} else {
			v.Events = append(v.Events, t.Event)
		}
	}
	if a.json {
		return a.printJSON(v)
	}
	if !v.Enabled {
		a.line("webhooks", "off: changes are found by the next sync")
		return nil
	}
	a.line("webhooks", "on, since "+stamp(*v.EnabledAt))
	a.line("url", v.URL)
	if len(v.Events) > 0 {
		a.line("registered", strings.Join(v.Events, ", "))
	}
	a.line("by hand", plural(int64(v.ByHand), "token"))
	a.line("last one", ago(v.ReceivedAt, time.Now()))
	a.line("hints", number(v.Hints)+" to be looked at")
	if len(v.Events)+v.ByHand == 0 {
		fmt.Fprintf(a.stdout, "\nNothing that comes is believed before a signature token is given:\n  leversync connector webhooks %s --signing-token-file FILE\n", c.ID)
	}
	return nil
}
