// Package kmsfake is a small AWS KMS in memory, over HTTP: CreateKey, Encrypt
// and Decrypt in the JSON protocol that the AWS SDKs speak. What it encrypts
// opens with the same key and the same encryption context only, for it is
// AES-256-GCM with both bound in. It checks no signature and knows no aliases,
// grants, policies or rotation.
package kmsfake

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/deskhand/deskhand/shared/awsfake"
)

// maxPlain is what one call encrypts, in bytes.
const maxPlain = 4096

// Server is one account in one region. It is an http.Handler; the zero value
// has no keys.
type Server struct {
	// Fault is asked before every call, by operation ("Decrypt"). Where it gives
	// an error, that is the answer. Set it before use; it may run concurrently.
	Fault func(operation string) *Error

	mu   sync.Mutex
	keys map[string]cipher.AEAD // by ARN
}

// Error is an answer that is one, as KMS gives it.
type Error = awsfake.Error

// call is a request: the fields of every operation in one.
type call struct {
	KeyID             string            `json:"KeyId"` // id or ARN
	Plaintext         []byte            `json:"Plaintext"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

// bound is what belongs to a ciphertext: the key, and the encryption context
// in the order of its names.
func (c call) bound(arn string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(c.EncryptionContext)) {
		fmt.Fprintf(&b, "%q=%q,", name, c.EncryptionContext[name])
	}
	return append(b.Bytes(), arn...)
}

// object is a JSON object.
type object = map[string]any

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, fault := s.answer(strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService."), r)
	awsfake.Write(w, "1.1", answer, fault)
}

func (s *Server) answer(operation string, r *http.Request) (object, *Error) {
	if s.Fault != nil {
		if fault := s.Fault(operation); fault != nil {
			return nil, fault
		}
	}
	var c call
	if fault := awsfake.Read(r, 1<<20, &c); fault != nil {
		return nil, fault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch operation {
	case "CreateKey":
		return s.create()
	case "Encrypt":
		return s.encrypt(c)
	case "Decrypt":
		return s.decrypt(c)
	}
	return nil, &Error{Code: "UnknownOperationException", Message: fmt.Sprintf("%.100q is not one of this server's", operation)}
}

func (s *Server) create() (object, *Error) {
	material := make([]byte, 32)
	_, _ = rand.Read(material) // never fails
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, internal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, internal(err)
	}
	id := uuid.NewString()
	arn := "arn:aws:kms:eu-west-1:000000000000:key/" + id
	if s.keys == nil {
		s.keys = map[string]cipher.AEAD{}
	}
	s.keys[arn] = gcm
	return object{"KeyMetadata": object{"KeyId": id, "Arn": arn, "Enabled": true, "KeyState": "Enabled"}}, nil
}

func internal(err error) *Error {
	return &Error{Status: http.StatusInternalServerError, Code: "KMSInternalException", Message: err.Error()}
}

func (s *Server) encrypt(c call) (object, *Error) {
	arn, key := s.find(c.KeyID)
	switch {
	case key == nil:
		return nil, unknown(c.KeyID)
	case len(c.Plaintext) == 0 || len(c.Plaintext) > maxPlain:
		return nil, &Error{Code: "ValidationException", Message: "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"}
	}
	// As in AWS, the ciphertext tells which key it needs.
	blob := append([]byte(arn+"\x00"), key.Seal(nil, nil, c.Plaintext, c.bound(arn))...) //nolint:gosec // this AEAD makes its own nonce
	return object{"CiphertextBlob": blob, "KeyId": arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}

func (s *Server) decrypt(c call) (object, *Error) {
	if len(c.CiphertextBlob) == 0 {
		return nil, &Error{Code: "ValidationException", Message: "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length greater than or equal to 1"}
	}
	name, sealed, ok := bytes.Cut(c.CiphertextBlob, []byte{0})
	arn, key := s.find(string(name))
	if !ok || key == nil {
		return nil, &Error{Code: "InvalidCiphertextException"}
	}
	if c.KeyID != "" {
		switch wanted, there := s.find(c.KeyID); {
		case there == nil:
			return nil, unknown(c.KeyID)
		case wanted != arn:
			return nil, &Error{Code: "IncorrectKeyException", Message: "The key ID in the request does not identify a CMK that can perform this operation."}
		}
	}
	plain, err := key.Open(nil, nil, sealed, c.bound(arn))
	if err != nil {
		return nil, &Error{Code: "InvalidCiphertextException"}
	}
	return object{"Plaintext": plain, "KeyId": arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}

// find gives a key by its id or ARN; nil where there is none.
func (s *Server) find(id string) (arn string, key cipher.AEAD) {
	for arn, key := range s.keys {
		if arn == id || strings.HasSuffix(arn, "key/"+id) {
			return arn, key
		}
	}
	return "", nil
}

func unknown(id string) *Error {
	return &Error{Code: "NotFoundException", Message: "Key '" + id + "' does not exist"}
}
