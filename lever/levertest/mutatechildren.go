package levertest

import "slices"

// sub is the next sub-number for a new child of o.
func (c *children) sub() int { c.nextSub++; return c.nextSub }

// latestInterview is the last interview that was not cancelled, or nil.
func (c *children) latestInterview() *interview {
	for i := range slices.Backward(c.interviews) {
		if c.interviews[i].CanceledAt == 0 {
			return &c.interviews[i]
		}
	}
	return nil
}

// clone copies children, so that a change is not seen by half by those who hold them.
func (c *children) clone() *children {
	d := *c
	d.interviews, d.feedback, d.offers = slices.Clone(c.interviews), slices.Clone(c.feedback), slices.Clone(c.offers)
	d.resumes, d.files, d.notes = slices.Clone(c.resumes), slices.Clone(c.files), slices.Clone(c.notes)
	for i := range d.interviews {
		d.interviews[i].FeedbackForms = slices.Clone(d.interviews[i].FeedbackForms)
	}
	for i := range d.feedback {
		d.feedback[i].Fields = slices.Clone(d.feedback[i].Fields)
	}
	return &d
}

// AddInterview schedules an interview in three days; lastInteractionAt moves, updatedAt does not.
func (s *Server) AddInterview(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		r := newRNG(s.gen.seed, kindInterview, int(at))
		v := s.gen.interview(&r, &opportunity{core: core{n: o.n, stage: o.stage % len(stageNames), posting: o.posting, created: at, interacted: at}}, o.children.sub())
		v.CreatedAt, v.Date, v.CanceledAt = ms(at), ms(at+3*dayMillis), 0
		v.Stage = s.cat.stages[o.stage].ID
		o.interviewed = true
		o.children.interviews = append(o.children.interviews, v)
		s.hooks.emit("interviewCreated", at, map[string]any{"interviewId": v.ID, "panelId": v.Panel, "opportunityId": o.id, "createdAt": at})
		return v.ID, moveInteracted, nil
	})
}

// CancelInterview cancels the last interview, which stays readable; lastInteractionAt moves.
func (s *Server) CancelInterview(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		v := o.children.latestInterview()
		if v == nil {
			return "", 0, ErrNoSuch
		}
		v.CanceledAt = ms(at)
		s.hooks.emit("interviewDeleted", at, map[string]any{"interviewId": v.ID, "panelId": v.Panel, "opportunityId": o.id, "deletedAt": at})
		return v.ID, moveInteracted, nil
	})
}

// MoveInterview puts the last interview off by a day; lastInteractionAt moves.
func (s *Server) MoveInterview(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		v := o.children.latestInterview()
		if v == nil {
			return "", 0, ErrNoSuch
		}
		v.Date += ms(dayMillis)
		s.hooks.emit("interviewUpdated", at, map[string]any{"interviewId": v.ID, "panelId": v.Panel, "opportunityId": o.id, "updatedAt": at})
		return v.ID, moveInteracted, nil
	})
}

// AddFeedback submits a form, on the last interview where there is one; lastInteractionAt and updatedAt move.
func (s *Server) AddFeedback(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		fields := s.gen.feedbackFields(scoreLabels[0])
		fields[0].Value = scoreLabels[0][at%4].Text
		f := feedback{
			ID: s.gen.id(kindFeedback, o.n, o.children.sub()), Type: "interview", Text: "Interview feedback", Fields: fields,
			BaseTemplateID: s.gen.id(kindForm, 0, 0), User: o.owner, CreatedAt: ms(at), CompletedAt: ms(at), UpdatedAt: ms(at),
		}
		if v := o.children.latestInterview(); v != nil {
			f.Interview, f.Panel, f.User = text(v.ID), text(v.Panel), text(v.Interviewers[0].ID)
			v.FeedbackForms = append(v.FeedbackForms, f.ID)
		}
		o.children.feedback = append(o.children.feedback, f)
		o.rated = true
		return f.ID, moveInteracted | moveUpdated, nil
	})
}

// EditFeedback changes the rating of the last form, and submits it if it was not; no clock of the opportunity moves.
func (s *Server) EditFeedback(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		f := o.children.latestFeedback()
		if f == nil {
			return "", 0, ErrNoSuch
		}
		if f.CompletedAt == 0 {
			f.CompletedAt = ms(at)
		}
		f.UpdatedAt = ms(at)
		for i := range f.Fields {
			if v := &f.Fields[i]; v.Type == "score-system" {
				now := slices.IndexFunc(v.Options, func(o option) bool { return o.Text == v.Value })
				v.Value = v.Options[(now+1)%len(v.Options)].Text
				return f.ID, 0, nil
			}
		}
		labels := scoreLabels[0]
		f.Fields = append(s.gen.feedbackFields(labels)[:1], f.Fields...)
		f.Fields[0].Value = labels[0].Text
		return f.ID, 0, nil
	})
}

// latestFeedback is the last form that was not deleted, or nil.
func (c *children) latestFeedback() *feedback {
	for i := range slices.Backward(c.feedback) {
		if c.feedback[i].DeletedAt == 0 {
			return &c.feedback[i]
		}
	}
	return nil
}

// DeleteFeedback deletes the last form, which stays readable with deletedAt and leaves its interview; no clock moves.
func (s *Server) DeleteFeedback(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		f := o.children.latestFeedback()
		if f == nil {
			return "", 0, ErrNoSuch
		}
		f.DeletedAt = ms(at)
		for i := range o.children.interviews {
			v := &o.children.interviews[i]
			v.FeedbackForms = slices.DeleteFunc(v.FeedbackForms, func(form string) bool { return form == f.ID })
		}
		return f.ID, 0, nil
	})
}

// AddOffer drafts an offer; no clock moves. The opportunity must have an application.
func (s *Server) AddOffer(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		if o.app == nil {
			return "", 0, ErrNoSuch
		}
		r := newRNG(s.gen.seed, kindOffer, int(at))
		draft := *o
		draft.created, draft.advanced = at, at
		v := s.gen.offer(&r, &draft, o.children.sub())
		s.gen.advanceOffer(&v, o, "draft")
		o.children.offers = append(o.children.offers, v)
		return v.ID, 0, nil
	})
}

// ChangeOfferStatus moves the last offer to a status, or to the next one when status is ""; no clock moves.
func (s *Server) ChangeOfferStatus(id, status string) (Touched, error) {
	return s.change(id, func(o *opportunity, _ int64) (string, clocks, error) {
		if len(o.children.offers) == 0 || status != "" && !slices.Contains(offerStatuses, status) {
			return "", 0, ErrNoSuch
		}
		v := &o.children.offers[len(o.children.offers)-1]
		if status == "" {
			status = offerStatuses[(slices.Index(offerStatuses, v.Status)+1)%len(offerStatuses)]
		}
		s.gen.advanceOffer(v, o, status)
		return v.ID, 0, nil
	})
}

// AddFile uploads a file; no clock moves.
func (s *Server) AddFile(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		f := s.gen.newFile(o, o.children.sub(), fileNames[at%int64(len(fileNames))], 4096, at)
		o.children.files = append(o.children.files, f)
		return f.ID, 0, nil
	})
}

// DeleteFile removes the last file; no clock moves.
func (s *Server) DeleteFile(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, _ int64) (string, clocks, error) {
		n := len(o.children.files)
		if n == 0 {
			return "", 0, ErrNoSuch
		}
		f := o.children.files[n-1].ID
		o.children.files = o.children.files[:n-1]
		return f, 0, nil
	})
}

// AddResume adds a resume; no clock moves.
func (s *Server) AddResume(id string) (Touched, error) {
	return s.change(id, func(o *opportunity, at int64) (string, clocks, error) {
		r := newRNG(s.gen.seed, kindResume, int(at))
		later := *o
		later.created = at
		v := s.gen.resume(&r, &later, o.children.sub())
		o.children.resumes = append(o.children.resumes, v)
		return v.ID, 0, nil
	})
}
