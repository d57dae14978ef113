package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/deskhand/deskhand/shared/secret"
)

// purpose is bound into an encrypted keyset: what else the same key encrypts
// is not taken for one.
var purpose = []byte("deskhand/sealing-key")

// Wrap encrypts a keyset with a key that stays elsewhere, AWS KMS for example.
// What it gives is Tink's encrypted keyset, as JSON on one line: it names the
// ids of its keys, and shows none.
func Wrap(ctx context.Context, json secret.Text, with tink.AEADWithContext) (secret.Text, error) {
	handle, err := read(json)
	if err != nil {
		return secret.Text{}, err
	}
	var b bytes.Buffer
	w := witness{AEADWithContext: with}
	if err := handle.WriteWithContext(ctx, keyset.NewJSONWriter(&b), &w, purpose); err != nil {
		if w.err != nil {
			err = w.err
		}
		return secret.Text{}, fmt.Errorf("keyset: encrypt SEALING_KEY: %w", err)
	}
	return secret.New(b.String()), nil
}

// Unwrap gives the keyset that Wrap encrypted with the same key.
func Unwrap(ctx context.Context, json secret.Text, with tink.AEADWithContext) (secret.Text, error) {
	w := witness{AEADWithContext: with}
	handle, err := keyset.ReadWithContext(ctx, keyset.NewJSONReader(bytes.NewBufferString(json.Reveal())), &w, purpose)
	if w.err != nil {
		return secret.Text{}, fmt.Errorf("keyset: decrypt SEALING_KEY: %w", w.err)
	}
	if err != nil {
		// Tink's error may quote the keyset, so it is not passed on.
		return secret.Text{}, errors.New("keyset: SEALING_KEY is no encrypted Tink keyset in JSON, as SEALING_KMS_KEY wants; make one with: deskhand keygen --kms ARN")
	}
	return write(handle)
}

// witness keeps the error of the key: Tink makes text of it.
type witness struct {
	tink.AEADWithContext
	err error
}

func (w *witness) EncryptWithContext(ctx context.Context, plain, associated []byte) ([]byte, error) {
	sealed, err := w.AEADWithContext.EncryptWithContext(ctx, plain, associated)
	w.err = err
	return sealed, err
}

func (w *witness) DecryptWithContext(ctx context.Context, sealed, associated []byte) ([]byte, error) {
	plain, err := w.AEADWithContext.DecryptWithContext(ctx, sealed, associated)
	w.err = err
	return plain, err
}
