// Package canaries keeps each tenant's leak canary, and tells whose a canary
// is. Nobody can list them.
package canaries

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store keeps canaries. It is safe for concurrent use.
type Store struct{ DB *postgres.DB }

const (
	addSQL   = `INSERT INTO canaries (tenant_id, token) VALUES (current_tenant(), $1) ON CONFLICT DO NOTHING`
	ofSQL    = `SELECT token FROM canaries`
	whoseSQL = `SELECT token, tenant_id FROM canary_owners($1)`
)

// Of gives the tenant's canary, which is made when it is first asked for, and
// stays the same.
func (s Store) Of(ctx context.Context, id tenant.ID) (token string, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, addSQL, canary.New()); err != nil {
			return err
		}
		return tx.QueryRow(ctx, ofSQL).Scan(&token)
	})
	if err != nil {
		return "", fmt.Errorf("canaries: of tenant %s: %w", id, err)
	}
	return token, nil
}

// Whose gives the owner of each of the canaries. What nobody owns is left out:
// it only looks like one. It belongs to no tenant's transaction.
func (s Store) Whose(ctx context.Context, tokens []string) (map[string]tenant.ID, error) {
	owners := make(map[string]tenant.ID, len(tokens))
	rows, err := s.DB.Pool.Query(ctx, whoseSQL, tokens)
	if err == nil {
		var token string
		var owner tenant.ID
		_, err = pgx.ForEachRow(rows, []any{&token, &owner}, func() error {
			owners[token] = owner
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("canaries: ask whose %d are: %w", len(tokens), err)
	}
	return owners, nil
}
