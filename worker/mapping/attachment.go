package mapping

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// The kinds of attachment.
const (
	attachmentResume      = "RESUME"
	attachmentCoverLetter = "COVER_LETTER"
	attachmentOfferLetter = "OFFER_LETTER"
	attachmentOther       = "OTHER"
)

// The lists that attachments come from, named as Lever's paths name them.
const (
	SourceResumes = "resumes"
	SourceFiles   = "files"
	SourceOffers  = "offers"
)

// Resume maps a resume of an opportunity.
func (m Mapper) Resume(opportunityID, contactID string, r lever.Resume, raw json.RawMessage) (*unified.Attachment, error) {
	a, err := m.attachment(opportunityID, contactID, SourceResumes, r.ID, raw)
	if err != nil {
		return nil, err
	}
	a.AttachmentType = new(attachmentResume)
	if r.File != nil {
		a.FileName = text(r.File.Name)
		a.DownloadPath = downloadPath(opportunityID, SourceResumes, r.ID)
	}
	return a, nil
}

// File maps a file of an opportunity.
func (m Mapper) File(opportunityID, contactID string, f lever.File, raw json.RawMessage) (*unified.Attachment, error) {
	a, err := m.attachment(opportunityID, contactID, SourceFiles, f.ID, raw)
	if err != nil {
		return nil, err
	}
	a.AttachmentType = new(fileKind(f.Name))
	a.FileName = text(f.Name)
	a.DownloadPath = downloadPath(opportunityID, SourceFiles, f.ID)
	return a, nil
}

// OfferDocuments maps the documents of an offer, as it was sent and as it was signed, where there are
// any. They carry no raw: the offer does.
func (m Mapper) OfferDocuments(opportunityID, contactID string, o lever.Offer) []*unified.Attachment {
	var out []*unified.Attachment
	add := func(state string, d *lever.OfferDocument) {
		if d == nil || strings.TrimSpace(o.ID) == "" {
			return
		}
		a, err := m.attachment(opportunityID, contactID, SourceOffers, o.ID+"/"+state, nil)
		if err != nil {
			return
		}
		a.AttachmentType = new(attachmentOfferLetter)
		a.FileName = text(d.FileName)
		if p := downloadPath(opportunityID, SourceOffers, o.ID); p != nil {
			a.DownloadPath = new(*p + "?status=" + state)
		}
		out = append(out, a)
	}
	add("sent", o.SentDocument)
	add("signed", o.SignedDocument)
	return out
}

// attachment is what all attachments have in common.
func (m Mapper) attachment(opportunityID, contactID, source, remoteID string, raw json.RawMessage) (*unified.Attachment, error) {
	env, err := m.child(unified.Attachments, opportunityID, remoteID, raw)
	if err != nil {
		return nil, err
	}
	return &unified.Attachment{Envelope: env, Candidate: m.ref(unified.Candidates, contactID), Source: source}, nil
}

// fileKind tells a cover letter by its name, however its words are joined.
func fileKind(name string) string {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	if strings.Contains(letters, "coverletter") || strings.Contains(letters, "motivationletter") {
		return attachmentCoverLetter
	}
	return attachmentOther
}

// downloadPath is Lever's path of a file, below the API's base URL. It is called with the connector's
// credential, so ids that would make it a path to something else have none.
func downloadPath(opportunityID, source, id string) *string {
	for _, s := range []string{opportunityID, id} {
		if s == "" || s == "." || s == ".." {
			return nil
		}
	}
	return new("/opportunities/" + url.PathEscape(opportunityID) + "/" + source + "/" + url.PathEscape(id) + "/download")
}
