package levertest

import (
	"errors"
	"slices"
)

// Touched is what a mutation changed.
type Touched struct {
	Record        string   `json:"record"`        // the record made, changed or removed
	Opportunities []string `json:"opportunities"` // those that changed, or whose children did
}

// ErrNoSuch says that what a mutation names is not in the account, or not in the state that the mutation needs.
var ErrNoSuch = errors.New("levertest: no such thing in the account")

// clocks says which clocks of an opportunity a mutation moves.
type clocks uint8

const (
	moveUpdated clocks = 1 << iota
	moveInteracted
	moveAdvanced
)

// own puts opportunity n into the overlay, with its children, and takes it out of the index; the caller changes it and calls
// put. The caller holds s.mu.
func (s *Server) own(o *opportunity) *opportunity {
	c := *o
	s.index.remove(c.core)
	c.children = s.childrenOf(o).clone()
	if c.app != nil {
		app := *c.app
		c.app = &app
	}
	c.tags, c.sources, c.links = slices.Clone(c.tags), slices.Clone(c.sources), slices.Clone(c.links)
	s.overlay[c.n] = &c
	return &c
}

// put moves an owned opportunity's clocks to at, and puts it back into the index.
func (s *Server) put(o *opportunity, at int64, move clocks) {
	if move&moveAdvanced != 0 {
		o.advanced = at
	}
	if move&moveInteracted != 0 {
		o.interacted = at
	}
	if move&moveUpdated != 0 {
		o.updated = at + 1
	}
	s.clock = max(s.clock, at+1)
	r := rowOf(o.core)
	r.changed = true
	s.index.insert(r)
}

// change applies a mutation to one opportunity. do returns the record's id and the clocks that move; with an error it must
// have changed nothing.
func (s *Server) change(id string, do func(o *opportunity, at int64) (string, clocks, error)) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changeLocked(s.byID(id), do)
}

func (s *Server) changeLocked(o *opportunity, do func(o *opportunity, at int64) (string, clocks, error)) (Touched, error) {
	if o == nil {
		return Touched{}, ErrNoSuch
	}
	at := s.tick()
	o = s.own(o)
	record, move, err := do(o, at)
	s.put(o, at, move)
	if err != nil {
		return Touched{}, err
	}
	return Touched{record, []string{o.id}}, nil
}

// AdvanceStage moves an opportunity one stage on; from the last one to the first. All three clocks move.
func (s *Server) AdvanceStage(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		to := (o.stage + 1) % len(s.cat.stages)
		for s.cat.stages[to].gone {
			to = (to + 1) % len(s.cat.stages)
		}
		return o.id, s.toStage(o, to, "", at), nil
	})
}

// MoveToStage moves an opportunity to the stage with an id, such as "offer". All three clocks move.
func (s *Server) MoveToStage(id, stageID string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		to := slices.IndexFunc(s.cat.stages, func(v stage) bool { return v.ID == stageID && !v.gone })
		if to < 0 {
			return "", 0, ErrNoSuch
		}
		return o.id, s.toStage(o, to, "", at), nil
	})
}

func (s *Server) toStage(o *opportunity, to int, by text, at int64) clocks {
	from := o.stage
	o.stage = to
	o.changes = append(slices.Clone(o.changes), stageChange{to, at, by})
	s.emit("candidateStageChange", o, at, map[string]any{"fromStageId": s.cat.stages[from].ID, "toStageId": s.cat.stages[to].ID})
	return moveUpdated | moveInteracted | moveAdvanced
}

// emit sends an event about an opportunity to the webhooks.
func (s *Server) emit(event string, o *opportunity, at int64, more map[string]any) {
	data := map[string]any{"opportunityId": o.id, "candidateId": o.id, "contactId": o.contactID}
	for k, v := range more {
		data[k] = v
	}
	s.hooks.emit(event, at, data)
}

// Archive closes an opportunity, as hired or for another reason. All three clocks move.
func (s *Server) Archive(id string, hired bool) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		reason := o.n % reasonHired
		if hired {
			reason = reasonHired
		}
		s.archive(o, reason, at)
		return o.id, moveUpdated | moveInteracted | moveAdvanced, nil
	})
}

// Unarchive opens an opportunity again. All three clocks move.
func (s *Server) Unarchive(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		if o.archivedAt == 0 {
			return "", 0, ErrNoSuch
		}
		s.archive(o, -1, at)
		return o.id, moveUpdated | moveInteracted | moveAdvanced, nil
	})
}

// archive sets or, with reason -1, takes away the archived state.
func (s *Server) archive(o *opportunity, reason int, at int64) {
	state := func() any {
		if o.archivedAt == 0 {
			return nil
		}
		return map[string]any{"archivedAt": o.archivedAt, "reason": s.cat.reasons[o.reason].ID}
	}
	from := state()
	o.reason, o.archivedAt = reason, at
	if reason < 0 {
		o.archivedAt = 0
	}
	if o.app != nil {
		o.app.archivedAt = o.archivedAt
	}
	s.emit("candidateArchiveChange", o, at, map[string]any{"fromArchived": from, "toArchived": state()})
	if reason == reasonHired {
		s.emit("candidateHired", o, at, nil)
	}
}

// EditContact renames the person behind an opportunity and adds an e-mail address; updatedAt of all opportunities of the person moves.
func (s *Server) EditContact(id string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID(id)
	if o == nil {
		return Touched{}, ErrNoSuch
	}
	at := s.tick()
	name := "Edited " + lastNames[int(at%int64(len(lastNames)))]
	email := "edited" + s.gen.id(kindText, o.n, int(at&0xfffff))[:8] + "@example.com"
	t := Touched{Record: o.contactID}
	for _, o := range s.ofContact(o.contact) {
		o = s.own(o)
		o.name = name
		o.emails = append(slices.Clone(o.emails), email)
		s.put(o, at, moveUpdated)
		t.Opportunities = append(t.Opportunities, o.id)
	}
	s.hooks.emit("contactUpdated", at, map[string]any{"contactId": o.contactID, "updatedAt": at})
	return t, nil
}

// AddTag tags an opportunity; updatedAt moves. A tag that is new comes into the account's list.
func (s *Server) AddTag(id, tag string) (Touched, error) {
	return s.change(id, func(o *opportunity, _ int64) (string, clocks, error) {
		s.addTags(o, []string{tag})
		return o.id, moveUpdated, nil
	})
}

func (s *Server) addTags(o *opportunity, tags []string) {
	for _, t := range tags {
		if !slices.Contains(o.tags, t) {
			o.tags = append(o.tags, t)
		}
		if !slices.Contains(s.cat.tags, t) {
			s.cat.tags = append(slices.Clone(s.cat.tags), t)
		}
	}
}

// DeleteOpportunity deletes an opportunity and all that hangs on it: it vanishes, and turns up in the deleted list.
func (s *Server) DeleteOpportunity(id string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID(id)
	if o == nil {
		return Touched{}, ErrNoSuch
	}
	at := s.tick()
	s.index.remove(o.core)
	s.overlay[o.n] = nil
	s.deleted.opportunities = append(s.deleted.opportunities, deletion{
		ID: o.id, DeletedAt: ms(at), DeletedBy: text(s.gen.id(kindUser, 0, 0)), confidential: o.confidential,
	})
	s.emit("candidateDeleted", o, at, map[string]any{"deletedBy": s.gen.id(kindUser, 0, 0)})
	return Touched{o.id, []string{o.id}}, nil
}

// DeleteApplication deletes the application of an opportunity, which stays as a lead; updatedAt moves.
func (s *Server) DeleteApplication(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		if o.app == nil {
			return "", 0, ErrNoSuch
		}
		app := o.app.id
		s.deleted.applications = append(s.deleted.applications, deletion{
			ID: app, DeletedAt: ms(at), OpportunityID: o.id, PostingID: s.cat.postings[o.posting].ID, confidential: o.confidential,
		})
		o.app, o.posting = nil, -1
		return app, moveUpdated, nil
	})
}

// AnonymizeOpportunity blanks what is personal in an opportunity; updatedAt moves.
func (s *Server) AnonymizeOpportunity(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, _ int64) (string, clocks, error) {
		o.anonymized = true
		o.name, o.headline, o.location = "", "", ""
		o.emails, o.phones, o.links = []string{}, []phone{}, []string{}
		if o.app != nil {
			o.app.name, o.app.email, o.app.phone, o.app.company, o.app.comments, o.app.answers = "", "", nil, "", "", nil
		}
		return o.id, moveUpdated, nil
	})
}
