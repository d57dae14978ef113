package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/queue/river"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager"
	"github.com/deskhand/deskhand/shared/telemetry"
)

// MainMigrate is the whole of the process that migrates: once, or in Lambda
// for each invocation. It ends the process with status 1 and one message where
// that fails.
func MainMigrate() {
	ctx, stop := host.Signals(context.Background())
	defer stop()
	if err := migrate(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "deskhand migrate:", err)
		os.Exit(1) //nolint:gocritic // the process ends: nothing is left to stop
	}
}

func migrate(ctx context.Context) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	if !cfg.InLambda() {
		applied, err := Migrate(ctx, cfg)
		if err == nil {
			fmt.Fprintf(os.Stdout, "deskhand migrate: %d migrations applied, the schema is up to date\n", applied)
		}
		return err
	}
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: "migrate", Level: cfg.LogLevel, Format: cfg.LogFormat, Out: os.Stdout, CloudWatch: true})
	if err != nil {
		return err
	}
	return host.Lambda{Any: migration(cfg), Flush: tel.Flush, Log: tel.Log}.Serve(ctx)
}

// migration migrates for any event, and answers {"applied":n}. Each invocation
// reads the secrets anew: between two of them a password may have changed.
func migration(cfg config.Config) func(context.Context, []byte) ([]byte, error) {
	return func(ctx context.Context, _ []byte) ([]byte, error) {
		applied, err := Migrate(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]int{"applied": applied})
	}
}

// Migrate brings the installation to this version: the schema as its owner, the
// queue's own schema, a login for the roles that the other URLs name, and
// on AWS a sealing key where there is none. It returns how many migrations were
// applied. It may be run again, and by several processes at once.
func Migrate(ctx context.Context, cfg config.Config) (int, error) {
	if err := makeSealingKey(ctx, cfg); err != nil {
		return 0, err
	}
	if _, err := readSecrets(ctx, &cfg, appLogin(&cfg), adminLogin(&cfg), ownerLogin(&cfg)); err != nil {
		return 0, err
	}
	if cfg.DatabaseOwnerURL.Empty() {
		return 0, errors.New("DATABASE_OWNER_URL: required: the URL of Postgres as the owner of the schema")
	}
	owner := cfg.DatabaseOwnerURL.Reveal()
	applied, err := postgres.Migrate(ctx, owner)
	if err != nil {
		return applied, err
	}
	var logins []string
	for _, url := range []secret.Text{cfg.DatabaseURL, cfg.DatabaseAdminURL} {
		if !url.Empty() {
			logins = append(logins, url.Reveal())
		}
	}
	if !cfg.DatabaseQueueURL.Empty() {
		logins = append(logins, cfg.DatabaseQueueURL.Reveal())
		if err := river.Migrate(ctx, owner); err != nil {
			return applied, err
		}
	}
	return applied, postgres.EnsureLogin(ctx, owner, logins...)
}

// makeSealingKey makes a keyset, encrypts it and puts it into the first secret
// of SECRETS, where SEALING_KMS_KEY is given and nothing has one yet. Of
// several processes at once, one does.
func makeSealingKey(ctx context.Context, cfg config.Config) error {
	names := cfg.SecretNames()
	if cfg.SealingKMSKey == "" || !cfg.SealingKey.Empty() || len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*secretsLimit) // all one after the other, once in the life of an installation
	defer cancel()
	secrets, err := secretsmanager.Connect(ctx)
	if err != nil {
		return err
	}
	for i, name := range names {
		object, err := secrets.Object(ctx, name)
		if err != nil && (i > 0 || !errors.Is(err, secretsmanager.ErrMissing)) {
			return err
		}
		if sealing := object["SEALING_KEY"]; !sealing.Empty() {
			return nil
		}
	}
	key, err := freshKey(ctx, cfg.SealingKMSKey)
	if err != nil {
		return err
	}
	_, err = secrets.Add(ctx, names[0], "SEALING_KEY", key)
	return err
}
