// Package secret keeps credentials out of sight: Text is a string that cannot
// be printed by accident, and Box seals bytes for the database and the queue.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// hidden is what every attempt to print a Text shows.
const hidden = "[secret]"

// Text is a credential. Whatever prints, logs or marshals it shows "[secret]";
// only Reveal gives the value, so a leak is one word to search for. The value
// is behind a pointer because fmt prints the unexported fields of other structs
// without asking their methods.
type Text struct{ value *string }

// New wraps a credential.
func New(value string) Text { return Text{&value} }

// Reveal gives the credential itself. Call it where it is sent or compared,
// nowhere else.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Empty tells whether there is no credential.
func (t Text) Empty() bool { return t.Reveal() == "" }

// String implements fmt.Stringer and hides the value.
func (t Text) String() string { return hidden }

// Format implements fmt.Formatter, so that no verb (%q, %x, %#v) prints the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer and hides the value.
func (t Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the value in JSON and every other text encoding.
func (t Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText reads a credential, from an environment variable for example.
func (t *Text) UnmarshalText(b []byte) error {
	*t = New(string(b))
	return nil
}

// ErrSealed says that sealed bytes could not be opened: another key sealed
// them, they belong to another subject, or they were changed.
var ErrSealed = errors.New("sealed with another key, for another subject, or damaged")

// AEAD is authenticated encryption as Tink defines it.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Box seals and opens bytes. The subject ("connection/acme") is bound into the
// seal: bytes sealed for one subject do not open for another.
type Box struct{ AEAD AEAD }

// Seal encrypts plain for subject.
func (b Box) Seal(plain []byte, subject string) ([]byte, error) {
	sealed, err := b.AEAD.Encrypt(plain, []byte(subject))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", subject, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same subject, or returns ErrSealed.
func (b Box) Open(sealed []byte, subject string) ([]byte, error) {
	plain, err := b.AEAD.Decrypt(sealed, []byte(subject))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", subject, ErrSealed)
	}
	return plain, nil
}
