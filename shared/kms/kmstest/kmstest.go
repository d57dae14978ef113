// Package kmstest holds kms.Key to its promises, on whatever server the AWS
// SDK's own variables lead to, and the keysets that it encrypts.
package kmstest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	aws "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/kms"
	"github.com/deskhand/deskhand/shared/secret"
)

// Create makes a key, and gives it and its ARN.
func Create(t testing.TB) (key *kms.Key, arn string) {
	t.Helper()
	c, err := config.LoadDefaultConfig(t.Context())
	must(t, err)
	out, err := aws.NewFromConfig(c).CreateKey(t.Context(), &aws.CreateKeyInput{})
	must(t, err)
	key, err = kms.Connect(t.Context(), *out.KeyMetadata.Arn)
	must(t, err)
	return key, *out.KeyMetadata.Arn
}

// Run runs the suite.
func Run(t *testing.T) {
	t.Helper()
	for name, test := range map[string]func(*testing.T){
		"what one key encrypts, it opens for the same context only": bindsKeyAndContext,
		"a key that is not there is named":                          namesTheKey,
		"a keyset is encrypted, rotated and opened":                 wrapsKeysets,
		"a keyset of another key is refused":                        refusesOtherKeysets,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t) })
	}
}

func bindsKeyAndContext(t *testing.T) {
	key, arn := Create(t)
	other, _ := Create(t)
	sealed, err := key.EncryptWithContext(t.Context(), []byte("hunter2"), []byte("keyset"))
	if err != nil || bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if plain, err := key.DecryptWithContext(t.Context(), sealed, []byte("keyset")); err != nil || string(plain) != "hunter2" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := key.DecryptWithContext(t.Context(), sealed, []byte("another")); err == nil || !strings.Contains(err.Error(), arn) {
		t.Errorf("another context opens it: %v", err)
	}
	if _, err := other.DecryptWithContext(t.Context(), sealed, []byte("keyset")); err == nil || !strings.Contains(err.Error(), "another KMS key") {
		t.Errorf("another key opens it: %v", err)
	}
	if _, err := key.DecryptWithContext(t.Context(), sealed[:len(sealed)-1], []byte("keyset")); err == nil {
		t.Error("damaged bytes open")
	}
}

func namesTheKey(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
	key, err := kms.Connect(t.Context(), arn)
	must(t, err)
	if _, err := key.EncryptWithContext(t.Context(), []byte("hunter2"), nil); err == nil || !strings.Contains(err.Error(), arn) || !strings.Contains(err.Error(), "no such key") {
		t.Error(err)
	}
}

func wrapsKeysets(t *testing.T) {
	key, _ := Create(t)
	first, err := keyset.New()
	must(t, err)
	stored := wrap(t, key, first)
	if strings.Contains(stored.Reveal(), `"value"`) || !strings.Contains(stored.Reveal(), `"encryptedKeyset"`) {
		t.Error("the keyset is in the clear")
	}
	old, err := open(t, key, stored).Seal([]byte("hunter2"), "connection/acme")
	must(t, err)
	for _, step := range []func(secret.Text) (secret.Text, error){keyset.Add, keyset.Rotate} {
		plain, err := keyset.Unwrap(t.Context(), stored, key)
		must(t, err)
		plain, err = step(plain)
		must(t, err)
		stored = wrap(t, key, plain)
		if plain, err := open(t, key, stored).Open(old, "connection/acme"); err != nil || string(plain) != "hunter2" {
			t.Errorf("%q, %v", plain, err)
		}
	}
}

func refusesOtherKeysets(t *testing.T) {
	key, _ := Create(t)
	other, _ := Create(t)
	plain, err := keyset.New()
	must(t, err)
	if _, err := keyset.Unwrap(t.Context(), wrap(t, key, plain), other); err == nil || !strings.Contains(err.Error(), "another KMS key") {
		t.Errorf("another key opens it: %v", err)
	}
	for _, bad := range []string{plain.Reveal(), "hunter2", ""} {
		if _, err := keyset.Unwrap(t.Context(), secret.New(bad), key); err == nil || !strings.Contains(err.Error(), "keygen --kms") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	if _, err := keyset.Open(wrap(t, key, plain)); err == nil || !strings.Contains(err.Error(), "SEALING_KMS_KEY") {
		t.Errorf("an encrypted keyset opens without its key: %v", err)
	}
}

func wrap(t *testing.T, key *kms.Key, plain secret.Text) secret.Text {
	t.Helper()
	stored, err := keyset.Wrap(t.Context(), plain, key)
	must(t, err)
	return stored
}

func open(t *testing.T, key *kms.Key, stored secret.Text) secret.Box {
	t.Helper()
	plain, err := keyset.Unwrap(t.Context(), stored, key)
	must(t, err)
	box, err := keyset.Open(plain)
	must(t, err)
	return box
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
