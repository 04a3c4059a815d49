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

		{Pattern: "/", serve: func(*Handler) pageFunc {
			return func(http.ResponseWriter, *http.Request) error { return problemNoPage }
		}},
	}
}
