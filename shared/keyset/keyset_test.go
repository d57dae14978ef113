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

func TestARotationKeepsWhatWasSealedUntilItsKeyRetires(t *testing.T) {
	t.Parallel()
	first, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	old := seal(t, first)
	added := step(t, keyset.Add, first)
	if string(mark(t, added)) != string(mark(t, first)) {
		t.Error("an added key seals at once: processes without it could not open that")
	}
	rotated := step(t, keyset.Rotate, added)
	fresh := seal(t, rotated)
	if string(mark(t, rotated)) == string(mark(t, first)) || !bytes.HasPrefix(fresh, mark(t, rotated)) || !bytes.HasPrefix(old, mark(t, first)) {
		t.Error("the newest key does not seal, or its mark is another")
	}
	for name, key := range map[string]secret.Text{"added": added, "rotated": rotated, "rotated twice": step(t, keyset.Rotate, rotated)} {
		if !opens(t, key, old) || !opens(t, key, fresh) {
			t.Errorf("%s: something does not open", name)
		}
	}
	retired := step(t, keyset.Retire, rotated)
	if opens(t, retired, old) || !opens(t, retired, fresh) {
		t.Error("after the retirement the newest key alone opens")
	}
	if direct := step(t, keyset.Rotate, first); string(mark(t, direct)) == string(mark(t, first)) || !opens(t, direct, old) {
		t.Error("without an added key, a rotation adds one")
	}
}

func TestABadKeysetDoesNotRotate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(secret.Text) (secret.Text, error){"add": keyset.Add, "rotate": keyset.Rotate, "retire": keyset.Retire} {
		if _, err := change(secret.New("topsecret")); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keyset.Mark(secret.Text{}); err == nil {
		t.Error("no keyset has a mark")
	}
}

func step(t *testing.T, change func(secret.Text) (secret.Text, error), key secret.Text) secret.Text {
	t.Helper()
	changed, err := change(key)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func mark(t *testing.T, key secret.Text) []byte {
	t.Helper()
	m, err := keyset.Mark(key)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func seal(t *testing.T, key secret.Text) []byte {
	t.Helper()
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("hunter2"), "connection/acme")
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(t *testing.T, key secret.Text, sealed []byte) bool {
	t.Helper()
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := box.Open(sealed, "connection/acme")
	return err == nil && string(plain) == "hunter2"
}

func TestDerivedKeysOutliveARotation(t *testing.T) {
	t.Parallel()
	first, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	second, err := keyset.Rotate(first)
	if err != nil {
		t.Fatal(err)
	}
	retired, err := keyset.Retire(second)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(json secret.Text, purpose string) (list []string) {
		derived, err := keyset.Derive(json, purpose)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range derived {
			list = append(list, k.Reveal())
		}
		return list
	}
	old, both, fresh := derive(first, "links"), derive(second, "links"), derive(retired, "links")
	if len(old) != 1 || len(old[0]) != 32 || len(both) != 2 || both[1] != old[0] || len(fresh) != 1 || fresh[0] != both[0] || fresh[0] == old[0] {
		t.Errorf("%d, %d, %d keys: want the one that seals first, and the old one until it is retired", len(old), len(both), len(fresh))
	}
	if derive(first, "other")[0] == old[0] {
		t.Error("two purposes have the same key")
	}
	for _, bad := range []string{"", macKeyset(t)} {
		if _, err := keyset.Derive(secret.New(bad), "links"); err == nil || !strings.Contains(err.Error(), "deskhand keygen") {
			t.Errorf("Derive = %v, want an error that names the next step", err)
		}
	}
}
