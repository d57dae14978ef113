package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Office reads and writes one tenant or connection with its version, as the role
// of administrators. It is admin.Tenants and admin.Connections.
type Office struct{ Store }

const readTenantSQL = `SELECT name, settings, disabled, version FROM tenant_configs WHERE tenant_id = current_tenant()`

// ReadTenant implements admin.Tenants.
func (o Office) ReadTenant(ctx context.Context, id tenant.ID) (admin.Version[tenant.Tenant], error) {
	v := admin.Version[tenant.Tenant]{Value: tenant.Tenant{ID: id}}
	if _, err := tenant.ParseID(string(id)); err != nil {
		return v, fmt.Errorf("tenants: read tenant: %w", tenant.ErrUnknown)
	}
	var settings []byte
	err := o.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, readTenantSQL).Scan(&v.Value.Name, &settings, &v.Value.Disabled, &v.Number)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = tenant.ErrUnknown
	}
	if err == nil {
		err = json.Unmarshal(settings, &v.Value.Settings)
	}
	if err != nil {
		return v, fmt.Errorf("tenants: read tenant %s: %w", id, err)
	}
	return v, nil
}

const addTenantSQL = `
INSERT INTO tenant_configs (tenant_id, name, settings, disabled) VALUES (current_tenant(), $1, $2, $3)
ON CONFLICT DO NOTHING RETURNING version`

const changeTenantSQL = `
UPDATE tenant_configs SET name = $1, settings = $2, disabled = $3, version = version + 1, updated_at = now()
WHERE tenant_id = current_tenant() AND version = $4 RETURNING version`

// WriteTenant implements admin.Tenants.
func (o Office) WriteTenant(ctx context.Context, v admin.Version[tenant.Tenant], e audit.Event) (number int, err error) {
	settings, err := postgres.JSON(v.Value.Settings)
	if err == nil {
		err = o.DB.InTenant(ctx, v.Value.ID, func(tx pgx.Tx) error {
			sql, args, taken := changeTenantSQL, []any{postgres.Text(v.Value.Name), settings, v.Value.Disabled, v.Number}, admin.ErrConflict
			if v.Number == 0 {
				sql, args, taken = addTenantSQL, args[:3], admin.ErrExists
			}
			err := tx.QueryRow(ctx, sql, args...).Scan(&number)
			if errors.Is(err, pgx.ErrNoRows) {
				return taken
			}
			if err != nil {
				return err
			}
			return postgres.Record(ctx, tx, e)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("tenants: write tenant %s: %w", v.Value.ID, err)
	}
	return number, nil
}

const readConnectionSQL = `
SELECT tool, sealed_values, sealed_signing, allow_plain, verify, disabled, routes, version FROM read_connection($1)`

// ReadConnection implements admin.Connections.
func (o Office) ReadConnection(ctx context.Context, id string) (admin.Version[tenant.Connection], error) {
	v := admin.Version[tenant.Connection]{Value: tenant.Connection{ID: id}}
	var row stored
	err := o.DB.Pool.QueryRow(ctx, readConnectionSQL, postgres.Text(id)).Scan(
		&v.Value.Tool, &row.values, &row.signing, &row.plain, &row.verify, &v.Value.Disabled, &row.routes, &v.Number)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, fmt.Errorf("tenants: read connection: %w", tenant.ErrUnknown)
	}
	if err != nil {
		return v, fmt.Errorf("tenants: read connection: %w", err)
	}
	if v.Value, err = o.open(v.Value, row); err != nil {
		return v, fmt.Errorf("tenants: read connection %s: %w: %w", id, admin.ErrDamaged, err)
	}
	return v, nil
}

const writeConnectionSQL = `SELECT write_connection($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// WriteConnection implements admin.Connections, all or nothing.
func (o Office) WriteConnection(ctx context.Context, v admin.Version[tenant.Connection], e audit.Event) (int, error) {
	err := v.Value.CheckRoutes()
	if err == nil {
		err = o.writeConnection(ctx, v, e)
	}
	if err != nil {
		return 0, fmt.Errorf("tenants: write connection %s: %w", v.Value.ID, err)
	}
	return v.Number + 1, nil
}

func (o Office) writeConnection(ctx context.Context, v admin.Version[tenant.Connection], e audit.Event) error {
	c := v.Value
	values, signing, err := o.seal(c)
	if err != nil {
		return err
	}
	accounts, owners := make([]string, 0, len(c.Routes)), make([]string, 0, len(c.Routes))
	for account, id := range c.Routes {
		accounts, owners = append(accounts, account), append(owners, string(id))
	}
	verify, plain := c.Verify, c.Verify == tenant.VerifyPlain
	if plain {
		verify = tenant.VerifyHMAC // allow_plain alone says it, as it did before there were profiles
	}
	return pgx.BeginFunc(ctx, o.DB.Pool, func(tx pgx.Tx) error {
		var concerned []tenant.ID
		err := tx.QueryRow(ctx, writeConnectionSQL, c.ID, v.Number, c.Tool, values, signing, plain, string(verify), c.Disabled, accounts, owners).Scan(&concerned)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23503" { // foreign_key_violation
			return fmt.Errorf("%s: %w: add the tenant first", e.Message, tenant.ErrUnknown)
		}
		switch {
		case err != nil:
			return err
		case concerned == nil && v.Number == 0:
			return admin.ErrExists
		case concerned == nil:
			return admin.ErrConflict
		}
		return postgres.RecordFor(ctx, tx, e, concerned...)
	})
}
