package levertest

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Opportunities are written by hand: a page of 100 has to cost some hundred microseconds, not milliseconds.

// expansion says which references of an opportunity go out as objects.
type expansion struct{ applications, stage, owner, contact, sourcedBy, followers bool }

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	ascii := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == 0x7f {
			q, _ := json.Marshal(s)
			return append(b, q...)
		} else if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		q, _ := json.Marshal(s)
		return append(b, q...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendQuoted(b, s)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, s)
	}
	return append(b, ']')
}

func appendPhone(b []byte, p phone) []byte {
	b = append(b, '{')
	if p.kind != "-" {
		b = append(b, `"type":`...)
		b = append(appendNullable(b, p.kind), ',')
	}
	b = append(b, `"value":`...)
	return append(appendQuoted(b, p.value), '}')
}

func appendArchived(b []byte, reason string, at int64) []byte {
	b = append(b, `{"reason":`...)
	b = appendNullable(b, reason)
	b = append(b, `,"archivedAt":`...)
	return append(strconv.AppendInt(b, at, 10), '}')
}

// appendOpportunity appends o as Lever sends it in a list. blank empties name, headline, emails, phones and links,
// as the answers to some writes do.
func (s *Server) appendOpportunity(b []byte, o *opportunity, x expansion, blank bool) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, o.id...)
	b = s.appendPerson(append(b, '"', ','), o, x, blank)
	b = append(b, `,"confidentiality":"`...)
	if !o.confidential {
		b = append(b, "non-"...)
	}
	b = append(b, `confidential","archived":`...)
	if o.archivedAt == 0 {
		b = append(b, "null"...)
	} else {
		b = appendArchived(b, s.cat.reasons[o.reason].ID, o.archivedAt)
	}
	b = append(b, `,"tags":`...)
	b = appendStrings(b, o.tags)
	b = append(b, `,"sources":`...)
	b = appendStrings(b, o.sources)
	b = s.appendChanges(b, o)
	b = append(b, `,"origin":`...)
	b = appendQuoted(b, o.origin)
	b = append(b, `,"sourcedBy":`...)
	b = s.appendUser(b, o.sourcedBy, x.sourcedBy)
	b = append(b, `,"owner":`...)
	b = s.appendUser(b, o.owner, x.owner)
	b = append(b, `,"followers":[`...)
	for i, f := range o.followers {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendUser(b, text(f), x.followers)
	}
	b = append(b, `],"applications":[`...)
	switch {
	case o.app == nil:
	case x.applications:
		b = s.appendApplication(b, o)
	default:
		b = appendQuoted(b, o.app.id)
	}
	b = append(b, `],"createdAt":`...)
	b = strconv.AppendInt(b, o.created, 10)
	b = append(b, `,"updatedAt":`...)
	b = ms(o.updated).append(b)
	b = append(b, `,"lastInteractionAt":`...)
	b = ms(o.interacted).append(b)
	b = append(b, `,"lastAdvancedAt":`...)
	b = ms(o.advanced).append(b)
	b = append(b, `,"snoozedUntil":`...)
	b = ms(o.snoozedUntil).append(b)
	b = append(b, `,"urls":{"list":"https://hire.lever.co/candidates","show":"https://hire.lever.co/candidates/`...)
	b = append(b, o.id...)
	b = append(b, `"},"isAnonymized":`...)
	b = strconv.AppendBool(b, o.anonymized)
	b = append(b, `,"dataProtection":`...)
	if o.canContact == 0 {
		b = append(b, "null"...)
	} else {
		allowed := strconv.FormatBool(o.canContact > 0)
		b = append(b, `{"store":{"allowed":true,"expiresAt":null},"contact":{"allowed":`+allowed+`,"expiresAt":null}}`...)
	}
	if o.app != nil {
		b = append(b, `,"opportunityLocation":"unspecified"`...)
	}
	return append(b, '}')
}

// appendPerson appends what belongs to the contact, and the stage.
func (s *Server) appendPerson(b []byte, o *opportunity, x expansion, blank bool) []byte {
	name, headline, emails, phones, links := o.name, o.headline, o.emails, o.phones, o.links
	if blank {
		name, headline, emails, phones, links = "", "", nil, nil, nil
	}
	b = append(b, `"name":`...)
	b = appendQuoted(b, name)
	b = append(b, `,"contact":`...)
	if x.contact {
		b = s.appendContact(b, o)
	} else {
		b = appendQuoted(b, o.contactID)
	}
	b = append(b, `,"headline":`...)
	b = appendQuoted(b, headline)
	b = append(b, `,"stage":`...)
	if x.stage {
		b = append(b, `{"id":`...)
		b = appendQuoted(b, s.cat.stages[o.stage].ID)
		b = append(b, `,"text":`...)
		b = append(appendQuoted(b, s.cat.stages[o.stage].Text), '}')
	} else {
		b = appendQuoted(b, s.cat.stages[o.stage].ID)
	}
	b = append(b, `,"location":`...)
	b = appendQuoted(b, o.location)
	b = append(b, `,"phones":[`...)
	for i, p := range phones {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPhone(b, p)
	}
	b = append(b, `],"emails":`...)
	b = appendStrings(b, emails)
	b = append(b, `,"links":`...)
	return appendStrings(b, links)
}

// appendContact appends a contact as /contacts/:id sends it.
func (s *Server) appendContact(b []byte, o *opportunity) []byte {
	b = append(b, `{"id":`...)
	b = appendQuoted(b, o.contactID)
	b = append(b, `,"name":`...)
	b = appendQuoted(b, o.name)
	b = append(b, `,"headline":`...)
	b = appendQuoted(b, o.headline)
	b = append(b, `,"isAnonymized":`...)
	b = strconv.AppendBool(b, o.anonymized)
	b = append(b, `,"location":{"name":`...)
	b = appendQuoted(b, o.location)
	b = append(b, `},"emails":`...)
	b = appendStrings(b, o.emails)
	b = append(b, `,"phones":[`...)
	for i, p := range o.phones {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPhone(b, p)
	}
	return append(b, "]}"...)
}

func (s *Server) appendUser(b []byte, id text, expand bool) []byte {
	if expand {
		if n, ok := s.gen.number(kindUser, string(id)); ok && n < len(s.cat.users) && !s.cat.users[n].gone {
			u := s.cat.users[n]
			b = append(b, `{"id":`...)
			b = appendQuoted(b, u.ID)
			b = append(b, `,"name":`...)
			b = appendQuoted(b, u.Name)
			b = append(b, `,"email":`...)
			return append(appendQuoted(b, u.Email), '}')
		}
	}
	return appendNullable(b, string(id))
}

func (s *Server) appendChanges(b []byte, o *opportunity) []byte {
	b = append(b, `,"stageChanges":[`...)
	for i, c := range o.changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"toStageId":`...)
		b = appendQuoted(b, s.cat.stages[c.stage].ID)
		b = append(b, `,"toStageIndex":`...)
		b = strconv.AppendInt(b, int64(c.stage), 10)
		b = append(b, `,"updatedAt":`...)
		b = strconv.AppendInt(b, c.at, 10)
		if c.user != "" {
			b = append(b, `,"userId":`...)
			b = appendQuoted(b, string(c.user))
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendApplication appends the application of o, which must have one.
func (s *Server) appendApplication(b []byte, o *opportunity) []byte {
	a, p := o.app, &s.cat.postings[o.posting]
	b = append(b, `{"id":`...)
	b = appendQuoted(b, a.id)
	b = append(b, `,"type":`...)
	b = appendQuoted(b, a.kind)
	b = append(b, `,"candidateId":"`...)
	b = append(b, o.id...)
	b = append(b, `","opportunityId":"`...)
	b = append(b, o.id...)
	b = append(b, `","posting":`...)
	b = appendQuoted(b, p.ID)
	b = append(b, `,"postingHiringManager":`...)
	b = appendNullable(b, string(p.HiringManager))
	b = append(b, `,"postingOwner":`...)
	b = appendNullable(b, string(p.Owner))
	b = append(b, `,"name":`...)
	b = appendNullable(b, a.name)
	b = append(b, `,"company":`...)
	b = appendNullable(b, a.company)
	b = append(b, `,"phone":`...)
	if a.phone == nil {
		b = append(b, "null"...)
	} else {
		b = appendPhone(b, *a.phone)
	}
	b = append(b, `,"email":`...)
	b = appendNullable(b, a.email)
	b = append(b, `,"links":[],"comments":`...)
	b = appendNullable(b, a.comments)
	b = append(b, `,"user":`...)
	b = appendNullable(b, string(a.user))
	b = append(b, `,"customQuestions":`...)
	if len(a.answers) == 0 {
		b = append(b, "[]"...)
	} else {
		answers, _ := json.Marshal(a.answers)
		b = append(b, answers...)
	}
	b = append(b, `,"createdAt":`...)
	b = strconv.AppendInt(b, a.createdAt, 10)
	b = append(b, `,"archived":`...)
	if a.archivedAt == 0 || o.archivedAt == 0 {
		b = append(b, "null"...)
	} else {
		b = appendArchived(b, s.cat.reasons[o.reason].ID, a.archivedAt)
	}
	b = append(b, `,"requisitionForHire":null,"ipAddress":null,"referer":null,"userAgent":null,`...)
	return append(b, `"acceptLanguage":null,"timezone":null}`...)
}
