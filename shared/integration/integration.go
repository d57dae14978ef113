// Package integration describes what can be connected to Deskhand: a ticketing
// tool, an evidence source or a model is a Kind, which says in data which
// fields it asks for and how it is opened. Forms, validation, documentation
// and the conformance suites all range over the same Set.
package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kind is one thing that can be connected.
type Kind[T any] struct {
	Name  string // in the database and in configuration: "servicedesk_plus"
	Path  string // in URLs: "servicedesk"
	Label string // for people: "ServiceDesk Plus"
	Form  []Field
	// Open makes the integration from checked values. It does no I/O.
	Open func(Values, Env) (T, error)
}

// Field is one value that a Kind asks for.
type Field struct {
	Name     string // key in Values
	Label    string // for people
	Help     string // one sentence
	Secret   bool   // masked in forms, never listed
	URL      bool   // must be an absolute http or https URL
	Routes   bool   // says whose a ticket is: for administrators of all tenants alone
	Required bool
	Options  []string // where not empty, the only values allowed
	Default  string   // taken where no value is given
}

// Values are what was filled in for the fields of a Kind. They contain
// secrets, are sealed as one text in the database, and cannot be printed.
type Values map[string]string

// Format implements fmt.Formatter: it prints the names, never the values.
func (v Values) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.names()) }

// LogValue implements slog.LogValuer: it logs the names, never the values.
func (v Values) LogValue() slog.Value { return slog.StringValue(v.names()) }

// Sealable gives the values as JSON, for sealing and nothing else.
func (v Values) Sealable() ([]byte, error) { return json.Marshal(map[string]string(v)) }

func (v Values) names() string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return "values[" + strings.Join(names, " ") + "]"
}

// Env is what an opened integration may use of the process around it.
type Env struct {
	HTTP   *http.Client     // for every outgoing call; times out, refuses redirects; never nil
	Tokens Tokens           // access tokens shared by all processes
	Now    func() time.Time // the clock
	// Wait blocks until the connection may make one more call, or returns the
	// context's error. Nil means no limit.
	Wait func(context.Context) error
	// Key names the connection, for tokens and logs.
	Key string
}

// Tokens keeps short-lived access tokens that several processes share.
type Tokens interface {
	// Token gives the cached token for key, or calls fetch once, however many
	// ask, and keeps its answer for the time that fetch returns.
	Token(ctx context.Context, key string, fetch func(context.Context) (string, time.Duration, error)) (string, error)
	// Drop forgets a token that the other side refused. A newer one, which is
	// kept for key meanwhile, stays.
	Drop(ctx context.Context, key, token string)
}

// Set is the explicit list of everything of one sort that can be connected.
type Set[T any] []Kind[T]

// ErrUnknownKind says that no Kind of a Set has the given name.
var ErrUnknownKind = errors.New("unknown integration")

// Find gives the kind with this name or path.
func (s Set[T]) Find(name string) (Kind[T], error) {
	for _, k := range s {
		if k.Name == name || k.Path == name {
			return k, nil
		}
	}
	return Kind[T]{}, fmt.Errorf("%q: %w (have %s)", name, ErrUnknownKind, s.names())
}

// Check reports every kind without a name, path, label, form or Open, and
// every name used twice. A process does not start with a set that fails.
func (s Set[T]) Check() error {
	var errs []error
	seen := map[string]bool{}
	for i, k := range s {
		if k.Name == "" || k.Path == "" || k.Label == "" || len(k.Form) == 0 || k.Open == nil {
			errs = append(errs, fmt.Errorf("integration %d (%q): name, path, label, form and open are all required", i, k.Name))
		}
		for _, name := range slices.Compact([]string{k.Name, k.Path}) {
			if seen[name] {
				errs = append(errs, fmt.Errorf("integration %q: the name is used twice", name))
			}
			seen[name] = true
		}
	}
	return errors.Join(errs...)
}

// Fill returns values with the defaults of the form put in, or an error that
// names every field that is missing, unknown or malformed.
func (k Kind[T]) Fill(values Values) (Values, error) {
	filled := Values{}
	var errs []error
	for _, f := range k.Form {
		value := strings.TrimSpace(values[f.Name])
		if value == "" {
			value = f.Default
		}
		if err := f.check(value); err != nil {
			errs = append(errs, err)
		}
		if value != "" {
			filled[f.Name] = value
		}
	}
	for name := range values {
		if !slices.ContainsFunc(k.Form, func(f Field) bool { return f.Name == name }) {
			errs = append(errs, fmt.Errorf("%s: %s has no such field", name, k.Label))
		}
	}
	return filled, errors.Join(errs...)
}

func (f Field) check(value string) error {
	if value == "" {
		if f.Required {
			return fmt.Errorf("%s: required (%s)", f.Name, f.Label)
		}
		return nil
	}
	if len(f.Options) > 0 && !slices.Contains(f.Options, value) {
		return fmt.Errorf("%s: want one of %s", f.Name, strings.Join(f.Options, ", "))
	}
	if f.URL {
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
			return fmt.Errorf("%s: want an absolute http or https URL without a password in it", f.Name)
		}
	}
	return nil
}

func (s Set[T]) names() string {
	names := make([]string, len(s))
	for i, k := range s {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}
