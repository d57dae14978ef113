// Package keyset opens the Tink keyset that seals tenant credentials and queue
// bodies, and rotates its keys. Wrap and Unwrap are for a keyset that is stored
// encrypted; everything else works on one in the clear.
package keyset

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/deskhand/deskhand/shared/secret"
)

// Open makes a Box from a keyset in Tink's JSON, as New gives it.
func Open(json secret.Text) (secret.Box, error) {
	handle, err := read(json)
	if err != nil {
		return secret.Box{}, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return secret.Box{}, errors.New("keyset: SEALING_KEY has no key for authenticated encryption; make one with: deskhand keygen")
	}
	return secret.Box{AEAD: primitive}, nil
}

// New makes a fresh keyset with one AES-256-GCM key, as JSON on one line.
func New() (secret.Text, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return secret.Text{}, fmt.Errorf("keyset: make a key: %w", err)
	}
	return write(handle)
}

// Add gives the keyset with a new key, which opens and does not seal yet. Once
// every process has it, Rotate has it seal.
func Add(json secret.Text) (secret.Text, error) {
	return change(json, func(m *keyset.Manager, _ *keyset.Handle) error {
		_, err := m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// Rotate gives the keyset with its newest key as the one that seals; where that
// is so already, with a new one. The others stay, to open. A process with the
// keyset of before cannot open what the new key seals, unless Add went before.
func Rotate(json secret.Text) (secret.Text, error) {
	return change(json, func(m *keyset.Manager, h *keyset.Handle) error {
		newest, err := h.Entry(h.Len() - 1)
		if err != nil {
			return err
		}
		id := newest.KeyID()
		if newest.IsPrimary() {
			if id, err = m.Add(aead.AES256GCMKeyTemplate()); err != nil {
				return err
			}
		}
		return m.SetPrimary(id)
	})
}

// Retire gives the keyset with the key that seals, alone. What another sealed
// does not open any more.
func Retire(json secret.Text) (secret.Text, error) {
	return change(json, func(m *keyset.Manager, h *keyset.Handle) error {
		for i := range h.Len() {
			entry, err := h.Entry(i)
			if err != nil {
				return err
			}
			if entry.IsPrimary() {
				continue
			}
			if err := m.Delete(entry.KeyID()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Mark gives what everything begins with that the keyset seals: Tink's prefix,
// which names the key.
func Mark(json secret.Text) ([]byte, error) {
	handle, err := read(json)
	if err != nil {
		return nil, err
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, fmt.Errorf("keyset: find the key that seals: %w", err)
	}
	return binary.BigEndian.AppendUint32([]byte{1}, primary.KeyID()), nil
}

// Derive gives a key of 32 bytes for another purpose, for each key of the keyset,
// that of the one that seals first. A purpose is one line, "feedback links": no
// two purposes have a key in common, and none tells anything of the keyset.
func Derive(json secret.Text, purpose string) ([]secret.Text, error) {
	handle, err := read(json)
	if err != nil {
		return nil, err
	}
	var derived []secret.Text
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("keyset: read key %d: %w", i, err)
		}
		key, ok := entry.Key().(*aesgcm.Key)
		if !ok || entry.KeyStatus() != keyset.Enabled {
			continue // it is none of ours, or it opens nothing
		}
		one, err := hkdf.Key(sha256.New, key.KeyBytes().Data(insecuresecretdataaccess.Token{}), nil, "deskhand "+purpose, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("keyset: derive a key: %w", err)
		}
		if entry.IsPrimary() {
			derived = append([]secret.Text{secret.New(string(one))}, derived...)
		} else {
			derived = append(derived, secret.New(string(one)))
		}
	}
	if len(derived) == 0 {
		return nil, errors.New("keyset: SEALING_KEY has no AES-GCM key to derive from; make one with: deskhand keygen")
	}
	return derived, nil
}

func change(json secret.Text, do func(*keyset.Manager, *keyset.Handle) error) (secret.Text, error) {
	handle, err := read(json)
	if err != nil {
		return secret.Text{}, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := do(manager, handle); err != nil {
		return secret.Text{}, fmt.Errorf("keyset: rotate: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return secret.Text{}, fmt.Errorf("keyset: rotate: %w", err)
	}
	return write(handle)
}

func read(json secret.Text) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewBufferString(json.Reveal())))
	if err != nil {
		// Tink's error may quote the keyset, so it is not passed on.
		return nil, errors.New("keyset: SEALING_KEY is no Tink keyset in JSON; make one with: deskhand keygen. An encrypted one needs SEALING_KMS_KEY")
	}
	return handle, nil
}

func write(handle *keyset.Handle) (secret.Text, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return secret.Text{}, fmt.Errorf("keyset: write the key: %w", err)
	}
	return secret.New(b.String()), nil
}
