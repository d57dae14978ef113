package servicedeskplus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Event reads a webhook whose keys are ours and whose values the product puts
// in: ticket_id (or request_id), tenant_id (or tenant), account, subject,
// description, priority, client, resolution, resolved_date and event, as JSON,
// as a form, or as JSON in the field payload or input_data of a form. Only the
// ticket id is required. Other keys are ignored, and so is a variable that the
// product left empty.
//
// The product does not escape what it puts in, so that a quote in a
// description breaks the JSON. Unless d.Strict, what stands before the break
// is taken, if the ticket id is there: put it first.
func (t *tool) Event(d ticketing.Delivery) (ticketing.Announcement, error) {
	told, problem := parse(d)
	r := reader{told: told, strict: d.Strict}
	a := ticketing.Announcement{
		Key:     r.number("ticket_id", "request_id"),
		Tenant:  r.name(63, "tenant_id", "tenant"),
		Account: r.name(200, "account"),
		Told: ticket.Told{
			Subject:     r.text(250, line, "subject"),
			Description: r.text(maxText, clean, "description"),
			Priority:    r.text(50, line, "priority"),
			Client:      r.text(200, line, "client"),
			Resolution:  r.text(maxText, clean, "resolution"),
			Resolved:    r.date("resolved_date"),
		},
	}
	r.name(100, "event")
	if problem != "" && (d.Strict || a.Key == "") {
		return ticketing.Announcement{}, &ticketing.InvalidError{Reasons: []ticketing.Reason{{Field: "body", Problem: problem}}}
	}
	if len(r.reasons) > 0 {
		return ticketing.Announcement{}, &ticketing.InvalidError{Reasons: r.reasons}
	}
	return a, nil
}

// maxText is the limit of the stories for a description.
const maxText = 10_000

// value is one value of a delivery. Its sort is "text", "number", or the name
// of what it should not be; nothing for a variable that was left empty.
type value struct{ sort, text string }

// told has every value of every key, in order: a key that stands there twice
// with different values is suspicious.
type told map[string][]value

func (m told) add(key string, v value) {
	if v.sort == "text" && empty.MatchString(clean(v.text)) {
		v = value{}
	}
	m[key] = append(m[key], v)
}

// empty is what the product may put in for a variable without a value.
var empty = regexp.MustCompile(`^(?i:|null|-|\$\{?[a-z_][\w.]*\}?)$`)

// parse reads the body. The problem is a sentence; what was read before it
// is given too.
func parse(d ticketing.Delivery) (told, string) {
	media, _, _ := mime.ParseMediaType(d.Header.Get("Content-Type"))
	switch cmp.Or(media, "application/json") {
	case "application/json", "text/json", "text/plain":
		return parseJSON(d.Body)
	case "application/x-www-form-urlencoded":
		return parseForm(d.Body)
	}
	return nil, fmt.Sprintf("content type %.100q is not understood: send application/json or application/x-www-form-urlencoded", media)
}

func parseForm(body []byte) (told, string) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, "is not a well-formed form: " + err.Error()
	}
	for _, whole := range []string{"payload", "input_data"} {
		if form.Has(whole) {
			return parseJSON([]byte(form.Get(whole)))
		}
	}
	m := told{}
	for key, values := range form {
		for _, v := range values {
			m.add(key, value{"text", v})
		}
	}
	return m, ""
}

func parseJSON(body []byte) (told, string) {
	m := told{}
	const broken = "is not well-formed JSON: "
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if first, err := d.Token(); err != nil {
		return m, broken + err.Error()
	} else if first != json.Delim('{') {
		return m, "is not a JSON object"
	}
	var name string
	for d.More() {
		key, err := d.Token()
		if err != nil { // the value before it ended where it should not
			delete(m, name)
			return m, broken + err.Error()
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return m, broken + err.Error()
		}
		name, _ = key.(string)
		m.add(name, valueOf(v))
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return m, broken + err.Error()
	}
	if _, err := d.Token(); err != io.EOF {
		return m, "has something behind the JSON object"
	}
	return m, ""
}

func valueOf(v any) value {
	switch v := v.(type) {
	case nil:
		return value{}
	case string:
		return value{"text", v}
	case json.Number:
		return value{"number", v.String()}
	case bool:
		return value{sort: "true or false"}
	case []any:
		return value{sort: "a list"}
	}
	return value{sort: "an object"}
}

// reader takes values out and collects what is wrong with them.
type reader struct {
	told    told
	strict  bool
	reasons []ticketing.Reason
}

func (r *reader) wrong(field, format string, args ...any) {
	r.reasons = append(r.reasons, ticketing.Reason{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// one gives the value of a key and its aliases, which have to agree once they
// are tidied, and whether there is one.
func (r *reader) one(sorts []string, tidy func(string) string, names ...string) (string, bool) {
	var found []string
	for _, name := range names {
		for _, v := range r.told[name] {
			switch {
			case v.sort == "":
			case !slices.Contains(sorts, v.sort):
				r.wrong(name, "has to be %s, not %s", strings.Join(sorts, " or "), v.sort)
				return "", false
			default:
				found = append(found, tidy(v.text))
			}
		}
	}
	if len(slices.Compact(slices.Clone(found))) > 1 {
		r.wrong(names[0], "is told more than once, with different values (%s): send it once", strings.Join(names, ", "))
		return "", false
	}
	if len(found) == 0 {
		return "", false
	}
	return found[0], true
}

// text reads text of at most limit characters. Longer text is a reason where
// the delivery is strict, and is cut where it is not.
func (r *reader) text(limit int, tidy func(string) string, name string) string {
	s, _ := r.one([]string{"text"}, tidy, name)
	if n := utf8.RuneCountInString(s); n > limit {
		if r.strict {
			r.wrong(name, "has %d characters; at most %d are accepted", n, limit)
		}
		return cut(s, limit)
	}
	return s
}

// name reads what names something, which is never cut.
func (r *reader) name(limit int, names ...string) string {
	s, _ := r.one([]string{"text"}, line, names...)
	if n := utf8.RuneCountInString(s); n > limit {
		r.wrong(names[0], "has %d characters; at most %d are accepted", n, limit)
	}
	return s
}

// ticketNumber is one run of digits, in what people write around it: "RE-1042".
// A second run, or a sign, could mean another ticket.
var ticketNumber = regexp.MustCompile(`^(?:[^-\pN]\PN{0,19})?0*([1-9][0-9]{0,18})\PN{0,20}$`)

// number reads the id of the ticket.
func (r *reader) number(names ...string) string {
	before := len(r.reasons)
	s, ok := r.one([]string{"text", "number"}, func(s string) string {
		if digits := ticketNumber.FindStringSubmatch(line(s)); digits != nil {
			return digits[1]
		}
		return ""
	}, names...)
	switch {
	case len(r.reasons) > before:
	case !ok:
		r.wrong(names[0], "is missing: send the number of the request")
	case s == "":
		r.wrong(names[0], "is not the number of a request, such as 1042 or RE-1042")
	}
	return s
}

// date reads a time: RFC 3339, a date, or milliseconds since 1970.
func (r *reader) date(name string) time.Time {
	s, ok := r.one([]string{"text", "number"}, line, name)
	if !ok {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil && at.UTC().Year() > 0 && at.UTC().Year() <= 9999 {
			return at.UTC()
		}
	}
	if ms := text(s).int(); ms > 0 && ms <= lastMilli {
		return time.UnixMilli(ms).UTC()
	}
	r.wrong(name, "is not a time: send RFC 3339 (2026-01-31T09:30:00Z), a date (2026-01-31), or milliseconds since 1970")
	return time.Time{}
}
