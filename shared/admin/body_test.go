package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
)

// FuzzBody gives hostile bodies to the reader of them: it never panics, refuses
// with a problem of the caller's, and what it takes means the same to others.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"id":"acme","name":"Acme","settings":{"sources_off":["history"],"history_days":7}}`, `{"name":"a","name":"b"}`, `{"settings":{"model":"a","model":"b"}}`,
		`[]`, `{`, `{}{}`, `{"name":[[[[[[[[[[]]]]]]]]]]}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", `{"history_days":1e99}`, `null`, `{"id":null}`, ` {} `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b newTenant
		err := (&call{body: text}).read(&b)
		if err != nil {
			if p, ok := errors.AsType[*problem](err); !ok || p.Status != http.StatusBadRequest || p.Detail == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var again newTenant
		if err := json.Unmarshal(text, &again); err != nil || again.ID != b.ID || again.Name != b.Name {
			t.Fatalf("%q was taken as %+v, and is %+v: %v", text, b, again, err)
		}
	})
}
