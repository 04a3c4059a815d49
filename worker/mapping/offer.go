package mapping

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// The words of Lever that an offer is read by.
const (
	offerSigned    = "SIGNED" // the status, in capitals
	roleCandidate  = "candidate"
	fieldStartDate = "anticipated_start_date"
)

// What a number must be to be a time in milliseconds: a smaller one (before 26 April 1970) is no date of
// an offer but perhaps a year, a greater one is after the year 9999.
const (
	minMillis = 1e10
	maxMillis = 253402300799999
)

var errStartDate = errors.New("its start date is after the year 9999")

// Offer maps an offer of an opportunity.
func (m Mapper) Offer(opportunityID string, o lever.Offer, raw json.RawMessage) (*unified.Offer, error) {
	env, err := m.child(unified.Offers, opportunityID, o.ID, raw)
	if err != nil {
		return nil, err
	}
	start, err := startDate(o.Fields)
	if err != nil {
		return nil, refuse(unified.Offers, err)
	}
	status := text(strings.ToUpper(o.Status))
	c := clock{scope: unified.Offers}
	u := &unified.Offer{
		Envelope:        env,
		Application:     m.ref(unified.Applications, opportunityID),
		Creator:         m.ref(unified.RemoteUsers, string(o.Creator)),
		RemoteCreatedAt: c.at("createdAt", o.CreatedAt),
		SentAt:          c.at("sentAt", o.SentAt),
		StartDate:       start,
		Status:          status,
	}
	if status != nil && *status == offerSigned {
		u.ClosedAt = c.at("signedAt", signedAt(o))
	}
	if c.err != nil {
		return nil, c.err
	}
	return u, nil
}

// signedAt is when a signed offer was: by the candidate, else by the last who signed, else when the
// signed document came.
func signedAt(o lever.Offer) lever.Time {
	var candidate, anyone lever.Time
	for party, s := range o.Signatures {
		anyone = later(anyone, s.SignedAt)
		if party == roleCandidate || s.Role == roleCandidate {
			candidate = later(candidate, s.SignedAt)
		}
	}
	switch {
	case !candidate.IsZero():
		return candidate
	case !anyone.IsZero():
		return anyone
	case o.SignedDocument != nil:
		return o.SignedDocument.UploadedAt
	}
	return lever.Time{}
}

// startDate is the offer's start: yyyy-mm-dd where Lever gives milliseconds, else the text it gives.
func startDate(fields []lever.OfferField) (*string, error) {
	for _, f := range fields {
		v := text(string(f.Value))
		if f.Identifier != fieldStartDate || v == nil {
			continue
		}
		ms, err := strconv.ParseFloat(*v, 64)
		if err != nil || math.IsNaN(ms) || math.IsInf(ms, 0) || math.Abs(ms) < minMillis {
			return v, nil
		}
		if math.Abs(ms) > maxMillis {
			return nil, errStartDate
		}
		return new(time.UnixMilli(int64(ms)).UTC().Format(time.DateOnly)), nil
	}
	return nil, nil
}
