package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Office reads and writes one tenant or connection with its version. It is
// admin.Tenants and admin.Connections.
type Office struct{ Store }

// execer is the pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

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

// ReadConnection implements admin.Connections. The version is read first: where
// the connection changes in between, it is too old, and a change with it fails.
func (o Office) ReadConnection(ctx context.Context, id string) (admin.Version[tenant.Connection], error) {
	var v admin.Version[tenant.Connection]
	var number *int
	if err := o.DB.Pool.QueryRow(ctx, `SELECT connection_version($1)`, postgres.Text(id)).Scan(&number); err != nil {
		return v, fmt.Errorf("tenants: read connection: %w", err)
	}
	// Also where there is none: else the time would tell that to who may not know.
	d, err := o.Directory(ctx)
	if number == nil {
		return v, fmt.Errorf("tenants: read connection: %w", tenant.ErrUnknown)
	}
	found, ok := d.Connections[id]
	if !ok {
		if err == nil { // gone meanwhile
			err = tenant.ErrUnknown
		}
		return v, fmt.Errorf("tenants: read connection %s: %w", id, err)
	}
	return admin.Version[tenant.Connection]{Value: found, Number: *number}, nil
}

// WriteConnection implements admin.Connections. The trail gets an entry for each
// tenant that the connection served or serves now.
func (o Office) WriteConnection(ctx context.Context, v admin.Version[tenant.Connection], e audit.Event) (int, error) {
	err := pgx.BeginFunc(ctx, o.DB.Pool, func(tx pgx.Tx) error {
		var number int
		if err := tx.QueryRow(ctx, `SELECT lock_connection($1)`, v.Value.ID).Scan(&number); err != nil {
			return err
		}
		switch {
		case number != v.Number && v.Number == 0:
			return admin.ErrExists
		case number != v.Number:
			return admin.ErrConflict
		}
		served, err := ownersOf(ctx, tx, v.Value.ID)
		if err != nil {
			return err
		}
		if err := o.putConnection(ctx, tx, v.Value); err != nil {
			return err
		}
		return postgres.RecordFor(ctx, tx, e, slices.AppendSeq(served, maps.Values(v.Value.Routes))...)
	})
	if err != nil {
		return 0, fmt.Errorf("tenants: write connection %s: %w", v.Value.ID, err)
	}
	return v.Number + 1, nil
}
