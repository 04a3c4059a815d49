package dashboard

import "net/http"

// Routes are all routes there are. Whatever is not among them is "there is no such page", for those who are signed in.
func Routes() []Route {
	get := func(path string, serve func(*Handler) pageFunc) Route {
		return Route{Pattern: "GET " + path, serve: serve}
	}
	post := func(path string, serve func(*Handler) pageFunc) Route {
		return Route{Pattern: "POST " + path, serve: serve}
	}
	open := func(r Route) Route { r.Open = true; return r }
	return []Route{
		open(get("/login", func(h *Handler) pageFunc { return h.loginPage })),
		open(post("/login", func(h *Handler) pageFunc { return h.login })),
		open(get(assetsPath+"{file}", func(h *Handler) pageFunc { return h.assets() })),
		post("/logout", func(h *Handler) pageFunc { return h.logout }),
		post("/logout/everywhere", func(h *Handler) pageFunc { return h.logoutEverywhere }),
		get("/sessions", func(h *Handler) pageFunc { return h.sessionsPage }),
		post("/sessions/{id}/end", func(h *Handler) pageFunc { return h.sessionEnd }),

		get("/{$}", func(h *Handler) pageFunc { return h.connectorsPage }),
		get("/connectors", func(h *Handler) pageFunc { return h.connectorsPage }),
		get("/connectors/new", func(h *Handler) pageFunc { return h.createPage }),
		post("/connectors", func(h *Handler) pageFunc { return h.create }),
		get("/connectors/{id}", func(h *Handler) pageFunc { return h.connectorPage }),
		get("/connectors/{id}/runs", func(h *Handler) pageFunc { return h.runsPage }),
		get("/connectors/{id}/calls", func(h *Handler) pageFunc { return h.callsPage }),
		get("/connectors/{id}/calls/{at}/{call}", func(h *Handler) pageFunc { return h.callPage }),
		get("/connectors/{id}/quarantine", func(h *Handler) pageFunc { return h.quarantinePage }),
		get("/connectors/{id}/quarantine/{scope}", func(h *Handler) pageFunc { return h.rejectedPage }),
		get("/connectors/{id}/use", func(h *Handler) pageFunc { return h.usePage }),
		get("/connectors/{id}/settings", func(h *Handler) pageFunc { return h.settingsPage }),

		post("/connectors/{id}/sync", func(h *Handler) pageFunc { return h.syncNow }),
		post("/connectors/{id}/resync", func(h *Handler) pageFunc { return h.resync }),
		post("/connectors/{id}/pause", func(h *Handler) pageFunc { return h.pause }),
		post("/connectors/{id}/resume", func(h *Handler) pageFunc { return h.resume }),
		post("/connectors/{id}/relink", func(h *Handler) pageFunc { return h.relink }),
		post("/connectors/{id}/quarantine", func(h *Handler) pageFunc { return h.retry }),
		post("/connectors/{id}/scopes", func(h *Handler) pageFunc { return h.setScopes }),
		post("/connectors/{id}/cadence", func(h *Handler) pageFunc { return h.setCadence }),
		post("/connectors/{id}/webhooks", func(h *Handler) pageFunc { return h.setHooks }),
		post("/connectors/{id}/token", func(h *Handler) pageFunc { return h.newToken }),
		post("/connectors/{id}/delete", func(h *Handler) pageFunc { return h.remove }),

		get("/keys", func(h *Handler) pageFunc { return h.keysPage }),
		post("/keys", func(h *Handler) pageFunc { return h.keyCreate }),
		post("/keys/{id}/regenerate", func(h *Handler) pageFunc { return h.keyRegenerate }),
		post("/keys/{id}/revoke", func(h *Handler) pageFunc { return h.keyRevoke }),

		get("/queues", func(h *Handler) pageFunc { return h.queuesPage }),
		{Pattern: MonitorPath + "/", serve: func(h *Handler) pageFunc { return h.monitor }},

		{Pattern: "/", serve: func(*Handler) pageFunc {
			return func(http.ResponseWriter, *http.Request) error { return problemNoPage }
		}},
	}
}
