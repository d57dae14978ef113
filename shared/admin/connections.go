package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// A connection belongs to all tenants that it serves: who has no role on one of
// them does not see it, for it would tell who the others are.

// ListConnections gives the connections that the caller may see.
func (o *Office) ListConnections(ctx context.Context, c Caller) ([]tenant.Connection, error) {
	d, err := o.directory(ctx)
	if err != nil {
		return nil, err
	}
	var seen []tenant.Connection
	for _, conn := range ordered(d.Connections) {
		if c.on(owners(conn)...) == nil {
			seen = append(seen, conn)
		}
	}
	return seen, nil
}

// Connection gives one connection; ErrDamaged comes with what could be read of it.
func (o *Office) Connection(ctx context.Context, c Caller, id string) (Version[tenant.Connection], error) {
	if c.Highest() < c.Need {
		return Version[tenant.Connection]{}, ErrForbidden
	}
	v, damaged := o.Connections.ReadConnection(ctx, id)
	if damaged != nil && !errors.Is(damaged, ErrDamaged) {
		return v, damaged
	}
	if err := c.on(owners(v.Value)...); err != nil {
		return Version[tenant.Connection]{}, err // before it is told that it is damaged
	}
	return v, damaged
}

// ListUnmapped gives the accounts that no tenant has. They may be anybody's, so
// only who may see all tenants may see them.
func (o *Office) ListUnmapped(ctx context.Context, c Caller) ([]tenant.Unmapped, error) {
	if c.All < c.Need {
		return nil, ErrForbidden
	}
	return o.Unmapped(ctx)
}

// AddConnection adds a connection. Where it has no signing secret it gets a new
// one, which is to be shown once. Only who may administer all tenants may, as
// with tenants.
func (o *Office) AddConnection(ctx context.Context, c Caller, conn tenant.Connection) (Version[tenant.Connection], error) {
	if c.All < c.Need {
		return Version[tenant.Connection]{}, ErrForbidden
	}
	if _, err := tenant.ParseID(conn.ID); err != nil || slices.Contains(ticket.Announced, ticket.Kind(conn.ID)) {
		return Version[tenant.Connection]{}, invalid(fmt.Errorf("id: want 1 to 63 characters of a-z, 0-9 and inner hyphens, and none of %s", ticket.Announced))
	}
	if len(conn.Signing) == 0 {
		conn.Signing = []secret.Text{conn.Verify.NewSecret()}
	}
	return o.put(ctx, c, Version[tenant.Connection]{Value: conn}, audit.ConnectionAdded)
}

// ChangeConnection changes a connection by change, which gets the stored one.
// Values that are secret and not given stay, unless an address changes: else
// whoever may change the address could have the credential sent to them. Where
// the webhooks are verified in another way, the signing secrets end, for they
// may be of another form, or were sent in clear: there is a new one then, which
// is to be shown once, unless change gives one.
func (o *Office) ChangeConnection(
	ctx context.Context, c Caller, want Version[string], operation audit.Operation, change func(*tenant.Connection),
) (Version[tenant.Connection], error) {
	v, err := o.Connection(ctx, c, want.Value)
	if errors.Is(err, ErrDamaged) && operation == audit.ConnectionChanged && c.All >= access.Admin {
		err = nil // this is what mends it
	}
	if err != nil {
		return v, err
	}
	if v.Number != want.Number {
		return v, ErrConflict
	}
	before := v.Value
	v.Value.Values, v.Value.Routes, v.Value.Signing = maps.Clone(before.Values), maps.Clone(before.Routes), slices.Clone(before.Signing)
	change(&v.Value)
	if err := c.on(owners(v.Value)...); err != nil && len(v.Value.Routes) > 0 {
		return v, err // the tenants to be are as much theirs as those that are
	}
	if c.All < access.Admin && o.reroutes(before, v.Value) {
		return v, fmt.Errorf("%w: which account is whose is for administrators of all tenants", ErrForbidden)
	}
	if v.Value.Verify != before.Verify && slices.EqualFunc(v.Value.Signing, before.Signing, same) || len(v.Value.Signing) == 0 {
		v.Value.Signing = []secret.Text{v.Value.Verify.NewSecret()}
	}
	if kind, err := o.Tools.Find(v.Value.Tool); err == nil {
		if err := keepSecrets(kind, v.Value.Values, before.Values); err != nil {
			return v, invalid(err)
		}
	}
	return o.put(ctx, c, v, operation)
}

// EnsureConnection adds the connection, or changes it, by change, which gets the
// stored one, or one with nothing but its id, and whose error ends it. Where
// somebody else is quicker, change is called again with what they made. made
// tells whether there is a new signing secret that change did not give: it is
// to be shown once. What is so already is not written.
func (o *Office) EnsureConnection(
	ctx context.Context, c Caller, id string, change func(*tenant.Connection) error,
) (v Version[tenant.Connection], made bool, err error) {
	for range tries {
		v, err = o.Connection(ctx, c, id)
		damaged := errors.Is(err, ErrDamaged)
		if err != nil && !damaged && !errors.Is(err, tenant.ErrUnknown) {
			return v, false, err
		}
		conn := v.Value
		conn.ID, conn.Values, conn.Routes, conn.Signing = id, maps.Clone(conn.Values), maps.Clone(conn.Routes), slices.Clone(conn.Signing)
		if err := change(&conn); err != nil {
			return v, false, err
		}
		switch {
		case v.Number == 0:
			v, err = o.AddConnection(ctx, c, conn)
		case !damaged && reflect.DeepEqual(conn, v.Value):
			return v, false, nil
		default:
			v, err = o.ChangeConnection(ctx, c, Version[string]{id, v.Number}, audit.ConnectionChanged, func(stored *tenant.Connection) { *stored = conn })
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrExists) {
			return v, err == nil && !slices.ContainsFunc(conn.Signing, func(s secret.Text) bool { return same(s, v.Value.Signing[0]) }), err
		}
	}
	return v, false, err
}

// Install makes the tenant, and connections, what is given, whatever is there: for
// an installation that is described whole, such as the demo.
func (o *Office) Install(ctx context.Context, c Caller, t tenant.Tenant, conns ...tenant.Connection) error {
	_, err := o.EnsureTenant(ctx, c, t.ID, func(stored *tenant.Tenant) { *stored = t })
	for _, conn := range conns {
		if err == nil {
			_, _, err = o.EnsureConnection(ctx, c, conn.ID, func(stored *tenant.Connection) error {
				*stored = conn
				return nil
			})
		}
	}
	return err
}

func same(a, b secret.Text) bool { return a.Reveal() == b.Reveal() }

// reroutes tells whether the change may give tickets to another tenant than
// before: an account of the tool that nobody has may well be another client's.
func (o *Office) reroutes(before, after tenant.Connection) bool {
	if !maps.Equal(before.Routes, after.Routes) || before.Tool != after.Tool {
		return true
	}
	kind, err := o.Tools.Find(after.Tool)
	return err == nil && slices.ContainsFunc(kind.Form, func(f integration.Field) bool {
		return f.Routes && cmp.Or(strings.TrimSpace(after.Values[f.Name]), f.Default) != cmp.Or(before.Values[f.Name], f.Default)
	})
}

// keepSecrets puts into values the secrets of before that are not given anew.
func keepSecrets(kind integration.Kind[ticketing.Tool], values, before integration.Values) error {
	moved := ""
	for _, f := range kind.Form {
		if f.URL && cmp.Or(strings.TrimSpace(values[f.Name]), f.Default) != before[f.Name] && before[f.Name] != "" {
			moved = f.Name
		}
	}
	for _, f := range kind.Form {
		if !f.Secret || values[f.Name] != "" || before[f.Name] == "" {
			continue
		}
		if moved != "" {
			return fmt.Errorf("%s: give it again, for %s changes", f.Name, moved)
		}
		values[f.Name] = before[f.Name]
	}
	return nil
}

// put checks the connection and stores it.
func (o *Office) put(ctx context.Context, c Caller, v Version[tenant.Connection], operation audit.Operation) (Version[tenant.Connection], error) {
	kind, err := o.Tools.Find(v.Value.Tool)
	if err != nil {
		return v, invalid(fmt.Errorf("tool: %w", err))
	}
	values, err := kind.Fill(v.Value.Values)
	err = errors.Join(err, v.Value.CheckRoutes())
	for account, id := range v.Value.Routes {
		if _, bad := tenant.ParseID(string(id)); bad != nil {
			err = errors.Join(err, fmt.Errorf("routes: %w", bad))
		}
		if account != "" && !printable(account, maxName) {
			err = errors.Join(err, fmt.Errorf("routes: want accounts of 1 to %d characters", maxName))
		}
	}
	if operation == audit.ConnectionAdded || operation == audit.ConnectionChanged {
		if _, bad := v.Value.Verify.Key(v.Value.Signing[0]); bad != nil {
			err = errors.Join(err, fmt.Errorf("verify %s: %w", v.Value.Verify, bad))
		}
	}
	if err != nil {
		return v, invalid(err)
	}
	v.Value.Tool, v.Value.Values = kind.Name, values
	e := c.event(operation, v.Value.ID)
	number, err := o.Connections.WriteConnection(ctx, v, e)
	if errors.Is(err, tenant.ErrUnknown) { // only who may know the tenants comes here
		return v, invalid(fmt.Errorf("routes: %w", err))
	}
	if v.Number = number; err == nil {
		o.done(ctx, e, "")
	}
	return v, err
}

// RotateSecret gives the connection a new signing secret, which is to be shown
// once. The one before stays valid beside it, and one before that ends.
func (o *Office) RotateSecret(ctx context.Context, c Caller, want Version[string]) (Version[tenant.Connection], error) {
	return o.ChangeConnection(ctx, c, want, audit.SecretRotated, func(conn *tenant.Connection) {
		conn.Signing = append([]secret.Text{conn.Verify.NewSecret()}, conn.Signing[:min(1, len(conn.Signing))]...)
	})
}

// RetireSecret ends all signing secrets but the newest.
func (o *Office) RetireSecret(ctx context.Context, c Caller, want Version[string]) (Version[tenant.Connection], error) {
	return o.ChangeConnection(ctx, c, want, audit.SecretRetired, func(conn *tenant.Connection) {
		conn.Signing = conn.Signing[:min(1, len(conn.Signing))]
	})
}

// owners are the tenants that a connection serves.
func owners(c tenant.Connection) []tenant.ID { return slices.Collect(maps.Values(c.Routes)) }

func ordered[K cmp.Ordered, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

// printable tells whether text is 1 to limit characters for people.
func printable(text string, limit int) bool {
	return strings.TrimSpace(text) != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit && !strings.ContainsFunc(text, unicode.IsControl)
}
