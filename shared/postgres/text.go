package postgres

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Text makes a text that Postgres takes: it has no NUL characters and only
// valid UTF-8. Whatever comes from a tool, a model or an upstream's error goes
// through it, for one bad byte must not keep a record from being written.
func Text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// maxAccount is what an index takes, in four bytes a character, with room.
const maxAccount = 500

// Account makes the tool's own account storable, without other changes than
// that: routes are compared with it. At most 500 characters; no route has more.
func Account(s string) string {
	s = Text(s)
	n := 0
	for i := range s {
		if n == maxAccount {
			return s[:i]
		}
		n++
	}
	return s
}

// JSON encodes v for a jsonb column, without NUL characters, which jsonb
// does not take.
func JSON(v any) ([]byte, error) {
	encoded, err := json.Marshal(v)
	if err != nil || !bytes.Contains(encoded, []byte(`\u0000`)) {
		return encoded, err
	}
	clean := make([]byte, 0, len(encoded))
	for i := 0; i < len(encoded); i++ {
		switch {
		case bytes.HasPrefix(encoded[i:], []byte(`\u0000`)):
			i += len(`\u0000`) - 1
		case encoded[i] == '\\': // with what it escapes: a second backslash begins nothing
			clean = append(clean, encoded[i], encoded[i+1])
			i++
		default:
			clean = append(clean, encoded[i])
		}
	}
	return clean, nil
}
