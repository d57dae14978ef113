// Package access says who calls the admin API and what they may do there:
// roles, principals, API tokens, and the gate that signs callers in. Nobody may
// do anything that a role does not give them.
package access

import (
	"errors"
	"fmt"
	"slices"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Role is what a caller may do. Each role may do all that the lower ones may.
type Role int

// The roles. None is the zero value: nothing may be done without a role.
const (
	None     Role = iota
	Viewer        // reads
	Operator      // besides: changes settings, tests connections
	Admin         // besides: adds and disables, changes connections, secrets and tokens
)

var roleNames = []string{"none", "viewer", "operator", "admin"}

// ParseRole reads the name of a role; "none" is not one that can be given.
func ParseRole(name string) (Role, error) {
	if i := slices.Index(roleNames, name); i > 0 {
		return Role(i), nil
	}
	return None, fmt.Errorf("role %.20q: want viewer, operator or admin", name)
}

// String gives the name of the role.
func (r Role) String() string {
	if r < None || r > Admin {
		return roleNames[None]
	}
	return roleNames[r]
}

// MarshalText writes the name of the role.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the name of a role.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// Principal is a caller who signed in. The zero Principal may do nothing.
type Principal struct {
	Name    string             // for the audit trail: "token:<id>", "oidc:<subject>", "basic:<user>", "cli:<user>"
	All     Role               // on every tenant, those to come included
	Tenants map[tenant.ID]Role // besides
}

// On gives the caller's role on one tenant.
func (p Principal) On(id tenant.ID) Role { return max(p.All, p.Tenants[id]) }

// Highest gives the highest role that the caller has on any tenant.
func (p Principal) Highest() Role {
	highest := p.All
	for _, r := range p.Tenants {
		highest = max(highest, r)
	}
	return highest
}

// Grant gives a role on the named tenants besides; on all where none is named.
func (p *Principal) Grant(r Role, ids ...tenant.ID) {
	if len(ids) == 0 {
		p.All = max(p.All, r)
	}
	for _, id := range ids {
		if p.Tenants == nil {
			p.Tenants = map[tenant.ID]Role{}
		}
		p.Tenants[id] = max(p.Tenants[id], r)
	}
}

// Covers tells whether the caller has role r on each of the tenants; on all
// where none is named.
func (p Principal) Covers(r Role, ids ...tenant.ID) bool {
	if len(ids) == 0 {
		return p.All >= r
	}
	return !slices.ContainsFunc(ids, func(id tenant.ID) bool { return p.On(id) < r })
}

// ErrUnauthorized says that a request has no credential, or none that is good.
// It never says which of the two, or why.
var ErrUnauthorized = errors.New("sign in with a token that is good")
