package servicedeskplus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
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
// as a form, or as JSON in the field payload or input_data of a form, which then
// names no ticket, tenant or account beside it. Only the ticket id is required.
// Other keys are ignored, and so is a variable that the product left empty. The
// event says what happened, whatever the URL: it is signed with the rest.
//
// The product does not escape what it puts in, so that a quote in a description
// breaks the JSON. Unless d.Strict, such a body still rings for its ticket; see
// recovered. A body that names a key twice is always refused, for two readers
// of it may see two tickets.
func (t *tool) Event(d ticketing.Delivery) (ticketing.Announcement, error) {
	in := parse(d)
	if in.problem != "" {
		refused := &ticketing.InvalidError{Reasons: []ticketing.Reason{{Field: "body", Problem: in.problem}}}
		if d.Strict || in.broken == nil {
			return ticketing.Announcement{}, refused
		}
		a, reasons := recovered(in.broken)
		if len(reasons) > 0 {
			refused.Reasons = append(refused.Reasons, reasons...)
			return ticketing.Announcement{}, refused
		}
		return a, nil
	}
	r := reader{told: in.told, strict: d.Strict}
	a := r.address()
	a.Told = ticket.Told{
		Subject:     r.text(250, line, "subject"),
		Description: r.text(maxText, clean, "description"),
		Priority:    r.text(50, line, "priority"),
		Client:      r.text(200, line, "client"),
		Resolution:  r.text(maxText, clean, "resolution"),
		Resolved:    r.date("resolved_date"),
	}
	a.Kind = events[strings.TrimPrefix(strings.ToLower(r.name(100, "event")), "request.")]
	if len(r.reasons) > 0 {
		return ticketing.Announcement{}, &ticketing.InvalidError{Reasons: r.reasons}
	}
	return a, nil
}

// events are the values of the key event, without "request." before them. Any
// other leaves it to the URL what happened.
var events = map[string]ticket.Kind{
	"created": ticket.Created, "updated": ticket.Updated, "replied": ticket.Replied, "conversation": ticket.Replied,
	"resolved": ticket.Resolved, "closed": ticket.Closed,
}

// address reads for which ticket, and of whom, the bell rings.
func (r *reader) address() ticketing.Announcement {
	return ticketing.Announcement{
		Key:     r.number("ticket_id", "request_id"),
		Tenant:  r.name(63, "tenant_id", "tenant"),
		Account: r.name(200, "account"),
	}
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

// input is what a body was read as. The problem is a sentence; broken is the
// JSON that is not well-formed, where that is the problem.
type input struct {
	told    told
	problem string
	broken  []byte
}

func parse(d ticketing.Delivery) input {
	media, _, _ := mime.ParseMediaType(d.Header.Get("Content-Type"))
	switch cmp.Or(media, "application/json") {
	case "application/json", "text/json", "text/plain":
		return parseJSON(d.Body)
	case "application/x-www-form-urlencoded":
		return parseForm(d.Body)
	}
	return input{problem: fmt.Sprintf("content type %.100q is not understood: send application/json or application/x-www-form-urlencoded", media)}
}

func parseForm(body []byte) input {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return input{problem: "is not a well-formed form: " + err.Error()}
	}
	switch whole := slices.Concat(form["payload"], form["input_data"]); len(whole) {
	case 0:
	case 1:
		// Text of the ticket that nobody escaped may have added the JSON to a
		// form, or a field to the JSON: either could be about another ticket.
		for _, key := range addressed {
			if form.Has(key) {
				return input{problem: fmt.Sprintf("has %s beside payload or input_data: put everything into the JSON", key)}
			}
		}
		return parseJSON([]byte(whole[0]))
	default:
		return input{problem: "has payload or input_data more than once"}
	}
	m := told{}
	for key, values := range form {
		for _, v := range values {
			m.add(key, value{"text", v})
		}
	}
	return input{told: m}
}

func parseJSON(body []byte) input {
	body = bytes.Trim(body, " \t\r\n") // what JSON calls white space, as whoever looked at the body before
	if len(body) > 0 && body[0] != '{' {
		return input{problem: "is not a JSON object"}
	}
	w := walker{json.NewDecoder(bytes.NewReader(body)), told{}}
	w.UseNumber()
	_, err := w.value(0)
	if err == nil {
		_, err = w.Token()
		switch {
		case errors.Is(err, io.EOF):
			return input{told: w.told}
		case err == nil:
			err = errors.New("something stands behind the JSON object")
		}
	}
	if refused, ok := errors.AsType[refusedError](err); ok {
		return input{problem: refused.Error()}
	}
	return input{problem: "is not well-formed JSON: " + err.Error(), broken: body}
}

// refusedError says why JSON is refused that is well-formed so far.
type refusedError string

func (e refusedError) Error() string { return string(e) }

// maxDepth is how deep JSON may be nested; ours is not nested at all.
const maxDepth = 32

// walker reads one JSON value, and keeps what an object has at its top.
type walker struct {
	*json.Decoder
	told told
}

func (w walker) value(depth int) (value, error) {
	token, err := w.Token()
	if err != nil {
		return value{}, err
	}
	var v value
	switch token := token.(type) {
	case string:
		return value{"text", token}, nil
	case json.Number:
		return value{"number", token.String()}, nil
	case bool:
		return value{sort: "true or false"}, nil
	case json.Delim:
		v.sort = "a list"
		if token == '{' {
			v.sort = "an object"
		}
	default:
		return v, nil // null
	}
	if depth > maxDepth {
		return v, refusedError(fmt.Sprintf("is nested deeper than %d", maxDepth))
	}
	seen := map[string]bool{}
	for w.More() {
		if err := w.member(depth, v.sort == "an object", seen); err != nil {
			return v, err
		}
	}
	_, err = w.Token() // the one that closes it
	return v, err
}

// member reads one value of a list or, with its key, of an object.
func (w walker) member(depth int, keyed bool, seen map[string]bool) error {
	if !keyed {
		_, err := w.value(depth + 1)
		return err
	}
	token, err := w.Token()
	if err != nil {
		return err
	}
	key, _ := token.(string)
	if seen[key] {
		return refusedError(fmt.Sprintf("has the key %.40q twice in one object: send it once", key))
	}
	seen[key] = true
	v, err := w.value(depth + 1)
	if err == nil && depth == 0 {
		w.told.add(key, v)
	}
	return err
}

// addressed are the keys of an address.
var addressed = []string{"ticket_id", "request_id", "tenant_id", "tenant", "account"}

// thin finds the keys of an address in JSON that is broken, each with its value
// where that is as it should be: text or a number, and then a comma or an end.
var thin = regexp.MustCompile(`"(` + strings.Join(addressed, "|") + `)"\s*:\s*` +
	`(?:("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|null)\s*(?:[,}]|\z))?`)

// maxFound is how often a broken body may name its ticket, tenant and account.
const maxFound = 64

// recovered reads what a broken body says of its ticket and to whom that
// belongs, and nothing else: the text of the ticket is what broke it. Whoever
// wrote that text may have put a key into it, so every one that is found counts,
// and where they do not agree, or one cannot be read, nothing is.
func recovered(object []byte) (ticketing.Announcement, []ticketing.Reason) {
	r := reader{told: told{}}
	all := thin.FindAllSubmatch(object, maxFound+1)
	if len(all) > maxFound { // the last ones count, too, so none do
		r.wrong("body", "names its ticket or account more than %d times", maxFound)
	}
	for _, found := range all {
		v := value{sort: "what cannot be read"}
		var text string
		switch raw := found[2]; {
		case len(raw) == 0:
		case raw[0] != '"':
			v = value{"number", string(raw)}
			if raw[0] == 'n' {
				v = value{}
			}
		case json.Unmarshal(raw, &text) == nil:
			v = value{"text", text}
		}
		r.told.add(string(found[1]), v)
	}
	a := r.address()
	a.Recovered = true
	return a, r.reasons
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
