// Package secrets_test holds the adapters of Secrets Manager and KMS to their
// promises against servers that this project did not write: `make sqs-test`.
package secrets_test

import (
	"os"
	"testing"

	"github.com/deskhand/deskhand/shared/kms/kmstest"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagertest"
	"github.com/deskhand/deskhand/tests/serverless/moto"
)

func TestMain(m *testing.M) {
	moto.Use()
	os.Exit(m.Run())
}

func TestSecretsManager(t *testing.T) {
	t.Parallel()
	secretsmanagertest.Run(t)
}

func TestKMS(t *testing.T) {
	t.Parallel()
	kmstest.Run(t)
}
