package app

import (
	"context"
	"crypto/rand"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/secret"
)

// rotate takes one step with the keys of the configuration.
func rotate(load func() (config.Config, error), how cli.Rotation) (secret.Text, error) {
	cfg, err := load()
	if err != nil {
		return secret.Text{}, err
	}
	switch how {
	case cli.AddKey:
		return keyset.Add(cfg.SealingKey)
	case cli.RetireKey:
		return keyset.Retire(cfg.SealingKey)
	default:
		return keyset.Rotate(cfg.SealingKey)
	}
}

// reseal seals the credentials of all connections under the key that seals.
func (a *App) reseal(ctx context.Context) (cli.Resealed, error) {
	var n cli.Resealed
	mark, err := keyset.Mark(a.Config.SealingKey)
	if err != nil {
		return n, err
	}
	e := audit.Event{Operation: audit.ConnectionChanged, Actor: a.Actor, Status: audit.Success, Correlation: rand.Text()}
	n.Done, n.Already, err = tenants.Office{Store: tenants.Store{DB: a.desk, Box: a.Tenants.Box}}.Reseal(ctx, mark, e)
	return n, err
}
