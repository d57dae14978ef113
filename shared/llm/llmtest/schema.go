package llmtest

import (
	"bytes"
	"encoding/json"
	"slices"
)

// check says what is wrong with a response format, as strictly as an endpoint
// with structured outputs does; "" for nothing.
func (f *Format) check() string {
	switch {
	case f == nil, f.Type == "text", f.Type == "json_object":
		return ""
	case f.Type != "json_schema":
		return "the type is not known"
	case f.Schema.Name == "":
		return "json_schema.name is missing"
	case !f.Schema.Strict:
		return "json_schema.strict is not true"
	}
	var s node
	strict := json.NewDecoder(bytes.NewReader(f.Schema.Schema))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&s); err != nil || s.Type != "object" {
		return "json_schema.schema is no schema of an object with the permitted keywords alone"
	}
	return s.check()
}

// node is a schema, with the keywords that a strict endpoint takes.
type node struct {
	Type        any             `json:"type"`
	Description string          `json:"description"`
	Properties  map[string]node `json:"properties"`
	Required    []string        `json:"required"`
	Additional  any             `json:"additionalProperties"`
	Items       *node           `json:"items"`
	MaxItems    int             `json:"maxItems"`
}

func (n node) check() string {
	switch n.Type {
	case "string", "number", "integer", "boolean":
		return ""
	case "array":
		if n.Items == nil {
			return "an array schema has no items"
		}
		return n.Items.check()
	case "object":
	default:
		return "a schema has no type"
	}
	if n.Additional != false {
		return "additionalProperties must be false"
	}
	for name, p := range n.Properties {
		if !slices.Contains(n.Required, name) {
			return "required must have every property: " + name + " is missing"
		}
		if complaint := p.check(); complaint != "" {
			return complaint
		}
	}
	return ""
}
