package levertest

import "slices"

// RenamePosting gives a posting another title. The tags of all its opportunities are rewritten, and their updatedAt moves.
func (s *Server) RenamePosting(id, title string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.gen.number(kindPosting, id)
	if !ok || n >= len(s.cat.postings) || s.cat.postings[n].gone {
		return Touched{}, ErrNoSuch
	}
	var members []int
	for _, r := range s.index.rows {
		if c := s.coreOf(r); c.posting == n {
			members = append(members, c.n)
		}
	}
	at := s.tick()
	p := &s.cat.postings[n]
	before := p.Text
	t := Touched{Record: id}
	for _, m := range members {
		o := s.own(s.get(m))
		if i := slices.Index(o.tags, before); i >= 0 {
			o.tags[i] = title
		}
		s.put(o, at, moveUpdated)
		t.Opportunities = append(t.Opportunities, o.id)
	}
	p.Text, p.UpdatedAt = title, ms(at)
	s.gen.postingTags[n] = p.ownTags()
	if !slices.Contains(s.cat.tags, title) {
		s.cat.tags = append(slices.Clone(s.cat.tags), title)
	}
	return t, nil
}

// SetPostingState moves a posting to a state: published, internal, closed, draft, pending, rejected.
func (s *Server) SetPostingState(id, state string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.gen.number(kindPosting, id)
	if !ok || n >= len(s.cat.postings) || s.cat.postings[n].gone {
		return Touched{}, ErrNoSuch
	}
	p := &s.cat.postings[n]
	p.State, p.UpdatedAt, p.DistributionChannels = state, ms(s.tick()), nil
	if state == "published" {
		p.DistributionChannels = []string{"public", "internal"}
	}
	return Touched{Record: id}, nil
}

// DeletePosting deletes a posting; its opportunities keep their applications to it.
func (s *Server) DeletePosting(id string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.gen.number(kindPosting, id)
	if !ok || n >= len(s.cat.postings) || s.cat.postings[n].gone {
		return Touched{}, ErrNoSuch
	}
	p := &s.cat.postings[n]
	p.gone = true
	s.deleted.postings = append(s.deleted.postings, deletion{
		ID: id, DeletedAt: ms(s.tick()), confidential: p.Confidentiality == "confidential",
	})
	return Touched{Record: id}, nil
}

// DeactivateUser deactivates a user, who stays in the list of those that ask for it.
func (s *Server) DeactivateUser(id string) (Touched, error) {
	return s.changeUser(id, func(u *user, at int64) { u.DeactivatedAt = ms(at) })
}

// DeleteUser takes a user out of the account; references to the user stay.
func (s *Server) DeleteUser(id string) (Touched, error) {
	return s.changeUser(id, func(u *user, _ int64) { u.gone = true })
}

func (s *Server) changeUser(id string, do func(*user, int64)) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.gen.number(kindUser, id)
	if !ok || n >= len(s.cat.users) || s.cat.users[n].gone {
		return Touched{}, ErrNoSuch
	}
	do(&s.cat.users[n], s.tick())
	return Touched{Record: id}, nil
}

// AddTagToAccount adds a tag that no opportunity bears.
func (s *Server) AddTagToAccount(tag string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.cat.tags, tag) {
		return Touched{}, ErrNoSuch
	}
	s.cat.tags = append(slices.Clone(s.cat.tags), tag)
	return Touched{Record: tag}, nil
}

// RemoveTag takes a tag out of the account's list; opportunities keep it.
func (s *Server) RemoveTag(tag string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.cat.tags, tag) {
		return Touched{}, ErrNoSuch
	}
	s.cat.tags = slices.DeleteFunc(slices.Clone(s.cat.tags), func(t string) bool { return t == tag })
	return Touched{Record: tag}, nil
}

// RemoveStage takes a stage out of the pipeline; opportunities in it stay there, as Lever's history does.
func (s *Server) RemoveStage(id string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.cat.stages, func(v stage) bool { return v.ID == id && !v.gone })
	if i < 0 {
		return Touched{}, ErrNoSuch
	}
	s.cat.stages[i].gone = true
	return Touched{Record: id}, nil
}

// RemoveReason takes an archive reason out of the account; what was archived with it keeps it.
func (s *Server) RemoveReason(id string) (Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.cat.reasons, func(v reason) bool { return v.ID == id && !v.gone })
	if i < 0 {
		return Touched{}, ErrNoSuch
	}
	s.cat.reasons[i].gone = true
	return Touched{Record: id}, nil
}
