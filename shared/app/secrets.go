package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/kms"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager"
)

// secretsLimit is what a start waits for all secrets together, and again for
// the key that opens the keyset.
const secretsLimit = 3 * time.Second

// vault is what this process has read from AWS. The zero value has read
// nothing, and has no client.
type vault struct {
	secrets  *secretsmanager.Client
	findings []doctor.Finding // of each of SECRETS
}

// login is a secret that belongs into a URL.
type login struct {
	secret, variable string
	url              *secret.Text

	user     string
	password secret.Text
	err      error
}

// appLogin and the next three are those of the configuration.
func appLogin(c *config.Config) login {
	return login{secret: c.DatabaseSecret, variable: "DATABASE_URL", url: &c.DatabaseURL}
}

func ownerLogin(c *config.Config) login {
	return login{secret: c.DatabaseOwnerSecret, variable: "DATABASE_OWNER_URL", url: &c.DatabaseOwnerURL}
}

func adminLogin(c *config.Config) login {
	return login{secret: c.DatabaseAdminSecret, variable: "DATABASE_ADMIN_URL", url: &c.DatabaseAdminURL}
}

func redisLogin(c *config.Config) login {
	return login{secret: c.RedisSecret, variable: "REDIS_URL", url: &c.RedisURL}
}

// fill reads what the configuration keeps in AWS, and puts it where it would
// be without AWS: the secrets of SECRETS, those of the logins, and the keyset
// decrypted. Where it names none, there is no call and no client. The error
// has everything that is missing.
func fill(ctx context.Context, cfg *config.Config, logins ...login) (vault, error) {
	v, err := readSecrets(ctx, cfg, logins...)
	return v, errors.Join(err, openSealingKey(ctx, cfg))
}

func readSecrets(ctx context.Context, cfg *config.Config, logins ...login) (v vault, err error) {
	names := cfg.SecretNames()
	logins = slices.DeleteFunc(logins, func(l login) bool { return l.secret == "" })
	if len(names)+len(logins) == 0 {
		return v, nil
	}
	if v.secrets, err = secretsmanager.Connect(ctx); err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, secretsLimit)
	defer cancel()
	var wg sync.WaitGroup
	objects := make([]map[string]secret.Text, len(names))
	errs := make([]error, len(names))
	for i, name := range names {
		wg.Go(func() { objects[i], errs[i] = v.secrets.Object(ctx, name) })
	}
	for i := range logins {
		wg.Go(func() { logins[i].read(ctx, v.secrets) })
	}
	wg.Wait()
	for i, name := range names {
		v.findings = append(v.findings, filled(name, cfg.Fill(objects[i])))
	}
	for _, l := range logins {
		errs = append(errs, l.put())
	}
	return v, errors.Join(errs...)
}

// read asks for user and password.
func (l *login) read(ctx context.Context, from *secretsmanager.Client) {
	l.user, l.password, l.err = from.Login(ctx, l.secret)
}

// put writes them into the URL. That a URL is missing is for Check to say.
func (l *login) put() error {
	if l.err != nil || l.url.Empty() {
		return l.err
	}
	url, err := config.WithLogin(l.variable, *l.url, l.user, l.password)
	if err == nil {
		*l.url = url
	}
	return err
}

// filled tells of the secret what nobody reads.
func filled(name string, unknown []string) doctor.Finding {
	if len(unknown) > 0 {
		return doctor.Finding{Subject: name, Warn: true, Said: "no variable that may be secret, so nobody reads them: " + strings.Join(unknown, ", ")}
	}
	return doctor.Finding{Subject: name, Said: "is read"}
}

// openSealingKey decrypts the keyset, where it is encrypted.
func openSealingKey(ctx context.Context, cfg *config.Config) error {
	if cfg.SealingKMSKey == "" || cfg.SealingKey.Empty() {
		return nil
	}
	key, err := kms.Connect(ctx, cfg.SealingKMSKey)
	if err != nil {
		return fmt.Errorf("SEALING_KMS_KEY: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, secretsLimit)
	defer cancel()
	cfg.SealingKey, err = keyset.Unwrap(ctx, cfg.SealingKey, key)
	return err
}

// credentials are those of a secret, for when the server refuses what was read
// at the start; nil where the secret has no name.
func (v vault) credentials(name string) postgres.Credentials {
	if name == "" {
		return nil
	}
	return func(ctx context.Context) (string, secret.Text, error) { return v.secrets.Login(ctx, name) }
}

// secretsRead is doctor's check. That they can be read is proved by the
// process, which does not start without.
func (a *App) secretsRead(context.Context) []doctor.Finding {
	findings := slices.Clone(a.vault.findings)
	if a.Config.SealingKMSKey != "" {
		findings = append(findings, doctor.Finding{Subject: "SEALING_KMS_KEY", Said: "opens SEALING_KEY"})
	}
	for _, name := range []string{a.Config.DatabaseSecret, a.Config.DatabaseAdminSecret, a.Config.RedisSecret} {
		if name != "" {
			findings = append(findings, doctor.Finding{Subject: name, Said: "is read"})
		}
	}
	if len(findings) == 0 {
		findings = append(findings, doctor.Finding{Said: "none in AWS: all are in the environment"})
	}
	return findings
}
