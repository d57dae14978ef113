// Package keyset opens the Tink keyset that seals tenant credentials and queue
// bodies.
package keyset

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/deskhand/deskhand/shared/secret"
)

// Open makes a Box from a keyset in Tink's JSON, as New gives it.
func Open(json secret.Text) (secret.Box, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewBufferString(json.Reveal())))
	if err != nil {
		// Tink's error may quote the keyset, so it is not passed on.
		return secret.Box{}, fmt.Errorf("keyset: SEALING_KEY is no Tink keyset in JSON; make one with: deskhand keygen")
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return secret.Box{}, fmt.Errorf("keyset: SEALING_KEY has no key for authenticated encryption; make one with: deskhand keygen")
	}
	return secret.Box{AEAD: primitive}, nil
}

// New makes a fresh keyset with one AES-256-GCM key, as JSON on one line.
func New() (secret.Text, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return secret.Text{}, fmt.Errorf("keyset: make a key: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return secret.Text{}, fmt.Errorf("keyset: write the key: %w", err)
	}
	return secret.New(b.String()), nil
}
