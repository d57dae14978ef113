package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/kms"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/secret"
)

// freshKey makes a keyset, encrypted with the KMS key of an ARN; "" for none.
func freshKey(ctx context.Context, arn string) (secret.Text, error) {
	key, err := keyset.New()
	if err != nil {
		return secret.Text{}, err
	}
	return wrap(ctx, key, arn)
}

func wrap(ctx context.Context, key secret.Text, arn string) (secret.Text, error) {
	if arn == "" {
		return key, nil
	}
	with, err := kms.Connect(ctx, arn)
	if err != nil {
		return secret.Text{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, secretsLimit)
	defer cancel()
	return keyset.Wrap(ctx, key, with)
}

// rotate takes one step with the keys of the configuration. The result is
// encrypted with the KMS key of an ARN; "" for that of the configuration.
func rotate(ctx context.Context, load func() (config.Config, error), how cli.Rotation, arn string) (secret.Text, error) {
	cfg, err := load()
	if err != nil {
		return secret.Text{}, err
	}
	if _, err := fill(ctx, &cfg); err != nil {
		return secret.Text{}, err
	}
	step := map[cli.Rotation]func(secret.Text) (secret.Text, error){cli.AddKey: keyset.Add, cli.UseKey: keyset.Rotate, cli.RetireKey: keyset.Retire}[how]
	if step == nil {
		return secret.Text{}, fmt.Errorf("no step %q", how)
	}
	key, err := step(cfg.SealingKey)
	if err != nil {
		return secret.Text{}, err
	}
	return wrap(ctx, key, cmp.Or(arn, cfg.SealingKMSKey))
}

// reseal seals the credentials of all connections under the key that seals.
func (a *App) reseal(ctx context.Context) (cli.Resealed, error) {
	var n cli.Resealed
	mark, err := keyset.Mark(a.Config.SealingKey)
	if err != nil {
		return n, err
	}
	e := audit.Event{Operation: audit.ConnectionChanged, Actor: a.Actor, Status: audit.Success, Correlation: rand.Text()}
	n.Done, n.Already, err = tenants.Office{Store: tenants.Store{DB: a.adminDB, Box: a.Tenants.Box}}.Reseal(ctx, mark, e)
	return n, err
}
