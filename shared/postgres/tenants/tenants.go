// Package tenants keeps the tenants and their connections in Postgres, with
// credentials sealed, and gives each process the directory of them all.
package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store reads and writes tenants and connections. It is safe for concurrent use.
type Store struct {
	DB    *postgres.DB
	Box   secret.Box
	Actor string // who changes tenants, for the audit trail: "cli:anna"; audit.System where empty
}

const (
	tenantsSQL     = `SELECT tenant_id, name, settings, disabled FROM directory_tenants()`
	connectionsSQL = `
SELECT id, tool, sealed_values, sealed_signing, allow_plain, coalesce(verify, ''), disabled, routes
FROM directory_connections() LEFT JOIN directory_verify() USING (id)`
)

// Directory reads all tenants and connections. What cannot be read (sealed
// with another key, damaged) is left out and named in the error, which then
// comes with the directory of all others: a directory whose Loaded is set is
// good, error or not.
func (s Store) Directory(ctx context.Context) (tenant.Directory, error) {
	all, connections := map[tenant.ID]tenant.Tenant{}, map[string]tenant.Connection{}
	var bad []error
	err := pgx.BeginTxFunc(ctx, s.DB.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var t tenant.Tenant
		var settings []byte
		err := each(ctx, tx, tenantsSQL, []any{&t.ID, &t.Name, &settings, &t.Disabled}, func() {
			t.Settings = tenant.Settings{}
			if err := json.Unmarshal(settings, &t.Settings); err != nil {
				bad = append(bad, fmt.Errorf("settings of tenant %s: %w", t.ID, err))
				return
			}
			all[t.ID] = t
		})
		if err != nil {
			return err
		}
		var c tenant.Connection
		var row stored
		return each(ctx, tx, connectionsSQL, []any{&c.ID, &c.Tool, &row.values, &row.signing, &row.plain, &row.verify, &c.Disabled, &row.routes}, func() {
			opened, err := s.open(c, row)
			if err != nil {
				bad = append(bad, err)
				return
			}
			connections[c.ID] = opened
		})
	})
	if err != nil {
		return tenant.Directory{}, fmt.Errorf("tenants: read the directory: %w", err)
	}
	d := tenant.NewDirectory(all, connections, time.Now())
	if err := errors.Join(bad...); err != nil {
		return d, fmt.Errorf("tenants: left out of the directory: %w", err)
	}
	return d, nil
}

// each scans every row into the targets and calls do after each.
func each(ctx context.Context, tx pgx.Tx, sql string, targets []any, do func()) error {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		do()
		return nil
	})
	return err
}

// PutTenant adds the tenant or changes it. Nothing happens where it is so
// already.
func (s Store) PutTenant(ctx context.Context, t tenant.Tenant) error {
	settings, err := postgres.JSON(t.Settings)
	if err != nil {
		return fmt.Errorf("tenants: put tenant %s: %w", t.ID, err)
	}
	err = s.DB.InTenant(ctx, t.ID, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, putTenantSQL, postgres.Text(t.Name), settings, t.Disabled)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return postgres.Record(ctx, tx, audit.Event{Operation: audit.TenantChanged, Actor: s.Actor, Status: audit.Success})
	})
	if err != nil {
		return fmt.Errorf("tenants: put tenant %s: %w", t.ID, err)
	}
	return nil
}

const putTenantSQL = `
INSERT INTO tenant_configs AS t (tenant_id, name, settings, disabled) VALUES (current_tenant(), $1, $2, $3)
ON CONFLICT (tenant_id) DO UPDATE
SET name = excluded.name, settings = excluded.settings, disabled = excluded.disabled, version = t.version + 1, updated_at = now()
WHERE (t.name, t.settings, t.disabled) IS DISTINCT FROM (excluded.name, excluded.settings, excluded.disabled)`

const putConnectionSQL = `SELECT put_verified_connection($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// PutConnection adds the connection or changes it, with its routes, all or
// nothing. It needs at least one route, and gives tenant.ErrUnknown where the
// tenant of a route does not exist. It is for an operator: it belongs to no
// tenant's transaction and changes any connection.
func (s Store) PutConnection(ctx context.Context, c tenant.Connection) error {
	err := pgx.BeginFunc(ctx, s.DB.Pool, func(tx pgx.Tx) error {
		served, err := ownersOf(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		if err := s.putConnection(ctx, tx, c); err != nil {
			return err
		}
		return s.record(ctx, tx, c.ID, slices.AppendSeq(served, maps.Values(c.Routes)))
	})
	if err != nil {
		return fmt.Errorf("tenants: put connection %s: %w", c.ID, err)
	}
	return nil
}

func (s Store) putConnection(ctx context.Context, db execer, c tenant.Connection) error {
	if err := c.CheckRoutes(); err != nil {
		return err
	}
	values, signing, err := s.seal(c)
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
	_, err = db.Exec(ctx, putConnectionSQL, c.ID, c.Tool, values, signing, plain, c.Disabled, accounts, owners, string(verify))
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "23503" { // foreign_key_violation
		return fmt.Errorf("%s: %w: add the tenant first", e.Message, tenant.ErrUnknown)
	}
	return err
}

func valuesOf(connection string) string  { return "connection/" + connection + "/values" }
func signingOf(connection string) string { return "connection/" + connection + "/signing" }

// seal gives the connection's values and webhook secrets as they are stored.
func (s Store) seal(c tenant.Connection) (values, signing []byte, err error) {
	plain, err := c.Values.Sealable()
	if err != nil {
		return nil, nil, err
	}
	if values, err = s.Box.Seal(plain, valuesOf(c.ID)); err != nil {
		return nil, nil, err
	}
	secrets := make([]string, len(c.Signing))
	for i, text := range c.Signing {
		secrets[i] = text.Reveal()
	}
	if plain, err = json.Marshal(secrets); err != nil {
		return nil, nil, err
	}
	signing, err = s.Box.Seal(plain, signingOf(c.ID))
	return values, signing, err
}

// stored is what of a connection is written in another form than it is used in.
type stored struct {
	values, signing, routes []byte
	plain                   bool
	verify                  string
}

// open is the reverse of seal, and reads the routes and the profile. Its errors
// never quote what was sealed.
func (s Store) open(c tenant.Connection, row stored) (tenant.Connection, error) {
	plain, err := s.Box.Open(row.values, valuesOf(c.ID))
	if err != nil {
		return c, err
	}
	secrets, err := s.Box.Open(row.signing, signingOf(c.ID))
	if err != nil {
		return c, err
	}
	if c.Verify, err = tenant.ParseVerify(row.verify); err != nil {
		return c, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	if row.plain && c.Verify == tenant.VerifyHMAC {
		c.Verify = tenant.VerifyPlain
	}
	c.Values, c.Signing, c.Routes = integration.Values{}, nil, map[string]tenant.ID{}
	var texts []string
	if json.Unmarshal(plain, &c.Values) != nil || json.Unmarshal(secrets, &texts) != nil || json.Unmarshal(row.routes, &c.Routes) != nil {
		return c, fmt.Errorf("connection %s: its values, webhook secrets or routes are not as they were written; set it up again", c.ID)
	}
	for _, text := range texts {
		c.Signing = append(c.Signing, secret.New(text))
	}
	return c, nil
}
