package mapping

import (
	"encoding/json"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

// accessRoles gives the role of a user; a role that the customer made passes through.
var accessRoles = map[string]string{
	"super admin":         "SUPER_ADMIN",
	"admin":               "ADMIN",
	"team member":         "TEAM_MEMBER",
	"limited team member": "LIMITED_TEAM_MEMBER",
	"interviewer":         "INTERVIEWER",
}

// User maps a user of the account, active or not.
func (m Mapper) User(u lever.User, raw json.RawMessage) (*unified.RemoteUser, error) {
	env, err := m.envelope(unified.RemoteUsers, u.ID, raw)
	if err != nil {
		return nil, err
	}
	c := clock{scope: unified.RemoteUsers}
	r := &unified.RemoteUser{
		Envelope:        env,
		Email:           text(u.Email),
		Disabled:        new(!u.DeactivatedAt.IsZero()),
		RemoteCreatedAt: c.at("createdAt", u.CreatedAt),
		AccessRole:      enum(u.AccessRole, accessRoles),
	}
	r.FirstName, r.LastName = splitName(u.Name)
	if c.err != nil {
		return nil, c.err
	}
	return r, nil
}
