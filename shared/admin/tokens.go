package admin

import (
	"context"
	"slices"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// AddToken makes a token and gives it, to be shown once. Nobody hands out more
// than they have: the role, and the tenants, must be the caller's own or less.
func (o *Office) AddToken(ctx context.Context, c Caller, t access.Token) (secret.Text, access.Token, error) {
	slices.Sort(t.Tenants)
	t.Tenants = slices.Compact(t.Tenants)
	t.ID, t.CreatedBy, t.Created = access.NewID(), c.Name, o.Now()
	if err := t.Check(t.Created); err != nil {
		return secret.Text{}, t, invalid(err)
	}
	if !c.Covers(max(t.Role, c.Need), t.Tenants...) {
		return secret.Text{}, t, ErrForbidden
	}
	text, hash := access.NewToken()
	if err := o.Tokens.AddToken(ctx, t, hash, c.event(TokenAdded, t.ID)); err != nil {
		return secret.Text{}, t, err
	}
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
	return o.Tokens.RevokeToken(ctx, seen[i], c.event(TokenRevoked, id))
}
