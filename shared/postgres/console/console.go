// Package console keeps the API tokens of the admin API in Postgres: their
// hashes, never the tokens themselves.
package console

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store is admin.Tokens, and what the gate asks about a token. DB is that of
// administrators.
type Store struct{ DB *postgres.DB }

// SignIn gives the principal of the token with this hash, or
// access.ErrUnauthorized where there is none, or it expired or was revoked.
func (s Store) SignIn(ctx context.Context, h access.Hash) (access.Principal, error) {
	var t access.Token
	var role string
	err := s.DB.Pool.QueryRow(ctx, `SELECT token_id, token_role, token_tenants FROM use_token($1)`, h[:]).Scan(&t.ID, &role, &t.Tenants)
	if errors.Is(err, pgx.ErrNoRows) {
		return access.Principal{}, access.ErrUnauthorized
	}
	if err == nil {
		t.Role, err = access.ParseRole(role)
	}
	if err != nil {
		return access.Principal{}, fmt.Errorf("console: look up a token: %w", err)
	}
	return t.Principal(), nil
}

// AddToken implements admin.Tokens.
func (s Store) AddToken(ctx context.Context, t access.Token, h access.Hash, e audit.Event) error {
	return s.change(ctx, "add token "+t.ID, t.Tenants, e, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT add_token($1, $2, $3, $4, $5, $6, $7)`,
			t.ID, h[:], postgres.Text(t.Name), t.Role.String(), t.Tenants, postgres.Text(t.CreatedBy), t.Expires)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23503" { // foreign_key_violation
			return fmt.Errorf("%s: %w", e.Message, tenant.ErrUnknown)
		}
		return err
	})
}

const listSQL = `SELECT id, name, role, tenants, created_by, created_at, expires_at, last_used, revoked_at, revoked_by FROM list_tokens()`

// ListTokens implements admin.Tokens, the oldest first.
func (s Store) ListTokens(ctx context.Context) ([]access.Token, error) {
	var list []access.Token
	rows, err := s.DB.Pool.Query(ctx, listSQL)
	if err == nil {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t access.Token, err error) {
			var role string
			if err := row.Scan(&t.ID, &t.Name, &role, &t.Tenants, &t.CreatedBy, &t.Created, &t.Expires, &t.LastUsed, &t.Revoked, &t.RevokedBy); err != nil {
				return t, err
			}
			t.Role, err = access.ParseRole(role)
			return t, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("console: list tokens: %w", err)
	}
	return list, nil
}

// RevokeToken implements admin.Tokens. tenant.ErrUnknown says that there is no
// such token, or that it was revoked before.
func (s Store) RevokeToken(ctx context.Context, t access.Token, e audit.Event) error {
	return s.change(ctx, "revoke token "+t.ID, t.Tenants, e, func(tx pgx.Tx) error {
		var revoked bool
		err := tx.QueryRow(ctx, `SELECT revoke_token($1, $2)`, t.ID, postgres.Text(e.Actor)).Scan(&revoked)
		if err == nil && !revoked {
			return tenant.ErrUnknown
		}
		return err
	})
}

// change does it, with the event in the trail of the tenants, or of the
// installation where there are none.
func (s Store) change(ctx context.Context, what string, ids []tenant.ID, e audit.Event, do func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.DB.Pool, func(tx pgx.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return postgres.RecordFor(ctx, tx, e, ids...)
	})
	if err != nil {
		return fmt.Errorf("console: %s: %w", what, err)
	}
	return nil
}
