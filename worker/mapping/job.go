package mapping

import (
	"encoding/json"
	"slices"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// jobStatus gives the status of a posting's state.
var jobStatus = map[string]string{
	"published": "OPEN",
	"internal":  "OPEN",
	"closed":    "CLOSED",
	"draft":     "DRAFT",
	"pending":   "PENDING",
	"rejected":  "ARCHIVED",
}

// Job maps a posting.
func (m Mapper) Job(p lever.Posting, raw json.RawMessage) (*unified.Job, error) {
	env, err := m.envelope(unified.Jobs, p.ID, raw)
	if err != nil {
		return nil, err
	}
	var pages lever.PostingURLs
	if p.URLs != nil {
		pages = *p.URLs
	}
	c := clock{scope: unified.Jobs}
	j := &unified.Job{
		Envelope:        env,
		Name:            text(p.Text),
		Description:     firstText(p.Content.DescriptionHTML, p.Content.Description),
		Code:            firstText(slices.Concat(p.RequisitionCode, []string{p.ReqCode})...),
		Status:          enum(p.State, jobStatus),
		JobPostingURLs:  postingURLs(pages.Show, pages.Apply),
		RemoteCreatedAt: c.at("createdAt", p.CreatedAt),
		RemoteUpdatedAt: c.at("updatedAt", p.UpdatedAt),
		Confidential:    confidential(p.Confidentiality),
		Departments:     refs(m, unified.Departments, departments(p)...),
		Offices:         refs(m, unified.Offices, offices(p)...),
		HiringManagers:  refs(m, unified.RemoteUsers, p.HiringManager),
		Recruiters:      refs(m, unified.RemoteUsers, p.Owner),
	}
	if c.err != nil {
		return nil, c.err
	}
	return j, nil
}
