package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
)

// The limits of a body.
const (
	maxBody  = 64 << 10
	maxDepth = 8
)

func bad(format string, args ...any) error {
	return &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// body reads the body, where the operation has one; the others take none.
func body(w http.ResponseWriter, r *http.Request, want bool) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("want at most %d bytes", maxBody)}
	}
	if err != nil {
		return nil, bad("the body did not come whole")
	}
	if !want {
		if len(bytes.TrimSpace(text)) > 0 {
			return nil, bad("this operation takes no body")
		}
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &problem{Status: http.StatusUnsupportedMediaType, Detail: "want Content-Type: application/json"}
	}
	return text, nil
}

// read fills into from the body: one JSON object without fields that into does
// not have, and without any twice.
func (c *call) read(into any) error {
	if err := unique(c.body, reflect.TypeOf(into)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bad("%s", words(err))
	}
	return nil
}

// words says what is wrong without the names of Go types.
func words(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s: not a %s", e.Field, e.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// unique refuses what is no single JSON object, is too deep, or names a field
// twice: readers differ in which of the two they take. into is what the text will
// be read into: "NAME" is the field "name" of a struct, and another key of a map.
func unique(text []byte, into reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if first := bytes.TrimSpace(text); len(first) == 0 || first[0] != '{' {
		return bad("want a JSON object")
	}
	if err := walk(d, 0, into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("want one JSON object and nothing behind it")
	}
	return nil
}

func walk(d *json.Decoder, depth int, into reflect.Type) error {
	token, err := d.Token()
	if err != nil {
		return bad("broken JSON at byte %d", d.InputOffset())
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return bad("the JSON is more than %d deep", maxDepth)
	}
	for into != nil && into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	seen := map[string]bool{}
	for d.More() {
		inner := member(into, "")
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return bad("broken JSON at byte %d", d.InputOffset())
			}
			name, _ := key.(string)
			if into == nil || into.Kind() != reflect.Map {
				name = fold(name)
			}
			if seen[name] {
				return bad("the field %.50q is there twice", key)
			}
			seen[name] = true
			inner = member(into, name)
		}
		if err := walk(d, depth+1, inner); err != nil {
			return err
		}
	}
	_, err = d.Token()
	if err != nil {
		return bad("broken JSON at byte %d", d.InputOffset())
	}
	return nil
}

// fold gives one form to all names that encoding/json takes for the same field.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// member is the type of what lies in a map or list, or in the field of a struct;
// nil where that is not known.
func member(t reflect.Type, name string) reflect.Type {
	switch {
	case t == nil:
		return nil
	case t.Kind() == reflect.Map || t.Kind() == reflect.Slice:
		return t.Elem()
	case t.Kind() == reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" && fold(tag) == name {
				return f.Type
			}
		}
	}
	return nil
}
