package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// AddToken makes a token and gives it, to be shown once. Nobody hands out more
// than they have: the role, and the tenants, must be the caller's own or less.
func (o *Office) AddToken(ctx context.Context, c Caller, t access.Token) (secret.Text, access.Token, error) {
	if slices.Sort(t.Tenants); len(t.Tenants) == 0 {
		t.Tenants = nil // all of them
	}
	t.Tenants = slices.Compact(t.Tenants)
	t.ID, t.CreatedBy, t.Created = access.NewID(), c.Name, o.Now()
	if err := t.Check(t.Created); err != nil {
		return secret.Text{}, t, invalid(err)
	}
	if !c.Covers(max(t.Role, c.Need), t.Tenants...) {
		return secret.Text{}, t, ErrForbidden
	}
	text, hash := access.NewToken()
	e := c.event(audit.TokenAdded, t.ID)
	err := o.Tokens.AddToken(ctx, t, hash, e)
	if errors.Is(err, tenant.ErrUnknown) { // only who administers the tenants comes here
		err = invalid(fmt.Errorf("tenants: %w", err))
	}
	if err != nil {
		return secret.Text{}, t, err
	}
	o.done(ctx, e, "")
	return text, t, nil
}

// ListTokens gives the tokens that act for no other tenants than the caller
// administers.
func (o *Office) ListTokens(ctx context.Context, c Caller) ([]access.Token, error) {
	all, err := o.Tokens.ListTokens(ctx)
	return slices.DeleteFunc(all, func(t access.Token) bool { return !c.Covers(c.Need, t.Tenants...) }), err
}

// RevokeToken ends one of them at once.
func (o *Office) RevokeToken(ctx context.Context, c Caller, id string) error {
	seen, err := o.ListTokens(ctx, c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(seen, func(t access.Token) bool { return t.ID == id })
	if i < 0 {
		return tenant.ErrUnknown
	}
	e := c.event(audit.TokenRevoked, id)
	if err := o.Tokens.RevokeToken(ctx, seen[i], e); err != nil {
		return err
	}
	o.done(ctx, e, "")
	return nil
}
