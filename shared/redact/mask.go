package redact

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"strings"
)

// The names under which a Mask counts, and which stand in its placeholders.
const (
	Email = "email"
	Phone = "phone"
)

// Mask drops secrets as Text does, and puts placeholders in the place of
// e-mail addresses and telephone numbers: "[email-1-kwxrtq]". Restore brings
// these back. Take a new one for each attempt: the letters at the end are
// random, so that no text can name a placeholder before it is made. What it
// knows stays in memory; printed or logged, it is its counts. It is not safe
// for concurrent use.
type Mask struct {
	nonce   string
	counts  counter
	places  map[string]string // by value
	values  map[string]string // by placeholder
	pattern *regexp.Regexp    // of the placeholders
	number  map[string]int    // the last one given, by name
}

// NewMask gives a mask that knows nothing yet.
func NewMask() *Mask {
	// Letters alone: with digits, a placeholder could look like a number.
	const letters = "bcdfghjklmnpqrstvwxz"
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	for i, b := range random {
		random[i] = letters[int(b)%len(letters)]
	}
	m := &Mask{nonce: string(random), counts: counter{}, places: map[string]string{}, values: map[string]string{}, number: map[string]int{}}
	m.pattern = regexp.MustCompile(`\[(?:` + Email + `|` + Phone + `)-\d+-` + m.nonce + `\]`)
	return m
}

// Text gives s without secrets, and with a placeholder for each e-mail address
// and telephone number, the same one for the same value. A second pass changes
// nothing. The time it takes is proportional to the length of s.
//
// A number counts as a telephone's where it is written like one ("+49 30
// 1234567", "(030) 1234-567", "555-234-5678") or named one ("Tel. 1234567"). A
// row of digits alone is an identifier, and stays.
func (m *Mask) Text(s string) string {
	s, dropped := Text(s)
	for name, n := range dropped {
		m.counts[name] += n
	}
	return phones(emails(s, m.placeholder(Email)), m.placeholder(Phone))
}

// Restore puts the values back in the place of the placeholders of this mask.
// No value has a quotation mark, a backslash or a control character, so what
// was valid inside a JSON string stays so. Secrets do not come back.
func (m *Mask) Restore(s string) string {
	return m.pattern.ReplaceAllStringFunc(s, func(place string) string {
		if value, ok := m.values[place]; ok {
			return value
		}
		return place
	})
}

// Counts says how many of each were found: secrets, addresses, numbers.
func (m *Mask) Counts() map[string]int { return maps.Clone(m.counts) }

// LogValue implements slog.LogValuer: counts, never a value.
func (m *Mask) LogValue() slog.Value { return slog.AnyValue(m.Counts()) }

// Format implements fmt.Formatter, for every verb: counts, never a value.
func (m *Mask) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, fmt.Sprint(m.Counts())) }

// MarshalJSON implements json.Marshaler: counts, never a value.
func (m *Mask) MarshalJSON() ([]byte, error) { return json.Marshal(m.counts) }

// placeholder counts a value and gives what stands in its place.
func (m *Mask) placeholder(name string) func(string) string {
	return func(value string) string {
		m.counts[name]++
		if place, ok := m.places[value]; ok {
			return place
		}
		m.number[name]++
		place := fmt.Sprintf("[%s-%d-%s]", name, m.number[name], m.nonce)
		m.places[value], m.values[place] = place, value
		return place
	}
}

// Anonymous does what a Mask does for a text that needs no way back, and whose
// placeholders must be the same each time: "[email]", "[phone]". It gives how
// many there were of each: nil for none.
func Anonymous(s string) (clean string, counts map[string]int) {
	c := counter{}
	s = c.credentials(c.cards(s))
	instead := func(name string) func(string) string {
		return func(string) string {
			c[name]++
			return "[" + name + "]"
		}
	}
	s = phones(emails(s, instead(Email)), instead(Phone))
	if len(c) == 0 {
		return s, nil
	}
	return s, c
}

// Visible takes out what a person does not see but a machine reads: control,
// zero-width, bidi and tag characters, variation selectors, broken UTF-8. Line
// ends and tabs stay. Look for secrets after it: a hidden character in the
// middle hides a word from the search, and not from its reader.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
