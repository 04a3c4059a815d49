package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/lever/levertest"
)

// The OAuth app that the simulated account knows.
const fakeClientID, fakeClientSecret = "test-client", "test-secret"

func (a *app) fakeleverCommand() *cobra.Command {
	var (
		addr, key string
		cfg       levertest.Config
		rate      float64
		latency   time.Duration
	)
	c := &cobra.Command{
		Use:   "fakelever",
		Short: "Serve a simulated Lever account on this machine",
		Long: `Serve a simulated Lever account on this machine: Lever's API, order, paging, permissions, rate limit, OAuth
server, writes and webhooks, over an account that is made of a seed. All personal data in it is invented.
It changes by its controls under /_control.`,
		Example: `  leversync fakelever --opportunities 500
  LEVER_API_URL=http://127.0.0.1:8181/v1 leversync serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cfg.Opportunities < 1 || cfg.Opportunities > 1_000_000:
				return &usageError{errors.New("--opportunities: from 1 to 1000000")}
			case rate < 0 || latency < 0:
				return &usageError{errors.New("--rate and --latency: 0 or more")}
			case key == "":
				return &usageError{errors.New("--api-key is empty")}
			}
			cfg.RatePerSecond, cfg.Burst = rate, int(2*rate)
			if rate == 0 {
				cfg.RatePerSecond = -1
			}
			cfg.Latency, cfg.APIKeys = latency, []string{key}
			cfg.ClientID, cfg.ClientSecret = fakeClientID, fakeClientSecret
			return a.serveFake(cmd, addr, key, cfg)
		},
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:8181", "loopback address to listen on; port 0 takes a free one")
	c.Flags().IntVar(&cfg.Opportunities, "opportunities", 1000, "size of the account")
	c.Flags().Int64Var(&cfg.Seed, "seed", 1, "what the account is made of: the same seed and size give the same account")
	c.Flags().Float64Var(&rate, "rate", 10, "calls a second that it allows, with bursts of twice as many; 0: no limit")
	c.Flags().DurationVar(&latency, "latency", 0, "how long each call takes")
	c.Flags().StringVar(&key, "api-key", "test-key", "the key that it accepts")
	return c
}

func (a *app) serveFake(cmd *cobra.Command, addr, key string, cfg levertest.Config) error {
	s := levertest.New(cfg)
	defer s.Close()
	url, stop, err := levertest.Serve(addr, s)
	if err != nil {
		return fmt.Errorf("--addr %s: %w", addr, err)
	}
	defer stop()
	if a.json {
		if err := a.printJSONLine(map[string]any{"url": url, "lever_api_url": url + "/v1", "lever_auth_url": url, "api_key": key,
			"lever_client_id": fakeClientID, "lever_client_secret": fakeClientSecret,
			"opportunities": cfg.Opportunities, "seed": cfg.Seed}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, `A simulated Lever account of %s: not the real one, and all its people are invented.
  export LEVER_API_URL=%[2]s/v1 LEVER_AUTH_URL=%[2]s
  export LEVER_CLIENT_ID=%[4]s LEVER_CLIENT_SECRET=%[5]s  # its OAuth app, for magic links
  API key: %[3]s
Ctrl-C ends it.
`, number(int64(cfg.Opportunities))+" opportunities", url, key, fakeClientID, fakeClientSecret)
	}
	<-cmd.Context().Done()
	return nil
}
