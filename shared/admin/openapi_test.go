package admin_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/tenant"
)

var update = flag.Bool("update", false, "write openapi.json again")

type object = map[string]any

// TestGoldenOpenAPIIsFresh makes the description from the table of routes and the
// types that go over the wire: what is served is what is done.
func TestGoldenOpenAPIIsFresh(t *testing.T) {
	t.Parallel()
	made, err := json.MarshalIndent(describe(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", made, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(made)); diff != "" {
		t.Errorf("openapi.json is not fresh; go test ./shared/admin -update writes it:\n%s", diff)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.call(t, w.token(t, access.Viewer), "GET /openapi.json", nil).want(t, 200)
	if got.body["openapi"] != "3.1.0" || len(got.body["paths"].(object)) < 10 {
		t.Errorf("served %.200s", got.text)
	}
}

func describe() object {
	paths := object{}
	for _, r := range admin.Routes() {
		path, _ := paths[r.Path].(object)
		if path == nil {
			path = object{}
			paths[r.Path] = path
		}
		path[strings.ToLower(r.Method)] = operation(r)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Deskhand admin API", "version": "1",
			"description": "Tenants, their connections, and the tokens of this API. Every operation names the role that it needs; what you may not know of is 404.",
		},
		"servers": []object{{"url": admin.Base}},
		"paths":   paths,
		"components": object{
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "description": "An API token, or a token of the OpenID Connect issuer."}},
			"schemas":         object{"Problem": problem},
		},
	}
}

var problem = object{
	"type": "object", "description": "RFC 9457", "required": []string{"type", "title", "status", "instance"},
	"properties": object{
		"type": object{"type": "string"}, "title": object{"type": "string"}, "status": object{"type": "integer"},
		"detail":   object{"type": "string", "description": "What is wrong, and what to do."},
		"instance": object{"type": "string", "description": "The id of the request, as in the log."},
	},
}

func operation(r admin.Route) object {
	success := object{"description": "Done."}
	if r.Answer != nil {
		success["content"] = object{"application/json": object{"schema": schema(reflect.TypeOf(r.Answer))}}
	}
	o := object{
		"operationId": r.Name, "summary": r.Summary, "x-role": r.Need.String(), "x-scope": string(r.Scope),
		"description": "Role: " + r.Need.String() + ".", "security": []object{{"bearer": []string{r.Need.String()}}},
		"responses": object{
			strconv.Itoa(r.Status): success,
			"default":              object{"description": "Why not.", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}},
		},
	}
	var parameters []object
	for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(r.Path, -1) {
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	if r.Lock {
		parameters = append(parameters, object{"name": "If-Match", "in": "header", "required": true, "schema": object{"type": "string"}, "description": "The ETag of what you read; 412 where it changed meanwhile."})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if r.Body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schema(reflect.TypeOf(r.Body))}}}
	}
	return o
}

// schema describes a Go type as JSON Schema.
func schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[access.Role]():
		return object{"type": "string", "enum": []string{"none", "viewer", "operator", "admin"}}
	case t == reflect.TypeFor[tenant.Verify]():
		var names []string
		for _, v := range tenant.Verifies {
			names = append(names, v.String())
		}
		return object{"type": "string", "enum": names}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Struct:
		properties := object{}
		required := fields(t, properties)
		o := object{"type": "object", "properties": properties, "additionalProperties": false}
		if len(required) > 0 {
			slices.Sort(required)
			o["required"] = required
		}
		return o
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	}
	return object{}
}

// fields adds the fields of a struct, those of embedded ones too, and gives
// those that must be there.
func fields(t reflect.Type, properties object) (required []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			required = append(required, fields(f.Type, properties)...)
			continue
		}
		p := schema(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		properties[name] = p
		if f.Tag.Get("need") != "" {
			required = append(required, name)
		}
	}
	return required
}
