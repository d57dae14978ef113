// Package admin is how tenants, their connections and the tokens of the admin
// API are looked at and changed: the operations (Office), and the API that
// offers them over HTTP. The operator's command uses the same operations.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Version is a thing with the number of its version. Whoever changes it gives
// the version that they read; 0 is a thing that is not there yet.
type Version[T any] struct {
	Value  T
	Number int
}

// Tenants keeps the tenants.
type Tenants interface {
	// Directory reads all tenants and connections, those disabled too. An error
	// may come with the directory of all that could be read.
	Directory(context.Context) (tenant.Directory, error)
	// ReadTenant gives a tenant, disabled or not, or tenant.ErrUnknown.
	ReadTenant(context.Context, tenant.ID) (Version[tenant.Tenant], error)
	// WriteTenant stores the tenant where the stored version is still the given
	// one, with the event in its trail, and gives the new version. ErrConflict
	// says that it is not; ErrExists that version 0 is there already.
	WriteTenant(context.Context, Version[tenant.Tenant], audit.Event) (int, error)
}

// Connections keeps the connections, by the same rules. The event goes to the
// trail of every tenant that the connection served or serves now.
type Connections interface {
	// ReadConnection gives ErrDamaged with a connection that has its routes,
	// tool, state and version, but neither values nor signing secrets, where
	// those do not open.
	ReadConnection(ctx context.Context, id string) (Version[tenant.Connection], error)
	WriteConnection(context.Context, Version[tenant.Connection], audit.Event) (int, error)
}

// Tokens keeps the API tokens. The event goes to the trail of every tenant that
// the token is limited to; of one that acts for all, to the installation's.
type Tokens interface {
	// AddToken gives tenant.ErrUnknown where one of its tenants is not there.
	AddToken(context.Context, access.Token, access.Hash, audit.Event) error
	ListTokens(context.Context) ([]access.Token, error)
	// RevokeToken ends a token, or gives tenant.ErrUnknown.
	RevokeToken(context.Context, access.Token, audit.Event) error
}

// The errors by which a caller decides. tenant.ErrUnknown is one of them: no
// such thing, or none that the caller may know of.
var (
	ErrForbidden = errors.New("your role does not allow this")
	ErrConflict  = errors.New("it was changed meanwhile: read it again, and change that")
	ErrExists    = errors.New("there is one with this id already")
	ErrDamaged   = errors.New("its credentials and signing secrets do not open: an administrator of all tenants has to give all of its values again")
)

// InvalidError says what is wrong with what the caller gave.
type InvalidError struct{ Err error }

// Error implements error.
func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap gives the reasons.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return &InvalidError{err}
}

// Caller is who asks for an operation, and the role that it needs.
type Caller struct {
	access.Principal
	Need    access.Role
	Request string
}

// on says whether the caller may do what it needs on all of the tenants.
// A tenant on which the caller has no role is unknown to it.
func (c Caller) on(ids ...tenant.ID) error {
	lowest := access.Admin
	for _, id := range ids {
		lowest = min(lowest, c.On(id))
	}
	switch {
	case len(ids) == 0 || lowest == access.None:
		return tenant.ErrUnknown
	case lowest < c.Need:
		return ErrForbidden
	}
	return nil
}

func (c Caller) event(operation audit.Operation, subject string) audit.Event {
	return audit.Event{Ticket: subject, Operation: operation, Actor: c.Name, Status: audit.Success, Correlation: c.Request}
}

// Office is the operations. Every one of them checks what its caller may do.
type Office struct {
	Tenants     Tenants
	Connections Connections
	Tokens      Tokens
	Tools       integration.Set[ticketing.Tool]
	Sources     []string // names of the evidence sources that can be switched off
	Open        func(tenant.Connection) (ticketing.Tool, error)
	Unmapped    func(context.Context) ([]tenant.Unmapped, error)
	Now         func() time.Time
	Log         *slog.Logger // a line for each change
}

// done logs a change. What the trail has is there as well: of an installation
// whose database is lost, the log tells.
func (o *Office) done(ctx context.Context, e audit.Event, id tenant.ID) {
	o.Log.InfoContext(ctx, "administration", "operation", string(e.Operation), "actor", e.Actor, "tenant", string(id), "subject", e.Ticket,
		"status", string(e.Status), "correlation_id", e.Correlation)
}

// maxName is the longest name of a tenant.
const maxName = 200

// ListTenants gives the tenants that the caller may see.
func (o *Office) ListTenants(ctx context.Context, c Caller) ([]tenant.Tenant, error) {
	d, err := o.directory(ctx)
	if err != nil {
		return nil, err
	}
	var seen []tenant.Tenant
	for _, t := range ordered(d.Tenants) {
		if c.on(t.ID) == nil {
			seen = append(seen, t)
		}
	}
	return seen, nil
}

// Tenant gives one tenant.
func (o *Office) Tenant(ctx context.Context, c Caller, id tenant.ID) (Version[tenant.Tenant], error) {
	if err := c.on(id); err != nil {
		return Version[tenant.Tenant]{}, err
	}
	return o.Tenants.ReadTenant(ctx, id)
}

// AddTenant adds a tenant. Only who may administer all tenants may: the answer
// of anybody else would tell which ids are taken.
func (o *Office) AddTenant(ctx context.Context, c Caller, t tenant.Tenant) (Version[tenant.Tenant], error) {
	if c.All < c.Need {
		return Version[tenant.Tenant]{}, ErrForbidden
	}
	if _, err := tenant.ParseID(string(t.ID)); err != nil {
		return Version[tenant.Tenant]{}, invalid(err)
	}
	return o.write(ctx, c, Version[tenant.Tenant]{Value: t}, audit.TenantAdded)
}

// ChangeTenant changes a tenant by change, which gets the stored one. version is
// that which the caller read.
func (o *Office) ChangeTenant(ctx context.Context, c Caller, want Version[tenant.ID], change func(*tenant.Tenant)) (Version[tenant.Tenant], error) {
	v, err := o.Tenant(ctx, c, want.Value)
	if err != nil {
		return v, err
	}
	if v.Number != want.Number {
		return v, ErrConflict
	}
	before := v.Value
	change(&v.Value)
	now := v.Value.Settings
	limits := now.WebhooksPerMinute != before.Settings.WebhooksPerMinute || !slices.Equal(now.AllowedNetworks, before.Settings.AllowedNetworks)
	if limits && c.All < access.Admin { // they guard the installation from its tenants
		return v, fmt.Errorf("%w: allowed_networks and webhooks_per_minute are for administrators of all tenants", ErrForbidden)
	}
	operation := audit.TenantChanged
	if v.Value.Disabled != before.Disabled {
		operation = map[bool]audit.Operation{true: audit.TenantDisabled, false: audit.TenantEnabled}[v.Value.Disabled]
	}
	return o.write(ctx, c, v, operation)
}

func (o *Office) write(ctx context.Context, c Caller, v Version[tenant.Tenant], operation audit.Operation) (Version[tenant.Tenant], error) {
	t := v.Value
	err := t.Settings.Check(o.Sources)
	if !printable(t.Name, maxName) {
		err = errors.Join(fmt.Errorf("name: want 1 to %d characters", maxName), err)
	}
	if err != nil {
		return v, invalid(err)
	}
	e := c.event(operation, "")
	if v.Number, err = o.Tenants.WriteTenant(ctx, v, e); err == nil {
		o.done(ctx, e, t.ID)
	}
	return v, err
}

// tries is how often a change is made anew that met another one.
const tries = 5

// EnsureTenant adds the tenant, or changes it, by change, which gets the stored
// one, or one with nothing but its id. Where somebody else is quicker, it is
// called again with what they made. What is so already is not written.
func (o *Office) EnsureTenant(ctx context.Context, c Caller, id tenant.ID, change func(*tenant.Tenant)) (v Version[tenant.Tenant], err error) {
	for range tries {
		v, err = o.Tenant(ctx, c, id)
		switch {
		case errors.Is(err, tenant.ErrUnknown):
			t := tenant.Tenant{ID: id}
			change(&t)
			v, err = o.AddTenant(ctx, c, t)
		case err != nil:
			return v, err
		default:
			after := v.Value
			if change(&after); reflect.DeepEqual(after, v.Value) {
				return v, nil
			}
			v, err = o.ChangeTenant(ctx, c, Version[tenant.ID]{id, v.Number}, change)
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrExists) {
			break
		}
	}
	return v, err
}

// directory is what could be read of it: what could not is in the log of every
// process.
func (o *Office) directory(ctx context.Context) (tenant.Directory, error) {
	d, err := o.Tenants.Directory(ctx)
	if d.Loaded.IsZero() {
		return d, err
	}
	return d, nil
}
