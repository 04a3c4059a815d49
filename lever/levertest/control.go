package levertest

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// controlRoutes registers what other processes (the demo, a test's child) steer the server with. It asks for no credential: the
// server listens on loopback addresses alone.
func (s *Server) controlRoutes() {
	s.mux.HandleFunc("GET /_control/counters", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{
			"calls": s.Calls(), "by": s.CallsBy(), "status": s.CallsByStatus(), "throttled": s.Throttled(),
			"max_per_second": s.MaxInWindow(time.Second), "refreshes": s.Refreshes(), "opportunities": s.Len(),
		})
	})
	s.mux.HandleFunc("DELETE /_control/counters", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetCounters()
		w.WriteHeader(http.StatusNoContent)
	})
	s.mux.HandleFunc("POST /_control/faults", s.controlFault)
	s.mux.HandleFunc("DELETE /_control/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	s.mux.HandleFunc("POST /_control/mutate", s.controlMutate)
	s.mux.HandleFunc("GET /_control/pick", s.controlPick)
	s.mux.HandleFunc("GET /_control/expected/{scope}", s.controlExpected)
	s.mux.HandleFunc("PUT /_control/rate", s.controlRate)
	s.mux.HandleFunc("POST /_control/deny", s.controlDeny)
	s.mux.HandleFunc("POST /_control/revoke", func(w http.ResponseWriter, _ *http.Request) {
		s.RevokeGrants()
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if bad := readJSON(r, &f); bad != nil {
		s.fail(w, bad)
		return
	}
	id, err := s.Inject(f)
	if err != nil {
		s.fail(w, badRequest("%s", err))
		return
	}
	s.answer(w, http.StatusCreated, map[string]int{"fault": id})
}

// controlMutate does one named mutation count times, or the next mutations of a fixed mixture when no name is given.
func (s *Server) controlMutate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Kind  string `json:"kind"`
		Count int    `json:"count"` // 0 means 1
		ID    string `json:"id"`    // of the opportunity; "" lets the server choose
	}
	if bad := readJSON(r, &in); bad != nil {
		s.fail(w, bad)
		return
	}
	type done struct {
		Kind string `json:"kind"`
		Touched
	}
	out := []done{}
	for i := range max(1, min(in.Count, 100_000)) {
		kind := in.Kind
		if kind == "" {
			kind = mixture[i%len(mixture)]
		}
		t, err := s.Mutate(kind, in.ID)
		if errors.Is(err, ErrNoSuch) && in.ID == "" && in.Kind == "" {
			continue // the account has nothing left for this kind
		}
		if err != nil {
			s.fail(w, badRequest("%s: %s", kind, err))
			return
		}
		out = append(out, done{kind, t})
	}
	s.answer(w, http.StatusOK, map[string]any{"done": out})
}

func (s *Server) controlPick(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		n = 1
	}
	var in []Situation
	for _, v := range r.URL.Query()["situation"] {
		in = append(in, Situation(v))
	}
	ids := s.PickN(n, in...)
	s.answer(w, http.StatusOK, map[string]any{"opportunities": emptied(ids)})
}

// controlExpected answers with all expected records of a scope: {"remote id": {…}, …}.
func (s *Server) controlExpected(w http.ResponseWriter, r *http.Request) {
	all := map[string]map[string]any{}
	for id, record := range s.Expected(r.PathValue("scope")) {
		all[id] = record
	}
	s.answer(w, http.StatusOK, all)
}

func (s *Server) controlRate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PerSecond float64 `json:"per_second"`
	}
	if bad := readJSON(r, &in); bad != nil {
		s.fail(w, bad)
		return
	}
	s.SetRate(in.PerSecond)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) controlDeny(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Deny  []string `json:"deny"`
		Allow []string `json:"allow"`
	}
	if bad := readJSON(r, &in); bad != nil {
		s.fail(w, bad)
		return
	}
	s.Deny("", in.Deny...)
	s.Allow("", in.Allow...)
	w.WriteHeader(http.StatusNoContent)
}
