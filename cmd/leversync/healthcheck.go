package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
)

func (a *app) healthcheckCommand() *cobra.Command {
	var addr string
	var live bool
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the process on this machine whether it can work",
		Long: `Ask the process on this machine whether it can work, as /readyz says: for the health checks of containers, whose
image holds no other program. It exits 0 if it can, 1 if not, with what failed; why, is in the process' log.`,
		Example: "  leversync healthcheck\n  leversync healthcheck --live --addr :9090",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(config.Serve)
			if err != nil {
				return err
			}
			path := "/readyz"
			if live {
				path = "/healthz"
			}
			return a.healthcheck(cmd.Context(), cmp.Or(addr, cfg.MetricsAddr, cfg.Addr), path)
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "host:port where it listens (default: LEVERSYNC_METRICS_ADDR, or else LEVERSYNC_ADDR)")
	c.Flags().BoolVar(&live, "live", false, "ask /healthz: whether it lives, whatever becomes of Postgres and Redis")
	return c
}

// healthcheck asks a process that listens on addr; without a host, or on all addresses, this machine's.
func (a *app) healthcheck(ctx context.Context, addr, path string) error {
	if err := config.CheckAddr(addr); err != nil {
		return &usageError{fmt.Errorf("--addr: %w", err)}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", addr, cause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	var said struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("%s%s answers %d, and no JSON: is it leversync?", addr, path, resp.StatusCode)
	}
	if resp.StatusCode == http.StatusOK {
		if a.json {
			return a.printJSON(said)
		}
		fmt.Fprintln(a.stdout, said.Status)
		return nil
	}
	var wrong []string
	for name, state := range said.Checks {
		if state != "ok" {
			wrong = append(wrong, name+": "+state)
		}
	}
	slices.Sort(wrong)
	return fmt.Errorf("it can't work: %s", strings.Join(wrong, "; "))
}
