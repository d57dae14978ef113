// Package tenants keeps the tenants and their connections in Postgres, with
// credentials sealed, and gives each process the directory of them all.
package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store reads tenants and connections; Office writes them. It is safe for
// concurrent use.
type Store struct {
	DB  *postgres.DB
	Box secret.Box
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

// open is the reverse of seal, and reads the routes and the profile. Where it
// fails, what it gives has its routes, and the profile where that is known, but
// neither values nor secrets. Its errors never quote what was sealed.
func (s Store) open(c tenant.Connection, row stored) (tenant.Connection, error) {
	c.Values, c.Signing, c.Routes, c.Verify = integration.Values{}, nil, map[string]tenant.ID{}, tenant.VerifyHMAC
	if err := json.Unmarshal(row.routes, &c.Routes); err != nil {
		return c, fmt.Errorf("connection %s: its routes are not as they were written", c.ID)
	}
	verify, err := tenant.ParseVerify(row.verify)
	if err != nil {
		return c, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	if c.Verify = verify; row.plain && verify == tenant.VerifyHMAC {
		c.Verify = tenant.VerifyPlain
	}
	plain, err := s.Box.Open(row.values, valuesOf(c.ID))
	if err != nil {
		return c, err
	}
	secrets, err := s.Box.Open(row.signing, signingOf(c.ID))
	if err != nil {
		return c, err
	}
	values := integration.Values{}
	var texts []string
	if json.Unmarshal(plain, &values) != nil || json.Unmarshal(secrets, &texts) != nil {
		return c, fmt.Errorf("connection %s: its values or webhook secrets are not as they were written; set it up again", c.ID)
	}
	c.Values = values
	for _, text := range texts {
		c.Signing = append(c.Signing, secret.New(text))
	}
	return c, nil
}
