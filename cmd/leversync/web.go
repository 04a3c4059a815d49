package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/cmd/leversync/internal/api"
	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/cmd/leversync/internal/connect"
	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/worker/task"
)

// oauthOf is the OAuth app that connectors are linked by.
func oauthOf(cfg config.Config) lever.OAuthConfig {
	return lever.OAuthConfig{
		AuthURL: cfg.LeverAuthURL, ClientID: cfg.LeverClientID, ClientSecret: lever.Secret(cfg.LeverClientSecret.Reveal()), APIBaseURL: cfg.LeverAPIURL,
	}
}

// publicURL is the URL by which others reach the installation, without a slash at its end. Where none is set and all addresses of
// this machine are listened on, it names one that leads to it from here.
func publicURL(cfg config.Config) string {
	if cfg.PublicURL != "" {
		return cfg.PublicURL
	}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil { // it is not listened on
		return "http://" + cfg.Addr
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// mountWeb adds the unified API with its documentation, the pages on which an account is connected, and the dashboard.
func (p *process) mountWeb(mux *http.ServeMux) error {
	unified, err := api.New(api.Config{
		Store: p.store, Redis: p.redis, Queue: task.NewQueue(p.redis), Log: p.log, PublicURL: publicURL(p.cfg), Version: readBuild().Version,
		Clients: p.worker.Client, Writer: p.writer, DailyCandidates: p.cfg.DailyCandidates, KeepDeleted: p.cfg.Keep.Deleted, Unhook: p.unhook,
	})
	if err != nil {
		return err
	}
	pages, err := connect.New(connect.Config{Store: p.store, Log: p.log, PublicURL: publicURL(p.cfg), OAuth: oauthOf(p.cfg), LeverURL: p.cfg.LeverAPIURL,
		OnWebhook: p.httpMetrics.webhook})
	if err != nil {
		return err
	}
	board, err := p.dashboard()
	if err != nil {
		return err
	}
	for _, path := range []string{"/api/", "/openapi.json", "/openapi.yaml", "/docs", "/docs/"} {
		mux.Handle(path, unified)
	}
	mux.Handle("/connect/", pages)
	mux.Handle(connect.WebhookPath, pages.Webhooks())
	mux.Handle("/", board)
	return nil
}

// hook registers a connector's webhooks with Lever. Its error is for people.
func (p *process) hook(ctx context.Context, connector uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := p.worker.Client(ctx, connector)
	if err == nil {
		err = connect.Register(ctx, p.store, c, connector, publicURL(p.cfg))
	}
	return registerProblem(err)
}

// unhook takes back what is registered of a connector's webhooks with Lever.
func (p *process) unhook(ctx context.Context, connector uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	err := connect.Unregister(ctx, p.store, p.worker.Client, connector, publicURL(p.cfg))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

const (
	recoverEvery   = 30 * time.Second
	keepAliveEvery = time.Hour
)

// upkeep settles writes whose outcome was lost, and keeps idle accounts' tokens alive, until the context ends.
func (p *process) upkeep(ctx context.Context) error {
	settle, renew := time.NewTicker(recoverEvery), time.NewTicker(keepAliveEvery)
	defer settle.Stop()
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-settle.C:
			if _, err := p.writer.Recover(ctx); err != nil && ctx.Err() == nil {
				p.log.WarnContext(ctx, "writes of unknown outcome not settled", "error", err)
			}
		case <-renew.C:
			if p.cfg.LeverClientID == "" {
				continue
			}
			if _, err := connect.KeepAlive(ctx, p.store, oauthOf(p.cfg), p.log); err != nil && ctx.Err() == nil {
				p.log.WarnContext(ctx, "tokens not kept alive", "error", err)
			}
		}
	}
}
