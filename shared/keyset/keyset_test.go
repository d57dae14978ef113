package keyset_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tink "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/secret"
)

func TestSealedBytesOpenForTheirSubjectOnly(t *testing.T) {
	t.Parallel()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("hunter2"), "connection/acme")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "hunter2") {
		t.Error("the sealed bytes show the plain text")
	}
	plain, err := box.Open(sealed, "connection/acme")
	if err != nil || string(plain) != "hunter2" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if _, err := box.Open(sealed, "connection/globex"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("another subject opened it: %v", err)
	}
	other, _ := keyset.New()
	otherBox, _ := keyset.Open(other)
	if _, err := otherBox.Open(sealed, "connection/acme"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("another key opened it: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := box.Open(sealed, "connection/acme"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("damaged bytes opened: %v", err)
	}
}

func TestABadKeysetIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "{}", "topsecretvalue", `{"primaryKeyId":1,"key":[]}`, macKeyset(t)} {
		_, err := keyset.Open(secret.New(bad))
		if err == nil || !strings.Contains(err.Error(), "deskhand keygen") {
			t.Errorf("Open(%q) = %v, want an error that names the next step", bad, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error quotes the keyset: %v", err)
		}
	}
}

// macKeyset is a good keyset that cannot encrypt.
func macKeyset(t *testing.T) string {
	t.Helper()
	handle, err := tink.NewHandle(mac.HMACSHA256Tag128KeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, tink.NewJSONWriter(&b)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
