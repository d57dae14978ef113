package tenants

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
)

const sealedSQL = `SELECT id, sealed_values, sealed_signing FROM directory_connections() ORDER BY id`

// Reseal seals again what of the connections does not begin with mark, which
// the key that seals puts before its bytes. It counts what it sealed, and what
// was so already: after an error, it goes on where it is called again. What
// does not open is left as it is, and named in the error. The trail gets the
// event for each tenant of each connection.
func (o Office) Reseal(ctx context.Context, mark []byte, e audit.Event) (done, already int, err error) {
	var ids []string
	var id string
	var values, signing []byte
	err = pgx.BeginTxFunc(ctx, o.DB.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return each(ctx, tx, sealedSQL, []any{&id, &values, &signing}, func() {
			if bytes.HasPrefix(values, mark) && bytes.HasPrefix(signing, mark) {
				already++
				return
			}
			ids = append(ids, id)
		})
	})
	if err != nil {
		return 0, 0, fmt.Errorf("tenants: reseal: %w", err)
	}
	var bad []error
	for _, id := range ids {
		if err := o.reseal(ctx, id, e); err != nil {
			bad = append(bad, err)
			continue
		}
		done++
	}
	if err := errors.Join(bad...); err != nil {
		return done, already, fmt.Errorf("tenants: reseal: %w", err)
	}
	return done, already, nil
}

// reseal writes the connection as it is. Where somebody changes it meanwhile,
// that stands, and the error is admin.ErrConflict.
func (o Office) reseal(ctx context.Context, id string, e audit.Event) error {
	v, err := o.ReadConnection(ctx, id)
	if err != nil {
		return err
	}
	e.Ticket = id
	_, err = o.WriteConnection(ctx, v, e)
	return err
}
